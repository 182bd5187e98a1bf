package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.AttentionKernel.*;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.ScalarKernels;

/**
 * {@link AttentionCode} in 16 registers of 256 bits. Where a tile is narrow, queries (or weights)
 * stay in registers and pass over one line after the other; where it is wide, two lines stay.
 */
final class NarrowAttention extends AttentionCode {
    private static final int REGISTERS = 16;

    /** Vectors of a page's positions. */
    private static final int PARTS = 2;

    /** Vectors of a segment's positions. */
    private static final int VECTORS = PARTS * PAGES_PER_SEGMENT;

    /** Vectors whose exp is computed at once. */
    private static final int AT_ONCE = VECTORS / 2;

    /** Bytes of a register. */
    private static final int BYTES = 32;

    private static final NarrowExp EXP = new NarrowExp(Mem.at(RBX, AttentionConstants.EXP));

    // Registers while scores become weights, above those of exp.
    private static final Ymm NEW_MAX = ymm(13);
    private static final Ymm SUM = ymm(14);
    private static final Ymm LANES = ymm(15);

    NarrowAttention(AttentionKernel kernel) {
        super(kernel);
    }

    @Override
    void prepare() {
        asm.mov32(RAX, NEGATIVE_INFINITY);
        asm.mov32(param(INFINITY), RAX);
    }

    @Override
    void infinityAndZero() {
        asm.op(VBROADCASTSS, ymm(0), param(INFINITY));
        asm.op(VPXOR, ymm(1), ymm(1), ymm(1));
    }

    // --- scores

    /** Pages whose scores are summed at once: enough sums that none waits for itself. */
    private static int pagesAtOnce(int width) {
        return width == 1 ? PAGES_PER_SEGMENT : width <= 3 ? 2 : 1;
    }

    /** Whether a tile with so many sums keeps a number of each query in a register. */
    private static boolean keepsQueries(int width, int sums) {
        return sums + width < REGISTERS;
    }

    @Override
    void scores(int width, Label full, Label cut) {
        Gp stride = RDX;
        Gp stride3 = RBX;
        Gp stride5 = RAX;
        Gp at = RCX;
        Gp end = R12;
        Gp values = R13;
        Gp out = R14;
        findPages();
        asm.mov(stride, param(QUERY_STRIDE));
        asm.lea(stride3, Mem.at(stride, stride, 2));
        asm.lea(stride5, Mem.at(stride, stride, 4));
        asm.mov(end, param(BLOCK_BYTES));
        asm.mov(out, param(SCORES));
        int pages = pagesAtOnce(width);
        int parts = PARTS * pages;
        for (int first = 0; first < PAGES_PER_SEGMENT; first += pages) {
            asm.mov(RSI, param(TILE_QUERIES));
            asm.mov(values, end);
            asm.xor(at, at);
            for (int i = 0; i < width * parts; i++) {
                asm.op(VPXOR, ymm(i), ymm(i), ymm(i));
            }
            Label dimensions = new Label();
            beginDimensions(at, end, stride, dimensions);
            int unroll = 4;
            for (int d = 0; d < unroll; d++) {
                int bytes = d * PARTS * line;
                for (int p = first; fromPages && p < first + pages; p++) {
                    if (bytes % LINE == 0) {
                        asm.prefetcht1(Mem.at(pageKeys(p), values, 1).plus(bytes));
                    }
                }
                Line[] lines = new Line[parts];
                for (int v = 0; v < parts; v++) {
                    lines[v] = keys(first + v / PARTS, at, bytes, v % PARTS);
                }
                Mem[] numbers = new Mem[width];
                for (int i = 0; i < width; i++) {
                    numbers[i] = query(i, RSI, stride, stride3, stride5).plus(4 * d);
                }
                multiply(lines, numbers);
            }
            asm.add(RSI, 4 * unroll);
            asm.add(values, unroll * PARTS * line);
            asm.add(at, unroll * PARTS * line);
            endDimensions(at, end, dimensions);
            if (scaledPages) {
                asm.mov(out, param(SCORES)); // its register was lent
            }
            Ymm factor = ymm(REGISTERS - 1);
            asm.op(VBROADCASTSS, factor, param(SCALE));
            for (int i = 0; i < width; i++) {
                for (int v = 0; v < parts; v++) {
                    Ymm score = sum(i, v, parts);
                    asm.op(VMULPS, score, score, factor);
                    int place = i * ROW + (first * PARTS + v) * BYTES;
                    asm.store(VMOVUPS_STORE, Mem.at(out, place), score);
                }
            }
        }
        asm.mov(R11, param(TILE_LIMITS));
        seen(0, FIRST_SEEN);
        seen(width - 1, LAST_SEEN);
        asm.mov32(WIDTH, width);
        asm.mov(RAX, param(FIRST_SEEN));
        asm.cmp(RAX, ScalarKernels.SEGMENT);
        asm.jcc(Condition.BELOW, cut);
        asm.jmp(full);
    }

    /** Adds to each sum the product of its query's number and its line. */
    private void multiply(Line[] lines, Mem[] numbers) {
        int sums = lines.length * numbers.length;
        if (keepsQueries(numbers.length, sums)) {
            for (int i = 0; i < numbers.length; i++) {
                asm.op(VBROADCASTSS, ymm(sums + i), numbers[i]);
            }
            int free = sums + numbers.length;
            for (int v = 0; v < lines.length; v++) {
                Ymm number = ymm(free + v % (REGISTERS - free));
                load(number, lines[v]);
                for (int i = 0; i < numbers.length; i++) {
                    asm.op(VFMADD231PS, sum(i, v, lines.length), number, ymm(sums + i));
                }
            }
            return;
        }
        for (int v = 0; v < lines.length; v++) {
            load(ymm(sums + v), lines[v]);
        }
        int free = sums + lines.length;
        for (int i = 0; i < numbers.length; i++) {
            Ymm number = ymm(free + i % (REGISTERS - free));
            asm.op(VBROADCASTSS, number, numbers[i]);
            for (int v = 0; v < lines.length; v++) {
                asm.op(VFMADD231PS, sum(i, v, lines.length), ymm(sums + v), number);
            }
        }
    }

    // --- weights

    @Override
    void weights(boolean masked) {
        Gp work = R14;
        asm.mov(work, param(SCORES));
        asm.mov(RBX, param(CONSTANTS));
        asm.mov(R12, param(POSITIONS));
        segmentMaxima(masked, work);
        asm.mov(R9, param(TILE_OFFSET));
        asm.mov(R10, param(MAXIMA));
        asm.mov(R11, param(SUMS));
        Mem maxima = Mem.at(R10, R9, 1);
        Mem sums = Mem.at(R11, R9, 1);
        asm.op(VMOVUPS, ymm(0), maxima);
        asm.op(VMAXPS, NEW_MAX, ymm(0), Mem.at(work, SEGMENT_MAXIMA));
        storeLanes(maxima, NEW_MAX);
        asm.store(VMOVUPS_STORE, Mem.at(work, NEW_MAXIMA), NEW_MAX);
        asm.op(VSUBPS, ymm(0), ymm(0), NEW_MAX);
        EXP.exp(asm, 0, 1);
        asm.store(VMOVUPS_STORE, Mem.at(work, RESCALES), ymm(0));
        eachQuery(masked, work);
        asm.op(VMOVUPS, ymm(0), sums);
        asm.op(VMOVUPS, ymm(1), Mem.at(work, RESCALES));
        asm.op(VFMADD213PS, ymm(0), ymm(1), Mem.at(work, SEGMENT_SUMS));
        storeLanes(sums, ymm(0));
    }

    /** Stores the lanes of the tile's queries. */
    private void storeLanes(Mem to, Ymm from) {
        asm.xor(RAX, RAX);
        asm.sub(RAX, WIDTH);
        asm.lea(RAX, Mem.at(RBX, RAX, 4));
        asm.op(VMOVUPS, LANES, Mem.at(RAX, AttentionConstants.NO_LANES));
        asm.store(VMASKMOVPS_STORE, to, LANES, from);
    }

    /**
     * Each query's largest score. Registers are stored whole, and the next query's over what is too
     * much.
     */
    private void segmentMaxima(boolean masked, Gp work) {
        Gp row = RDX;
        Gp out = RSI;
        Gp limit = R8;
        Gp left = RCX;
        Ymm infinity = ymm(VECTORS);
        Ymm sees = ymm(VECTORS + 1);
        Ymm hidden = ymm(VECTORS + 2);
        asm.mov(row, work);
        asm.lea(out, Mem.at(work, SEGMENT_MAXIMA));
        asm.mov(left, WIDTH);
        if (masked) {
            asm.mov(limit, param(TILE_LIMITS));
            asm.op(VBROADCASTSS, infinity, param(INFINITY));
        }
        Label queries = new Label();
        asm.bind(queries);
        if (masked) {
            limit(sees, limit);
        }
        for (int v = 0; v < VECTORS; v++) {
            Mem scores = Mem.at(row, v * BYTES);
            asm.op(VMOVUPS, ymm(v), scores);
            if (masked) {
                asm.op(VCMPPS_LANES, hidden, sees, Mem.at(R12, v * BYTES), LESS_OR_EQUAL);
                asm.op(VPANDN, ymm(v), hidden, ymm(v));
                asm.op(VPAND, hidden, hidden, infinity);
                asm.op(VPOR, ymm(v), ymm(v), hidden);
                asm.store(VMOVUPS_STORE, scores, ymm(v));
            }
        }
        for (int v = PARTS; v < VECTORS; v++) {
            asm.op(VMAXPS, ymm(v % PARTS), ymm(v % PARTS), ymm(v));
        }
        tree(VMAXPS, ymm(0), ymm(1));
        asm.store(VMOVUPS_STORE, Mem.at(out), ymm(0));
        if (masked) {
            asm.add(limit, 4);
        }
        asm.add(row, ROW);
        asm.add(out, 4);
        asm.sub(left, 1);
        asm.jcc(Condition.NOT_EQUAL, queries);
    }

    private void limit(Ymm to, Gp at) {
        asm.op(VPBROADCASTD, to, Mem.at(at));
        asm.op(VCVTDQ2PS, to, to);
    }

    /** Lane 0 of the first becomes the result over both registers by the canonical tree. */
    private void tree(VectorOp op, Ymm v, Ymm upper) {
        asm.op(op, v, v, upper);
        asm.op(VPERM2I128, upper, v, v, 1);
        asm.op(op, v, v, upper);
        asm.op(VPSHUFD, upper, v, 0x4E);
        asm.op(op, v, v, upper);
        asm.op(VPSHUFD, upper, v, 0xB1);
        asm.op(op, v, v, upper);
    }

    private void eachQuery(boolean masked, Gp work) {
        Gp row = RDX;
        Gp limit = R8;
        Gp left = RCX;
        Gp max = RSI; // the sum of weights lies as far behind
        asm.mov(row, work);
        asm.lea(max, Mem.at(work, NEW_MAXIMA));
        asm.mov(left, WIDTH);
        if (masked) {
            asm.mov(limit, param(TILE_LIMITS));
        }
        Label queries = new Label();
        asm.bind(queries);
        asm.op(VBROADCASTSS, NEW_MAX, Mem.at(max));
        for (int from = 0; from < VECTORS; from += AT_ONCE) {
            for (int v = 0; v < AT_ONCE; v++) {
                asm.op(VMOVUPS, ymm(v), Mem.at(row, (from + v) * BYTES));
                asm.op(VSUBPS, ymm(v), ymm(v), NEW_MAX);
            }
            EXP.exp(asm, 0, AT_ONCE);
            if (masked) {
                Ymm sees = ymm(AT_ONCE);
                Ymm seen = ymm(AT_ONCE + 1);
                limit(sees, limit);
                for (int v = 0; v < AT_ONCE; v++) {
                    Mem positions = Mem.at(R12, (from + v) * BYTES);
                    asm.op(VCMPPS_LANES, seen, sees, positions, NOT_LESS_OR_EQUAL);
                    asm.op(VPAND, ymm(v), ymm(v), seen);
                }
            }
            for (int v = 0; v < AT_ONCE; v++) {
                asm.store(VMOVUPS_STORE, Mem.at(row, (from + v) * BYTES), ymm(v));
                Ymm sum = ymm(SUM.number() + v % PARTS);
                if (from + v < PARTS) {
                    asm.op(VMOVUPS, sum, ymm(v));
                } else {
                    asm.op(VADDPS, sum, sum, ymm(v));
                }
            }
        }
        tree(VADDPS, SUM, ymm(SUM.number() + 1));
        asm.store(VMOVUPS_STORE, Mem.at(max, SEGMENT_SUMS - NEW_MAXIMA), SUM);
        if (masked) {
            asm.add(limit, 4);
        }
        asm.add(row, ROW);
        asm.add(max, 4);
        asm.sub(left, 1);
        asm.jcc(Condition.NOT_EQUAL, queries);
    }

    // --- weighted sums

    @Override
    int[] strips(int width) {
        return switch (pagesAtOnce(width)) {
            case PAGES_PER_SEGMENT -> new int[] {8, 4, 2};
            case 2 -> new int[] {4, 2};
            default -> new int[] {2};
        };
    }

    @Override
    Ymm sum(int query, int part, int strip) {
        return ymm(query * strip + part);
    }

    @Override
    Ymm ofQuery(int query) {
        return ymm(REGISTERS - 1);
    }

    @Override
    void prepareMasked() {}

    @Override
    void position(int width, int strip, boolean masked) {
        Line[] lines = new Line[strip];
        for (int v = 0; v < strip; v++) {
            lines[v] = values(v);
            if (fromPages && v * line % LINE == 0) {
                asm.prefetcht1(Mem.at(R13, v * line));
            }
        }
        if (!masked) {
            Mem[] weights = new Mem[width];
            for (int i = 0; i < width; i++) {
                weights[i] = Mem.at(RAX, i * ROW);
            }
            multiply(lines, weights);
            return;
        }
        Ymm weight = ymm(REGISTERS - 1);
        Ymm number = ymm(REGISTERS - 2);
        for (int i = 0; i < width; i++) {
            Label unseen = new Label();
            asm.mov32(R9, Mem.at(RAX, i * ROW));
            asm.cmp(R9, 0);
            asm.jcc(Condition.EQUAL, unseen);
            asm.op(VBROADCASTSS, weight, Mem.at(RAX, i * ROW));
            for (int v = 0; v < strip; v++) {
                load(number, lines[v]);
                asm.op(VFMADD231PS, sum(i, v, strip), number, weight);
            }
            asm.bind(unseen);
        }
    }
}
