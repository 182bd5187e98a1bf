package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

class ChunkSumsTest {
    private static final int CHUNK = 10_000;

    @Test
    void sumsAreThoseOfTheWholeStreamWithItsGaps() {
        for (int size : new int[] {1, 9_999, 10_000, 10_001, 35_000}) {
            byte[] whole = new byte[size];
            var random = new Random(size);
            var sums = new ChunkSums(CHUNK);
            for (int at = random.nextInt(size); at < size; at += 1 + random.nextInt(7_000)) {
                byte[] piece = new byte[Math.min(size - at, 1 + random.nextInt(9_000))];
                random.nextBytes(piece);
                System.arraycopy(piece, 0, whole, at, piece.length);
                sums.add(at, MemorySegment.ofArray(piece));
                at += piece.length;
            }
            sums.finish(size);
            int[] found = sums.all();
            assertThat(found).hasSize((size + CHUNK - 1) / CHUNK);
            for (int i = 0; i < found.length; i++) {
                var crc = new CRC32C();
                crc.update(whole, i * CHUNK, Math.min(CHUNK, size - i * CHUNK));
                assertThat(found[i])
                        .as("chunk %d of %d bytes", i, size)
                        .isEqualTo((int) crc.getValue());
            }
        }
    }

    @Test
    void bytesBeforeTheEndAreRefused() {
        var sums = new ChunkSums(CHUNK);
        sums.add(0, MemorySegment.ofArray(new byte[8]));
        assertThatThrownBy(() -> sums.add(7, MemorySegment.ofArray(new byte[1])))
                .isInstanceOf(InvalidArgumentException.class);
    }
}
