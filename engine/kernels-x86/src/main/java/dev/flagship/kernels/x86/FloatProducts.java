package dev.flagship.kernels.x86;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;
import static dev.flagship.tensor.BandMatrix.SUPER_BLOCK;

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
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Products with F32 activations: weights of float types always, of quantised ones in exact
 * numerics. Bands are split over the team, contiguous ranges per thread; where rows of x are many,
 * those are, for then a thread reads and copies but its own. An operation's arguments stand in
 * fields, so that a call allocates nothing; the team's dispatch publishes them.
 *
 * <p>Rows of x and weights of float types are read where they are, but for F16 weights that meet
 * many rows. Each thread takes x in blocks that stay in its second-level cache beside a tile's
 * bands of weights; a block is part of the rows and part of k, and the sums of a later part of k go
 * on from what the outputs hold, which changes no bit. Rows that lie a multiple of {@link #PAGE}
 * apart would fight for the same lines of the first-level cache, so that blocks of them are copied.
 *
 * <p>Quantised weights of a tile's bands are first widened in scratch, F16 ones where rows of x are
 * many. Where all of x stays in the second-level cache, so little of quantised weights is widened
 * at a time that it is still in the first-level cache when it is used.
 */
final class FloatProducts implements Team.Task, Shares.Work, AutoCloseable {
    /**
     * How a product is cut; the bits do not depend on it.
     *
     * @param numbers of x in a block; an x that has no more is not cut
     * @param columns of a part of k, at most
     * @param widenRows rows of x from which F16 weights are widened in scratch, once for many
     *     tiles, instead of in each; with wide registers only
     */
    record Cut(int numbers, int columns, int widenRows) {
        /**
         * Best with products of vision encoders. A block of 512 KiB fits the second-level caches
         * that are usual with AVX-512, of 1 MiB and more.
         */
        static final Cut USUAL = new Cut(128 << 10, 1024, 64);

        /** The same for second-level caches of 512 KiB, which are usual without AVX-512. */
        static final Cut SMALL_CACHE = new Cut(64 << 10, 1024, Integer.MAX_VALUE);

        static Cut of(Isa isa) {
            return isa.wide() ? USUAL : SMALL_CACHE;
        }
    }

    /** The float types, whose weights need no scales. */
    static final List<DType> PLAIN = List.of(DType.F32, DType.F16, DType.BF16);

    /** The types that there are kernels for; quantised ones in exact numerics only. */
    static final Set<DType> TYPES = types();

    private static final int LINE = 64;

    /** Addresses so far apart share a set of the usual first-level caches, of 64 sets of lines. */
    private static final int PAGE = 4096;

    /** Bands that stay together, at least: those of the usual tiles. */
    private static final int SHARED_BANDS = 2;

    /**
     * Blocks of rows for each thread, at least, where rows are split: enough to even out at the
     * end. Smaller blocks would widen weights too often.
     */
    private static final int BLOCKS_EACH = 8;

    /** With fewer bands to multiply by, a copy costs more than it saves. */
    private static final int BANDS_FOR_COPY = 8;

    /** Columns of so many bands that are widened at a time: 32 KiB of floats. */
    private static final int ROW_COLUMNS = 128;

    /** The same for a tile's bands, of which two are usual. */
    private static final int TILE_COLUMNS = 256;

    private static final long ALL_LANES = 0xFFFF;
    private static final long[] NO_TABLE = {};
    private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

    private final Team team;
    private final Isa isa;
    private final FloatKernels kernels;
    private final Tile tile;
    private final int prefetch;
    private final Set<DType> types;
    private final Map<DType, long[]> tables = new EnumMap<>(DType.class);
    private final Cut cut;
    private final Worker[] workers;
    private final OffHeap[] copies;
    private final Shares shares;
    private final Shares rowShares = new Shares(1);

    /** All of x stays in the second-level cache, and is one block. */
    private boolean near;

    /** Rows of x are split over the team, blocks of them, instead of bands. */
    private boolean byRows;

    /** Rows of a block of x. */
    private int blockRows;

    private int partColumns;
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
        this.isa = library.isa();
        this.kernels = library.floats();
        this.tile = library.tuning().floats();
        this.shares = new Shares(Math.max(SHARED_BANDS, tile.bands()));
        this.prefetch = library.tuning().prefetch();
        this.types = Set.copyOf(types);
        types.stream()
                .filter(DType::quantized)
                .forEach(type -> tables.put(type, FloatUnpacker.tables(library.isa(), type)));
        this.cut = cut;
        workers = new Worker[team.size()];
        Arrays.setAll(workers, _ -> new Worker(FloatUnpacker.SLOTS));
        copies = new OffHeap[team.size()];
        Arrays.setAll(copies, _ -> OffHeap.allocate(0));
    }

    private static Set<DType> types() {
        Set<DType> types = EnumSet.copyOf(FloatUnpacker.TYPES);
        types.addAll(PLAIN);
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
        cutX();
        Shares all = byRows ? rowShares : shares;
        all.clear();
        Worker.alive(x.data());
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            int units = byRows ? Math.ceilDiv(x.rows(), blockRows) : w.bands();
            all.add(takes(x, w, outs.get(i), numerics) ? units : 0);
            Worker.alive(w.numbers());
            Worker.alive(w.scales());
            Worker.alive(outs.get(i).data());
        }
        all.start();
        team.run(this);
        this.x = NONE;
        this.weights = List.of();
        this.outs = List.of();
    }

    private void cutX() {
        int k = x.rowSize();
        near = x.shape().elements() <= cut.numbers();
        if (near) {
            byRows = false;
            blockRows = x.rows();
            partColumns = k;
            return;
        }
        int parts = Math.ceilDiv(k, cut.columns());
        partColumns = Math.ceilDiv(Math.ceilDiv(k, parts), BLOCK) * BLOCK;
        int tiles = Math.max(1, cut.numbers() / partColumns / tile.columns());
        blockRows = tiles * tile.columns();
        byRows = splitsRows(x.rows(), blockRows, team.size());
    }

    /** Whether rows of x are many enough to be split over the team. */
    static boolean splitsRows(int rows, int blockRows, int threads) {
        return threads > 1 && rows / blockRows >= BLOCKS_EACH * threads;
    }

    @Override
    public void run(int thread, int threads) {
        (byRows ? rowShares : shares).run(thread, threads, this);
    }

    /** Of a matrix bands [from, to), or blocks of rows of x. */
    @Override
    public void bands(int thread, int matrix, int from, int to) {
        BandMatrix w = weights.get(matrix);
        Tensor out = outs.get(matrix);
        Worker worker = workers[thread];
        worker.set(FloatKernel.OUT_STRIDE, w.rows() * 4L);
        long[] table = tables.getOrDefault(w.type(), NO_TABLE);
        for (int i = 0; i < table.length; i++) {
            worker.set(FloatUnpacker.TABLES + i, table[i]);
        }
        if (byRows) {
            int end = Math.min(to * blockRows, x.rows());
            multiply(thread, w, out, from * blockRows, end, 0, w.bands());
        } else if (near && w.type().quantized()) {
            nearby(thread, w, out, from, to);
        } else {
            multiply(thread, w, out, 0, x.rows(), from, to);
        }
    }

    /** Rows [first, last) of x by bands [from, to). */
    private void multiply(
            int thread, BandMatrix w, Tensor out, int first, int last, int from, int to) {
        Worker worker = workers[thread];
        boolean copied = fights(from, to);
        for (int row = first; row < last; row += blockRows) {
            int count = Math.min(blockRows, last - row);
            worker.set(FloatKernel.COLUMNS, count);
            for (int k = 0; k < w.cols(); k += partColumns) {
                int ks = Math.min(partColumns, w.cols() - k);
                if (copied) {
                    long stride = apart(ks);
                    worker.set(FloatKernel.X, copy(thread, row, count, k, ks, stride));
                    worker.set(FloatKernel.X_STRIDE, stride);
                    worker.set(FloatKernel.X_AHEAD, tile.columns() * stride);
                } else {
                    worker.set(FloatKernel.X, x.data().address() + 4L * row * x.rowSize() + 4L * k);
                    worker.set(FloatKernel.X_STRIDE, x.rowSize() * 4L);
                    long ahead = tile.columns() * 4L * x.rowSize();
                    worker.set(FloatKernel.X_AHEAD, ks == w.cols() ? ahead : 0);
                }
                columns(worker, k, ks);
                if (widens(w)) {
                    int size;
                    for (int band = from; band < to; band += size) {
                        size = Integer.highestOneBit(Math.min(tile.bands(), to - band));
                        widened(worker, w, k, ks, out, row, band, size, 0);
                    }
                } else {
                    inPlace(worker, w, k, out, row, from, to);
                }
            }
        }
    }

    /** All rows of x with quantised weights, a few columns of a few bands at a time. */
    private void nearby(int thread, BandMatrix w, Tensor out, int from, int to) {
        Worker worker = workers[thread];
        boolean single = x.rows() == 1;
        int part = Math.min(single ? ROW_COLUMNS : TILE_COLUMNS, cut.columns());
        boolean copied = fights(from, to);
        long stride = copied ? apart(w.cols()) : x.rowSize() * 4L;
        long rows = copied ? copy(thread, 0, x.rows(), 0, w.cols(), stride) : x.data().address();
        worker.set(FloatKernel.COLUMNS, x.rows());
        worker.set(FloatKernel.X_STRIDE, stride);
        worker.set(FloatKernel.X_AHEAD, 0);
        int band = from;
        for (int size = single ? KernelLibrary.ROW_BANDS : tile.bands(); size > 0; size /= 2) {
            for (; band + size <= to; band += size) {
                for (int k = 0; k < w.cols(); k += part) {
                    int ks = Math.min(part, w.cols() - k);
                    worker.set(FloatKernel.X, rows + 4L * k);
                    columns(worker, k, ks);
                    widened(worker, w, k, ks, out, 0, band, size, prefetch);
                }
            }
        }
    }

    /** Whether weights are widened in scratch. */
    private boolean widens(BandMatrix w) {
        return w.type().quantized()
                || FloatUnpacker.widens(isa, w.type())
                        && x.rows() > 1
                        && x.rows() >= cut.widenRows()
                        && w.cols() % BLOCK == 0;
    }

    /** Whether rows of x are to be copied for so many bands. */
    private boolean fights(int from, int to) {
        return x.rowSize() * 4L % PAGE == 0
                && to - from >= BANDS_FOR_COPY
                && x.rows() > tile.columns();
    }

    /** Bytes from one copied row of so many numbers to the next. */
    private static long apart(int numbers) {
        return numbers * 4L + (numbers * 4L % PAGE == 0 ? LINE : 0);
    }

    /** The part of k at hand. */
    private static void columns(Worker worker, int k, int ks) {
        worker.set(FloatKernel.CONTINUES, k == 0 ? 0 : 1);
        worker.set(FloatKernel.STEPS, ks / FloatKernel.STEP);
        worker.set(FloatKernel.PAIRS, ks % FloatKernel.STEP / 2);
        worker.set(FloatKernel.ODD, ks % 2);
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
        for (int size = single ? KernelLibrary.ROW_BANDS : tile.bands(); size > 0; size /= 2) {
            int groups = (to - at) / size;
            MemorySegment entry = single ? sweeps.row(size) : sweeps.tiles(size);
            long numbers = w.numbers().address() + at * stride + before(w.type(), k);
            askAhead(worker, numbers + size * stride, stride);
            sweep(worker, entry, numbers, stride, w, out, row, at, groups, size);
            at += groups * size;
        }
    }

    /**
     * Widens some columns of bands in scratch, and multiplies by them.
     *
     * @param k first column, a multiple of 32, and {@code ks} as many as there are
     * @param row of the outputs
     * @param ahead distance in bytes at which numbers are asked for; 0 if not
     */
    private void widened(
            Worker worker,
            BandMatrix w,
            int k,
            int ks,
            Tensor out,
            int row,
            int band,
            int size,
            int ahead) {
        DType type = w.type();
        long stride = (long) ks * LINE;
        long lines = worker.scratch(size * stride);
        long numberStride = BandMatrix.bandBytes(type, w.cols());
        long numbers = w.numbers().address() + band * numberStride + before(type, k);
        if (type.quantized()) {
            scales(worker, w, band, k);
        }
        worker.set(FloatUnpacker.NUMBERS, numbers);
        worker.set(FloatUnpacker.NUMBER_STRIDE, numberStride);
        worker.set(FloatUnpacker.LINES, lines);
        worker.set(FloatUnpacker.BLOCKS, ks / BLOCK);
        worker.set(FloatUnpacker.BANDS, size);
        worker.set(FloatUnpacker.AHEAD, ahead);
        worker.call(kernels.unpacker(type));
        // What is widened next: of the same bands, or else of those that follow.
        long next = numbers + (ahead == 0 ? size * numberStride : before(type, ks));
        askAhead(worker, next, numberStride);
        FloatKernels.Sweeps sweeps = kernels.sweeps(DType.F32);
        MemorySegment entry = x.rows() == 1 ? sweeps.row(size) : sweeps.tiles(size);
        sweep(worker, entry, lines, stride, w, out, row, band, 1, size);
    }

    /** Where a band's scales from column k on lie. */
    private static void scales(Worker worker, BandMatrix w, int band, int k) {
        DType type = w.type();
        long scaleStride = BandMatrix.bandScaleBytes(type, w.cols());
        long scales = w.scales().address() + band * scaleStride;
        int groupAt = k;
        if (type.superBlocks()) {
            scales += k / SUPER_BLOCK * (long) BandMatrix.superScaleBytes(type);
            worker.set(FloatUnpacker.SUPER_SCALES, scales);
            groupAt = k % SUPER_BLOCK;
            worker.set(FloatUnpacker.SUPER_LEFT, (SUPER_BLOCK - groupAt) / BLOCK);
            scales += BandMatrix.groupScalesAt(type);
        }
        scales += groupAt / type.groupElements() * (long) BandMatrix.groupScaleBytes(type);
        worker.set(FloatUnpacker.SCALES, scales);
        worker.set(FloatUnpacker.SCALE_STRIDE, scaleStride);
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
        return k * 2L * type.bits();
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
