package dev.flagship.kernels.x86;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * Where a processor's {@link Tuning} is kept, beside the trial markers. The file's name holds
 * kernels, their version and the processor's signature, so another processor finds none.
 */
final class TuningFile {
    private final Path file;

    /**
     * @param variant kernels, their version and the processor, fit for a file name
     */
    TuningFile(Path folder, String variant) {
        this.file = folder.resolve("tuning-" + variant);
    }

    /** Empty if there is none, or none that can be believed. */
    Optional<Tuning> read() {
        try {
            return Tuning.parse(Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Whether writing can succeed: where it cannot, measuring at each start would be in vain. */
    boolean canBeWritten() {
        return Files.isWritable(file.toAbsolutePath().getParent());
    }

    /** Keeps it for later starts, whole or not at all; where that fails, they measure again. */
    void write(Tuning tuning) {
        Path part = file.resolveSibling(file.getFileName() + "." + ProcessHandle.current().pid());
        try {
            Files.writeString(part, tuning.text(), StandardCharsets.ISO_8859_1);
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
