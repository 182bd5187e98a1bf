package dev.flagship.testing;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Proves that code which runs once per token leaves the heap alone after warm-up. Code that is not
 * compiled yet may allocate what C2 later keeps in registers, so it is given time.
 */
public final class AllocationCheck {
    private static final int CALLS = 20;
    private static final int QUIET_ROUNDS = 3;
    private static final long PATIENCE_NANOS = 30_000_000_000L;

    private AllocationCheck() {}

    /**
     * Calls until three rounds of 20 calls have allocated nothing on this thread.
     *
     * @throws AssertionError if half a minute does not bring that about, with the bytes of the last
     *     round
     */
    public static void allocatesNothing(String what, Runnable call) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long deadline = System.nanoTime() + PATIENCE_NANOS;
        int quiet = 0;
        while (quiet < QUIET_ROUNDS) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                call.run();
            }
            long bytes = threads.getCurrentThreadAllocatedBytes() - before;
            quiet = bytes == 0 ? quiet + 1 : 0;
            if (bytes != 0 && System.nanoTime() > deadline) {
                throw new AssertionError(
                        "%d calls of %s allocate %d bytes".formatted(CALLS, what, bytes));
            }
        }
    }
}
