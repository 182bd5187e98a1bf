package dev.flagship.tensor;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts the off-heap memory that is alive in this process, so that a test can prove that all of it comes back. The only
 * mutable static of the engine: the process is what is counted.
 */
public final class MemoryLedger {
    private static final AtomicLong ARENAS = new AtomicLong();
    private static final AtomicLong BYTES = new AtomicLong();

    private MemoryLedger() {}

    /** Opens a shared arena that will hold {@code bytes}. */
    public static Arena open(long bytes) {
        Arena arena = Arena.ofShared();
        ARENAS.incrementAndGet();
        BYTES.addAndGet(bytes);
        return arena;
    }

    /** Closes an arena that {@link #open} gave, with the same number of bytes. */
    public static void close(Arena arena, long bytes) {
        arena.close();
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
}
