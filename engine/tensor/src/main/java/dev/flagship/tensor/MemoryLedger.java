package dev.flagship.tensor;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the off-heap memory that is alive in this process, so that a test can prove that all of it
 * comes back. The only mutable static of the engine: the process is what is counted.
 */
public final class MemoryLedger {
    private static final AtomicLong ARENAS = new AtomicLong();
    private static final AtomicLong BYTES = new AtomicLong();
    private static final AtomicLong TAKEN = new AtomicLong();

    private MemoryLedger() {}

    static void opened(long bytes) {
        ARENAS.incrementAndGet();
        BYTES.addAndGet(bytes);
        TAKEN.addAndGet(bytes);
    }

    static void closed(long bytes) {
        ARENAS.decrementAndGet();
        BYTES.addAndGet(-bytes);
    }

    /** Arenas open now. */
    public static long arenas() {
        return ARENAS.get();
    }

    /** Bytes that open arenas hold or map now. */
    public static long bytes() {
        return BYTES.get();
    }

    /** Bytes of all arenas that were ever opened: what came back is counted too. */
    public static long taken() {
        return TAKEN.get();
    }
}
