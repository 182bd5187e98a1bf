package dev.flagship.formats;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * One model in the cache of huggingface_hub: a folder {@code models--OWNER--NAME} with a folder
 * {@code snapshots/REVISION} for each revision, and {@code refs/BRANCH}, which names a branch's.
 *
 * <p>Source: huggingface_hub's guide "Understand caching".
 */
record HubCache(Path folder) {
    private static final String SNAPSHOTS = "snapshots";
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");
    private static final long LONGEST_REFERENCE = 256;

    /** The cache that a folder, or the folder of all its snapshots, belongs to. */
    static Optional<HubCache> of(Path folder) {
        Path cache = folder.endsWith(SNAPSHOTS) ? ModelFiles.folderOf(folder) : folder;
        return Files.isDirectory(cache.resolve(SNAPSHOTS))
                ? Optional.of(new HubCache(cache))
                : Optional.empty();
    }

    /**
     * The snapshot of the main branch, or the only one.
     *
     * @throws FormatException if there is none, or none can be preferred
     */
    Path snapshot() throws IOException {
        Optional<Path> main = main();
        if (main.isPresent()) {
            return main.get();
        }
        List<Path> found = new ArrayList<>();
        try (DirectoryStream<Path> entries =
                Files.newDirectoryStream(folder.resolve(SNAPSHOTS), Files::isDirectory)) {
            entries.forEach(found::add);
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        if (found.size() == 1) {
            return found.getFirst();
        }
        throw found.isEmpty()
                ? new FormatException(
                        folder,
                        "Hugging Face cache",
                        "it has no snapshot of the model",
                        "The download is incomplete: fetch the model again.")
                : new FormatException(
                        folder.resolve(SNAPSHOTS),
                        "Hugging Face cache",
                        "%d snapshots, and refs/main names none of them: %s"
                                .formatted(found.size(), ModelFiles.names(found)),
                        "Name the folder of one of them.");
    }

    private Optional<Path> main() throws IOException {
        Path reference = folder.resolve("refs").resolve("main");
        if (!Files.isRegularFile(reference) || Files.size(reference) > LONGEST_REFERENCE) {
            return Optional.empty();
        }
        byte[] bytes = Files.readAllBytes(reference);
        String revision = String.valueOf(Utf8.decode(bytes, 0, bytes.length)).strip();
        Path snapshot = folder.resolve(SNAPSHOTS);
        return REVISION.matcher(revision).matches() && Files.isDirectory(snapshot.resolve(revision))
                ? Optional.of(snapshot.resolve(revision))
                : Optional.empty();
    }
}
