package dev.flagship.launch;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;

/**
 * Which chunks of a file are here, in a text file beside it that outlives the process:
 *
 * <pre>
 * flagship-ranges 1 SIZE CHUNK VALIDATOR
 * INDEX          a line for each chunk that is written, in any order
 * </pre>
 *
 * A line is appended after its chunk is written, so whoever is killed loses what was under way. A
 * torn line counts for nothing. What a power cut loses, the digest of the whole file finds.
 */
final class Ranges implements AutoCloseable {
    private static final String MAGIC = "flagship-ranges 1 ";
    private static final int MOST_BYTES = 16 << 20;

    private final long size;
    private final int chunk;
    private final BitSet done;
    private final FileChannel log;

    private Ranges(long size, int chunk, BitSet done, FileChannel log) {
        this.size = size;
        this.chunk = chunk;
        this.done = done;
        this.log = log;
    }

    /**
     * Goes on with what is there, or begins anew if that is of another file.
     *
     * @param validator what tells this state of the file from others, without line breaks
     */
    static Ranges open(PartFile part, long size, int chunk, String validator) throws IOException {
        String head = MAGIC + size + " " + chunk + " " + validator.replaceAll("\\s", "_") + "\n";
        String log = read(part);
        BitSet done =
                log.startsWith(head)
                        ? done(part, log.substring(head.length()), size, chunk)
                        : new BitSet();
        if (done.isEmpty()) {
            part.discard();
            log = head;
            Files.writeString(part.ranges(), log, StandardCharsets.ISO_8859_1);
        }
        FileChannel channel = FileChannel.open(part.ranges(), StandardOpenOption.WRITE);
        channel.truncate(log.length()).position(log.length());
        return new Ranges(size, chunk, done, channel);
    }

    /** Its whole lines. */
    private static String read(PartFile part) throws IOException {
        if (!Files.isRegularFile(part.ranges())
                || !Files.isRegularFile(part.file())
                || Files.size(part.ranges()) > MOST_BYTES) {
            return "";
        }
        String text = Files.readString(part.ranges(), StandardCharsets.ISO_8859_1);
        return text.substring(0, text.lastIndexOf('\n') + 1);
    }

    private static BitSet done(PartFile part, String lines, long size, int chunk)
            throws IOException {
        BitSet done = new BitSet();
        int chunks = Math.toIntExact(Math.ceilDiv(size, chunk));
        lines.lines()
                .filter(line -> line.matches("\\d{1,9}"))
                .mapToInt(Integer::parseInt)
                .filter(index -> index < chunks)
                .forEach(done::set);
        long end = Math.min(size, (long) done.length() * chunk);
        return Files.size(part.file()) >= end ? done : new BitSet();
    }

    int chunks() {
        return Math.toIntExact(Math.ceilDiv(size, chunk));
    }

    long begin(int index) {
        return (long) index * chunk;
    }

    long end(int index) {
        return Math.min(size, (index + 1L) * chunk);
    }

    synchronized boolean has(int index) {
        return done.get(index);
    }

    /** Bytes of the chunks that are here. */
    synchronized long bytes() {
        return done.stream().mapToLong(i -> end(i) - begin(i)).sum();
    }

    /** Notes that the chunk is written. */
    synchronized void add(int index) throws IOException {
        done.set(index);
        PartFile.writeAll(log, ByteBuffer.wrap((index + "\n").getBytes(StandardCharsets.US_ASCII)));
    }

    @Override
    public void close() throws IOException {
        log.close();
    }
}
