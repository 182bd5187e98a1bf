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
 * Finds a {@link Tuning} by the clock, within a sixth of a second. What is usual stays unless
 * another choice is clearly faster in turns with it, since a start is no quiet moment and the
 * choice is kept; what there is no time to measure stays as well.
 */
final class TuningProbe implements AutoCloseable {
    /** Weights that come from memory, one row of x at a time. */
    private static final DType STREAMED = DType.Q8_0;

    /** Weights whose unpacking costs most, and whose bands are short where rows are. */
    private static final DType UNPACKED = DType.Q4_0;

    /** Types whose kernels it runs. */
    static final Set<DType> TYPES = Set.of(STREAMED, UNPACKED);

    /** Of a start that happens once per processor, beside 30 ms in which memory is made ready. */
    private static final long BUDGET_NANOS = 120_000_000;

    /**
     * What is streamed window by window, as a model's weights are: more than last caches have, but
     * for those where such a model would lie in the cache, too.
     */
    private static final long STREAMED_BYTES = 64 << 20;

    /** Rows of a window of {@link #COLS}, 4 MiB. */
    private static final int STREAM_ROWS = 2048;

    private static final int COLS = 2048;

    /** Columns and rows of a window of short bands, 2.5 MiB. */
    private static final int SHORT_COLS = 576;

    private static final int SHORT_ROWS = 8192;

    /** A matrix that stays in the second-level cache, as a tile's weights do. */
    private static final int CACHED_ROWS = 256;

    private static final int[] PREFETCHES = {1024, 2048, 6144};
    private static final int[] SHORT_GROUPS = {1, 2};

    /** Pairs of measurements, of which another choice may lose some: other work may meet any. */
    private static final int PAIRS = 10;

    private static final int LOST = 2;

    /** What another choice may take of the usual one's time, by the least of each. */
    private static final double CLEARLY = 0.95;

    /** Of the times of one measurement the least counts: nothing makes a processor faster. */
    private static final int REPEATS = 3;

    private final Pages pages;
    private final KernelLibrary library;
    private final Clock clock;
    private final SerialTeam team = new SerialTeam();
    private final OffHeap memory;
    private final Windows longBands;
    private final Windows shortBands;
    private final Windows cached;
    private final MemorySegment x;
    private final MemorySegment out;

    /** Matrices of one shape, to be read in turn. */
    private static final class Windows {
        private final BandMatrix[] matrices;
        private int next;

        /**
         * @param count of matrices, each with planes of its own
         * @param memory that they are cut from
         */
        Windows(DType type, int rows, int cols, int count, MemorySegment memory) {
            long numbers = BandMatrix.numberBytes(type, rows, cols);
            long scales = BandMatrix.scaleBytes(type, rows, cols);
            matrices = new BandMatrix[count];
            for (int i = 0; i < count; i++) {
                matrices[i] =
                        new BandMatrix(
                                "probe",
                                type,
                                rows,
                                cols,
                                memory.asSlice(i * numbers, numbers),
                                memory.asSlice(count * numbers + i * scales, scales));
            }
        }

        /** As many as there is room for. */
        static Windows filling(DType type, int rows, int cols, MemorySegment memory) {
            long bytes =
                    BandMatrix.numberBytes(type, rows, cols)
                            + BandMatrix.scaleBytes(type, rows, cols);
            return new Windows(type, rows, cols, (int) (memory.byteSize() / bytes), memory);
        }

        BandMatrix next() {
            next = (next + 1) % matrices.length;
            return matrices[next];
        }
    }

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
        int rows = 2 * library.tuning().unpackRows();
        long inputs = 4L * rows * COLS;
        long outputs = 4L * Math.max(SHORT_ROWS, rows * CACHED_ROWS);
        memory = LinuxPages.memory(STREAMED_BYTES + inputs + outputs);
        MemorySegment all = memory.segment();
        MemorySegment weights = all.asSlice(0, STREAMED_BYTES);
        weights.fill(
                (byte) 0x11); // untouched pages are all the same one, and 0x1111 is no denormal
        longBands = Windows.filling(STREAMED, STREAM_ROWS, COLS, weights);
        shortBands = Windows.filling(UNPACKED, SHORT_ROWS, SHORT_COLS, weights);
        cached = new Windows(UNPACKED, CACHED_ROWS, COLS, 1, weights);
        x = all.asSlice(STREAMED_BYTES, inputs);
        out = all.asSlice(STREAMED_BYTES + inputs, outputs);
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
            // What can gain most comes first, lest time run out.
            Tuning best = library.tuning().withShortGroup(probe.shortGroup());
            best = best.withUnpackRows(probe.unpackRows());
            return best.withPrefetch(probe.prefetch());
        }
    }

    /** From how many rows of x unpacking pays: half of the usual, the usual, or twice that. */
    private int unpackRows() {
        int usual = library.tuning().unpackRows();
        if (TileKernel.multiplies(library.isa(), UNPACKED)) {
            return usual; // so many rows are multiplied in tiles
        }
        Tuning tuning = library.tuning();
        try (Choice unpacking = new Choice(library, UNPACKED, tuning.withUnpackRows(2));
                Choice inPlace =
                        new Choice(library, UNPACKED, tuning.withUnpackRows(Integer.MAX_VALUE))) {
            if (faster(unpacking, inPlace, cached, usual / 2)) {
                return usual / 2;
            }
            return faster(inPlace, unpacking, cached, usual) ? 2 * usual : usual;
        }
    }

    /** How many short bands one row of x should meet together. */
    private int shortGroup() {
        Tuning best = library.tuning();
        for (int bands : SHORT_GROUPS) {
            Tuning tuning = library.tuning().withShortGroup(bands);
            try (Choice other = new Choice(library, UNPACKED, tuning);
                    Choice usual = new Choice(library, UNPACKED, best)) {
                best = faster(other, usual, shortBands, 1) ? tuning : best;
            }
        }
        return best.shortGroup();
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
        try (Choice one = new Choice(a, STREAMED, a.tuning());
                Choice other = new Choice(b, STREAMED, b.tuning())) {
            return faster(one, other, longBands, 1);
        }
    }

    /**
     * Whether a is clearly faster: in most of some pairs, and by the least times. One of both alone
     * is chance too often on a machine with other work; false if time runs out.
     */
    private boolean faster(Choice a, Choice b, Windows w, int rows) {
        b.run(w.next(), rows); // brings in code, and data that stay
        a.run(w.next(), rows);
        long leastOfA = Long.MAX_VALUE;
        long leastOfB = Long.MAX_VALUE;
        int lost = 0;
        for (int i = 0; i < PAIRS; i++) {
            if (clock.late()) {
                return false;
            }
            long timeOfB = b.nanos(w, rows);
            long timeOfA = a.nanos(w, rows);
            if (timeOfA >= timeOfB && ++lost > LOST) {
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

        Choice(KernelLibrary kernels, DType type, Tuning tuning) {
            this.tuning = tuning;
            products = new Int8Products(team, kernels, EnumSet.of(type), tuning);
        }

        void run(BandMatrix w, int rows) {
            Tensor from = Tensor.of(Shape.of(rows, w.cols()), x.asSlice(0, 4L * rows * w.cols()));
            Tensor to = Tensor.of(Shape.of(rows, w.rows()), out.asSlice(0, 4L * rows * w.rows()));
            products.project(from, List.of(w), List.of(to));
        }

        long nanos(Windows windows, int rows) {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < REPEATS; i++) {
                BandMatrix w = windows.next();
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
