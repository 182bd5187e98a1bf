package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.tensor.MappedFile;
import dev.flagship.tensor.OffHeap;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each kind of leak is seen, and each kind of order passes. */
class LeakCheckTest {
    @TempDir Path folder;
    private final List<AutoCloseable> leaked = new ArrayList<>();

    @AfterEach
    void tidy() throws Exception {
        for (AutoCloseable closeable : leaked) {
            closeable.close();
        }
    }

    @Test
    void seesAnArena() {
        assertThatThrownBy(() -> LeakCheck.around(() -> leaked.add(OffHeap.allocate(100))))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("1 arenas, 100 bytes");
    }

    @Test
    void seesAMappedFile() throws Exception {
        Path file = Files.write(folder.resolve("weights"), new byte[5000]);
        assertThatThrownBy(() -> LeakCheck.around(() -> leaked.add(MappedFile.open(file))))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("weights=8192");
    }

    @Test
    void seesADescriptor() throws Exception {
        Path file = Files.write(folder.resolve("open"), new byte[1]);
        assertThatThrownBy(() -> LeakCheck.around(() -> leaked.add(FileChannel.open(file))))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("open=1");
    }

    @Test
    void passesWhatIsGivenBack() throws Exception {
        Path file = Files.write(folder.resolve("weights"), new byte[5000]);
        LeakCheck.around(() -> {
            try (MappedFile mapped = MappedFile.open(file);
                    OffHeap memory = OffHeap.allocate(mapped.bytes().byteSize())) {
                memory.segment().copyFrom(mapped.bytes());
            }
        });
    }

    @Test
    void letsTheBlocksOwnFailureThrough() {
        assertThatThrownBy(() ->
                        LeakCheck.around(() -> {
                            throw new java.io.IOException("mine");
                        }))
                .isInstanceOf(java.io.IOException.class)
                .hasMessage("mine");
    }
}
