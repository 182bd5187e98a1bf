package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MappedFileWriterTest {
    @TempDir Path folder;

    @Test
    void writesWhatItIsGivenWhereItBelongs() throws IOException {
        int size = 2 * MappedFileWriter.PIECE + 12_345;
        byte[] expected = new byte[size];
        Random random = new Random(1);
        // Within a piece, across an edge, a whole piece and its neighbours, a gap across an edge.
        int[][] ranges = {{4096, 100}, {5000, MappedFileWriter.PIECE}, {20 << 20, 64}};
        Path file = folder.resolve("x");
        try (FileChannel channel =
                        FileChannel.open(
                                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                MappedFileWriter writer = new MappedFileWriter(channel)) {
            for (int[] range : ranges) {
                byte[] bytes = new byte[range[1]];
                random.nextBytes(bytes);
                System.arraycopy(bytes, 0, expected, range[0], bytes.length);
                writer.write(range[0], MemorySegment.ofArray(bytes));
            }
            writer.finish(size);
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(expected);
    }

    @Test
    void refusesToGoBack() throws IOException {
        try (FileChannel channel =
                        FileChannel.open(
                                folder.resolve("x"),
                                StandardOpenOption.CREATE_NEW,
                                StandardOpenOption.WRITE);
                MappedFileWriter writer = new MappedFileWriter(channel)) {
            writer.write(10, MemorySegment.ofArray(new byte[10]));
            assertThatThrownBy(() -> writer.write(19, MemorySegment.ofArray(new byte[1])))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("19");
        }
    }
}
