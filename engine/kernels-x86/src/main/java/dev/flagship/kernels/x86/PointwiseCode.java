package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Writes a {@link PointwiseKernel}: the operations of {@link CanonicalMath}, 16 numbers at a time,
 * in the order of {@link dev.flagship.tensor.ScalarKernels}. A row's last numbers are a vector
 * under a mask, so nothing beyond them is touched.
 *
 * <p>Constants stand behind the slots of the parameters and are read by broadcasts; those of exp,
 * which the loops use most, live in registers.
 */
final class PointwiseCode {
    /** Bytes of a parameter block. */
    static final long PARAM_BYTES =
            8L * PointwiseKernel.SLOTS + ExpCode.BYTES + 4L * Constant.values().length;

    private static final int LINE = 64;
    private static final int LESS = 1;

    // rdi stays the address of the parameters.
    private static final Gp IN_A = RSI;
    private static final Gp IN_B = RDX;
    private static final Gp TO = RCX;
    private static final Gp OFFSET = R8;
    private static final Gp WHOLE = R9;
    private static final Gp ROWS = R10;
    private static final Gp SPARE = R11;
    private static final KMask TAIL = new KMask(1);
    private static final KMask FIRST = new KMask(2);

    /** Where constants begin in a parameter block. */
    private static final int CONSTANTS = 8 * PointwiseKernel.SLOTS;

    private static final ExpCode EXP = new ExpCode(16);

    /** Numbers that kernels broadcast, behind those of {@link ExpCode}. */
    enum Constant {
        SIGN(0, -0f),
        HALF(1, 0.5f),
        MINUS_INFINITY(2, Float.NEGATIVE_INFINITY),
        SQRT_HALF(3, CanonicalMath.SQRT_HALF),
        ERF_SPLIT(4, CanonicalMath.ERF_SPLIT),
        ERF_END(5, CanonicalMath.ERF_END),
        ERF_LOW_5(6, CanonicalMath.ERF_LOW_5),
        ERF_LOW_4(7, CanonicalMath.ERF_LOW_4),
        ERF_LOW_3(8, CanonicalMath.ERF_LOW_3),
        ERF_LOW_2(9, CanonicalMath.ERF_LOW_2),
        ERF_LOW_1(10, CanonicalMath.ERF_LOW_1),
        ERF_LOW_0(11, CanonicalMath.ERF_LOW_0),
        ERF_HIGH_6(12, CanonicalMath.ERF_HIGH_6),
        ERF_HIGH_5(13, CanonicalMath.ERF_HIGH_5),
        ERF_HIGH_4(14, CanonicalMath.ERF_HIGH_4),
        ERF_HIGH_3(15, CanonicalMath.ERF_HIGH_3),
        ERF_HIGH_2(16, CanonicalMath.ERF_HIGH_2),
        ERF_HIGH_1(17, CanonicalMath.ERF_HIGH_1),
        ERF_HIGH_0(18, CanonicalMath.ERF_HIGH_0),
        ONE(19, 1f);

        private final int place;
        private final float value;

        Constant(int place, float value) {
            this.place = place;
            this.value = value;
        }

        /** Its number among them. */
        int place() {
            return place;
        }

        float value() {
            return value;
        }

        private int offset() {
            return CONSTANTS + ExpCode.BYTES + 4 * place;
        }

        private Mem inMemory() {
            return Mem.at(RDI, offset()).broadcasting();
        }
    }

    /** Fills in the constants of a parameter block. */
    static void writeConstants(MemorySegment params) {
        ExpCode.store(params, CONSTANTS);
        for (Constant c : Constant.values()) {
            params.set(ValueLayout.JAVA_FLOAT_UNALIGNED, c.offset(), c.value);
        }
    }

    /** What a sweep does with a vector. */
    private interface Body {
        void at(boolean tail);
    }

    private final PointwiseKernel kernel;
    private final Assembler asm = new Assembler();

    PointwiseCode(PointwiseKernel kernel) {
        this.kernel = kernel;
    }

    private static Mem param(int slot) {
        return Mem.at(RDI, 8 * slot);
    }

    byte[] emit() {
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        asm.mov(RAX, param(PointwiseKernel.TAIL));
        asm.kmovd(TAIL, RAX);
        asm.mov(IN_A, param(PointwiseKernel.A));
        asm.mov(IN_B, param(PointwiseKernel.B));
        asm.mov(TO, param(PointwiseKernel.OUT));
        asm.mov(WHOLE, param(PointwiseKernel.WHOLE));
        asm.mov(ROWS, param(PointwiseKernel.ROWS));
        switch (kernel) {
            case ADD -> sweep(this::add);
            case RELU -> relu();
            case GELU -> {
                expConstants();
                sweep(this::gelu);
            }
            case SWIGLU -> {
                expConstants();
                load(zmm(31), Constant.SIGN);
                sweep(this::swiGlu);
            }
            case RMS_NORM -> rmsNorm();
            case LAYER_NORM -> layerNorm();
            case ROPE -> rope();
            case SOFTMAX -> softmax();
            case SUM_EXP -> sumExp();
            case STRIP_MAX -> stripMax();
        }
        asm.vzeroupper();
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    // --- walking over a row

    /** Emits the body for the whole vectors of a row, and once more for those under the mask. */
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
        asm.mov(RAX, param(PointwiseKernel.TAIL));
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

    /** Lanes that a row does not have become 0. */
    private void load(Zmm dst, Gp base, boolean tail) {
        asm.op(VMOVUPS, tail ? dst.zeroing(TAIL) : dst, Mem.at(base, OFFSET, 1));
    }

    private void store(Gp base, Zmm src, boolean tail) {
        Mem to = Mem.at(base, OFFSET, 1);
        asm.store(VMOVUPS_STORE, tail ? to.masked(TAIL) : to, src);
    }

    /** The same register; lanes that a row does not have keep what they hold. */
    private static Dest held(Zmm dst, boolean tail) {
        return tail ? dst.merging(TAIL) : dst;
    }

    private void load(Zmm dst, Constant constant) {
        asm.op(VBROADCASTSS, dst, Mem.at(RDI, constant.offset()));
    }

    /** Folds halves, 8, 4, 2, 1; lane 0 is as the scalar tree has it. */
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

    private static Xmm low(Zmm v) {
        return xmm(v.number());
    }

    // --- functions

    private void expConstants() {
        EXP.load(asm, Mem.at(RDI, CONSTANTS));
    }

    /** Horner's rule: out ← the polynomial of x with these coefficients, highest first. */
    private void polynomial(Zmm out, Zmm x, Constant highest, Constant... lower) {
        load(out, highest);
        for (Constant c : lower) {
            asm.op(VFMADD213PS, out, x, c.inMemory());
        }
    }

    // --- runs

    private void add(boolean tail) {
        load(zmm(0), IN_A, tail);
        load(zmm(1), IN_B, tail);
        asm.op(VADDPS, zmm(0), zmm(0), zmm(1));
        store(IN_A, zmm(0), tail);
    }

    private void relu() {
        Zmm zero = zmm(1);
        asm.op(VPXOR, zero, zero, zero);
        sweep(tail -> {
            load(zmm(0), IN_A, tail);
            asm.op(VMAXPS, zmm(0), zero, zmm(0)); // the second if they are equal
            store(TO, zmm(0), tail);
        });
    }

    private void swiGlu(boolean tail) {
        Zmm gate = zmm(0);
        Zmm e = zmm(1);
        load(gate, IN_A, tail);
        asm.op(VPXOR, e, gate, zmm(31));
        EXP.exp(asm, 1, 1);
        asm.op(VADDPS, e, e, EXP.one());
        asm.op(VDIVPS, gate, gate, e);
        load(zmm(5), IN_B, tail);
        asm.op(VMULPS, gate, gate, zmm(5));
        store(TO, gate, tail);
    }

    private void gelu(boolean tail) {
        Zmm x = zmm(0);
        Zmm y = zmm(1);
        Zmm magnitude = zmm(2);
        Zmm square = zmm(3);
        Zmm small = zmm(4);
        Zmm large = zmm(5);
        Zmm erf = large;
        KMask isSmall = new KMask(3);
        load(x, IN_A, tail);
        asm.op(VMULPS, y, x, Constant.SQRT_HALF.inMemory());
        load(square, Constant.SIGN);
        asm.op(VPAND, zmm(9), y, square); // its sign
        asm.op(VPXOR, magnitude, y, zmm(9));
        asm.op(VCMPPS, isSmall, magnitude, Constant.ERF_SPLIT.inMemory(), LESS);
        asm.op(VMULPS, square, y, y);
        polynomial(
                small,
                square,
                Constant.ERF_LOW_5,
                Constant.ERF_LOW_4,
                Constant.ERF_LOW_3,
                Constant.ERF_LOW_2,
                Constant.ERF_LOW_1,
                Constant.ERF_LOW_0);
        asm.op(VFMADD213PS, small, y, y);
        load(zmm(6), Constant.ERF_END);
        asm.op(VMINPS, magnitude, zmm(6), magnitude);
        polynomial(
                large,
                magnitude,
                Constant.ERF_HIGH_6,
                Constant.ERF_HIGH_5,
                Constant.ERF_HIGH_4,
                Constant.ERF_HIGH_3,
                Constant.ERF_HIGH_2,
                Constant.ERF_HIGH_1,
                Constant.ERF_HIGH_0);
        EXP.exp(asm, 5, 1);
        asm.op(VSUBPS, erf, EXP.one(), erf);
        asm.op(VPOR, erf, erf, zmm(9));
        asm.op(VMOVUPS, erf.merging(isSmall), small);
        asm.op(VMULPS, x, x, Constant.HALF.inMemory());
        asm.op(VFMADD213PS, erf, x, x);
        store(TO, erf, tail);
    }

    // --- rows

    private void rmsNorm() {
        // Registers that short instructions reach.
        Xmm one = xmm(13);
        Xmm size = xmm(14);
        Xmm eps = xmm(15);
        Zmm sum = zmm(0);
        asm.op(VBROADCASTSS, zmm(13), Mem.at(RDI, Constant.ONE.offset()));
        asm.op(VBROADCASTSS, zmm(14), param(PointwiseKernel.SIZE));
        asm.op(VBROADCASTSS, zmm(15), param(PointwiseKernel.EPS));
        eachRow(() -> {
            asm.op(VPXOR, sum, sum, sum);
            sweep(tail -> {
                load(zmm(1), IN_A, tail);
                asm.op(VFMADD231PS, sum, zmm(1), zmm(1));
            });
            inverseRms(sum, one, size, eps);
            sweep(tail -> {
                load(zmm(1), IN_A, tail);
                load(zmm(2), IN_B, tail);
                asm.op(VMULPS, zmm(1), zmm(1), sum);
                asm.op(VMULPS, zmm(1), zmm(1), zmm(2));
                store(TO, zmm(1), tail);
            });
            advance(IN_A);
            advance(TO);
        });
    }

    /** sum ← 1 / √(mean square + eps) in all lanes. */
    private void inverseRms(Zmm sum, Xmm one, Xmm size, Xmm eps) {
        tree(VADDPS, sum, zmm(1));
        // All lanes are alike, and short divisions are several times faster.
        asm.op(VDIVPS, low(sum), low(sum), size);
        asm.op(VADDPS, low(sum), low(sum), eps);
        asm.op(VSQRTPS, low(sum), low(sum));
        asm.op(VDIVPS, low(sum), one, low(sum));
        asm.op(VBROADCASTSS, sum, low(sum));
    }

    private void layerNorm() {
        Xmm one = xmm(13);
        Xmm size = xmm(14);
        Xmm eps = xmm(15);
        Gp bias = SPARE;
        Zmm sum = zmm(0);
        Zmm x = zmm(1);
        Zmm mean = zmm(4);
        asm.op(VBROADCASTSS, zmm(13), Mem.at(RDI, Constant.ONE.offset()));
        asm.op(VBROADCASTSS, zmm(14), param(PointwiseKernel.SIZE));
        asm.op(VBROADCASTSS, zmm(15), param(PointwiseKernel.EPS));
        asm.mov(bias, param(PointwiseKernel.BIAS));
        eachRow(() -> {
            asm.op(VPXOR, sum, sum, sum);
            sweep(tail -> {
                load(x, IN_A, tail);
                asm.op(VADDPS, sum, sum, x);
            });
            tree(VADDPS, sum, x);
            asm.op(VDIVPS, low(sum), low(sum), size);
            asm.op(VBROADCASTSS, mean, low(sum));
            asm.op(VPXOR, sum, sum, sum);
            sweep(tail -> {
                load(x, IN_A, tail);
                asm.op(VSUBPS, tail ? x.zeroing(TAIL) : x, x, mean);
                asm.op(VFMADD231PS, sum, x, x);
            });
            inverseRms(sum, one, size, eps);
            sweep(tail -> {
                load(x, IN_A, tail);
                load(zmm(2), IN_B, tail);
                load(zmm(3), bias, tail);
                asm.op(VSUBPS, x, x, mean);
                asm.op(VMULPS, x, x, sum);
                asm.op(VFMADD231PS, zmm(3), x, zmm(2));
                store(TO, zmm(3), tail);
            });
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
            sweep(tail -> rotate(second, cos, sin, tail));
            asm.mov(IN_A, second);
            asm.add(IN_A, param(PointwiseKernel.HALF));
            asm.sub(param(PointwiseKernel.HEADS_LEFT), 1);
            asm.jcc(Condition.NOT_EQUAL, head);
        });
    }

    private void rotate(Gp second, Gp cosines, Gp sines, boolean tail) {
        Zmm a = zmm(0);
        Zmm b = zmm(1);
        Zmm cos = zmm(2);
        Zmm sin = zmm(3);
        load(a, IN_A, tail);
        load(b, second, tail);
        load(cos, cosines, tail);
        load(sin, sines, tail);
        asm.op(VMULPS, zmm(4), b, sin);
        asm.op(VMULPS, zmm(5), a, sin);
        asm.op(VFMSUB231PS, zmm(4), a, cos);
        asm.op(VFMADD231PS, zmm(5), b, cos);
        store(IN_A, zmm(4), tail);
        store(second, zmm(5), tail);
    }

    /** max ← the row's largest number in all lanes, sum ← 16 partials of Σ exp(x − max). */
    private void maxAndSum(Zmm max, Zmm sum, boolean keep) {
        load(max, Constant.MINUS_INFINITY);
        sweep(tail -> {
            load(zmm(2), IN_A, tail);
            asm.op(VMAXPS, held(max, tail), max, zmm(2));
        });
        tree(VMAXPS, max, zmm(2));
        asm.op(VBROADCASTSS, max, low(max));
        asm.op(VPXOR, sum, sum, sum);
        sweep(tail -> {
            Zmm e = zmm(2);
            load(e, IN_A, tail);
            asm.op(VSUBPS, e, e, max);
            EXP.exp(asm, 2, 1);
            asm.op(VADDPS, held(sum, tail), sum, e);
            if (keep) {
                store(TO, e, tail);
            }
        });
        tree(VADDPS, sum, zmm(2));
    }

    private void softmax() {
        Zmm inverse = zmm(1);
        expConstants();
        eachRow(() -> {
            maxAndSum(zmm(0), inverse, true);
            asm.op(VDIVPS, inverse, EXP.one(), inverse);
            sweep(tail -> {
                load(zmm(2), TO, tail);
                asm.op(VMULPS, zmm(2), zmm(2), inverse);
                store(TO, zmm(2), tail);
            });
            advance(IN_A);
            advance(TO);
        });
    }

    private void sumExp() {
        expConstants();
        maxAndSum(zmm(0), zmm(1), false);
        firstLane();
        asm.store(VMOVUPS_STORE, param(PointwiseKernel.MAX).masked(FIRST), zmm(0));
        asm.store(VMOVUPS_STORE, param(PointwiseKernel.SUM).masked(FIRST), zmm(1));
    }

    private void firstLane() {
        asm.mov32(RAX, 1);
        asm.kmovd(FIRST, RAX);
    }

    private void stripMax() {
        int chains = 4;
        Zmm worst = zmm(8);
        load(worst, Constant.MINUS_INFINITY);
        firstLane();
        eachRow(() -> {
            for (int i = 0; i < PointwiseKernel.STRIP / 16; i++) {
                Zmm x = zmm(4 + i % chains);
                Zmm max = zmm(i % chains);
                asm.op(VMOVUPS, x, Mem.at(IN_A, i * LINE));
                asm.op(VMAXPS, max, x, i < chains ? worst : max); // NaN never gets in
            }
            for (int half = chains / 2; half > 0; half /= 2) {
                for (int i = 0; i < half; i++) {
                    asm.op(VMAXPS, zmm(i), zmm(i), zmm(i + half));
                }
            }
            tree(VMAXPS, zmm(0), zmm(4));
            asm.store(VMOVUPS_STORE, Mem.at(TO).masked(FIRST), zmm(0));
            asm.add(IN_A, 4 * PointwiseKernel.STRIP);
            asm.add(TO, 4);
        });
    }
}
