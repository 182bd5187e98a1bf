package dev.flagship.tensor;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Bands of the matrices of one operation, one after another, split over a team: a contiguous range
 * for each thread, which streams through memory in one piece, and the last eighth in small parts
 * for whoever comes first, so that a thread which the system interrupted holds nobody up; the parts
 * at the very end are the smallest, for those are what threads wait for. Who computes a band must
 * not change its value.
 */
public final class Shares {
    /** Units of a part, but for the last ones, of one unit. */
    private static final int PART = 2;

    /** Last parts for each thread. */
    private static final int LAST = 2;

    private static final int TAIL = 8;

    private final int unit;
    private final AtomicInteger next = new AtomicInteger();
    private int[] bands = new int[4];
    private int matrices;
    private int units;
    private int fixed;

    /**
     * Shares of no bands, reused from operation to operation.
     *
     * @param unit bands that stay together, so that groups of them are not cut
     */
    public Shares(int unit) {
        this.unit = unit;
    }

    /** Computes bands. */
    public interface Work {
        /** Computes bands [from, to) of a matrix. */
        void bands(int thread, int matrix, int from, int to);
    }

    /** Begins an operation without matrices; by the team's owner, as all but {@link #run}. */
    public void clear() {
        matrices = 0;
        units = 0;
    }

    /**
     * Adds the next matrix.
     *
     * @param count its bands, 0 for one that somebody else computes
     */
    public void add(int count) {
        if (matrices == bands.length) {
            bands = Arrays.copyOf(bands, 2 * matrices);
        }
        bands[matrices++] = count;
        units += units(count);
    }

    private int units(int bands) {
        return (bands + unit - 1) / unit;
    }

    /** Makes the shares of what was added; before the team is dispatched. */
    public void start() {
        fixed = units - units / TAIL;
        next.set(fixed);
    }

    /** Does a thread's share, and then what is left for whoever comes first. */
    public void run(int thread, int threads, Work work) {
        compute(thread, share(thread, threads), share(thread + 1, threads), work);
        int last = units - LAST * threads;
        for (int part = take(last); part < units; part = take(last)) {
            compute(thread, part, Math.min(part + size(part, last), units), work);
        }
    }

    private static int size(int part, int last) {
        return part < last ? PART : 1;
    }

    /** Where the next part begins; no less than {@link #units} if there is none. */
    private int take(int last) {
        int part = next.get();
        while (part < units && !next.compareAndSet(part, part + size(part, last))) {
            part = next.get();
        }
        return part;
    }

    private int share(int thread, int threads) {
        return (int) ((long) fixed * thread / threads);
    }

    private void compute(int thread, int from, int to, Work work) {
        int first = 0;
        for (int i = 0; i < matrices; i++) {
            int begin = Math.max(from - first, 0);
            int end = Math.min(to - first, units(bands[i]));
            if (begin < end) {
                work.bands(thread, i, begin * unit, Math.min(end * unit, bands[i]));
            }
            first += units(bands[i]);
        }
    }
}
