package dev.flagship.kernels.x86;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Shares;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Products with F32 activations: weights of float types always, of quantised ones in exact
 * numerics. Bands are split over the team, contiguous ranges per thread. An operation's arguments
 * stand in fields, so that a call allocates nothing; the team's dispatch publishes them.
 *
 * <p>Rows of x and weights of float types are read where they are. Each thread takes x in blocks
 * that stay in its second-level cache beside a tile's bands of weights; a block is part of the rows
 * and part of k, and the sums of a later part of k go on from what the outputs hold, which changes
 * no bit. Rows that lie a multiple of {@link #PAGE} apart would fight for the same lines of the
 * first-level cache, so that blocks of them are copied. A tile's bands of quantised weights are
 * first widened in scratch.
 */
final class FloatProducts implements Team.Task, Shares.Work, AutoCloseable {
    /**
     * How x is cut; the bits do not depend on it.
     *
     * @param numbers of x in a block; an x that has no more is not cut
     * @param columns of a part of k, at most
     */
    record Cut(int numbers, int columns) {
        /**
         * Best with products of vision encoders. A block of 512 KiB fits the second-level caches
         * that are usual with AVX-512, of 1 MiB and more.
         */
        static final Cut USUAL = new Cut(128 << 10, 1024);

        /** The same for second-level caches of 512 KiB, which are usual without AVX-512. */
        static final Cut SMALL_CACHE = new Cut(64 << 10, 1024);

        static Cut of(Isa isa) {
            return isa.wide() ? USUAL : SMALL_CACHE;
        }
    }

    /** The types that there are kernels for; quantised ones in exact numerics only. */
    static final Set<DType> TYPES = types();

    private static final int LINE = 64;

    /** Addresses so far apart share a set of the usual first-level caches, of 64 sets of lines. */
    private static final int PAGE = 4096;

    /** Bands that stay together, at least: those of the usual tiles. */
    private static final int SHARED_BANDS = 2;

    /** With fewer bands to multiply by, a copy costs more than it saves. */
    private static final int BANDS_FOR_COPY = 8;

    private static final long ALL_LANES = 0xFFFF;
    private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

    private final Team team;
    private final FloatKernels kernels;
    private final Tile tile;
    private final Set<DType> types;
    private final Cut cut;
    private final Worker[] workers;
    private final OffHeap[] copies;
    private final Shares shares;
    private Tensor x = NONE;
    private List<BandMatrix> weights = List.of();
    private List<Tensor> outs = List.of();

    /**
     * @param library must live until this is closed
     * @param types whose kernels may be used
     */
    FloatProducts(Team team, KernelLibrary library, Set<DType> types) {
        this(team, library, types, Cut.of(library.isa()));
    }

    FloatProducts(Team team, KernelLibrary library, Set<DType> types, Cut cut) {
        this.team = team;
        this.kernels = library.floats();
        this.tile = library.tuning().floats();
        this.shares = new Shares(Math.max(SHARED_BANDS, tile.bands()));
        this.types = Set.copyOf(types);
        this.cut = cut;
        workers = new Worker[team.size()];
        Arrays.setAll(workers, _ -> new Worker(FloatUnpacker.SLOTS));
        copies = new OffHeap[team.size()];
        Arrays.setAll(copies, _ -> OffHeap.allocate(0));
    }

    private static Set<DType> types() {
        Set<DType> types = EnumSet.copyOf(FloatUnpacker.TYPES);
        types.addAll(List.of(DType.F32, DType.F16, DType.BF16));
        return Collections.unmodifiableSet(types);
    }

    /** Whether a product can be computed here; emitted code reads only memory off the heap. */
    boolean takes(Tensor x, BandMatrix w, Tensor out, Numerics numerics) {
        return types.contains(w.type())
                && (!w.type().quantized() || numerics == Numerics.EXACT)
                && x.data().isNative()
                && w.numbers().isNative()
                && w.scales().isNative()
                && out.data().isNative();
    }

    /**
     * Computes what {@link #takes} says yes to and leaves the other outputs alone; the same bits as
     * {@link dev.flagship.tensor.Kernels#project}. Shapes have been checked.
     *
     * @throws IllegalStateException if an operand's memory is closed
     */
    void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        if (x.rows() == 0) {
            return;
        }
        this.x = x;
        this.weights = weights;
        this.outs = outs;
        shares.clear();
        Worker.alive(x.data());
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            shares.add(takes(x, w, outs.get(i), numerics) ? w.bands() : 0);
            Worker.alive(w.numbers());
            Worker.alive(w.scales());
            Worker.alive(outs.get(i).data());
        }
        shares.start();
        team.run(this);
        this.x = NONE;
        this.weights = List.of();
        this.outs = List.of();
    }

    @Override
    public void run(int thread, int threads) {
        shares.run(thread, threads, this);
    }

    @Override
    public void bands(int thread, int matrix, int from, int to) {
        multiply(thread, weights.get(matrix), outs.get(matrix), from, to);
    }

    private void multiply(int thread, BandMatrix w, Tensor out, int from, int to) {
        Worker worker = workers[thread];
        boolean whole = !w.type().quantized() && x.shape().elements() <= cut.numbers();
        int parts = whole ? 1 : Math.ceilDiv(w.cols(), cut.columns());
        int part = Math.ceilDiv(Math.ceilDiv(w.cols(), parts), BLOCK) * BLOCK;
        int tiles = Math.max(1, cut.numbers() / part / tile.columns());
        int rows = whole ? x.rows() : tiles * tile.columns();
        boolean copied =
                x.rowSize() * 4L % PAGE == 0
                        && to - from >= BANDS_FOR_COPY
                        && x.rows() > tile.columns();
        worker.set(FloatKernel.OUT_STRIDE, w.rows() * 4L);
        for (int row = 0; row < x.rows(); row += rows) {
            int count = Math.min(rows, x.rows() - row);
            worker.set(FloatKernel.COLUMNS, count);
            for (int k = 0; k < w.cols(); k += part) {
                int ks = Math.min(part, w.cols() - k);
                if (copied) {
                    long stride = ks * 4L + (ks * 4L % PAGE == 0 ? LINE : 0);
                    worker.set(FloatKernel.X, copy(thread, row, count, k, ks, stride));
                    worker.set(FloatKernel.X_STRIDE, stride);
                    worker.set(FloatKernel.X_AHEAD, tile.columns() * stride);
                } else {
                    worker.set(FloatKernel.X, x.data().address() + 4L * row * x.rowSize() + 4L * k);
                    worker.set(FloatKernel.X_STRIDE, x.rowSize() * 4L);
                    long ahead = tile.columns() * 4L * x.rowSize();
                    worker.set(FloatKernel.X_AHEAD, ks == w.cols() ? ahead : 0);
                }
                worker.set(FloatKernel.CONTINUES, k == 0 ? 0 : 1);
                worker.set(FloatKernel.STEPS, ks / FloatKernel.STEP);
                worker.set(FloatKernel.PAIRS, ks % FloatKernel.STEP / 2);
                worker.set(FloatKernel.ODD, ks % 2);
                if (w.type().quantized()) {
                    widened(worker, w, k, ks, out, row, from, to);
                } else {
                    inPlace(worker, w, k, out, row, from, to);
                }
            }
        }
    }

    /** Address of part of x's rows, {@code stride} bytes apart. */
    private long copy(int thread, int row, int count, int k, int ks, long stride) {
        OffHeap to = Worker.sized(copies[thread], count * stride);
        copies[thread] = to;
        for (int i = 0; i < count; i++) {
            long from = 4L * ((long) (row + i) * x.rowSize() + k);
            MemorySegment.copy(x.data(), from, to.segment(), i * stride, 4L * ks);
        }
        return to.segment().address();
    }

    private void inPlace(
            Worker worker, BandMatrix w, int k, Tensor out, int row, int from, int to) {
        FloatKernels.Sweeps sweeps = kernels.sweeps(w.type());
        boolean single = x.rows() == 1;
        long stride = BandMatrix.bandBytes(w.type(), w.cols());
        int at = from;
        int largest = single ? KernelLibrary.ROW_BANDS : tile.bands();
        for (int size = largest; size > 0; size /= 2) {
            int groups = (to - at) / size;
            MemorySegment entry = single ? sweeps.row(size) : sweeps.tiles(size);
            long numbers = w.numbers().address() + at * stride + before(w.type(), k);
            askAhead(worker, numbers + size * stride, stride);
            sweep(worker, entry, numbers, stride, w, out, row, at, groups, size);
            at += groups * size;
        }
    }

    private void widened(
            Worker worker, BandMatrix w, int k, int ks, Tensor out, int row, int from, int to) {
        DType type = w.type();
        FloatKernels.Sweeps sweeps = kernels.sweeps(DType.F32);
        long stride = (long) ks * LINE;
        long lines = worker.scratch(tile.bands() * stride);
        worker.set(FloatUnpacker.BLOCKS, ks / BLOCK);
        int size;
        for (int band = from; band < to; band += size) {
            size = Integer.highestOneBit(Math.min(tile.bands(), to - band));
            for (int b = 0; b < size; b++) {
                long numbers = (band + b) * BandMatrix.bandBytes(type, w.cols());
                long scales = (band + b) * BandMatrix.bandScaleBytes(type, w.cols());
                worker.set(
                        FloatUnpacker.NUMBERS, w.numbers().address() + numbers + before(type, k));
                worker.set(
                        FloatUnpacker.SCALES,
                        w.scales().address() + scales + BandMatrix.bandScaleBytes(type, k));
                worker.set(FloatUnpacker.LINES, lines + b * stride);
                worker.call(kernels.unpacker(type));
            }
            long source = BandMatrix.bandBytes(type, w.cols());
            askAhead(
                    worker,
                    w.numbers().address() + (band + size) * source + before(type, k),
                    source);
            MemorySegment entry = sweeps.tiles(size);
            sweep(worker, entry, lines, stride, w, out, row, band, 1, size);
        }
    }

    /**
     * @param band address of the numbers that come next, {@code stride} bytes before another band's
     */
    private static void askAhead(Worker worker, long band, long stride) {
        for (int i = 0; i < FloatKernel.AHEAD_BANDS; i++) {
            worker.set(FloatKernel.AHEAD + i, band + i * stride);
        }
    }

    /** Bytes of a band's numbers before column k, a multiple of 32. */
    private static long before(DType type, int k) {
        return k == 0 ? 0 : BandMatrix.bandBytes(type, k);
    }

    /**
     * Calls for groups of bands that follow one another, the matrix's last band under a mask if it
     * lacks rows.
     *
     * @param numbers address of the first band's lines, {@code stride} bytes from band to band
     * @param row of the outputs
     */
    private static void sweep(
            Worker worker,
            MemorySegment entry,
            long numbers,
            long stride,
            BandMatrix w,
            Tensor out,
            int row,
            int band,
            int groups,
            int size) {
        boolean lacks = band + groups * size == w.bands() && w.rows() % BAND != 0;
        int whole = lacks ? groups - 1 : groups;
        worker.set(FloatKernel.NUMBER_STRIDE, stride);
        worker.set(FloatKernel.NUMBERS, numbers);
        worker.set(
                FloatKernel.OUT,
                out.data().address() + (long) row * w.rows() * 4 + band * (BAND * 4L));
        if (whole > 0) {
            worker.set(FloatKernel.GROUPS, whole);
            worker.set(FloatKernel.LAST_MASK, ALL_LANES); // then nobody reads LAST_LANES
            worker.call(entry); // leaves NUMBERS and OUT at the next group
        }
        if (lacks && groups > 0) {
            worker.set(FloatKernel.GROUPS, 1);
            long lanes = (1L << w.rows() % BAND) - 1;
            worker.set(FloatKernel.LAST_MASK, lanes);
            worker.set(FloatKernel.LAST_LANES, Worker.bytesOf(lanes & 0xFF));
            worker.set(FloatKernel.LAST_LANES + 1, Worker.bytesOf(lanes >> 8));
            worker.call(entry);
        }
    }

    @Override
    public void close() {
        for (Worker worker : workers) {
            worker.close();
        }
        for (OffHeap copy : copies) {
            copy.close();
        }
    }
}
