package dev.flagship.tensor;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Units of one operation, split over a team: a contiguous range for each thread, which streams
 * through memory in one piece, and the last eighth in small parts for whoever comes first, so that
 * a thread which the system interrupted holds nobody up. Who computes a unit must not change its
 * value.
 */
public final class Shares {
    /** Units of a part; few, for it is what the others may have to wait for. */
    private static final int PART = 2;

    private static final int TAIL = 8;

    private final AtomicInteger next = new AtomicInteger();
    private int units;
    private int fixed;

    /** Shares of no units, until {@link #start}. */
    public Shares() {
        // Reused from operation to operation.
    }

    /** Begins an operation; by the team's owner, before it dispatches. */
    public void start(int count) {
        units = count;
        fixed = count - count / TAIL;
        next.set(fixed);
    }

    /** First unit of a thread's own range. */
    public int from(int thread, int threads) {
        return (int) ((long) fixed * thread / threads);
    }

    /** One past the last unit of a thread's own range. */
    public int to(int thread, int threads) {
        return from(thread + 1, threads);
    }

    /** First unit of a part that nobody has taken yet, or −1 if there is none. */
    public int takePart() {
        int first = next.getAndAdd(PART);
        return first < units ? first : -1;
    }

    /** One past the last unit of the part that begins at {@code first}. */
    public int partEnd(int first) {
        return Math.min(first + PART, units);
    }
}
