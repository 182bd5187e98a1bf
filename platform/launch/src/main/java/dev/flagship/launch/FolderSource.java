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
    public String describe(CatalogueModel model) {
        return "folder " + folder;
    }

    @Override
    public String label(CatalogueModel model) {
        return describe(model);
    }

    @Override
    public void fetch(CatalogueModel model, PartFile part, Progress progress)
            throws SourceException, InterruptedException {
        Path file = folder.resolve(model.file());
        if (!Files.isRegularFile(file)) {
            String reason =
                    Files.isDirectory(folder)
                            ? "no file " + model.file() + " directly in it"
                            : "there is no such folder";
            throw named ? new SourceException(reason) : SourceException.absent(reason);
        }
        progress.stage("Copying " + model.title() + " from " + folder);
        try (var in = Files.newInputStream(file)) {
            part.write(in, model, progress);
        } catch (IOException e) {
            throw new SourceException("the file cannot be copied: " + Reasons.of(e), e);
        }
    }
}
