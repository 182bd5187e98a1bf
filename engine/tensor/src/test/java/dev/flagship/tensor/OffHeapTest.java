package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OffHeapTest {
    private long arenas;
    private long bytes;

    @BeforeEach
    void count() {
        arenas = MemoryLedger.arenas();
        bytes = MemoryLedger.bytes();
    }

    @AfterEach
    void allIsBack() {
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        assertThat(MemoryLedger.bytes()).isEqualTo(bytes);
    }

    @Test
    void memoryIsZeroedAlignedAndCounted() {
        try (OffHeap memory = OffHeap.allocate(1000)) {
            assertThat(memory.segment().byteSize()).isEqualTo(1000);
            assertThat(memory.segment().address() % 64).isZero();
            assertThat(memory.segment().toArray(ValueLayout.JAVA_BYTE)).containsOnly(0);
            assertThat(MemoryLedger.arenas()).isEqualTo(arenas + 1);
            assertThat(MemoryLedger.bytes()).isEqualTo(bytes + 1000);
        }
    }

    @Test
    void nothingIsAPieceToo() {
        try (OffHeap memory = OffHeap.allocate(0)) {
            assertThat(memory.segment().byteSize()).isZero();
        }
    }

    @Test
    void segmentsDieWithTheirOwner() {
        OffHeap memory = OffHeap.allocate(8);
        MemorySegment slice = memory.segment().asSlice(4);
        memory.close();
        assertThatThrownBy(() -> slice.get(ValueLayout.JAVA_INT_UNALIGNED, 0))
                .isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(memory::close).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void aFailedAllocationLeavesNothing() {
        assertThatThrownBy(() -> OffHeap.allocate(-1)).isInstanceOf(RuntimeException.class);
        assertThatThrownBy(() -> OffHeap.allocate(Long.MAX_VALUE / 2))
                .isInstanceOfAny(OutOfMemoryError.class, IllegalArgumentException.class);
    }

    @Test
    void aFileIsMappedWholeAndReadOnly(@TempDir Path folder) throws IOException {
        byte[] content = {1, 2, 3, 4, 5};
        Path path = Files.write(folder.resolve("f"), content);
        try (MappedFile file = MappedFile.open(path)) {
            assertThat(file.path()).isEqualTo(path);
            assertThat(file.bytes().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content);
            assertThat(file.bytes().isReadOnly()).isTrue();
            assertThat(MemoryLedger.bytes()).isEqualTo(bytes + 5);
        }
    }

    @Test
    void anEmptyFileIsMapped(@TempDir Path folder) throws IOException {
        try (MappedFile file = MappedFile.open(Files.createFile(folder.resolve("f")))) {
            assertThat(file.bytes().byteSize()).isZero();
        }
    }

    @Test
    void aFileThatCannotBeMappedLeavesNothing(@TempDir Path folder) {
        assertThatThrownBy(() -> MappedFile.open(folder.resolve("absent")))
                .isInstanceOf(NoSuchFileException.class);
        assertThatThrownBy(() -> MappedFile.open(folder)).isInstanceOf(IOException.class);
    }
}
