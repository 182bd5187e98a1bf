package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.ScalarKernels;
import java.util.List;
import java.util.Locale;

/**
 * Attention of some queries to the positions of one KV head, segment by segment, for each segment
 * over tiles of queries: scores (lane = position), their weights, the weighted sum of values (lane
 * = dimension). The operations and the order of {@link ScalarKernels}, whatever the tile. The head
 * size is a multiple of 16.
 *
 * @param type of the pages
 * @param source where tiles read keys and values
 */
record AttentionKernel(DType type, Source source) {

    /** Where tiles read keys and values. */
    enum Source {
        /** The pages themselves: right for few queries, and for F32. */
        PAGES,
        /** Scratch, where a segment is first widened to F32: right where many tiles read it. */
        SCRATCH
    }

    // Slots of the parameters. A call uses up SEGMENTS, PAGES, POSITIONS and START.

    /** The first query, F32 numbers; the next one is QUERY_STRIDE bytes on. */
    static final int QUERIES = 0;

    /** Bytes of a query, and of a weighted sum. */
    static final int QUERY_STRIDE = 1;

    static final int COUNT = 2;

    /** For each query an int: positions it sees, of the piece; ascending, above START. */
    static final int LIMITS = 3;

    /**
     * Addresses of the keys in each page, values behind them: {@value #PAGES_PER_SEGMENT} a
     * segment, and as many more that are only asked for ahead. Any may be read to its end.
     */
    static final int PAGES = 4;

    static final int SEGMENTS = 5;

    /** Per query the largest score so far; room for 15 more. */
    static final int MAXIMA = 6;

    /** Per query the sum of weights so far; room for 15 more. */
    static final int SUMS = 7;

    /** Per query the weighted sum of values so far. */
    static final int WEIGHTED = 8;

    /** Bytes of the keys (or the values) of a page as tiles read them. */
    static final int BLOCK_BYTES = 9;

    /** {@link #SCORE_BYTES} of memory to work in. */
    static final int SCORES = 10;

    /**
     * Addresses of the keys in {@value #PAGES_PER_SEGMENT} F32 pages to work in; another number
     * behind them is read, not used.
     */
    static final int SCRATCH_PAGES = 11;

    /** START, START + 1, START + 2 … as F32, one for each position of the call. */
    static final int POSITIONS = 12;

    /** {@link ExpCode}'s constants. */
    static final int CONSTANTS = 13;

    /** Factor of the scores, F32. */
    static final int SCALE = 14;

    /** Bytes from one value to the next as tiles read them. */
    static final int VALUE_STRIDE = 15;

    /** Position of the first segment, as LIMITS counts; at 0 the states begin. */
    static final int START = 24;

    private static final int TILE_QUERIES = 16;
    private static final int TILE_LIMITS = 17;
    private static final int TILE_OFFSET = 18;
    private static final int TILE_WEIGHTED = 19;
    private static final int LEFT = 20;
    private static final int FIRST_SEEN = 21;
    private static final int LAST_SEEN = 22;
    private static final int STRIP = 23;
    static final int SLOTS = 25;

    static final int PAGES_PER_SEGMENT = ScalarKernels.SEGMENT / KvLayout.PAGE;

    /** Most queries of a tile. */
    static final int TILE = 6;

    /** Bytes of a query's scores, then weights, of one segment. */
    private static final int ROW = 4 * ScalarKernels.SEGMENT;

    private static final int NEW_MAXIMA = TILE * ROW;
    private static final int RESCALES = NEW_MAXIMA + 64;
    static final int SCORE_BYTES = RESCALES + 64;

    private static final int LINE = 64;
    private static final int LESS_OR_EQUAL = 2;
    private static final int NOT_EQUAL = 4;
    private static final int NOT_LESS_OR_EQUAL = 6;
    private static final int NEGATIVE_INFINITY = 0xFF800000;

    AttentionKernel {
        check(type == DType.F32 || type == DType.F16, "no attention to pages of %s", type);
        check(source == Source.PAGES || type != DType.F32, "pages of F32 need no widening");
    }

    /** Every one that there is. */
    static List<AttentionKernel> all() {
        return List.of(
                new AttentionKernel(DType.F32, Source.PAGES),
                new AttentionKernel(DType.F16, Source.PAGES),
                new AttentionKernel(DType.F16, Source.SCRATCH));
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "attend_%s_%s_avx512", type, source);
    }

    /** Bytes of the pages that widened segments go to. */
    static long scratchBytes(int headSize) {
        return 2L * PAGES_PER_SEGMENT * headSize * LINE;
    }

    byte[] assemble() {
        return new Emitter().emit();
    }

    /** Writes the kernel. */
    private final class Emitter {
        private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};
        private static final KMask LANE = new KMask(1);
        private static final KMask SEEN = new KMask(2);
        private static final KMask TILE_LANES = new KMask(3);

        /** Queries of the tile, from its scores to its end. */
        private static final Gp WIDTH = R15;

        // Registers above a tile's 24 accumulators.
        private static final int LINES = 24;
        private static final int OF_QUERY = 28;
        private static final Zmm FACTOR = zmm(30);
        private static final Zmm ZERO = zmm(30);

        // Registers while scores become weights.
        private static final ExpCode EXP = new ExpCode(16);
        private static final Zmm NEW_MAX = zmm(15);
        private static final Zmm LIMIT = zmm(29);
        private static final Zmm RESCALE = zmm(30);

        /** Per lane a query of the tile: maximum of its scores, then the sum of its weights. */
        private static final Zmm PER_QUERY = zmm(31);

        /** Vectors of dimensions that are summed at once; the first as often as it fits. */
        private static final int[] STRIPS = {4, 2, 1};

        private final Assembler asm = new Assembler();
        private final boolean half = type == DType.F16 && source == Source.PAGES;

        /** Bytes of 16 numbers as tiles read them. */
        private final int line = half ? LINE / 2 : LINE;

        private final int tilePages = source == Source.SCRATCH ? SCRATCH_PAGES : PAGES;

        private Mem param(int slot) {
            return Mem.at(RDI, 8 * slot);
        }

        private void add(int slot, int value) {
            asm.mov32(RAX, value);
            asm.add(param(slot), RAX);
        }

        byte[] emit() {
            asm.endbr64();
            asm.push(RBP);
            asm.mov(RBP, RSP);
            for (Gp kept : KEPT) {
                asm.push(kept);
            }
            asm.op(VPXOR, PER_QUERY, PER_QUERY, PER_QUERY);
            begin();
            Label segment = new Label();
            asm.bind(segment);
            if (source == Source.SCRATCH) {
                widenSegment();
            }
            tiles();
            add(PAGES, 8 * PAGES_PER_SEGMENT);
            add(POSITIONS, ROW);
            add(START, ScalarKernels.SEGMENT);
            asm.sub(param(SEGMENTS), 1);
            asm.jcc(Condition.NOT_EQUAL, segment);
            asm.vzeroupper();
            for (int i = KEPT.length - 1; i >= 0; i--) {
                asm.pop(KEPT[i]);
            }
            asm.pop(RBP);
            asm.ret();
            return asm.bytes();
        }

        /** Where no segment came before, the states begin here. */
        private void begin() {
            Label done = new Label();
            asm.mov(RAX, param(START));
            asm.cmp(RAX, 0);
            asm.jcc(Condition.NOT_EQUAL, done);
            asm.mov32(RAX, NEGATIVE_INFINITY);
            asm.op(VPBROADCASTD_GP, zmm(0), RAX);
            asm.op(VPXOR, ZERO, ZERO, ZERO);
            asm.mov(R8, param(MAXIMA));
            asm.mov(R9, param(SUMS));
            asm.mov(RSI, param(WEIGHTED));
            asm.mov(RCX, param(COUNT));
            Label query = new Label();
            asm.bind(query);
            asm.store(VMOVUPS_STORE, Mem.at(R8), zmm(0));
            asm.store(VMOVUPS_STORE, Mem.at(R9), ZERO);
            asm.mov(RDX, param(QUERY_STRIDE));
            Label lines = new Label();
            asm.bind(lines);
            asm.store(VMOVUPS_STORE, Mem.at(RSI), ZERO);
            asm.add(RSI, LINE);
            asm.sub(RDX, LINE);
            asm.jcc(Condition.NOT_EQUAL, lines);
            asm.add(R8, 4);
            asm.add(R9, 4);
            asm.sub(RCX, 1);
            asm.jcc(Condition.NOT_EQUAL, query);
            asm.bind(done);
        }

        /** Keys and values of a page are one run of numbers. */
        private void widenSegment() {
            asm.mov(R8, param(PAGES));
            asm.mov(R9, param(SCRATCH_PAGES));
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                asm.mov(RSI, Mem.at(R8, 8 * p));
                asm.mov(RDX, Mem.at(R9, 8 * p));
                asm.mov(RCX, param(BLOCK_BYTES));
                Label lines = new Label();
                asm.bind(lines);
                for (int i = 0; i < 4; i++) { // a block has 16 lines or a multiple of that
                    asm.op(VCVTPH2PS, zmm(i), Mem.at(RSI, i * LINE / 2));
                    asm.store(VMOVUPS_STORE, Mem.at(RDX, i * LINE), zmm(i));
                }
                asm.add(RSI, 4 * LINE / 2);
                asm.add(RDX, 4 * LINE);
                asm.sub(RCX, 2 * LINE); // two blocks
                asm.jcc(Condition.NOT_EQUAL, lines);
            }
        }

        // --- tiles

        private void tiles() {
            for (int[] copy :
                    new int[][] {
                        {COUNT, LEFT},
                        {QUERIES, TILE_QUERIES},
                        {LIMITS, TILE_LIMITS},
                        {WEIGHTED, TILE_WEIGHTED}
                    }) {
                asm.mov(RAX, param(copy[0]));
                asm.mov(param(copy[1]), RAX);
            }
            asm.xor(RAX, RAX);
            asm.mov(param(TILE_OFFSET), RAX);
            Label tile = new Label();
            Label full = new Label();
            Label cut = new Label();
            Label weigh = new Label();
            Label next = new Label();
            Label[] scores = labels();
            Label[] sums = labels();
            asm.bind(tile);
            asm.mov(RAX, param(LEFT));
            for (int left = 1; left < 2 * TILE - 1; left++) {
                asm.cmp(RAX, left);
                // One and a half tiles are halved: narrow tiles wait for themselves.
                int width = left <= TILE ? left : (left + 1) / 2;
                asm.jcc(Condition.EQUAL, scores[width]);
            }
            for (int width = TILE; width > 0; width--) {
                asm.bind(scores[width]);
                scores(width, full, cut);
            }
            asm.bind(full);
            weights(false);
            asm.jmp(weigh);
            asm.bind(cut);
            weights(true);
            asm.bind(weigh);
            for (int width = 1; width < TILE; width++) {
                asm.cmp(WIDTH, width);
                asm.jcc(Condition.EQUAL, sums[width]);
            }
            for (int width = TILE; width > 0; width--) {
                asm.bind(sums[width]);
                weightedSums(width);
                if (width > 1) {
                    asm.jmp(next);
                }
            }
            asm.bind(next);
            asm.xor(RAX, RAX);
            asm.lea(RAX, Mem.at(RAX, WIDTH, 4));
            asm.add(param(TILE_LIMITS), RAX);
            asm.add(param(TILE_OFFSET), RAX);
            asm.mov(RAX, param(LEFT));
            asm.sub(RAX, WIDTH);
            asm.mov(param(LEFT), RAX);
            asm.cmp(RAX, 0);
            asm.jcc(Condition.NOT_EQUAL, tile);
        }

        private static Label[] labels() {
            Label[] labels = new Label[TILE + 1];
            for (int i = 0; i <= TILE; i++) {
                labels[i] = new Label();
            }
            return labels;
        }

        /** Accumulator of a query and a page, or a query and a vector of dimensions. */
        private static Zmm sum(int query, int part) {
            return zmm(query * PAGES_PER_SEGMENT + part);
        }

        private void load(Zmm to, Mem from) {
            asm.op(half ? VCVTPH2PS : VMOVUPS, to, from);
        }

        // --- scores

        private static Mem query(int query, Gp base, Gp stride, Gp stride3, Gp stride5) {
            return switch (query) {
                case 0 -> Mem.at(base);
                case 1, 2, 4 -> Mem.at(base, stride, query);
                case 3 -> Mem.at(base, stride3, 1);
                default -> Mem.at(base, stride5, 1);
            };
        }

        private void scores(int width, Label full, Label cut) {
            Gp stride = RDX;
            Gp stride3 = RBX;
            Gp stride5 = RAX;
            Gp at = RCX;
            Gp end = R12;
            Gp values = R13;
            Gp[] pages = {R8, R9, R10, R11};
            asm.mov(RAX, param(tilePages));
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                if (source == Source.PAGES) {
                    // Finding a page takes as long as reading it: begin a segment ahead.
                    asm.mov(pages[p], Mem.at(RAX, 8 * (PAGES_PER_SEGMENT + p)));
                    asm.prefetcht0(Mem.at(pages[p]));
                }
                asm.mov(pages[p], Mem.at(RAX, 8 * p));
            }
            asm.mov(RSI, param(TILE_QUERIES));
            asm.mov(stride, param(QUERY_STRIDE));
            asm.lea(stride3, Mem.at(stride, stride, 2));
            asm.lea(stride5, Mem.at(stride, stride, 4));
            asm.mov(end, param(BLOCK_BYTES));
            asm.mov(values, end);
            asm.xor(at, at);
            for (int i = 0; i < width; i++) {
                for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                    asm.op(VPXOR, sum(i, p), sum(i, p), sum(i, p));
                }
            }
            Label dimensions = new Label();
            asm.bind(dimensions);
            int unroll = 4;
            for (int d = 0; d < unroll; d++) {
                for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                    load(zmm(LINES + p), Mem.at(pages[p], at, 1).plus(d * line));
                    if (source == Source.PAGES && d * line % LINE == 0) {
                        asm.prefetcht0(Mem.at(pages[p], values, 1).plus(d * line));
                    }
                }
                for (int i = 0; i < width; i++) {
                    Zmm q = zmm(OF_QUERY + i % 2);
                    asm.op(VBROADCASTSS, q, query(i, RSI, stride, stride3, stride5).plus(4 * d));
                    for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                        asm.op(VFMADD231PS, sum(i, p), zmm(LINES + p), q);
                    }
                }
            }
            asm.add(RSI, 4 * unroll);
            asm.add(values, unroll * line);
            asm.add(at, unroll * line);
            asm.cmp(at, end);
            asm.jcc(Condition.NOT_EQUAL, dimensions);
            asm.op(VBROADCASTSS, FACTOR, param(SCALE));
            asm.mov(R9, param(SCORES));
            asm.mov(R10, param(POSITIONS));
            asm.mov(R11, param(TILE_LIMITS));
            seen(0, FIRST_SEEN);
            seen(width - 1, LAST_SEEN);
            asm.mov32(WIDTH, width);
            asm.mov32(RAX, (1 << width) - 1);
            asm.kmovd(TILE_LANES, RAX);
            Label masked = new Label();
            asm.mov(RAX, param(FIRST_SEEN));
            asm.cmp(RAX, ScalarKernels.SEGMENT);
            asm.jcc(Condition.BELOW, masked);
            maxima(width, false);
            asm.jmp(full);
            asm.bind(masked);
            asm.mov32(RAX, NEGATIVE_INFINITY);
            asm.op(VPBROADCASTD_GP, zmm(OF_QUERY), RAX);
            maxima(width, true);
            asm.jmp(cut);
        }

        /** How many positions of the segment a query of the tile sees: 1 to 64. */
        private void seen(int query, int slot) {
            Label below = new Label();
            asm.mov32(RAX, Mem.at(R11, 4 * query));
            asm.mov(RCX, param(START));
            asm.sub(RAX, RCX);
            asm.cmp(RAX, ScalarKernels.SEGMENT);
            asm.jcc(Condition.BELOW, below);
            asm.mov32(RAX, ScalarKernels.SEGMENT);
            asm.bind(below);
            asm.mov(param(slot), RAX);
        }

        /** Scales and stores the scores and puts their maxima into lanes. */
        private void maxima(int width, boolean masked) {
            for (int i = 0; i < width; i++) {
                if (masked) {
                    asm.op(VCVTDQ2PS, LIMIT, Mem.at(R11, 4 * i).broadcasting());
                }
                for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                    Zmm score = sum(i, p);
                    asm.op(VMULPS, score, score, FACTOR);
                    if (masked) {
                        asm.op(VCMPPS, SEEN, LIMIT, Mem.at(R10, p * LINE), LESS_OR_EQUAL);
                        asm.op(VMOVUPS, score.merging(SEEN), zmm(OF_QUERY));
                    }
                    asm.store(VMOVUPS_STORE, Mem.at(R9, i * ROW + p * LINE), score);
                }
                Zmm max = sum(i, 0);
                for (int p = 1; p < PAGES_PER_SEGMENT; p++) {
                    asm.op(VMAXPS, max, max, sum(i, p));
                }
                tree(VMAXPS, max, zmm(LINES));
                asm.mov32(RAX, 1 << i);
                asm.kmovd(LANE, RAX);
                asm.op(VBROADCASTSS, PER_QUERY.merging(LANE), xmm(max.number()));
            }
        }

        /** Lane 0 becomes the result over all 16 by the canonical tree. */
        private void tree(VectorOp op, Zmm v, Zmm spare) {
            asm.op(VSHUFI32X4, spare, v, v, 0x4E);
            asm.op(op, v, v, spare);
            asm.op(VSHUFI32X4, spare, v, v, 0xB1);
            asm.op(op, v, v, spare);
            asm.op(VPSHUFD, spare, v, 0x4E);
            asm.op(op, v, v, spare);
            asm.op(VPSHUFD, spare, v, 0xB1);
            asm.op(op, v, v, spare);
        }

        // --- weights

        private void weights(boolean masked) {
            Gp row = RDX;
            Gp max = RSI;
            Gp limit = R8;
            Gp left = RCX;
            asm.mov(RAX, param(CONSTANTS));
            EXP.load(asm, Mem.at(RAX));
            asm.mov(row, param(SCORES));
            asm.mov(R9, param(TILE_OFFSET));
            asm.mov(R10, param(MAXIMA));
            asm.mov(R11, param(SUMS));
            Mem maxima = Mem.at(R10, R9, 1);
            Mem sums = Mem.at(R11, R9, 1);
            asm.op(VMOVUPS, zmm(0), maxima);
            asm.op(VMAXPS, NEW_MAX, zmm(0), PER_QUERY);
            asm.store(VMOVUPS_STORE, maxima.masked(TILE_LANES), NEW_MAX);
            asm.store(VMOVUPS_STORE, Mem.at(row, NEW_MAXIMA), NEW_MAX);
            asm.op(VSUBPS, zmm(0), zmm(0), NEW_MAX);
            EXP.almostExp(asm, 0, 1);
            asm.op(VMULPS, RESCALE, zmm(0), zmm(1));
            asm.store(VMOVUPS_STORE, Mem.at(row, RESCALES), RESCALE);
            asm.lea(max, Mem.at(row, NEW_MAXIMA));
            if (masked) {
                asm.mov(limit, param(TILE_LIMITS));
                asm.mov(R12, param(POSITIONS));
            }
            asm.mov(left, WIDTH);
            asm.mov32(RAX, 1);
            Label queries = new Label();
            asm.bind(queries);
            asm.kmovd(LANE, RAX);
            asm.op(VBROADCASTSS, NEW_MAX, Mem.at(max));
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                asm.op(VMOVUPS, zmm(p), Mem.at(row, p * LINE));
            }
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                asm.op(VSUBPS, zmm(p), zmm(p), NEW_MAX);
            }
            EXP.almostExp(asm, 0, PAGES_PER_SEGMENT);
            if (masked) {
                asm.op(VCVTDQ2PS, LIMIT, Mem.at(limit).broadcasting());
                asm.add(limit, 4);
            }
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                Dest weight = zmm(p);
                if (masked) {
                    asm.op(VCMPPS, SEEN, LIMIT, Mem.at(R12, p * LINE), NOT_LESS_OR_EQUAL);
                    weight = zmm(p).zeroing(SEEN);
                }
                asm.op(VMULPS, weight, zmm(p), zmm(PAGES_PER_SEGMENT + p));
                asm.store(VMOVUPS_STORE, Mem.at(row, p * LINE), zmm(p));
            }
            for (int p = 1; p < PAGES_PER_SEGMENT; p++) {
                asm.op(VADDPS, zmm(0), zmm(0), zmm(p));
            }
            tree(VADDPS, zmm(0), zmm(1));
            asm.op(VBROADCASTSS, PER_QUERY.merging(LANE), xmm(0));
            asm.add(row, ROW);
            asm.add(max, 4);
            asm.add(RAX, RAX);
            asm.sub(left, 1);
            asm.jcc(Condition.NOT_EQUAL, queries);
            asm.op(VMOVUPS, zmm(0), sums);
            asm.op(VFMADD213PS, zmm(0), RESCALE, PER_QUERY);
            asm.store(VMOVUPS_STORE, sums.masked(TILE_LANES), zmm(0));
        }

        // --- weighted sums

        private void weightedSums(int width) {
            asm.mov(R10, param(QUERY_STRIDE));
            asm.mov(R11, param(BLOCK_BYTES));
            asm.mov(R12, param(TILE_WEIGHTED));
            asm.mov(R14, R10); // bytes of a sum that are left
            asm.mov(RDX, param(VALUE_STRIDE));
            asm.xor(RAX, RAX);
            asm.mov(param(STRIP), RAX);
            Label widest = new Label();
            asm.bind(widest);
            for (int vectors : STRIPS) {
                Label skip = new Label();
                asm.cmp(R14, vectors * LINE);
                asm.jcc(Condition.BELOW, skip);
                strip(width, vectors);
                add(STRIP, vectors * line);
                asm.add(R11, vectors * line);
                asm.add(R12, vectors * LINE);
                asm.sub(R14, vectors * LINE);
                if (vectors == STRIPS[0]) {
                    asm.jmp(widest);
                }
                asm.bind(skip);
            }
            asm.mov(RSI, param(TILE_QUERIES));
            asm.mov(RDX, param(TILE_WEIGHTED));
            for (int i = 0; i < width; i++) {
                asm.add(RSI, R10);
                asm.add(RDX, R10);
            }
            asm.mov(param(TILE_QUERIES), RSI);
            asm.mov(param(TILE_WEIGHTED), RDX);
        }

        /** Some vectors of dimensions, over all positions that the tile sees. */
        private void strip(int width, int vectors) {
            asm.mov(RAX, param(SCORES));
            asm.mov(R9, R12);
            for (int i = 0; i < width; i++) {
                Zmm rescale = zmm(OF_QUERY + i % 2);
                asm.op(VBROADCASTSS, rescale, Mem.at(RAX, RESCALES + 4 * i));
                for (int v = 0; v < vectors; v++) {
                    asm.op(VMULPS, sum(i, v), rescale, Mem.at(R9, v * LINE));
                }
                asm.add(R9, R10);
            }
            asm.mov(RBX, param(tilePages));
            page();
            asm.mov(R8, param(FIRST_SEEN));
            positions(width, vectors, false);
            // Then those that only some of its queries see.
            Label done = new Label();
            asm.mov(R8, param(LAST_SEEN));
            asm.mov(R9, param(FIRST_SEEN));
            asm.sub(R8, R9);
            asm.cmp(R8, 0);
            asm.jcc(Condition.EQUAL, done);
            asm.op(VPXOR, ZERO, ZERO, ZERO);
            positions(width, vectors, true);
            asm.bind(done);
            asm.mov(R9, R12);
            for (int i = 0; i < width; i++) {
                for (int v = 0; v < vectors; v++) {
                    asm.store(VMOVUPS_STORE, Mem.at(R9, v * LINE), sum(i, v));
                }
                asm.add(R9, R10);
            }
        }

        /** Goes to the page that rbx points to. */
        private void page() {
            asm.mov(RSI, Mem.at(RBX));
            asm.add(RSI, R11);
            if (source == Source.PAGES) { // keys that the next segment wants
                asm.mov(R13, Mem.at(RBX, 8 * PAGES_PER_SEGMENT));
                asm.add(R13, param(STRIP));
            }
            asm.mov32(RCX, KvLayout.PAGE);
        }

        /** r8 positions on. A weight is never 0 where it counts: exp ends at e⁻⁸⁷. */
        private void positions(int width, int vectors, boolean masked) {
            Label position = new Label();
            Label samePage = new Label();
            asm.bind(position);
            for (int v = 0; v < vectors; v++) {
                load(zmm(LINES + v), Mem.at(RSI, v * line));
                if (source == Source.PAGES && v * line % LINE == 0) {
                    asm.prefetcht0(Mem.at(R13, v * line));
                }
            }
            for (int i = 0; i < width; i++) {
                Zmm weight = zmm(OF_QUERY + i % 2);
                asm.op(VBROADCASTSS, weight, Mem.at(RAX, i * ROW));
                if (masked) {
                    asm.op(VCMPPS, SEEN, weight, ZERO, NOT_EQUAL);
                }
                for (int v = 0; v < vectors; v++) {
                    Dest to = masked ? sum(i, v).merging(SEEN) : sum(i, v);
                    asm.op(VFMADD231PS, to, zmm(LINES + v), weight);
                }
            }
            asm.add(RAX, 4);
            asm.add(RSI, RDX);
            if (source == Source.PAGES) {
                asm.add(R13, RDX);
            }
            asm.sub(RCX, 1);
            asm.jcc(Condition.NOT_EQUAL, samePage);
            asm.add(RBX, 8);
            page();
            asm.bind(samePage);
            asm.sub(R8, 1);
            asm.jcc(Condition.NOT_EQUAL, position);
        }
    }
}
