package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.AttentionKernel.*;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.ScalarKernels;

/** {@link AttentionCode} in 32 registers of 512 bits, with masks. */
final class WideAttention extends AttentionCode {
    private static final KMask LANE = new KMask(1);
    private static final KMask SEEN = new KMask(2);
    private static final KMask TILE_LANES = new KMask(3);

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

    private static final int[] STRIPS = {4, 2, 1};

    WideAttention(AttentionKernel kernel) {
        super(kernel);
    }

    @Override
    void prepare() {
        asm.op(VPXOR, PER_QUERY, PER_QUERY, PER_QUERY);
    }

    @Override
    void infinityAndZero() {
        asm.mov32(RAX, NEGATIVE_INFINITY);
        asm.op(VPBROADCASTD_GP, zmm(0), RAX);
        asm.op(VPXOR, zmm(1), zmm(1), zmm(1));
    }

    @Override
    int[] strips(int width) {
        return STRIPS.clone();
    }

    @Override
    Zmm sum(int query, int part, int strip) {
        return sum(query, part);
    }

    /** Accumulator of a query and a page, or a query and a vector of dimensions. */
    private static Zmm sum(int query, int part) {
        return zmm(query * PAGES_PER_SEGMENT + part);
    }

    @Override
    Zmm ofQuery(int query) {
        return zmm(OF_QUERY + query % 2);
    }

    // --- scores

    @Override
    void scores(int width, Label full, Label cut) {
        Gp stride = RDX;
        Gp stride3 = RBX;
        Gp stride5 = RAX;
        Gp at = RCX;
        Gp end = R12;
        Gp values = R13;
        findPages();
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
        beginDimensions(at, end, stride, dimensions);
        int unroll = 4;
        for (int d = 0; d < unroll; d++) {
            for (int p = 0; p < PAGES_PER_SEGMENT; p++) {
                load(zmm(LINES + p), keys(p, at, d * line, 0));
                if (fromPages && d * line % LINE == 0) {
                    asm.prefetcht0(Mem.at(pageKeys(p), values, 1).plus(d * line));
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
        endDimensions(at, end, dimensions);
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

    @Override
    void weights(boolean masked) {
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

    @Override
    void prepareMasked() {
        asm.op(VPXOR, ZERO, ZERO, ZERO);
    }

    @Override
    void position(int width, int strip, boolean masked) {
        for (int v = 0; v < strip; v++) {
            load(zmm(LINES + v), values(v));
            if (fromPages && v * line % LINE == 0) {
                asm.prefetcht0(Mem.at(R13, v * line));
            }
        }
        for (int i = 0; i < width; i++) {
            Zmm weight = ofQuery(i);
            asm.op(VBROADCASTSS, weight, Mem.at(RAX, i * ROW));
            if (masked) {
                asm.op(VCMPPS, SEEN, weight, ZERO, NOT_EQUAL);
            }
            for (int v = 0; v < strip; v++) {
                Dest to = masked ? sum(i, v).merging(SEEN) : sum(i, v);
                asm.op(VFMADD231PS, to, zmm(LINES + v), weight);
            }
        }
    }
}
