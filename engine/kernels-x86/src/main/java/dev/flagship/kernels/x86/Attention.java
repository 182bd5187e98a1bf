package dev.flagship.kernels.x86;

import static dev.flagship.tensor.ScalarKernels.PIECE;
import static dev.flagship.tensor.ScalarKernels.SEGMENT;

import dev.flagship.kernels.x86.AttentionKernel.Source;
import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Attention by emitted code, split over the team. A task is a tile of rows and a KV head, or one
 * piece of that where there are few; threads take tasks from a counter, the longest first. An
 * operation's arguments stand in fields, so that a call allocates nothing; the team's dispatch
 * publishes them.
 */
final class Attention implements Team.Task, AutoCloseable {
    /** Queries from which widening a segment pays. */
    private static final int WIDEN_QUERIES = 13;

    /** Pairs of query and position below which waking the team costs more than it saves. */
    private static final long SERIAL_PAIRS = 1000;

    private static final int LANES = CanonicalMath.LANES;

    /** Bytes of the registers that scales are spread for. */
    private static final int NARROW_BYTES = 32;

    /**
     * Pages of a piece, as many as a segment has to be asked for ahead, and one that is skipped.
     */
    private static final int TABLE = PIECE / KvLayout.PAGE + AttentionKernel.PAGES_PER_SEGMENT + 1;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final Tensor NONE = Tensor.of(Shape.of(0, 1), MemorySegment.NULL);

    private final Team team;
    private final Isa isa;
    private final MemorySegment ofF32;
    private final MemorySegment ofF16;
    private final MemorySegment ofF16Widened;
    private final MemorySegment ofQ8;
    private final MemorySegment ofQ8Widened;
    private final MemorySegment merge;
    private final Set<DType> types;
    private final int widenQueries;
    private final Worker[] workers;

    /** {@link AttentionConstants}. */
    private final OffHeap constants;

    private final AtomicInteger next = new AtomicInteger();

    /** Pieces of each tile and KV head that are still to be computed. */
    private AtomicIntegerArray missing = new AtomicIntegerArray(0);

    private OffHeap states = OffHeap.allocate(0);
    private KvRows rows = new KvRows(new KvLayout(1, 1, 1, DType.F32), MemorySegment.NULL);
    private int layer;
    private Tensor q = NONE;
    private Tensor out = NONE;
    private int group;
    private int pieces;
    private boolean byPiece;
    private int tileQueries;
    private long stateBytes;

    /**
     * @param library must live until this is closed
     * @param types of KV pages whose kernels may be used
     */
    Attention(Team team, KernelLibrary library, Set<DType> types) {
        this(team, library, types, WIDEN_QUERIES);
    }

    /**
     * @param widenQueries queries from which pages are widened first; the bits do not depend on it
     */
    Attention(Team team, KernelLibrary library, Set<DType> types, int widenQueries) {
        this.team = team;
        this.isa = library.isa();
        ofF32 = library.attention(new AttentionKernel(isa, DType.F32, Source.PAGES));
        ofF16 = library.attention(new AttentionKernel(isa, DType.F16, Source.PAGES));
        ofF16Widened = library.attention(new AttentionKernel(isa, DType.F16, Source.SCRATCH));
        ofQ8 = library.attention(new AttentionKernel(isa, DType.Q8_0, Source.PAGES));
        ofQ8Widened = library.attention(new AttentionKernel(isa, DType.Q8_0, Source.SCRATCH));
        merge = library.attentionMerge();
        this.types = Set.copyOf(types);
        this.widenQueries = widenQueries;
        workers = new Worker[team.size()];
        Arrays.setAll(workers, _ -> new Worker());
        constants = AttentionConstants.of(isa);
    }

    /** What one thread works in. */
    private static final class Worker implements AutoCloseable {
        private final OffHeap params = OffHeap.allocate(8L * AttentionKernel.SLOTS);
        private final OffHeap pages = OffHeap.allocate(8L * TABLE);
        private final OffHeap scores = OffHeap.allocate(AttentionKernel.SCORE_BYTES);
        private final OffHeap scratchPages =
                OffHeap.allocate(8L * (AttentionKernel.PAGES_PER_SEGMENT + 1));
        private OffHeap scratch = OffHeap.allocate(0);
        private OffHeap keyScales = OffHeap.allocate(0);
        private OffHeap valueScales = OffHeap.allocate(0);
        private OffHeap spreadScales = OffHeap.allocate(0);
        private OffHeap limits = OffHeap.allocate(0);
        private OffHeap queries = OffHeap.allocate(0);
        private OffHeap states = OffHeap.allocate(0);

        void set(int slot, long value) {
            params.segment().setAtIndex(LONG, slot, value);
        }

        void call(MemorySegment entry) {
            Downcall.call(entry, params.segment().address());
        }

        void shape(int queryCount, int headSize, long stateBytes) {
            limits = sized(limits, 4L * queryCount);
            queries = sized(queries, 4L * queryCount * headSize);
            states = sized(states, stateBytes);
            scratch = sized(scratch, AttentionKernel.scratchBytes(headSize));
            long scaleBytes = AttentionKernel.segmentScaleBytes(headSize);
            keyScales = sized(keyScales, scaleBytes);
            valueScales = sized(valueScales, scaleBytes);
            spreadScales = sized(spreadScales, scaleBytes * (NARROW_BYTES / 4));
            for (int p = 0; p < AttentionKernel.PAGES_PER_SEGMENT; p++) {
                long page = AttentionKernel.scratchBytes(headSize);
                page = page / AttentionKernel.PAGES_PER_SEGMENT * p;
                scratchPages.segment().setAtIndex(LONG, p, scratch.segment().address() + page);
            }
        }

        @Override
        public void close() {
            params.close();
            pages.close();
            scores.close();
            scratchPages.close();
            scratch.close();
            keyScales.close();
            valueScales.close();
            spreadScales.close();
            limits.close();
            queries.close();
            states.close();
        }
    }

    /** The same memory, or larger one in its place. */
    private static OffHeap sized(OffHeap memory, long bytes) {
        if (memory.segment().byteSize() >= bytes) {
            return memory;
        }
        OffHeap larger = OffHeap.allocate(bytes);
        memory.close();
        return larger;
    }

    /** Whether it can be computed here; emitted code reads only memory off the heap. */
    boolean takes(KvRows rows, Tensor q, Tensor out) {
        KvLayout kv = rows.layout();
        return types.contains(kv.type())
                && kv.headSize() % LANES == 0
                && rows.pool().isNative()
                && q.data().isNative()
                && out.data().isNative();
    }

    /**
     * Computes what {@link #takes} says yes to; the same bits as {@link
     * dev.flagship.tensor.Kernels#attend}. Shapes have been checked.
     *
     * @throws IllegalStateException if an operand's memory is closed
     * @throws IndexOutOfBoundsException if a row's page is not in the pool
     */
    void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        if (rows.count() == 0) {
            return;
        }
        alive(rows.pool());
        alive(q.data());
        alive(out.data());
        this.rows = rows;
        this.layer = layer;
        this.q = q;
        this.out = out;
        KvLayout kv = rows.layout();
        group = q.shape().heads() / kv.kvHeads();
        pieces = rows.lastPosition() / PIECE + 1;
        int units = rows.tiles() * kv.kvHeads();
        byPiece = pieces > 1 && units < 4 * team.size();
        int tileRows = 0;
        long pairs = 0;
        for (int tile = 0; tile < rows.tiles(); tile++) {
            int count = rows.tileEnd(tile) - rows.tileStart(tile);
            tileRows = Math.max(tileRows, count);
            pairs += (long) count * (rows.position(rows.tileStart(tile)) + 1);
        }
        tileQueries = tileRows * group;
        stateBytes = stateBytes(tileQueries, kv.headSize());
        long unitBytes = stateBytes * pieces;
        for (Worker worker : workers) {
            worker.shape(tileQueries, kv.headSize(), byPiece ? 0 : unitBytes);
        }
        if (byPiece) {
            states = sized(states, unitBytes * units);
            if (missing.length() < units) {
                missing = new AtomicIntegerArray(units);
            }
            for (int unit = 0; unit < units; unit++) {
                missing.set(unit, piecesOf(unit / kv.kvHeads()));
            }
        }
        next.set(0);
        if (pairs * q.shape().heads() < SERIAL_PAIRS) {
            run(0, 1);
        } else {
            team.run(this);
        }
        this.q = NONE;
        this.out = NONE;
    }

    /** Emitted code cannot notice that memory was closed. */
    private static void alive(MemorySegment segment) {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("attend: an operand's memory is closed");
        }
    }

    /** The state of so many queries after a piece: maxima, sums, weighted sums. */
    private static long stateBytes(int queries, int headSize) {
        return 2 * stateRow(queries) + 4L * queries * headSize;
    }

    /** Bytes of maxima or of sums, with room for a vector that begins at the last one. */
    private static long stateRow(int queries) {
        return 4L * (Math.ceilDiv(queries, LANES) + 1) * LANES;
    }

    private int piecesOf(int tile) {
        return rows.position(rows.tileEnd(tile) - 1) / PIECE + 1;
    }

    @Override
    public void run(int thread, int threads) {
        Worker worker = workers[thread];
        int kvHeads = rows.layout().kvHeads();
        int units = rows.tiles() * kvHeads;
        int tasks = byPiece ? units * pieces : units;
        for (int task = next.getAndIncrement(); task < tasks; task = next.getAndIncrement()) {
            // Pieces ascend, for the last ones are short; tiles descend, for later ones are longer.
            int unit = units - 1 - task % units;
            int tile = unit / kvHeads;
            int kvHead = unit % kvHeads;
            if (!byPiece) {
                long state = worker.states.segment().address();
                for (int piece = 0; piece < piecesOf(tile); piece++) {
                    piece(worker, tile, kvHead, piece, state + piece * stateBytes);
                }
                merge(worker, tile, kvHead, state);
            } else if (task / units < piecesOf(tile)) {
                long state = states.segment().address() + unit * (stateBytes * pieces);
                piece(worker, tile, kvHead, task / units, state + task / units * stateBytes);
                if (missing.decrementAndGet(unit) == 0) {
                    merge(worker, tile, kvHead, state);
                }
            }
        }
    }

    /** One piece of a tile and a KV head. */
    private void piece(Worker worker, int tile, int kvHead, int piece, long state) {
        KvLayout kv = rows.layout();
        int first = rows.tileStart(tile);
        int end = rows.tileEnd(tile);
        int start =
                rows.position(first) - piece * PIECE; // of the first row, may be below the piece
        int positions = Math.min(PIECE, start + end - first);
        int segments = Math.ceilDiv(positions, SEGMENT);
        pages(worker, end - 1, kvHead, piece * PIECE, positions, segments);
        MemorySegment limits = worker.limits.segment();
        for (int i = 0; i < (end - first) * group; i++) {
            limits.setAtIndex(INT, i, start + i / group + 1);
        }
        int size = kv.headSize();
        int queryBytes = 4 * size;
        long queries = queries(worker, first, end, kvHead);
        long row = stateRow(tileQueries);
        boolean widen = kv.type() != DType.F32 && (end - first) * group >= widenQueries;
        MemorySegment entry = entry(kv.type(), widen);
        long blockBytes = widen ? 4L * KvLayout.PAGE * size : kv.blockBytes();
        long valueBytes = widen ? 4L * size : valueBytes(kv);
        for (int segment = 0; segment < segments; ) {
            // Rows that end before this segment are done, and the first that is not ends first.
            int done = Math.max(0, segment * SEGMENT - start);
            int until = Math.min(segments, Math.ceilDiv(start + done + 1, SEGMENT));
            int skip = done * group;
            int count = (end - first - done) * group;
            worker.set(AttentionKernel.QUERIES, queries + (long) skip * queryBytes);
            worker.set(AttentionKernel.QUERY_STRIDE, queryBytes);
            worker.set(AttentionKernel.COUNT, count);
            worker.set(AttentionKernel.LIMITS, limits.address() + 4L * skip);
            worker.set(
                    AttentionKernel.PAGES,
                    worker.pages.segment().address()
                            + 8L * AttentionKernel.PAGES_PER_SEGMENT * segment);
            worker.set(AttentionKernel.SEGMENTS, until - segment);
            worker.set(AttentionKernel.MAXIMA, state + 4L * skip);
            worker.set(AttentionKernel.SUMS, state + row + 4L * skip);
            worker.set(AttentionKernel.WEIGHTED, state + 2 * row + (long) skip * queryBytes);
            worker.set(AttentionKernel.BLOCK_BYTES, blockBytes);
            worker.set(AttentionKernel.SCORES, worker.scores.segment().address());
            worker.set(AttentionKernel.SCRATCH_PAGES, worker.scratchPages.segment().address());
            worker.set(AttentionKernel.KEY_SCALES, worker.keyScales.segment().address());
            worker.set(AttentionKernel.VALUE_SCALES, worker.valueScales.segment().address());
            worker.set(AttentionKernel.SPREAD_SCALES, worker.spreadScales.segment().address());
            worker.set(
                    AttentionKernel.SCALE_STRIDE,
                    (long) size / KvLayout.GROUP * AttentionKernel.scaleBytes(isa));
            worker.set(
                    AttentionKernel.POSITIONS,
                    constants.segment().address()
                            + AttentionConstants.POSITIONS
                            + 4L * SEGMENT * segment);
            worker.set(AttentionKernel.CONSTANTS, constants.segment().address());
            worker.set(
                    AttentionKernel.SCALE,
                    Float.floatToRawIntBits(ScalarKernels.attentionScale(size)));
            worker.set(AttentionKernel.VALUE_STRIDE, valueBytes);
            worker.set(AttentionKernel.START, (long) segment * SEGMENT);
            worker.call(entry);
            segment = until;
        }
    }

    private MemorySegment entry(DType type, boolean widen) {
        return switch (type) {
            case F32 -> ofF32;
            case F16 -> widen ? ofF16Widened : ofF16;
            case Q8_0 -> widen ? ofQ8Widened : ofQ8;
            default -> throw new IllegalStateException("no KV pages hold " + type);
        };
    }

    /** Bytes of a value in a page, its scales not counted. */
    private static int valueBytes(KvLayout kv) {
        return kv.type() == DType.Q8_0 ? kv.headSize() : kv.headSize() * kv.type().blockBytes();
    }

    /** Lists the addresses of a piece's pages. */
    private void pages(Worker worker, int row, int kvHead, int from, int positions, int segments) {
        KvLayout kv = rows.layout();
        long pool = rows.pool().address();
        long inPool = rows.pool().byteSize() / kv.pageBytes();
        int count = Math.ceilDiv(positions, KvLayout.PAGE);
        MemorySegment table = worker.pages.segment();
        long address = 0;
        for (int i = 0; i < count; i++) {
            int page = rows.page(row, from + i * KvLayout.PAGE);
            if (page < 0 || page >= inPool) {
                throw new IndexOutOfBoundsException(
                        "attend: page %d of a pool of %d".formatted(page, inPool));
            }
            address = pool + kv.keys(page, layer, kvHead);
            table.setAtIndex(LONG, i, address);
        }
        // What nobody sees is read all the same, and the last page serves.
        for (int i = count; i <= (segments + 1) * AttentionKernel.PAGES_PER_SEGMENT; i++) {
            table.setAtIndex(LONG, i, address);
        }
    }

    /** Address of the tile's queries for a KV head, one behind the other. */
    private long queries(Worker worker, int first, int end, int kvHead) {
        long bytes = 4L * group * rows.layout().headSize();
        if (end - first == 1) {
            return q.data().address() + address(first, kvHead);
        }
        for (int row = first; row < end; row++) {
            MemorySegment.copy(
                    q.data(),
                    address(row, kvHead),
                    worker.queries.segment(),
                    (row - first) * bytes,
                    bytes);
        }
        return worker.queries.segment().address();
    }

    /** Where a row's queries, or outputs, for a KV head are. */
    private long address(int row, int kvHead) {
        return 4L * ((long) row * q.rowSize() + (long) kvHead * group * rows.layout().headSize());
    }

    /** Merges the pieces of a tile and a KV head into the output. */
    private void merge(Worker worker, int tile, int kvHead, long state) {
        int queryBytes = 4 * rows.layout().headSize();
        long row = stateRow(tileQueries);
        int first = rows.tileStart(tile);
        for (int r = first; r < rows.tileEnd(tile); r++) {
            int skip = (r - first) * group;
            worker.set(AttentionMerge.MAXIMA, state + 4L * skip);
            worker.set(AttentionMerge.SUMS, state + row + 4L * skip);
            worker.set(AttentionMerge.WEIGHTED, state + 2 * row + (long) skip * queryBytes);
            worker.set(AttentionMerge.PIECE_STRIDE, stateBytes);
            worker.set(AttentionMerge.PIECES, rows.position(r) / PIECE + 1);
            worker.set(AttentionMerge.COUNT, group);
            worker.set(AttentionMerge.QUERY_STRIDE, queryBytes);
            worker.set(AttentionMerge.OUT, out.data().address() + address(r, kvHead));
            worker.set(AttentionMerge.CONSTANTS, constants.segment().address());
            worker.call(merge);
        }
    }

    @Override
    public void close() {
        for (Worker worker : workers) {
            worker.close();
        }
        states.close();
        constants.close();
    }
}
