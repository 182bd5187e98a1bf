package dev.flagship.launch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A folder of this machine that holds the file under the catalogue's name. The file is copied.
 *
 * @param named by somebody, who is told if the file is not there
 */
record FolderSource(Path folder, boolean named) implements Source {
    FolderSource(Path folder) {
        this(folder, false);
    }

    @Override
    public String describe(RemoteFile file) {
        return label();
    }

    @Override
    public String label() {
        return "folder " + folder;
    }

    @Override
    public String fetch(String title, RemoteFile file, PartFile part, Progress progress)
            throws SourceException, IOException, InterruptedException {
        Path here = folder.resolve(file.name());
        if (!Files.isRegularFile(here)) {
            String reason =
                    Files.isDirectory(folder)
                            ? "no file " + file.name() + " directly in it"
                            : "there is no such folder";
            throw named ? new SourceException(reason) : SourceException.absent(reason);
        }
        progress.stage("Copying " + title + " from " + folder);
        try (var in = Files.newInputStream(here)) {
            return part.write(in, file, progress);
        } catch (DiskFull.WriteException e) {
            throw e;
        } catch (IOException e) {
            throw new SourceException("the file cannot be copied: " + Reasons.of(e), e);
        }
    }
}
