package dev.flagship.kernels.x86;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * What was found out about kernels on a processor, kept beside the trial markers for later starts.
 * The file's name holds kernels, their version and the processor's signature, so another processor
 * finds none.
 */
final class VariantFile {
    private static final long MOST_BYTES = 1024;

    private final Path file;

    /**
     * @param kind what is kept, fit for a file name
     * @param variant kernels, their version and the processor, fit for a file name
     */
    VariantFile(String kind, Path folder, String variant) {
        this.file = folder.resolve(kind + "-" + variant);
    }

    /** What was written, to be parsed with suspicion; empty if nothing was. */
    Optional<String> read() {
        try {
            return Files.size(file) > MOST_BYTES
                    ? Optional.empty()
                    : Optional.of(Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Whether writing can succeed: where it cannot, measuring for it would be in vain. */
    boolean canBeWritten() {
        return Files.isWritable(file.toAbsolutePath().getParent());
    }

    /** Keeps it for later starts, whole or not at all; where that fails, they do without. */
    void write(String text) {
        Path part = file.resolveSibling(file.getFileName() + "." + ProcessHandle.current().pid());
        try {
            Files.writeString(part, text, StandardCharsets.ISO_8859_1);
            Files.move(
                    part,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            part.toFile().delete();
        }
    }
}
