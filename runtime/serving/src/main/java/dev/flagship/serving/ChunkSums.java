package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/** CRC-32C of each chunk of a stream of bytes, in which what is left out is zero. */
final class ChunkSums {
    private static final MemorySegment ZEROS = MemorySegment.ofArray(new byte[4096]);

    private final long chunk;
    private final CRC32C crc = new CRC32C();
    private final List<Integer> sums = new ArrayList<>();
    private long end;

    ChunkSums(long chunk) {
        this.chunk = chunk;
    }

    /**
     * Adds bytes, after zeros up to where they begin.
     *
     * @param at where they begin, not before the end of what was added
     */
    void add(long at, MemorySegment bytes) {
        check(at >= end, "bytes at %s come after those at %s", at, end);
        while (end < at) {
            update(ZEROS.asSlice(0, Math.min(ZEROS.byteSize(), at - end)));
        }
        update(bytes);
    }

    /** Adds zeros up to the stream's size, and ends the last chunk, however short. */
    void finish(long size) {
        add(size, MemorySegment.NULL);
        if (end % chunk != 0) {
            sums.add((int) crc.getValue());
        }
    }

    int[] all() {
        return sums.stream().mapToInt(Integer::intValue).toArray();
    }

    private void update(MemorySegment bytes) {
        for (long from = 0; from < bytes.byteSize(); ) {
            long count = Math.min(bytes.byteSize() - from, chunk - end % chunk);
            crc.update(bytes.asSlice(from, count).asByteBuffer());
            from += count;
            end += count;
            if (end % chunk == 0) {
                sums.add((int) crc.getValue());
                crc.reset();
            }
        }
    }
}
