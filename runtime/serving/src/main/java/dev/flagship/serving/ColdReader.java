package dev.flagship.serving;

import dev.flagship.tensor.MappedFileWriter;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.function.LongPredicate;

/**
 * Reads a file that is mapped into memory before it is looked at. A touch of every page would bring
 * it in too, but into small pages, for as long as it stays there: see {@link MappedFileWriter}.
 *
 * @param fits whether so many bytes could stay in memory: what is pushed out again before it is
 *     looked at would be read twice
 */
record ColdReader(Team team, LoadListener listener, LongPredicate fits) {
    private static final System.Logger LOG = System.getLogger(ColdReader.class.getName());

    /** As many saturate a disk; each takes a piece of memory. */
    static final int MOST_READERS = 8;

    /** Opens the file once more. */
    interface Opener {
        FileChannel open() throws IOException;
    }

    /**
     * Reads all of a file in aligned pieces of {@link MappedFileWriter#PIECE}, unless it could not
     * stay in memory. What cannot be read here, a look at it will read.
     *
     * @param size of the file
     * @param stage what the listener is told
     */
    void read(long size, Opener opener, String stage) {
        if (!fits.test(size)) {
            return;
        }
        long pieces = Math.ceilDiv(size, MappedFileWriter.PIECE);
        team.run((thread, threads) -> {
            int readers = Math.min(threads, MOST_READERS);
            long from = pieces * thread / readers;
            long to = pieces * (thread + 1) / readers;
            if (thread >= readers || from == to) {
                return;
            }
            // A channel of its own: the system reads ahead of one reader a channel.
            try (FileChannel channel = opener.open();
                    OffHeap memory = OffHeap.allocate(MappedFileWriter.PIECE)) {
                ByteBuffer piece = memory.segment().asByteBuffer();
                for (long i = from; i < to; i++) {
                    long at = i * MappedFileWriter.PIECE;
                    if (thread == 0) {
                        listener.progress(stage, at * readers, size);
                    }
                    piece.clear().limit((int) Math.min(piece.capacity(), size - at));
                    fill(piece, channel, at);
                }
            } catch (IOException e) {
                LOG.log(Level.DEBUG, stage + " ahead of their check failed", e);
            }
        });
        listener.progress(stage, size, size);
    }

    private static void fill(ByteBuffer piece, FileChannel channel, long at) throws IOException {
        while (piece.hasRemaining()) {
            if (channel.read(piece, at + piece.position()) < 0) {
                return; // shorter than it was: the check will see
            }
        }
    }
}
