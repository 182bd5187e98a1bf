package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/**
 * Writes a file that will be mapped, from its beginning to its end, in aligned pieces of {@link
 * #PIECE} bytes. Linux keeps a file in pages as large as the pieces in which it was written or
 * read, up to 2 MiB where the file system can (ext4 since 6.16, XFS), and maps those pages whole: a
 * processor then walks page tables once instead of 512 times. What cannot, loses nothing.
 *
 * @see <a href="https://docs.kernel.org/filesystems/iomap/design.html">Linux: large folios</a>
 */
public final class MappedFileWriter implements AutoCloseable {
    /** A multiple of the largest page. */
    public static final int PIECE = 16 << 20;

    private final FileChannel channel;
    private final OffHeap memory = OffHeap.allocate(PIECE);
    private final MemorySegment piece = memory.segment();
    private long start; // of the piece in the file, a multiple of PIECE
    private int filled;

    /**
     * @param channel a file that is empty; not closed with the writer
     */
    public MappedFileWriter(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Writes bytes, after zeros up to where they begin.
     *
     * @param at where they begin, not before the end of what was written
     */
    public void write(long at, MemorySegment bytes) throws IOException {
        fill(at);
        for (long from = 0; from < bytes.byteSize(); ) {
            long count = Math.min(bytes.byteSize() - from, PIECE - filled);
            MemorySegment.copy(bytes, from, piece, filled, count);
            advance(count);
            from += count;
        }
    }

    /** Writes zeros up to the file's size, and what still waits for its piece to be full. */
    public void finish(long size) throws IOException {
        fill(size);
        flush();
    }

    private void fill(long to) throws IOException {
        check(to >= start + filled, "bytes at %s come after those at %s", to, start + filled);
        while (start + filled < to) {
            long count = Math.min(to - start - filled, PIECE - filled);
            piece.asSlice(filled, count).fill((byte) 0);
            advance(count);
        }
    }

    private void advance(long count) throws IOException {
        filled += (int) count;
        if (filled == PIECE) {
            flush();
        }
    }

    private void flush() throws IOException {
        ByteBuffer bytes = piece.asSlice(0, filled).asByteBuffer();
        while (bytes.hasRemaining()) {
            channel.write(bytes, start + bytes.position());
        }
        start += filled;
        filled = 0;
    }

    @Override
    public void close() {
        memory.close();
    }
}
