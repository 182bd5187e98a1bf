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
 * Finds a {@link Tuning} by the clock. A choice replaces the default only where it is clearly
 * faster, since a start is no quiet moment; what there is no time to measure keeps its default.
 */
final class TuningProbe implements AutoCloseable {
    /** Types whose kernels it runs. */
    static final Set<DType> TYPES = Set.of(DType.Q8_0, DType.Q4_0);

    /** Of a start that happens once per processor. */
    private static final long BUDGET_NANOS = 100_000_000;

    /** Larger than any second-level cache; streamed as a model's weights are. */
    private static final int STREAM_ROWS = 8192;

    private static final int COLS = 2048;

    /** A matrix that stays in the second-level cache, as a tile's weights do. */
    private static final int CACHED_ROWS = 512;

    private static final int[] PREFETCHES = {1024, 2048, 4096, 6144};
    private static final int[] UNPACK_ROWS = {8, 16, 32};
    private static final int MANY = 48;
    private static final int REPEATS = 3;

    /** What another choice may take of the default's time. */
    private static final double CLEARLY = 0.95;

    private final Pages pages;
    private final KernelLibrary library;
    private final SerialTeam team = new SerialTeam();
    private final OffHeap memory;
    private final BandMatrix stream;
    private final BandMatrix cached;
    private final MemorySegment x;
    private final MemorySegment out;
    private final long deadline = System.nanoTime() + BUDGET_NANOS;

    private TuningProbe(Pages pages, KernelLibrary library) {
        this.pages = pages;
        this.library = library;
        long numbers = BandMatrix.numberBytes(DType.Q8_0, STREAM_ROWS, COLS);
        long scales = BandMatrix.scaleBytes(DType.Q8_0, STREAM_ROWS, COLS);
        long inputs = 4L * MANY * COLS;
        long outputs = 4L * Math.max(STREAM_ROWS, MANY * CACHED_ROWS);
        memory = OffHeap.allocate(numbers + scales + inputs + outputs);
        MemorySegment all = memory.segment();
        all.fill((byte) 1); // pages that were never written are all the same one
        MemorySegment first = all.asSlice(0, numbers);
        MemorySegment second = all.asSlice(numbers, scales);
        stream = matrix(DType.Q8_0, STREAM_ROWS, first, second);
        cached = matrix(DType.Q4_0, CACHED_ROWS, first, second);
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
     * @param library kernels that passed their self-test
     */
    static Tuning best(Pages pages, KernelLibrary library) {
        try (TuningProbe probe = new TuningProbe(pages, library)) {
            Tuning best = probe.stream(library.tuning());
            best = probe.tile(best);
            return probe.unpack(best);
        }
    }

    /** How one row of x meets weights that come from memory. */
    private Tuning stream(Tuning given) {
        long usual = nanos(library, given, stream, 1);
        Tuning best = given;
        long least = (long) (CLEARLY * usual);
        Tuning fewer = given.withRowBands(2);
        long time = nanos(library, fewer, stream, 1);
        if (time < least) {
            best = fewer;
            least = time;
        }
        for (int prefetch : PREFETCHES) {
            if (!late()
                    && KernelLibrary.load(pages, best.withPrefetch(prefetch))
                            instanceof KernelLibrary.Loaded loaded) {
                try (KernelLibrary other = loaded.library()) {
                    time = nanos(other, other.tuning(), stream, 1);
                }
                if (time < least) {
                    best = best.withPrefetch(prefetch);
                    least = time;
                }
            }
        }
        return best;
    }

    /** How many rows of x meet weights that lie in the cache. */
    private Tuning tile(Tuning given) {
        Tuning other = given.withTileBands(3 - given.tileBands());
        return faster(other, given, MANY) ? other : given;
    }

    /** From how many rows of x unpacking pays: the least at which it does clearly, at most given. */
    private Tuning unpack(Tuning given) {
        for (int rows : UNPACK_ROWS) {
            Tuning unpacked = given.withUnpackRows(rows);
            Tuning inPlace = given.withUnpackRows(rows + 1);
            if (rows < given.unpackRows() && faster(unpacked, inPlace, rows)) {
                return unpacked;
            }
            if (rows >= given.unpackRows() && faster(inPlace, unpacked, rows)) {
                given = given.withUnpackRows(2 * rows);
            }
        }
        return given;
    }

    private boolean faster(Tuning a, Tuning b, int rows) {
        return !late()
                && nanos(library, a, cached, rows) < CLEARLY * nanos(library, b, cached, rows);
    }

    private boolean late() {
        return System.nanoTime() > deadline;
    }

    /** The least of some times, after one to warm up. */
    private long nanos(KernelLibrary kernels, Tuning tuning, BandMatrix w, int rows) {
        List<BandMatrix> weights = List.of(w);
        Tensor from = Tensor.of(Shape.of(rows, COLS), x.asSlice(0, 4L * rows * COLS));
        List<Tensor> to =
                List.of(
                        Tensor.of(
                                Shape.of(rows, w.rows()), out.asSlice(0, 4L * rows * w.rows())));
        try (var products = new Int8Products(team, kernels, EnumSet.of(w.type()), tuning)) {
            long least = Long.MAX_VALUE;
            for (int i = 0; i <= REPEATS && !(late() && least < Long.MAX_VALUE); i++) {
                long began = System.nanoTime();
                products.project(from, weights, to);
                least = i == 0 ? least : Math.min(least, System.nanoTime() - began);
            }
            return least;
        }
    }

    @Override
    public void close() {
        memory.close();
        team.close();
    }
}
