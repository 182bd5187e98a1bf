package dev.flagship.hostile;

import com.sun.management.ThreadMXBean;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What a piece of code takes on its own thread: heap, memory outside of it, bytes written to files,
 * processor time. Totals, which no peak exceeds. One piece at a time in a process, for what is
 * taken outside the heap is counted for all of it.
 */
public final class Meter {
    /** Bytes that reading may take for each byte that it is given. */
    public static final int FACTOR = 64;

    /** Bytes that reading may take in any case. */
    public static final long BASE = 1 << 20;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** What the kernel counts for a thread, among it bytes that it wrote. */
    private static final Path IO = Path.of("/proc/thread-self/io");

    private static final String WRITTEN = "wchar: ";

    private Meter() {}

    /** Code that is measured. */
    public interface Block {
        void run() throws IOException;
    }

    /**
     * The cost of a run.
     *
     * @param heap bytes allocated
     * @param offHeap bytes of all arenas opened and files mapped
     * @param written bytes written to files; 0 on systems that do not tell
     * @param cpu time that the thread was at work
     */
    public record Cost(long heap, long offHeap, long written, Duration cpu) {
        public long bytes() {
            return heap + offHeap + written;
        }

        /**
         * Requires that bytes are in proportion.
         *
         * @param given bytes that were read
         * @throws AssertionError if they are not
         */
        public void requireBytes(long given) {
            long most = allowed(given);
            if (bytes() > most) {
                throw new AssertionError(
                        "%d bytes of input took %d: %d on the heap, %d outside, %d written; at most %d may be"
                                .formatted(given, bytes(), heap, offHeap, written, most));
            }
        }

        /**
         * Requires that it was quick.
         *
         * @throws AssertionError if it was not
         */
        public void requireTime(Duration most) {
            if (cpu.compareTo(most) > 0) {
                throw new AssertionError(
                        "took %d ms of processor time, at most %d may be"
                                .formatted(cpu.toMillis(), most.toMillis()));
            }
        }
    }

    /** Bytes that reading so many may take. */
    public static long allowed(long given) {
        return FACTOR * given + BASE;
    }

    /** Runs the block; what it throws goes through. */
    public static Cost of(Block block) throws IOException {
        long written = written();
        long offHeap = MemoryLedger.taken();
        long cpu = THREADS.getCurrentThreadCpuTime();
        long heap = THREADS.getCurrentThreadAllocatedBytes();
        block.run();
        heap = THREADS.getCurrentThreadAllocatedBytes() - heap;
        cpu = THREADS.getCurrentThreadCpuTime() - cpu;
        offHeap = MemoryLedger.taken() - offHeap;
        return new Cost(heap, offHeap, written() - written, Duration.ofNanos(cpu));
    }

    private static long written() throws IOException {
        if (Files.isReadable(IO)) {
            for (String line : Files.readAllLines(IO)) {
                if (line.startsWith(WRITTEN)) {
                    return Long.parseLong(line.substring(WRITTEN.length()));
                }
            }
        }
        return 0;
    }
}
