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
import java.util.List;
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

    /** Ten small planes and one that spans pieces, in a file that ends within a piece. */
    private List<RecordingChannel.Written> calls(int mostBytes, int size) throws IOException {
        Path file = folder.resolve("most-" + mostBytes);
        byte[] expected = new byte[size];
        Random random = new Random(2);
        try (RecordingChannel channel =
                        new RecordingChannel(
                                FileChannel.open(
                                        file,
                                        StandardOpenOption.CREATE_NEW,
                                        StandardOpenOption.WRITE),
                                mostBytes);
                MappedFileWriter writer = new MappedFileWriter(channel)) {
            for (int i = 0; i < 11; i++) {
                int at = 4096 + i * 1_000_000;
                byte[] bytes = new byte[i < 10 ? 999_999 : MappedFileWriter.PIECE];
                random.nextBytes(bytes);
                System.arraycopy(bytes, 0, expected, at, bytes.length);
                writer.write(at, MemorySegment.ofArray(bytes));
            }
            writer.finish(size);
            assertThat(Files.readAllBytes(file)).isEqualTo(expected);
            return channel.calls;
        }
    }

    @Test
    void everyWriteIsAWholeAlignedPieceButTheLast() throws IOException {
        int piece = MappedFileWriter.PIECE;
        assertThat(calls(Integer.MAX_VALUE, 2 * piece + 12_345))
                .containsExactly(
                        new RecordingChannel.Written(0, piece, piece),
                        new RecordingChannel.Written(piece, piece, piece),
                        new RecordingChannel.Written(2L * piece, 12_345, 12_345));
    }

    /** A full disk quota or a signal may cut a write short. */
    @Test
    void aShortWriteIsContinuedWhereItEnded() throws IOException {
        int piece = MappedFileWriter.PIECE;
        int most = piece / 2 + 1;
        int rest = piece - most;
        assertThat(calls(most, 2 * piece))
                .containsExactly(
                        new RecordingChannel.Written(0, piece, most),
                        new RecordingChannel.Written(most, rest, rest),
                        new RecordingChannel.Written(piece, piece, most),
                        new RecordingChannel.Written(piece + most, rest, rest));
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
