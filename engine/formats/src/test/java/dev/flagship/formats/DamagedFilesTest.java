package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.hostile.TinyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files cut short, everywhere. Random damage is the matter of quality/fuzz. */
class DamagedFilesTest {
    @TempDir Path folder;

    @BeforeEach
    void loadClasses() throws IOException {
        OpenedModels.loadClasses(folder);
    }

    private Path write(byte[] bytes) throws IOException {
        return Files.write(folder.resolve("damaged"), bytes);
    }

    @Test
    void refusesEveryTruncation() throws IOException {
        for (byte[] valid :
                new byte[][] {
                    TinyFiles.gguf(2),
                    TinyFiles.gguf(3),
                    TinyFiles.safetensors(),
                    TinyFiles.archive(),
                    TinyFiles.stream()
                }) {
            for (int length = 0; length < valid.length; length++) {
                assertThat(OpenedModels.readAll(write(Arrays.copyOf(valid, length))))
                        .as("first %d bytes", length)
                        .isNotNull();
            }
        }
    }
}
