package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.kernels.x86.PointwiseCode.Constant;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * {@link PointwiseCode} in 16 registers of 256 bits, without masks: 16 numbers are two registers,
 * so that sums and maxima are those of 16 lanes. A row's last numbers are loaded and stored by
 * lanes, so nothing beyond them is touched; lanes that a row does not have hold 0.
 */
final class NarrowPointwiseCode {
    private static final int BYTES = 32;
    private static final int HALVES = 2;
    private static final int LINE = HALVES * BYTES;
    private static final int LESS = 1;

    // rdi stays the address of the parameters.
    private static final Gp IN_A = RSI;
    private static final Gp IN_B = RDX;
    private static final Gp TO = RCX;
    private static final Gp OFFSET = R8;
    private static final Gp WHOLE = R9;
    private static final Gp ROWS = R10;
    private static final Gp SPARE = R11;

    /** Points to the lanes that a row's last vector has. */
    private static final Gp LANES = RBX;

    // Places behind the slots of the parameters: constants, then 16 ints of ones and 16 of zeros.
    private static final int EXP_CONSTANTS = 8 * PointwiseKernel.SLOTS;
    private static final int CONSTANTS = EXP_CONSTANTS + NarrowExp.BYTES;
    private static final int ONES = CONSTANTS + BYTES * Constant.values().length;
    private static final int ZEROS = ONES + LINE;

    /** Bytes of a parameter block. */
    static final long PARAM_BYTES = (long) ZEROS + LINE;

    private static final NarrowExp EXP = new NarrowExp(Mem.at(RDI, EXP_CONSTANTS));

    private static final List<Constant> ERF_LOW =
            List.of(
                    Constant.ERF_LOW_5,
                    Constant.ERF_LOW_4,
                    Constant.ERF_LOW_3,
                    Constant.ERF_LOW_2,
                    Constant.ERF_LOW_1,
                    Constant.ERF_LOW_0);
    private static final List<Constant> ERF_HIGH =
            List.of(
                    Constant.ERF_HIGH_6,
                    Constant.ERF_HIGH_5,
                    Constant.ERF_HIGH_4,
                    Constant.ERF_HIGH_3,
                    Constant.ERF_HIGH_2,
                    Constant.ERF_HIGH_1,
                    Constant.ERF_HIGH_0);

    /** Lanes of the last load or store by lanes. */
    private static final Ymm SOME = ymm(15);

    /** Fills in the constants of a parameter block. */
    static void writeConstants(MemorySegment params) {
        NarrowExp.store(params, EXP_CONSTANTS);
        for (Constant c : Constant.values()) {
            for (int lane = 0; lane < BYTES / 4; lane++) {
                params.set(ValueLayout.JAVA_FLOAT, offset(c) + 4L * lane, c.value());
            }
        }
        for (int i = 0; i < LINE / 4; i++) {
            params.set(ValueLayout.JAVA_INT, ONES + 4L * i, -1);
            params.set(ValueLayout.JAVA_INT, ZEROS + 4L * i, 0);
        }
    }

    private static int offset(Constant c) {
        return CONSTANTS + BYTES * c.place();
    }

    private static Mem inMemory(Constant c) {
        return Mem.at(RDI, offset(c));
    }

    /** What a sweep does with a vector. */
    private interface Body {
        void at(boolean tail);
    }

    private final PointwiseKernel kernel;
    private final Assembler asm = new Assembler();

    NarrowPointwiseCode(PointwiseKernel kernel) {
        this.kernel = kernel;
    }

    private static Mem param(int slot) {
        return Mem.at(RDI, 8 * slot);
    }

    byte[] emit() {
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        asm.push(LANES);
        lanes(param(PointwiseKernel.TAIL_COUNT));
        asm.mov(IN_A, param(PointwiseKernel.A));
        asm.mov(IN_B, param(PointwiseKernel.B));
        asm.mov(TO, param(PointwiseKernel.OUT));
        asm.mov(WHOLE, param(PointwiseKernel.WHOLE));
        asm.mov(ROWS, param(PointwiseKernel.ROWS));
        switch (kernel) {
            case ADD -> sweep(tail -> each(half -> add(half, tail)));
            case RELU -> relu();
            case GELU -> sweep(this::gelu);
            case SWIGLU -> sweep(this::swiGlu);
            case RMS_NORM -> rmsNorm();
            case LAYER_NORM -> layerNorm();
            case ROPE -> rope();
            case SOFTMAX -> softmax();
            case SUM_EXP -> sumExp();
            case STRIP_MAX -> stripMax();
        }
        asm.vzeroupper();
        asm.pop(LANES);
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    /** Points to the lanes of so many numbers. */
    private void lanes(Mem count) {
        asm.mov(RAX, count);
        asm.xor(LANES, LANES);
        asm.sub(LANES, RAX);
        asm.lea(LANES, Mem.at(RDI, LANES, 4).plus(ZEROS));
    }

    // --- walking over a row

    private static void each(IntConsumer half) {
        for (int i = 0; i < HALVES; i++) {
            half.accept(i);
        }
    }

    /** Emits the body for the whole vectors of a row, and once more for its last numbers. */
    private void sweep(Body body) {
        Label vectors = new Label();
        Label tail = new Label();
        Label done = new Label();
        asm.xor(OFFSET, OFFSET);
        asm.cmp(WHOLE, 0);
        asm.jcc(Condition.EQUAL, tail);
        asm.bind(vectors);
        body.at(false);
        asm.add(OFFSET, LINE);
        asm.cmp(OFFSET, WHOLE);
        asm.jcc(Condition.NOT_EQUAL, vectors);
        asm.bind(tail);
        asm.mov(RAX, param(PointwiseKernel.TAIL_COUNT));
        asm.cmp(RAX, 0);
        asm.jcc(Condition.EQUAL, done);
        body.at(true);
        asm.bind(done);
    }

    private void eachRow(Runnable row) {
        Label next = new Label();
        asm.bind(next);
        row.run();
        asm.sub(ROWS, 1);
        asm.jcc(Condition.NOT_EQUAL, next);
    }

    private void advance(Gp pointer) {
        asm.add(pointer, param(PointwiseKernel.STRIDE));
    }

    /** Sets {@link #SOME} to the lanes that a row's last vector has in one of its halves. */
    private void some(int half) {
        asm.op(VMOVUPS, SOME, Mem.at(LANES, half * BYTES));
    }

    private static Mem place(Gp base, int half) {
        return Mem.at(base, OFFSET, 1).plus(half * BYTES);
    }

    private void load(Ymm dst, Gp base, int half, boolean tail) {
        if (tail) {
            some(half);
            asm.op(VMASKMOVPS, dst, SOME, place(base, half));
        } else {
            asm.op(VMOVUPS, dst, place(base, half));
        }
    }

    private void store(Gp base, Ymm src, int half, boolean tail) {
        if (tail) {
            some(half);
            asm.store(VMASKMOVPS_STORE, place(base, half), SOME, src);
        } else {
            asm.store(VMOVUPS_STORE, place(base, half), src);
        }
    }

    /** dst ← yes in the lanes of a mask; spoils yes. */
    private void blend(Ymm dst, Ymm mask, Ymm yes) {
        asm.op(VPAND, yes, mask, yes);
        asm.op(VPANDN, dst, mask, dst);
        asm.op(VPOR, dst, dst, yes);
    }

    /** Folds halves, 8, 4, 2, 1; lane 0 of the first is as the scalar tree has it. */
    private void tree(VectorOp op, Ymm v, Ymm upper) {
        asm.op(op, v, v, upper);
        asm.op(VPERM2I128, upper, v, v, 1);
        asm.op(op, v, v, upper);
        asm.op(VPSHUFD, upper, v, 0x4E);
        asm.op(op, v, v, upper);
        asm.op(VPSHUFD, upper, v, 0xB1);
        asm.op(op, v, v, upper);
    }

    private void zero(Ymm register) {
        asm.op(VPXOR, register, register, register);
    }

    private static Xmm low(Ymm v) {
        return xmm(v.number());
    }

    /**
     * Horner's rule for two polynomials in turn, each of both halves: outs ← the polynomial of xs
     * with these coefficients, highest first.
     */
    private void polynomials(
            int outs,
            int xs,
            List<Constant> coefficients,
            int otherOuts,
            int otherXs,
            List<Constant> otherCoefficients) {
        for (int i = 0; i < Math.max(coefficients.size(), otherCoefficients.size()); i++) {
            step(outs, xs, coefficients, i);
            step(otherOuts, otherXs, otherCoefficients, i);
        }
    }

    private void step(int outs, int xs, List<Constant> coefficients, int i) {
        if (i < coefficients.size()) {
            Mem c = inMemory(coefficients.get(i));
            each(half -> {
                if (i == 0) {
                    asm.op(VMOVUPS, ymm(outs + half), c);
                } else {
                    asm.op(VFMADD213PS, ymm(outs + half), ymm(xs + half), c);
                }
            });
        }
    }

    // --- runs

    private void add(int half, boolean tail) {
        Ymm x = ymm(2 * half);
        Ymm y = ymm(2 * half + 1);
        load(x, IN_A, half, tail);
        load(y, IN_B, half, tail);
        asm.op(VADDPS, x, x, y);
        store(IN_A, x, half, tail);
    }

    private void relu() {
        Ymm zero = ymm(HALVES);
        zero(zero);
        sweep(tail ->
                each(half -> {
                    Ymm x = ymm(half);
                    load(x, IN_A, half, tail);
                    asm.op(VMAXPS, x, zero, x); // the second if they are equal
                    store(TO, x, half, tail);
                }));
    }

    private void swiGlu(boolean tail) {
        int exps = 1; // exp's registers end below the gates'
        int gates = 8;
        each(half -> {
            load(ymm(gates + half), IN_A, half, tail);
            asm.op(VPXOR, ymm(exps + half), ymm(gates + half), inMemory(Constant.SIGN));
        });
        EXP.exp(asm, exps, HALVES);
        each(half -> {
            Ymm gate = ymm(gates + half);
            Ymm e = ymm(exps + half);
            Ymm up = ymm(gates + HALVES + half);
            asm.op(VADDPS, e, e, EXP.one());
            asm.op(VDIVPS, gate, gate, e);
            load(up, IN_B, half, tail);
            asm.op(VMULPS, gate, gate, up);
            store(TO, gate, half, tail);
        });
    }

    /**
     * Both polynomials of both halves in turn: each alone is a chain of waits, longer than a
     * processor looks ahead.
     */
    private void gelu(boolean tail) {
        int xs = 0;
        int ys = 2;
        int squares = 4;
        int smalls = 6;
        int larges = 8; // from here to 14 exp works
        int magnitudes = 10;
        Ymm sign = ymm(12);
        asm.op(VMOVUPS, sign, inMemory(Constant.SIGN));
        asm.op(VMOVUPS, ymm(13), inMemory(Constant.ERF_END));
        each(half -> {
            Ymm y = ymm(ys + half);
            Ymm magnitude = ymm(magnitudes + half);
            load(ymm(xs + half), IN_A, half, tail);
            asm.op(VMULPS, y, ymm(xs + half), inMemory(Constant.SQRT_HALF));
            asm.op(VMULPS, ymm(squares + half), y, y);
            asm.op(VPANDN, magnitude, sign, y);
            asm.op(VMINPS, magnitude, ymm(13), magnitude);
        });
        polynomials(smalls, squares, ERF_LOW, larges, magnitudes, ERF_HIGH);
        each(half -> asm.op(VFMADD213PS, ymm(smalls + half), ymm(ys + half), ymm(ys + half)));
        EXP.exp(asm, larges, HALVES);
        asm.op(VMOVUPS, sign, inMemory(Constant.SIGN));
        asm.op(VMOVUPS, ymm(13), EXP.one());
        each(half -> {
            Ymm x = ymm(xs + half);
            Ymm y = ymm(ys + half);
            Ymm erf = ymm(larges + half);
            Ymm isSmall = ymm(magnitudes + half);
            asm.op(VPANDN, isSmall, sign, y);
            asm.op(VCMPPS_LANES, isSmall, isSmall, inMemory(Constant.ERF_SPLIT), LESS);
            asm.op(VPAND, y, y, sign);
            asm.op(VSUBPS, erf, ymm(13), erf);
            asm.op(VPOR, erf, erf, y);
            blend(erf, isSmall, ymm(smalls + half));
            asm.op(VMULPS, x, x, inMemory(Constant.HALF));
            asm.op(VFMADD213PS, erf, x, x);
            store(TO, erf, half, tail);
        });
    }

    // --- rows

    private void rmsNorm() {
        Xmm one = xmm(12);
        Xmm size = xmm(13);
        Xmm eps = xmm(14);
        Ymm sum = ymm(0);
        asm.op(VBROADCASTSS, ymm(12), inMemory(Constant.ONE));
        asm.op(VBROADCASTSS, ymm(13), param(PointwiseKernel.SIZE));
        asm.op(VBROADCASTSS, ymm(14), param(PointwiseKernel.EPS));
        eachRow(() -> {
            each(half -> zero(ymm(half)));
            sweep(tail ->
                    each(half -> {
                        Ymm x = ymm(HALVES + half);
                        load(x, IN_A, half, tail);
                        asm.op(VFMADD231PS, ymm(half), x, x);
                    }));
            inverseRms(sum, one, size, eps);
            sweep(tail ->
                    each(half -> {
                        Ymm x = ymm(HALVES + half);
                        Ymm weight = ymm(2 * HALVES + half);
                        load(x, IN_A, half, tail);
                        load(weight, IN_B, half, tail);
                        asm.op(VMULPS, x, x, sum);
                        asm.op(VMULPS, x, x, weight);
                        store(TO, x, half, tail);
                    }));
            advance(IN_A);
            advance(TO);
        });
    }

    /** sum, whose upper half is in the next register, ← 1 / √(mean square + eps) in all lanes. */
    private void inverseRms(Ymm sum, Xmm one, Xmm size, Xmm eps) {
        tree(VADDPS, sum, ymm(sum.number() + 1));
        // All lanes are alike, and short divisions are several times faster.
        asm.op(VDIVPS, low(sum), low(sum), size);
        asm.op(VADDPS, low(sum), low(sum), eps);
        asm.op(VSQRTPS, low(sum), low(sum));
        asm.op(VDIVPS, low(sum), one, low(sum));
        asm.op(VBROADCASTSS, sum, low(sum));
    }

    private void layerNorm() {
        Xmm one = xmm(12);
        Xmm size = xmm(13);
        Xmm eps = xmm(14);
        Gp bias = SPARE;
        Ymm sum = ymm(0);
        Ymm mean = ymm(4 * HALVES);
        asm.op(VBROADCASTSS, ymm(12), inMemory(Constant.ONE));
        asm.op(VBROADCASTSS, ymm(13), param(PointwiseKernel.SIZE));
        asm.op(VBROADCASTSS, ymm(14), param(PointwiseKernel.EPS));
        asm.mov(bias, param(PointwiseKernel.BIAS));
        eachRow(() -> {
            each(half -> zero(ymm(half)));
            sweep(tail ->
                    each(half -> {
                        Ymm x = ymm(HALVES + half);
                        load(x, IN_A, half, tail);
                        asm.op(VADDPS, ymm(half), ymm(half), x);
                    }));
            tree(VADDPS, sum, ymm(1));
            asm.op(VDIVPS, low(sum), low(sum), size);
            asm.op(VBROADCASTSS, mean, low(sum));
            each(half -> zero(ymm(half)));
            sweep(tail ->
                    each(half -> {
                        Ymm x = ymm(HALVES + half);
                        load(x, IN_A, half, tail);
                        asm.op(VSUBPS, x, x, mean);
                        if (tail) {
                            asm.op(VPAND, x, SOME, x); // load left the row's lanes there
                        }
                        asm.op(VFMADD231PS, ymm(half), x, x);
                    }));
            inverseRms(sum, one, size, eps);
            sweep(tail ->
                    each(half -> {
                        Ymm x = ymm(HALVES + half);
                        Ymm weight = ymm(2 * HALVES + half);
                        Ymm result = ymm(3 * HALVES + half);
                        load(x, IN_A, half, tail);
                        load(weight, IN_B, half, tail);
                        load(result, bias, half, tail);
                        asm.op(VSUBPS, x, x, mean);
                        asm.op(VMULPS, x, x, sum);
                        asm.op(VFMADD231PS, result, x, weight);
                        store(TO, result, half, tail);
                    }));
            advance(IN_A);
            advance(TO);
        });
    }

    private void rope() {
        Gp second = SPARE;
        Gp cos = IN_B;
        Gp sin = TO;
        eachRow(() -> {
            asm.mov(RAX, param(PointwiseKernel.POSITIONS));
            asm.mov(RAX, Mem.at(RAX));
            asm.mov(cos, param(PointwiseKernel.COS));
            asm.mov(sin, param(PointwiseKernel.SIN));
            asm.add(cos, RAX);
            asm.add(sin, RAX);
            asm.sub(param(PointwiseKernel.POSITIONS), -8);
            asm.mov(RAX, param(PointwiseKernel.HEADS));
            asm.mov(param(PointwiseKernel.HEADS_LEFT), RAX);
            Label head = new Label();
            asm.bind(head);
            asm.mov(second, IN_A);
            asm.add(second, param(PointwiseKernel.HALF));
            sweep(tail -> each(half -> rotate(second, cos, sin, half, tail)));
            asm.mov(IN_A, second);
            asm.add(IN_A, param(PointwiseKernel.HALF));
            asm.sub(param(PointwiseKernel.HEADS_LEFT), 1);
            asm.jcc(Condition.NOT_EQUAL, head);
        });
    }

    private void rotate(Gp second, Gp cosines, Gp sines, int half, boolean tail) {
        int first = 6 * half;
        Ymm a = ymm(first);
        Ymm b = ymm(first + 1);
        Ymm cos = ymm(first + 2);
        Ymm sin = ymm(first + 3);
        Ymm turnedA = ymm(first + 4);
        Ymm turnedB = ymm(first + 5);
        load(a, IN_A, half, tail);
        load(b, second, half, tail);
        load(cos, cosines, half, tail);
        load(sin, sines, half, tail);
        asm.op(VMULPS, turnedA, b, sin);
        asm.op(VMULPS, turnedB, a, sin);
        asm.op(VFMSUB231PS, turnedA, a, cos);
        asm.op(VFMADD231PS, turnedB, b, cos);
        store(IN_A, turnedA, half, tail);
        store(second, turnedB, half, tail);
    }

    /**
     * max ← the row's largest number in all lanes, sum ← Σ exp(x − max) in all lanes; the registers
     * behind them and 2 to 8 and 14 are spoilt.
     */
    private void maxAndSum(Ymm max, Ymm sum, boolean keep) {
        int exps = 2;
        each(half -> asm.op(VMOVUPS, ymm(max.number() + half), inMemory(Constant.MINUS_INFINITY)));
        sweep(tail ->
                each(half -> {
                    Ymm most = ymm(max.number() + half);
                    Ymm x = ymm(exps + half);
                    load(x, IN_A, half, tail);
                    if (tail) {
                        asm.op(VMAXPS, x, most, x);
                        blend(most, SOME, x);
                    } else {
                        asm.op(VMAXPS, most, most, x);
                    }
                }));
        tree(VMAXPS, max, ymm(max.number() + 1));
        asm.op(VBROADCASTSS, max, low(max));
        each(half -> zero(ymm(sum.number() + half)));
        sweep(tail -> {
            each(half -> {
                load(ymm(exps + half), IN_A, half, tail);
                asm.op(VSUBPS, ymm(exps + half), ymm(exps + half), max);
            });
            EXP.exp(asm, exps, HALVES);
            each(half -> {
                Ymm e = ymm(exps + half);
                Ymm partial = ymm(sum.number() + half);
                if (tail) {
                    some(half);
                    asm.op(VPAND, e, e, SOME);
                }
                asm.op(VADDPS, partial, partial, e);
                if (keep) {
                    store(TO, e, half, tail);
                }
            });
        });
        tree(VADDPS, sum, ymm(sum.number() + 1));
    }

    private void softmax() {
        Ymm sum = ymm(10);
        Ymm inverse = ymm(12);
        eachRow(() -> {
            maxAndSum(ymm(0), sum, true);
            asm.op(VMOVUPS, inverse, EXP.one());
            asm.op(VDIVPS, inverse, inverse, sum);
            sweep(tail ->
                    each(half -> {
                        Ymm e = ymm(half);
                        load(e, TO, half, tail);
                        asm.op(VMULPS, e, e, inverse);
                        store(TO, e, half, tail);
                    }));
            advance(IN_A);
            advance(TO);
        });
    }

    private void sumExp() {
        Ymm max = ymm(0);
        Ymm sum = ymm(10);
        maxAndSum(max, sum, false);
        firstLane();
        asm.store(VMASKMOVPS_STORE, param(PointwiseKernel.MAX), SOME, max);
        asm.store(VMASKMOVPS_STORE, param(PointwiseKernel.SUM), SOME, sum);
    }

    private void firstLane() {
        asm.op(VMOVUPS, SOME, Mem.at(RDI, ZEROS - 4));
    }

    private void stripMax() {
        int chains = 4;
        firstLane();
        eachRow(() -> {
            for (int i = 0; i < PointwiseKernel.STRIP / 16; i++) {
                for (int half = 0; half < HALVES; half++) {
                    Ymm x = ymm(HALVES * chains + half);
                    Ymm max = ymm(HALVES * (i % chains) + half);
                    asm.op(VMOVUPS, x, Mem.at(IN_A, i * LINE + half * BYTES));
                    if (i < chains) {
                        asm.op(VMAXPS, max, x, inMemory(Constant.MINUS_INFINITY));
                    } else {
                        asm.op(VMAXPS, max, x, max); // NaN never gets in
                    }
                }
            }
            for (int chain = 1; chain < chains; chain++) {
                for (int half = 0; half < HALVES; half++) {
                    asm.op(VMAXPS, ymm(half), ymm(half), ymm(HALVES * chain + half));
                }
            }
            tree(VMAXPS, ymm(0), ymm(1));
            asm.store(VMASKMOVPS_STORE, Mem.at(TO), SOME, ymm(0));
            asm.add(IN_A, 4 * PointwiseKernel.STRIP);
            asm.add(TO, 4);
        });
    }
}
