package dev.flagship.kernels.x86;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Finds a {@link Tuning} by the clock, within a third of a second. What is usual stays unless
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

    /** Weights of products with F32 activations: as they are, and widened by each tile. */
    private static final Set<DType> FLOATS = Set.of(DType.F32, DType.F16);

    /** Of a start that happens once per processor, beside 30 ms in which memory is made ready. */
    private static final long BUDGET_NANOS = 300_000_000;

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

    /** Columns and rows of matrices that stay there beside the rows of x that they meet. */
    private static final int FLOAT_COLS = 768;

    private static final int FLOAT_ROWS = 128;

    /** Rows of x that are whole tiles of every shape. */
    private static final int UNPACKED_TILES = 48;

    private static final int IN_PLACE_TILES = 12;

    /** Fewer than {@link FloatProducts.Cut#widenRows}, or F16 would be measured as F32. */
    private static final int FLOAT_TILES = 60;

    /** Rows of x of some sequences that each want a token. */
    private static final int FEW = 8;

    private static final int[] PREFETCHES = {1024, 2048, 6144};
    private static final int[] FARS = {4096, 16_384};
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
    private final Windows unpacked;
    private final Windows inPlace;
    private final Windows floats;
    private final MemorySegment x;
    private final MemorySegment out;

    /** Matrices to be read in turn, one of each type at once. */
    private static final class Windows {
        private final Set<DType> types;
        private final List<List<BandMatrix>> matrices = new ArrayList<>();
        private int next;

        /**
         * @param count of matrices of each type, with planes of their own
         * @param memory that they are cut from
         */
        Windows(Set<DType> types, int rows, int cols, int count, MemorySegment memory) {
            this.types = types;
            SelfTest.Cutter cut = new SelfTest.Cutter(memory);
            for (int i = 0; i < count; i++) {
                List<BandMatrix> window = new ArrayList<>();
                for (DType type : types) {
                    MemorySegment numbers = cut.next(BandMatrix.numberBytes(type, rows, cols));
                    MemorySegment scales = cut.next(BandMatrix.scaleBytes(type, rows, cols));
                    window.add(new BandMatrix("probe", type, rows, cols, numbers, scales));
                }
                matrices.add(window);
            }
        }

        /** As many of one type as there is room for. */
        static Windows filling(DType type, int rows, int cols, MemorySegment memory) {
            long bytes =
                    BandMatrix.numberBytes(type, rows, cols)
                            + BandMatrix.scaleBytes(type, rows, cols);
            int count = (int) (memory.byteSize() / bytes);
            return new Windows(Set.of(type), rows, cols, count, memory);
        }

        List<BandMatrix> next() {
            next = (next + 1) % matrices.size();
            return matrices.get(next);
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
        unpacked = new Windows(Set.of(UNPACKED), CACHED_ROWS, COLS, 1, weights);
        inPlace = new Windows(TYPES, CACHED_ROWS, COLS, 1, weights);
        floats = new Windows(FLOATS, FLOAT_ROWS, FLOAT_COLS, 1, weights);
        x = all.asSlice(STREAMED_BYTES, inputs);
        x.fill((byte) 0x3C);
        out = all.asSlice(STREAMED_BYTES + inputs, outputs);
    }

    /**
     * The fastest choices.
     *
     * @param pages for kernels with other distances and tiles, which are gone afterwards
     * @param library kernels of {@link #TYPES} that passed their self-test
     */
    static Tuning best(Pages pages, KernelLibrary library) {
        return best(pages, library, new SystemClock());
    }

    static Tuning best(Pages pages, KernelLibrary library, Clock clock) {
        try (TuningProbe probe = new TuningProbe(pages, library, clock)) {
            probe.clock.start();
            // What can gain most comes first, lest time run out.
            Tuning best = probe.shortGroup(library.tuning());
            best = probe.prefetch(best);
            best = probe.far(best);
            best = probe.unpacked(best);
            best = probe.inPlace(best);
            best = probe.unpackRows(best);
            return probe.floats(best);
        }
    }

    /** How many short bands one row of x should meet together. */
    private Tuning shortGroup(Tuning usual) {
        Stream<Tuning> tunings = otherwise(usual, SHORT_GROUPS, usual::withShortGroup);
        return fastest(tunings, shortBands, 1);
    }

    private Tuning prefetch(Tuning usual) {
        Stream<Tuning> tunings = otherwise(usual, PREFETCHES, usual::withPrefetch);
        return fastest(tunings, longBands, 1);
    }

    private Tuning far(Tuning usual) {
        Tuning none = usual.withUnpackRows(Integer.MAX_VALUE);
        Stream<Tuning> tunings = otherwise(none, FARS, none::withFar);
        return usual.withFar(fastest(tunings, longBands, FEW).far());
    }

    private Tuning unpacked(Tuning usual) {
        Tuning all = usual.withUnpackRows(2);
        Stream<Tuning> tunings = Tile.unpacked(library.isa()).stream().map(all::withUnpacked);
        return usual.withUnpacked(fastest(tunings, unpacked, UNPACKED_TILES).unpacked());
    }

    private Tuning inPlace(Tuning usual) {
        Tuning none = usual.withUnpackRows(Integer.MAX_VALUE);
        Stream<Tuning> tunings = Tile.inPlace(library.isa()).stream().map(none::withInPlace);
        return usual.withInPlace(fastest(tunings, inPlace, IN_PLACE_TILES).inPlace());
    }

    /** From how many rows of x unpacking pays: half of the usual, the usual, or twice that. */
    private Tuning unpackRows(Tuning usual) {
        int rows = usual.unpackRows();
        if (TileKernel.multiplies(library.isa(), UNPACKED)) {
            return usual; // so many rows are multiplied in tiles
        }
        Tuning all = usual.withUnpackRows(2);
        Tuning none = usual.withUnpackRows(Integer.MAX_VALUE);
        if (fastest(Stream.of(none, all), unpacked, rows / 2).equals(all)) {
            return usual.withUnpackRows(rows / 2);
        }
        return fastest(Stream.of(all, none), unpacked, rows).equals(none)
                ? usual.withUnpackRows(2 * rows)
                : usual;
    }

    private Tuning floats(Tuning usual) {
        Stream<Tuning> tunings = Tile.floats(library.isa()).stream().map(usual::withFloats);
        return fastest(tunings, floats, FLOAT_TILES);
    }

    /** The usual tuning and others. */
    private static Stream<Tuning> otherwise(
            Tuning usual, int[] choices, IntFunction<Tuning> other) {
        return Stream.concat(Stream.of(usual), IntStream.of(choices).mapToObj(other));
    }

    /**
     * The first of some tunings, or one that is clearly faster than the best of those before it.
     */
    private Tuning fastest(Stream<Tuning> some, Windows windows, int rows) {
        List<Tuning> tunings = some.toList();
        List<Choice> choices = new ArrayList<>();
        try {
            for (Tuning tuning : tunings) {
                Optional<KernelLibrary> kernels =
                        clock.late() ? Optional.empty() : kernels(windows.types, tuning);
                if (kernels.isEmpty()) {
                    return tunings.getFirst();
                }
                choices.add(new Choice(kernels.get(), windows.types, tuning));
            }
            Choice best = choices.getFirst();
            for (Choice other : choices.subList(1, choices.size())) {
                best = faster(other, best, windows, rows) ? other : best;
            }
            return best.tuning;
        } finally {
            choices.forEach(Choice::close);
        }
    }

    /** Empty if the system has no memory for them. */
    private Optional<KernelLibrary> kernels(Set<DType> types, Tuning tuning) {
        Isa isa = library.isa().withoutTiles(); // which would take whole tiles' rows of x
        if (isa == library.isa() && tuning.sharesKernels(library.tuning())) {
            return Optional.of(library);
        }
        return switch (KernelLibrary.loadProducts(pages, isa, tuning, types)) {
            case KernelLibrary.Loaded loaded -> Optional.of(loaded.library());
            case KernelLibrary.Refused _ -> Optional.empty();
        };
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
        private final KernelLibrary kernels;
        private final Int8Products int8;
        private final FloatProducts floats;

        /**
         * @param kernels closed with this, but for those that are tuned
         */
        Choice(KernelLibrary kernels, Set<DType> types, Tuning tuning) {
            this.tuning = tuning;
            this.kernels = kernels;
            int8 = new Int8Products(team, kernels, types, tuning);
            floats = new FloatProducts(team, kernels, types);
        }

        void run(List<BandMatrix> weights, int rows) {
            int cols = weights.getFirst().cols();
            Tensor from = Tensor.of(Shape.of(rows, cols), x.asSlice(0, 4L * rows * cols));
            SelfTest.Cutter cut = new SelfTest.Cutter(out);
            List<Tensor> to =
                    weights.stream().map(w -> SelfTest.tensor(cut, rows, w.rows())).toList();
            if (weights.getFirst().type().quantized()) {
                int8.project(from, weights, to);
            } else {
                floats.project(from, weights, to, Numerics.EXACT);
            }
        }

        long nanos(Windows windows, int rows) {
            long least = Long.MAX_VALUE;
            for (int i = 0; i < REPEATS; i++) {
                List<BandMatrix> w = windows.next();
                least = Math.min(least, clock.nanos(tuning, () -> run(w, rows)));
            }
            return least;
        }

        @Override
        public void close() {
            int8.close();
            floats.close();
            if (kernels != library) {
                kernels.close();
            }
        }
    }

    @Override
    public void close() {
        memory.close();
        team.close();
    }
}
