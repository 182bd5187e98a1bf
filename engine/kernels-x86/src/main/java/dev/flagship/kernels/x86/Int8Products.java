package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.ProductKernel.Source.MATRIX;
import static dev.flagship.kernels.x86.ProductKernel.Source.SCRATCH;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Shares;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Products with int8 activations, split over the team: first rows of x are quantised, then bands
 * computed, contiguous ranges per thread, one call of emitted code per range and size of group. An
 * operation's arguments stand in fields, so that a call allocates nothing; the team's dispatch
 * publishes them.
 */
final class Int8Products implements Team.Task, Shares.Work, AutoCloseable {
    /**
     * Bands that a tile kernel unpacks at once: up to 1 MiB of the second cache at 8,192 columns.
     */
    private static final int TILE_BANDS = 8;

    /** Bands that stay together, at least: those of the usual tiles. */
    private static final int SHARED_BANDS = 2;

    /** Numbers of x below which quantising is not worth waking the team for. */
    private static final int SERIAL_ELEMENTS = 16_384;

    private static final long[] NO_TABLE = {};
    private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

    private final Team team;
    private final KernelLibrary library;
    private final Set<DType> types;
    private final Map<DType, long[]> tables = new EnumMap<>(DType.class);
    private final Tuning tuning;
    private final Worker[] workers;

    /** {@link TileKernel#memory} of each thread; none where there are no tiles. */
    private final OffHeap[] tileMemory;

    private final Shares shares;
    private OffHeap activations = OffHeap.allocate(0);

    /** {@link HalfSums} by the columns of tiles that read them. */
    private final OffHeap[] halfSums = new OffHeap[Tile.MOST_COLUMNS + 1];

    /** Columns of the operation's tiles that read them, a bit each. */
    private int halfSumColumns;

    private Tensor x = NONE;
    private List<BandMatrix> weights = List.of();
    private List<Tensor> outs = List.of();
    private boolean quantizing;
    private int blocks;
    private long rowStride;

    /**
     * @param library must live until this is closed
     * @param types quantised types whose kernels may be used
     */
    Int8Products(Team team, KernelLibrary library, Set<DType> types) {
        this(team, library, types, library.tuning());
    }

    /**
     * @param tuning how to use the library's kernels, which must serve it; the bits do not depend
     *     on it
     * @throws dev.flagship.base.InvalidArgumentException if they do not
     */
    Int8Products(Team team, KernelLibrary library, Set<DType> types, Tuning tuning) {
        check(tuning.sharesKernels(library.tuning()), "no kernels for %s", tuning);
        this.team = team;
        this.tuning = tuning;
        this.library = library;
        this.types = Set.copyOf(types);
        shares = new Shares(Math.max(SHARED_BANDS, tuning.unpacked().bands()));
        types.forEach(type -> tables.put(type, ProductKernel.tables(library.isa(), type)));
        workers = new Worker[team.size()];
        int slots = Math.max(ProductKernel.SLOTS, TileKernel.SLOTS);
        Arrays.setAll(workers, _ -> new Worker(slots));
        tileMemory = new OffHeap[library.isa().tiles() ? team.size() : 0];
        Arrays.setAll(tileMemory, _ -> TileKernel.memory(TILE_BANDS));
        Arrays.setAll(halfSums, _ -> OffHeap.allocate(0));
    }

    /** Whether a product can be computed here; emitted code reads only memory off the heap. */
    boolean takes(Tensor x, BandMatrix w, Tensor out) {
        return types.contains(w.type())
                && x.data().isNative()
                && w.numbers().isNative()
                && w.scales().isNative()
                && out.data().isNative();
    }

    /**
     * Computes what {@link #takes} says yes to and leaves the other outputs alone; the same bits as
     * {@link dev.flagship.tensor.Kernels#project} in FAST mode. Shapes have been checked.
     *
     * @throws IllegalStateException if an operand's memory is closed
     */
    void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs) {
        if (x.rows() == 0) {
            return;
        }
        this.x = x;
        this.weights = weights;
        this.outs = outs;
        blocks = x.rowSize() / BLOCK;
        rowStride = ActivationRows.stride(blocks);
        activations = Worker.sized(activations, Math.multiplyExact(rowStride, (long) x.rows()));
        halfSumColumns = 0;
        shares.clear();
        Worker.alive(x.data());
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            boolean ours = takes(x, w, outs.get(i));
            if (ours && ProductKernel.halved(w.type())) {
                halfSumColumns |= 1 << columns(w.type(), x.rows());
            }
            shares.add(ours ? w.bands() : 0);
            Worker.alive(w.numbers());
            Worker.alive(w.scales());
            Worker.alive(outs.get(i).data());
        }
        for (int columns = 1; columns < halfSums.length; columns++) {
            if ((halfSumColumns & 1 << columns) != 0) {
                long bytes = HalfSums.bytes(x.rows(), columns, blocks);
                halfSums[columns] = Worker.sized(halfSums[columns], bytes);
            }
        }
        quantizing = true;
        if (x.shape().elements() < SERIAL_ELEMENTS) {
            run(0, 1);
        } else {
            team.run(this);
        }
        quantizing = false;
        shares.start();
        team.run(this);
        this.x = NONE;
        this.weights = List.of();
        this.outs = List.of();
    }

    @Override
    public void run(int thread, int threads) {
        if (quantizing) {
            int from = share(x.rows(), thread, threads);
            quantize(workers[thread], from, share(x.rows(), thread + 1, threads));
        } else {
            shares.run(thread, threads, this);
        }
    }

    private void quantize(Worker worker, int from, int to) {
        if (from == to) {
            return;
        }
        long xStride = x.rowSize() * 4L;
        worker.set(ActivationRows.X, x.data().address() + from * xStride);
        worker.set(ActivationRows.X_STRIDE, xStride);
        worker.set(ActivationRows.BLOCKS, blocks);
        worker.set(ActivationRows.ROWS, to - from);
        worker.set(ActivationRows.OUT, activations.segment().address() + from * rowStride);
        worker.set(ActivationRows.OUT_STRIDE, rowStride);
        worker.call(library.quantizer());
        for (int columns = 1; columns < halfSums.length; columns++) {
            if ((halfSumColumns & 1 << columns) != 0) {
                sumHalves(worker, columns, from, to);
            }
        }
    }

    private void sumHalves(Worker worker, int columns, int from, int to) {
        worker.set(HalfSums.ROW_STRIDE, rowStride);
        worker.set(HalfSums.BLOCKS, blocks);
        worker.set(HalfSums.OUT_STRIDE, HalfSums.stride(columns));
        int count;
        for (int row = from; row < to; row += count) {
            int within = row % columns;
            count = Math.min(columns - within, to - row);
            long tile = row / columns * HalfSums.tile(columns, blocks);
            long out = halfSums[columns].segment().address() + tile;
            worker.set(HalfSums.ROWS, activations.segment().address() + row * rowStride);
            worker.set(HalfSums.COUNT, count);
            worker.set(HalfSums.OUT, out + within * (long) HalfSums.PAIR);
            worker.call(library.halfSums());
        }
    }

    /** Whether weights are unpacked for so many rows of x. */
    private boolean unpacks(int rows) {
        return rows > 1 && rows >= tuning.unpackRows();
    }

    /** The tile of the largest group of bands for so many rows of x, at least 2. */
    private Tile tile(DType type, int rows) {
        return tuning.tile(library.isa(), type, rows, unpacks(rows) ? SCRATCH : MATRIX);
    }

    /** Rows of x that meet a group of bands at once, of so many. */
    private int columns(DType type, int rows) {
        return rows == 1 ? 1 : tile(type, rows).columns();
    }

    @Override
    public void bands(int thread, int matrix, int from, int to) {
        Worker worker = workers[thread];
        BandMatrix w = weights.get(matrix);
        Tensor out = outs.get(matrix);
        MemorySegment entry = library.products(w.type()).tiles();
        int inTiles = entry == null ? 0 : x.rows() / TileKernel.ROWS * TileKernel.ROWS;
        if (entry == null || inTiles == 0) {
            rows(worker, w, out, 0, from, to);
            return;
        }
        for (int band = from; band < to; band += TILE_BANDS) {
            int end = Math.min(band + TILE_BANDS, to);
            // The matrix's last band may lack rows; it is stored under a mask.
            boolean cut = end == w.bands() && w.rows() % BAND != 0;
            int whole = cut ? end - 1 : end;
            tiles(thread, entry, w, out, inTiles, band, whole, ProductKernel.ALL_LANES);
            if (cut) {
                tiles(thread, entry, w, out, inTiles, whole, end, (1L << w.rows() % BAND) - 1);
            }
            if (inTiles < x.rows()) {
                rows(worker, w, out, inTiles, band, end); // while these bands are near
            }
        }
    }

    private void tiles(
            int thread,
            MemorySegment entry,
            BandMatrix w,
            Tensor out,
            int rows,
            int from,
            int to,
            long mask) {
        if (from == to) {
            return;
        }
        Worker worker = workers[thread];
        long lines = TileKernel.scratchLines(TILE_BANDS, blocks);
        long scratch =
                worker.scratch(lines + TileKernel.scratchScales(w.type(), TILE_BANDS, blocks));
        worker.set(TileKernel.NUMBERS, numbers(w, from));
        worker.set(TileKernel.SCALES, scales(w, from));
        worker.set(TileKernel.ACTIVATIONS, activations.segment().address());
        worker.set(TileKernel.ACTIVATION_STRIDE, rowStride);
        worker.set(TileKernel.OUT, out(out, 0, from));
        worker.set(TileKernel.OUT_STRIDE, w.rows() * 4L);
        worker.set(TileKernel.BLOCKS, blocks);
        worker.set(TileKernel.BANDS, to - from);
        worker.set(TileKernel.TILES, rows / TileKernel.ROWS);
        worker.set(TileKernel.MASK, mask);
        worker.set(TileKernel.SCRATCH_LINES, scratch);
        worker.set(TileKernel.SCRATCH_SCALES, scratch + lines);
        worker.set(TileKernel.NUMBER_STRIDE, BandMatrix.bandBytes(w.type(), w.cols()));
        worker.set(TileKernel.SCALE_STRIDE, BandMatrix.bandScaleBytes(w.type(), w.cols()));
        worker.set(TileKernel.MEMORY, tileMemory[thread].segment().address());
        worker.call(entry);
    }

    private static long numbers(BandMatrix w, int band) {
        return w.numbers().address() + band * BandMatrix.bandBytes(w.type(), w.cols());
    }

    private static long scales(BandMatrix w, int band) {
        return w.scales().address() + band * BandMatrix.bandScaleBytes(w.type(), w.cols());
    }

    private static long out(Tensor out, int row, int band) {
        return out.data().address() + 4L * ((long) row * out.rowSize() + (long) band * BAND);
    }

    /** Rows of x from {@code first} on. */
    private void rows(Worker worker, BandMatrix w, Tensor out, int first, int from, int to) {
        int count = x.rows() - first;
        worker.set(ProductKernel.ACTIVATIONS, activations.segment().address() + first * rowStride);
        worker.set(ProductKernel.ACTIVATION_STRIDE, rowStride);
        worker.set(ProductKernel.OUT_STRIDE, w.rows() * 4L);
        worker.set(ProductKernel.BLOCKS, blocks);
        worker.set(ProductKernel.COLUMNS, count);
        worker.set(ProductKernel.NUMBER_STRIDE, BandMatrix.bandBytes(w.type(), w.cols()));
        worker.set(ProductKernel.SCALE_STRIDE, BandMatrix.bandScaleBytes(w.type(), w.cols()));
        long[] table = tables.getOrDefault(w.type(), NO_TABLE);
        for (int i = 0; i < table.length; i++) {
            worker.set(NarrowTile.FACTOR + i, table[i]);
        }
        boolean many = unpacks(count);
        int columns = columns(w.type(), count);
        int largest =
                count == 1
                        ? tuning.rowGroup(BandMatrix.bandBytes(w.type(), w.cols()))
                        : tile(w.type(), count).bands();
        if (ProductKernel.halved(w.type())) { // which have no tiles of TileKernel: all rows
            worker.set(ProductKernel.HALF_SUMS, halfSums[columns].segment().address());
            worker.set(ProductKernel.HALF_SUM_STRIDE, HalfSums.stride(columns));
            worker.set(ProductKernel.HALF_SUM_TILE, HalfSums.tile(columns, blocks));
        }
        if (many || count > 1 && ProductKernel.widensScales(w.type())) {
            long lines = many ? ProductKernel.scratchLines(w.type(), largest, blocks) : 0;
            long scales = ProductKernel.scratchScales(w.type(), largest, blocks);
            long scratch = worker.scratch(lines + scales);
            worker.set(ProductKernel.SCRATCH_LINES, scratch);
            worker.set(ProductKernel.SCRATCH_SCALES, scratch + lines);
        }
        if (many) {
            long bytes = largest * BandMatrix.bandBytes(w.type(), w.cols());
            long step = ProductKernel.nextStep(bytes, blocks, columns, count);
            worker.set(ProductKernel.NEXT_STEP, step);
        }
        KernelLibrary.Products products = library.products(w.type());
        int at = from;
        for (int size = largest; size > 0; size /= 2) {
            MemorySegment entry =
                    count == 1
                            ? products.row(size)
                            : many ? products.many(size) : products.few(size);
            int groups = (to - at) / size;
            // The matrix's last band may lack rows; its group is stored under a mask.
            boolean cut = at + groups * size == w.bands() && w.rows() % BAND != 0;
            int whole = cut ? groups - 1 : groups;
            sweep(worker, entry, w, out(out, first, at), at, whole, ProductKernel.ALL_LANES);
            at += Math.max(whole, 0) * size;
            if (cut && groups > 0) {
                sweep(worker, entry, w, out(out, first, at), at, 1, (1L << w.rows() % BAND) - 1);
                at += size;
            }
        }
    }

    private static void sweep(
            Worker worker,
            MemorySegment entry,
            BandMatrix w,
            long out,
            int band,
            int groups,
            long lastMask) {
        if (groups <= 0) {
            return;
        }
        worker.set(ProductKernel.NUMBERS, numbers(w, band));
        worker.set(ProductKernel.SCALES, scales(w, band));
        worker.set(ProductKernel.OUT, out);
        worker.set(ProductKernel.GROUPS, groups);
        worker.set(ProductKernel.LAST_MASK, lastMask);
        worker.set(ProductKernel.LAST_LANES, Worker.bytesOf(lastMask & 0xFF));
        worker.set(ProductKernel.LAST_LANES + 1, Worker.bytesOf(lastMask >> 8));
        worker.call(entry);
    }

    private static int share(int units, int thread, int threads) {
        return (int) ((long) units * thread / threads);
    }

    @Override
    public void close() {
        for (Worker worker : workers) {
            worker.close();
        }
        for (OffHeap memory : tileMemory) {
            memory.close();
        }
        for (OffHeap sums : halfSums) {
            sums.close();
        }
        activations.close();
    }
}
