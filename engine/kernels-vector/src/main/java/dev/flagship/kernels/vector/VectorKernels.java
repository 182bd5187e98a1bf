package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;
import static dev.flagship.tensor.CanonicalMath.LANES;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KernelChecks;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Shares;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.tensor.TopK;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Operations split over the team. An operation's arguments stand in fields of a task that is made
 * once, so that a call allocates nothing; the team's dispatch publishes them.
 */
final class VectorKernels implements Kernels {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    /** Columns of a panel: at 512 bits 32 KiB of weights, which stay in L1 while the tiles pass. */
    private static final int PANEL_COLUMNS = BandMatrix.SUPER_BLOCK;

    /** Columns of the smallest group that shares a scale. */
    private static final int LEAST_GROUP = 16;

    /** Numbers below which an element-wise operation is not worth waking the team for. */
    private static final int SERIAL_ELEMENTS = 16_384;

    private static final int STRIP = 256;

    private final Team team;
    private final Worker[] workers;
    private final Project project = new Project();
    private final Append append = new Append();
    private final Attend attend = new Attend();
    private final Rows rowsTask = new Rows();
    private final Embed embed = new Embed();
    private final float[] strip = new float[STRIP];

    VectorKernels(Team team) {
        this.team = team;
        workers = new Worker[team.size()];
        Arrays.setAll(workers, _ -> new Worker());
    }

    /** What one thread works in. */
    private static final class Worker {
        private final float[] panel = new float[PANEL_COLUMNS * PANEL_ROWS];
        private final float[] scales = new float[PANEL_COLUMNS / LEAST_GROUP * PANEL_ROWS];
        private final float[] minima = new float[PANEL_COLUMNS / LEAST_GROUP * PANEL_ROWS];
        private final SuperScales superScales = new SuperScales();
        private final float[] superNumbers = new float[SuperScales.MOST];
        private final float[] gemvOut = new float[Gemv.STREAMS * LENGTH];
        private short[] halves = {};
        private short[] rounded = {};
        private float[] planes = {};
        private final float[] partial = new float[LANES];
        private final float[] strip = new float[STRIP];
        private float[] acc = {};
        private float[] row = {};
        private int[] quants = {};
        private final float[] group = new float[KvLayout.GROUP];
        private final int[] group8 = new int[KvLayout.GROUP];
        private final EmbeddingRows embedding = new EmbeddingRows();
        private final Attention attention = new Attention();
    }

    @Override
    public String rung() {
        return "vector-" + FLOATS.vectorBitSize();
    }

    /** The same array, or a longer one. */
    private static float[] sized(float[] array, int length) {
        return array.length < length ? new float[length] : array;
    }

    private void run(Team.Task task, long elements) {
        if (elements < SERIAL_ELEMENTS) {
            task.run(0, 1);
        } else {
            team.run(task);
        }
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        KernelChecks.embed(table, ids, out);
        embed.table = table;
        embed.ids = ids;
        embed.out = out;
        run(embed, out.shape().elements());
    }

    private final class Embed implements Team.Task {
        private BandMatrix table =
                new BandMatrix("", DType.F32, 0, 1, MemorySegment.NULL, MemorySegment.NULL);
        private int[] ids = {};
        private Tensor out = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

        @Override
        public void run(int thread, int threads) {
            EmbeddingRows rows = workers[thread].embedding;
            int to = share(out.rows(), thread + 1, threads);
            for (int row = share(out.rows(), thread, threads); row < to; row++) {
                rows.widen(table, ids[row], out, row);
            }
        }
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        KernelChecks.project(x, weights, outs);
        if (x.rows() == 0) {
            return;
        }
        project.x = x;
        project.weights = weights;
        project.outs = outs;
        project.activations.begin(x.rows(), x.rowSize());
        for (int i = 0; i < weights.size(); i++) {
            project.activations.meet(weights.get(i).type(), numerics);
        }
        project.activations.room();
        project.numerics = numerics;
        project.packing = true;
        run(project, (long) x.rows() * x.rowSize());
        project.packing = false;
        project.shares.clear();
        for (int i = 0; i < weights.size(); i++) {
            project.shares.add(weights.get(i).bands());
        }
        project.shares.start();
        team.run(project);
    }

    /**
     * First packs the activations, tile by tile; then computes panels, contiguous ranges per
     * thread.
     */
    private final class Project implements Team.Task, Shares.Work {
        private Tensor x = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);
        private List<BandMatrix> weights = List.of();
        private List<Tensor> outs = List.of();
        private Numerics numerics = Numerics.EXACT;
        private boolean packing;
        private final Activations activations = new Activations();

        /** No group of streams is cut, nor a panel of two vectors. */
        private final Shares shares = new Shares(Math.max(2, Gemv.STREAMS / PER_BAND));

        @Override
        public void run(int thread, int threads) {
            if (packing) {
                pack(workers[thread], thread, threads);
            } else {
                shares.run(thread, threads, this);
            }
        }

        private void pack(Worker worker, int thread, int threads) {
            worker.row = sized(worker.row, x.rowSize());
            if (worker.quants.length < x.rowSize()) {
                worker.quants = new int[x.rowSize()];
            }
            int from = share(activations.tiles(), thread, threads);
            int to = share(activations.tiles(), thread + 1, threads);
            for (int tile = from; tile < to; tile++) {
                if (activations.int8()) {
                    activations.packInt8(x, tile, worker.row, worker.quants);
                }
                if (activations.plain()) {
                    activations.packPlain(x, tile);
                }
            }
        }

        @Override
        public void bands(int thread, int matrix, int from, int to) {
            Worker worker = workers[thread];
            BandMatrix w = weights.get(matrix);
            Tensor out = outs.get(matrix);
            boolean quants = numerics == Numerics.FAST && w.type().quantized();
            if (quants && x.rows() == 1 && Gemv.multiplies(w.type())) {
                gemv(worker, w, out, from, to);
            } else {
                for (int v = from * PER_BAND; v < to * PER_BAND; v += 2) {
                    panel(worker, w, out, v, quants);
                }
            }
        }

        private void gemv(Worker worker, BandMatrix w, Tensor out, int from, int to) {
            int bands = Math.ceilDiv(Gemv.STREAMS, PER_BAND);
            int room = bands * w.cols() / BLOCK * 2 * BAND; // for minima too
            if (worker.halves.length < room) {
                worker.halves = new short[room];
                worker.planes = new float[room];
            }
            int scales = (int) (bands * BandMatrix.bandScaleBytes(w.type(), w.cols()) / 2);
            int end = to * PER_BAND;
            boolean read = false;
            for (int v = from * PER_BAND; v < end; v += Gemv.STREAMS) {
                int count = Math.min(Gemv.STREAMS, end - v);
                if (w.type().superBlocks()) {
                    worker.superScales.widenBands(w, v, count, worker.planes);
                } else {
                    if (!read) {
                        Gemv.readScales(w, v, count, worker.halves);
                    }
                    Gemv.widen(worker.halves, worker.planes, scales);
                }
                read = w.type() == DType.Q8_0 && v + 2 * Gemv.STREAMS <= end;
                if (w.type() == DType.Q8_0) {
                    Gemv.eightBit(
                            w,
                            v,
                            count,
                            activations.for8,
                            activations.scales,
                            worker.planes,
                            worker.halves,
                            read ? Gemv.scalesAt(w, v + Gemv.STREAMS) : -1,
                            worker.gemvOut);
                } else if (w.type() == DType.Q6_K) {
                    Gemv.sixBit(
                            w,
                            v,
                            count,
                            activations.for6,
                            activations.scales,
                            worker.planes,
                            worker.gemvOut);
                } else {
                    Gemv.fourBit(
                            w,
                            v,
                            count,
                            activations.for4,
                            activations.scales,
                            activations.rowSums,
                            worker.planes,
                            worker.gemvOut);
                }
                int row = v * LENGTH;
                int rows = Math.min(count * LENGTH, w.rows() - row);
                if (rows > 0) {
                    MemorySegment.copy(worker.gemvOut, 0, out.data(), F32, row * 4L, rows);
                }
            }
        }

        private void panel(Worker worker, BandMatrix w, Tensor out, int vector, boolean quants) {
            int tiles = activations.tiles();
            int columns = activations.start(tiles - 1) + activations.width(tiles - 1);
            if (worker.acc.length < columns * PANEL_ROWS) {
                worker.acc = new float[columns * PANEL_ROWS];
            }
            Arrays.fill(worker.acc, 0, columns * PANEL_ROWS, 0f);
            float[] minima = w.type().hasMinimum() ? worker.minima : null;
            int size = w.type().groupElements();
            for (int k = 0; k < w.cols(); k += PANEL_COLUMNS) {
                int end = Math.min(k + PANEL_COLUMNS, w.cols());
                Panels.numbers(w, vector, k, end, worker.panel);
                if (w.type().quantized()) {
                    scales(worker, w, vector, k, end);
                }
                if (w.type().quantized() && !quants) {
                    Panels.dequantize(worker.panel, end - k, size, worker.scales, minima);
                }
                for (int tile = 0; tile < tiles; tile++) {
                    int start = activations.start(tile);
                    int width = activations.width(tile);
                    int actAt = start * w.cols() + k * width;
                    if (quants) {
                        int scalesAt = start * (w.cols() / BLOCK) + k / BLOCK * width;
                        GemmTiles.int8(
                                width,
                                worker.panel,
                                worker.scales,
                                minima,
                                (end - k) / size,
                                size,
                                activations.numbers,
                                actAt,
                                activations.scales,
                                scalesAt,
                                size == BLOCK ? activations.sums : activations.halfSums,
                                start * (w.cols() / size) + k / size * width,
                                worker.acc,
                                start * PANEL_ROWS);
                    } else {
                        GemmTiles.plain(
                                width,
                                worker.panel,
                                end - k,
                                activations.plain,
                                actAt,
                                worker.acc,
                                start * PANEL_ROWS);
                    }
                }
            }
            store(worker.acc, w, out, vector);
        }

        private static void scales(Worker worker, BandMatrix w, int vector, int k, int end) {
            if (w.type().superBlocks()) {
                Panels.superScales(
                        w,
                        vector,
                        k,
                        worker.superScales,
                        worker.superNumbers,
                        worker.scales,
                        worker.minima);
            } else {
                Panels.scales(w, vector, k, end, worker.scales);
                if (w.type().hasMinimum()) {
                    Panels.minima(w, vector, k, end, worker.minima);
                }
            }
        }

        private void store(float[] acc, BandMatrix w, Tensor out, int vector) {
            int row = vector * LENGTH;
            int count = Math.min(PANEL_ROWS, w.rows() - row);
            for (int n = 0; n < x.rows() && count > 0; n++) {
                MemorySegment.copy(
                        acc,
                        n * PANEL_ROWS,
                        out.data(),
                        F32,
                        ((long) n * w.rows() + row) * 4,
                        count);
            }
        }
    }

    private static int share(int units, int thread, int threads) {
        return (int) ((long) units * thread / threads);
    }

    private enum RowOperation {
        NORM,
        LAYER_NORM,
        ROPE,
        SWIGLU,
        GELU,
        RELU,
        SOFTMAX
    }

    /** Operations that treat each row by itself. */
    private final class Rows implements Team.Task {
        private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);
        private RowOperation operation = RowOperation.NORM;
        private Tensor a = NONE;
        private Tensor b = NONE;
        private Tensor c = NONE;
        private Tensor out = NONE;
        private float eps;
        private RopeTable table = new RopeTable(new float[0]);
        private int[] positions = {};

        @Override
        public void run(int thread, int threads) {
            Worker worker = workers[thread];
            int to = share(a.rows(), thread + 1, threads);
            for (int row = share(a.rows(), thread, threads); row < to; row++) {
                switch (operation) {
                    case NORM -> Pointwise.rmsNorm(a, b, eps, out, row, worker.partial);
                    case LAYER_NORM -> Pointwise.layerNorm(a, b, c, eps, out, row, worker.partial);
                    case ROPE -> Pointwise.rope(a, table, row, positions[row]);
                    case SWIGLU -> Pointwise.swiGlu(a, b, out, row, worker.strip);
                    case GELU -> Activation.gelu(a, out, row, worker.strip);
                    case RELU -> Activation.relu(a, out, row);
                    case SOFTMAX -> Activation.softmax(a, out, row, worker.partial, worker.strip);
                }
            }
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        KernelChecks.rmsNorm(x, weight, out);
        rowsTask.operation = RowOperation.NORM;
        rowsTask.a = x;
        rowsTask.b = weight;
        rowsTask.eps = eps;
        rowsTask.out = out;
        run(rowsTask, x.shape().elements());
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        KernelChecks.layerNorm(x, weight, bias, out);
        rowsTask.operation = RowOperation.LAYER_NORM;
        rowsTask.a = x;
        rowsTask.b = weight;
        rowsTask.c = bias;
        rowsTask.eps = eps;
        rowsTask.out = out;
        run(rowsTask, x.shape().elements());
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        KernelChecks.rope(x, table, positions);
        rowsTask.operation = RowOperation.ROPE;
        rowsTask.a = x;
        rowsTask.table = table;
        rowsTask.positions = positions;
        run(rowsTask, x.shape().elements());
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        KernelChecks.sameShape("swiGlu", gate, up);
        KernelChecks.sameShape("swiGlu", gate, out);
        rowsTask.operation = RowOperation.SWIGLU;
        rowsTask.a = gate;
        rowsTask.b = up;
        rowsTask.out = out;
        run(rowsTask, gate.shape().elements());
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        KernelChecks.sameShape("gelu", x, out);
        activate(RowOperation.GELU, x, out);
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        KernelChecks.sameShape("relu", x, out);
        activate(RowOperation.RELU, x, out);
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        KernelChecks.sameShape("softmax", x, out);
        activate(RowOperation.SOFTMAX, x, out);
    }

    private void activate(RowOperation operation, Tensor x, Tensor out) {
        rowsTask.operation = operation;
        rowsTask.a = x;
        rowsTask.out = out;
        run(rowsTask, x.shape().elements());
    }

    @Override
    public void add(Tensor x, Tensor y) {
        KernelChecks.sameShape("add", x, y);
        Pointwise.add(x.data(), y.data(), 0, x.shape().elements());
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        KernelChecks.gather(x, rows, out);
        long bytes = x.rowSize() * 4L;
        for (int i = 0; i < out.rows(); i++) {
            MemorySegment.copy(x.data(), rows[i] * bytes, out.data(), i * bytes, bytes);
        }
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        KernelChecks.append(rows, layer, keys, values);
        append.rows = rows;
        append.layer = layer;
        append.keys = keys;
        append.values = values;
        run(append, keys.shape().elements());
    }

    /** Rows have places of their own, so threads share them out. */
    private final class Append implements Team.Task {
        private KvRows rows = new KvRows(new KvLayout(1, 1, 1, DType.F32), MemorySegment.NULL);
        private int layer;
        private Tensor keys = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);
        private Tensor values = keys;

        @Override
        public void run(int thread, int threads) {
            boolean int8 = rows.layout().type() == DType.Q8_0;
            int to = share(rows.count(), thread + 1, threads);
            for (int row = share(rows.count(), thread, threads); row < to; row++) {
                if (int8) {
                    appendInt8(row, workers[thread]);
                } else {
                    append(row, workers[thread]);
                }
            }
        }

        private void append(int row, Worker worker) {
            KvLayout kv = rows.layout();
            int size = kv.headSize();
            int position = rows.position(row);
            int page = rows.page(row, position);
            int slot = position % KvLayout.PAGE;
            worker.row = sized(worker.row, size);
            if (worker.rounded.length < size) {
                worker.rounded = new short[size];
            }
            for (int head = 0; head < kv.kvHeads(); head++) {
                long from = ((long) row * keys.rowSize() + (long) head * size) * 4;
                long k = kv.keys(page, layer, head);
                long v = kv.values(page, layer, head);
                if (kv.type() == DType.F16) {
                    appendHalves(from, k, v, size, slot, worker);
                } else {
                    MemorySegment.copy(keys.data(), F32, from, worker.row, 0, size);
                    for (int d = 0; d < size; d++) {
                        rows.pool().set(F32, k + (d * KvLayout.PAGE + slot) * 4L, worker.row[d]);
                    }
                    MemorySegment to = rows.pool();
                    MemorySegment.copy(values.data(), from, to, v + 4L * slot * size, size * 4L);
                }
            }
        }

        /** As F16, by arrays: a segment's every access is dear until the compilers are done. */
        private void appendHalves(
                long from, long keysAt, long valuesAt, int size, int slot, Worker worker) {
            MemorySegment pool = rows.pool();
            MemorySegment.copy(keys.data(), F32, from, worker.row, 0, size);
            for (int d = 0; d < size; d++) {
                short key = Float.floatToFloat16(worker.row[d]);
                pool.set(F16, keysAt + (d * KvLayout.PAGE + slot) * 2L, key);
            }
            MemorySegment.copy(values.data(), F32, from, worker.row, 0, size);
            for (int d = 0; d < size; d++) {
                worker.rounded[d] = Float.floatToFloat16(worker.row[d]);
            }
            MemorySegment.copy(worker.rounded, 0, pool, F16, valuesAt + 2L * slot * size, size);
        }

        private void appendInt8(int row, Worker worker) {
            KvLayout kv = rows.layout();
            MemorySegment pool = rows.pool();
            int size = kv.headSize();
            int position = rows.position(row);
            int page = rows.page(row, position);
            int slot = position % KvLayout.PAGE;
            for (int head = 0; head < kv.kvHeads(); head++) {
                long k = kv.keys(page, layer, head);
                long v = kv.values(page, layer, head) + (long) slot * size;
                long keyScales = k + kv.scalesOffset() + slot * 2L;
                long valueScales =
                        kv.values(page, layer, head)
                                + kv.scalesOffset()
                                + (long) slot * (size / KvLayout.GROUP) * 2;
                for (int from = 0; from < size; from += KvLayout.GROUP) {
                    int group = from / KvLayout.GROUP;
                    short scale = round(keys, row, head * size + from, worker);
                    pool.set(F16, keyScales + (long) group * KvLayout.PAGE * 2, scale);
                    for (int i = 0; i < KvLayout.GROUP; i++) {
                        pool.set(
                                ValueLayout.JAVA_BYTE,
                                k + (from + i) * (long) KvLayout.PAGE + slot,
                                (byte) worker.group8[i]);
                    }
                    scale = round(values, row, head * size + from, worker);
                    pool.set(F16, valueScales + group * 2L, scale);
                    for (int i = 0; i < KvLayout.GROUP; i++) {
                        pool.set(ValueLayout.JAVA_BYTE, v + from + i, (byte) worker.group8[i]);
                    }
                }
            }
        }

        /** Rounds 32 numbers of a row to the worker's group; returns their scale. */
        private static short round(Tensor x, int row, int from, Worker worker) {
            long at = ((long) row * x.rowSize() + from) * 4;
            MemorySegment.copy(x.data(), F32, at, worker.group, 0, KvLayout.GROUP);
            short scale = CanonicalMath.cacheScale(Int8Blocks.largest(worker.group, 0));
            float inverse = CanonicalMath.cacheInverse(scale);
            Int8Blocks.round(worker.group, 0, inverse, worker.group8, 0);
            return scale;
        }
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        KernelChecks.attend(rows, layer, q, out);
        attend.rows = rows;
        attend.layer = layer;
        attend.q = q;
        attend.out = out;
        int units = rows.tiles() * rows.layout().kvHeads();
        attend.pieces = rows.lastPosition() / ScalarKernels.PIECE + 1;
        if (attend.pieces == 1 || units >= 4 * team.size()) {
            attend.phase = AttendPhase.WHOLE;
            team.run(attend);
            return;
        }
        int states =
                q.rows()
                        * q.shape().heads()
                        * attend.pieces
                        * Attention.stateSize(rows.layout().headSize());
        if (attend.states.length < states) {
            attend.states = new float[states];
        }
        attend.phase = AttendPhase.PIECES;
        team.run(attend);
        attend.phase = AttendPhase.MERGE;
        team.run(attend);
    }

    private enum AttendPhase {
        /** A unit is a tile and a KV head. */
        WHOLE,
        /** Few rows over a long past: a unit is a tile, a KV head and a piece. */
        PIECES,
        /** A unit is a row and a query head. */
        MERGE
    }

    /** Units are dealt in turn: later tiles see more of the past. */
    private final class Attend implements Team.Task {
        private KvRows rows = new KvRows(new KvLayout(1, 1, 1, DType.F32), MemorySegment.NULL);
        private int layer;
        private Tensor q = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);
        private Tensor out = q;
        private AttendPhase phase = AttendPhase.WHOLE;
        private int pieces;
        private float[] states = {};

        @Override
        public void run(int thread, int threads) {
            Attention attention = workers[thread].attention;
            int kvHeads = rows.layout().kvHeads();
            switch (phase) {
                case WHOLE -> {
                    for (int u = thread; u < rows.tiles() * kvHeads; u += threads) {
                        attention.whole(rows, layer, u / kvHeads, u % kvHeads, q, out);
                    }
                }
                case PIECES -> {
                    for (int u = thread; u < rows.tiles() * kvHeads * pieces; u += threads) {
                        int tile = u / (kvHeads * pieces);
                        int piece = u % pieces;
                        int last = rows.position(rows.tileEnd(tile) - 1);
                        if (piece <= last / ScalarKernels.PIECE) {
                            attention.pieceInto(
                                    rows,
                                    layer,
                                    tile,
                                    u / pieces % kvHeads,
                                    piece,
                                    q,
                                    states,
                                    pieces);
                        }
                    }
                }
                case MERGE -> merge(thread, threads);
            }
        }

        private void merge(int thread, int threads) {
            int heads = q.shape().heads();
            int size = rows.layout().headSize();
            for (int u = thread; u < q.rows() * heads; u += threads) {
                int row = u / heads;
                int own = rows.position(row) / ScalarKernels.PIECE + 1;
                int at = u * pieces * Attention.stateSize(size);
                Attention.mergeInto(states, at, own, size, out, row, u % heads);
            }
        }
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        KernelChecks.logSumExp(logits, row);
        int size = logits.rowSize();
        long base = (long) row * size * 4;
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < size; i++) {
            max = CanonicalMath.max(max, logits.get(row, i));
        }
        float[] partial = workers[0].partial;
        Arrays.fill(partial, 0f);
        for (int from = 0; from < size; from += STRIP) {
            int count = Math.min(STRIP, size - from);
            MemorySegment.copy(logits.data(), F32, base + from * 4L, strip, 0, count);
            Arrays.fill(strip, count, STRIP, 0f);
            for (int i = 0; i < STRIP; i += LENGTH) {
                FloatVector.fromArray(FLOATS, strip, i).sub(max).intoArray(strip, i);
            }
            Pointwise.exp(strip, STRIP);
            Arrays.fill(strip, count, STRIP, 0f);
            for (int v = 0; v < PER_BAND; v++) {
                FloatVector sum = FloatVector.fromArray(FLOATS, partial, v * LENGTH);
                for (int i = v * LENGTH; i < STRIP; i += LANES) {
                    sum = sum.add(FloatVector.fromArray(FLOATS, strip, i));
                }
                sum.intoArray(partial, v * LENGTH);
            }
        }
        return max + (float) StrictMath.log(CanonicalMath.treeSum(partial));
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        KernelChecks.topK(logits, row, k, ids, values);
        int size = logits.rowSize();
        long base = (long) row * size * 4;
        int kept = 0;
        for (int from = 0; from < size; from += STRIP) {
            int count = Math.min(STRIP, size - from);
            MemorySegment.copy(logits.data(), F32, base + from * 4L, strip, 0, count);
            if (kept == k && count == STRIP && !anyAbove(strip, values[0])) {
                continue; // later indices lose ties, so only a larger number can enter
            }
            for (int i = 0; i < count; i++) {
                kept = TopK.offer(ids, values, kept, k, from + i, strip[i]);
            }
        }
        TopK.sort(ids, values, k);
    }

    /** Whether any number of a strip is above the bound; everything counts as above NaN. */
    private static boolean anyAbove(float[] strip, float bound) {
        FloatVector worst = FloatVector.broadcast(FLOATS, bound);
        for (int i = 0; i < STRIP; i += LENGTH) {
            if (!FloatVector.fromArray(FLOATS, strip, i)
                    .compare(VectorOperators.LE, worst)
                    .allTrue()) {
                return true;
            }
        }
        return false;
    }

    @Override
    public void close() {}
}
