package dev.flagship.kernels.x86;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Finds a {@link Tuning} by the clock, within a tenth of a second. What is usual stays unless
 * another choice is clearly faster in turns with it, since a start is no quiet moment and the
 * choice is kept; what there is no time to measure stays as well.
 */
final class TuningProbe implements AutoCloseable {
    /** Weights that come from memory, one row of x at a time. */
    private static final DType STREAMED = DType.Q8_0;

    /** Weights whose unpacking costs most. */
    private static final DType UNPACKED = DType.Q4_0;

    /** Types whose kernels it runs. */
    static final Set<DType> TYPES = Set.of(STREAMED, UNPACKED);

    /** Of a start that happens once per processor, beside 10 ms in which memory is made ready. */
    private static final long BUDGET_NANOS = 80_000_000;

    /** 8 MiB: more than a second-level cache has; streamed as a model's weights are. */
    private static final int STREAM_ROWS = 4096;

    private static final int COLS = 2048;

    /** A matrix that stays in the second-level cache, as a tile's weights do. */
    private static final int CACHED_ROWS = 256;

    private static final int[] PREFETCHES = {1024, 2048, 6144};

    /** Pairs of measurements, of which another choice must win each. */
    private static final int PAIRS = 6;

    /** What another choice may take of the usual one's time, by the least of each. */
    private static final double CLEARLY = 0.95;

    /** Of the times of one measurement the least counts: nothing makes a processor faster. */
    private static final int REPEATS = 3;

    private final Pages pages;
    private final KernelLibrary library;
    private final Clock clock;
    private final SerialTeam team = new SerialTeam();
    private final OffHeap memory;
    private final BandMatrix stream;
    private final BandMatrix cached;
    private final MemorySegment x;
    private final MemorySegment out;

    /** What a probe knows of time. */
    interface Clock {
        /** Begins the time that measuring may take. */
        void start();

        /** Whether that time is over. */
        boolean late();

        /**
         * Runs work.
         *
         * @param choice what it is a measurement of
         * @return its nanoseconds
         */
        long nanos(Tuning choice, Runnable work);
    }

    private static final class SystemClock implements Clock {
        private long start;

        @Override
        public void start() {
            start = System.nanoTime();
        }

        @Override
        public boolean late() {
            return System.nanoTime() - start > BUDGET_NANOS;
        }

        @Override
        public long nanos(Tuning choice, Runnable work) {
            long began = System.nanoTime();
            work.run();
            return System.nanoTime() - began;
        }
    }

    private TuningProbe(Pages pages, KernelLibrary library, Clock clock) {
        this.pages = pages;
        this.library = library;
        this.clock = clock;
        long numbers = BandMatrix.numberBytes(STREAMED, STREAM_ROWS, COLS);
        long scales = BandMatrix.scaleBytes(STREAMED, STREAM_ROWS, COLS);
        int rows = 2 * library.unpackRows();
        long inputs = 4L * rows * COLS;
        long outputs = 4L * Math.max(STREAM_ROWS, rows * CACHED_ROWS);
        memory = OffHeap.allocate(numbers + scales + inputs + outputs);
        MemorySegment all = memory.segment();
        MemorySegment first = all.asSlice(0, numbers);
        MemorySegment second = all.asSlice(numbers, scales);
        first.fill((byte) 1); // pages that were never written are all the same one
        stream = matrix(STREAMED, STREAM_ROWS, first, second);
        cached = matrix(UNPACKED, CACHED_ROWS, first, second);
        x = all.asSlice(numbers + scales, inputs);
        out = all.asSlice(numbers + scales + inputs, outputs);
    }

    private static BandMatrix matrix(
            DType type, int rows, MemorySegment numbers, MemorySegment scales) {
        return new BandMatrix(
                "probe",
                type,
                rows,
                COLS,
                numbers.asSlice(0, BandMatrix.numberBytes(type, rows, COLS)),
                scales.asSlice(0, BandMatrix.scaleBytes(type, rows, COLS)));
    }

    /**
     * The fastest choices.
     *
     * @param pages for kernels with other distances, which are gone afterwards
     * @param library kernels of {@link #TYPES} that passed their self-test
     */
    static Tuning best(Pages pages, KernelLibrary library) {
        return best(pages, library, new SystemClock());
    }

    static Tuning best(Pages pages, KernelLibrary library, Clock clock) {
        try (TuningProbe probe = new TuningProbe(pages, library, clock)) {
            probe.clock.start();
            int unpackRows = probe.unpackRows();
            return new Tuning(probe.prefetch(), unpackRows);
        }
    }

    /** From how many rows of x unpacking pays: half of the usual, the usual, or twice that. */
    private int unpackRows() {
        int usual = library.unpackRows();
        if (TileKernel.multiplies(library.isa(), UNPACKED)) {
            return usual; // so many rows are multiplied in tiles
        }
        try (Choice unpacking = new Choice(library, UNPACKED, 2);
                Choice inPlace = new Choice(library, UNPACKED, Integer.MAX_VALUE)) {
            if (faster(unpacking, inPlace, cached, usual / 2)) {
                return usual / 2;
            }
            return faster(inPlace, unpacking, cached, usual) ? 2 * usual : usual;
        }
    }

    private int prefetch() {
        int best = library.tuning().prefetch();
        KernelLibrary bestLibrary = library;
        try {
            for (int prefetch : PREFETCHES) {
                if (clock.late()) {
                    return best;
                }
                Tuning tuning = library.tuning().withPrefetch(prefetch);
                if (KernelLibrary.loadProducts(pages, library.isa(), tuning, STREAMED)
                        instanceof KernelLibrary.Loaded loaded) {
                    KernelLibrary worse = loaded.library();
                    try {
                        if (streamsFaster(worse, bestLibrary)) {
                            worse = bestLibrary;
                            bestLibrary = loaded.library();
                            best = prefetch;
                        }
                    } finally {
                        close(worse);
                    }
                }
            }
            return best;
        } finally {
            close(bestLibrary);
        }
    }

    private void close(KernelLibrary tried) {
        if (tried != library) {
            tried.close();
        }
    }

    private boolean streamsFaster(KernelLibrary a, KernelLibrary b) {
        try (Choice one = new Choice(a, STREAMED, 2);
                Choice other = new Choice(b, STREAMED, 2)) {
            return faster(one, other, stream, 1);
        }
    }

    /**
     * Whether a is clearly faster: in each of some pairs, and by the least times. One of both alone
     * is chance too often on a machine with other work; false if time runs out.
     */
    private boolean faster(Choice a, Choice b, BandMatrix w, int rows) {
        b.run(w, rows); // brings in code and data
        a.run(w, rows);
        long leastOfA = Long.MAX_VALUE;
        long leastOfB = Long.MAX_VALUE;
        for (int i = 0; i < PAIRS; i++) {
            if (clock.late()) {
                return false;
            }
            long timeOfB = b.nanos(w, rows);
            long timeOfA = a.nanos(w, rows);
            if (timeOfA >= timeOfB) {
                return false;
            }
            leastOfB = Math.min(leastOfB, timeOfB);
            leastOfA = Math.min(leastOfA, timeOfA);
        }
        return leastOfA < CLEARLY * leastOfB;
    }

    /** Products by one of the tunings to choose among. */
    private final class Choice implements AutoCloseable {
        private final Tuning tuning;
        private final Int8Products products;

        Choice(KernelLibrary kernels, DType type, int unpackRows) {
            tuning = new Tuning(kernels.tuning().prefetch(), unpackRows);
            products = new Int8Products(team, kernels, EnumSet.of(type), unpackRows);
        }

        void run(BandMatrix w, int rows) {
            Tensor from = Tensor.of(Shape.of(rows, COLS), x.asSlice(0, 4L * rows * COLS));
            Tensor to = Tensor.of(Shape.of(rows, w.rows()), out.asSlice(0, 4L * rows * w.rows()));
            products.project(from, List.of(w), List.of(to));
        }

        long nanos(BandMatrix w, int rows) {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < REPEATS; i++) {
                least = Math.min(least, clock.nanos(tuning, () -> run(w, rows)));
            }
            return least;
        }

        @Override
        public void close() {
            products.close();
        }
    }

    @Override
    public void close() {
        memory.close();
        team.close();
    }
}
