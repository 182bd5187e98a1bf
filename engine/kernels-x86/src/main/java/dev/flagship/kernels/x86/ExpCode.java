package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntConsumer;

/**
 * {@link CanonicalMath#exp} on whole registers, several at once, since each waits long for itself.
 * Its constants occupy {@value #CONSTANT_REGISTERS} registers from {@code first} on.
 *
 * @param first number of the first register of constants
 */
record ExpCode(int first) {
    static final int CONSTANT_REGISTERS = 13;

    /** Bytes of the constants in memory. */
    static final int BYTES = 4 * CONSTANT_REGISTERS;

    private static final float[] CONSTANTS = {
        CanonicalMath.EXP_LOW,
        CanonicalMath.EXP_HIGH,
        CanonicalMath.LOG2_E,
        CanonicalMath.ROUND_MAGIC,
        CanonicalMath.LN2_HIGH,
        CanonicalMath.LN2_LOW,
        CanonicalMath.EXP_5,
        CanonicalMath.EXP_4,
        CanonicalMath.EXP_3,
        CanonicalMath.EXP_2,
        CanonicalMath.EXP_1,
        CanonicalMath.EXP_0,
        1f // its bits are ONE_BITS as well
    };

    private static final int LOW = 0;
    private static final int HIGH = 1;
    private static final int LOG2_E = 2;
    private static final int MAGIC = 3;
    private static final int LN2_HIGH = 4;
    private static final int LN2_LOW = 5;
    private static final int EXP_5 = 6;
    private static final int EXP_0 = 11;
    private static final int ONE = 12;

    /** Writes the constants where {@link #load} reads them. */
    static void store(MemorySegment to, long offset) {
        MemorySegment.copy(CONSTANTS, 0, to, ValueLayout.JAVA_FLOAT, offset, CONSTANTS.length);
    }

    /** Emits the loading of the constants from memory. */
    void load(Assembler asm, Mem from) {
        for (int i = 0; i < CONSTANTS.length; i++) {
            asm.op(VBROADCASTSS, constant(i), from.plus(4 * i));
        }
    }

    private Zmm constant(int i) {
        return zmm(first + i);
    }

    /** The register that holds 1. */
    Zmm one() {
        return constant(ONE);
    }

    /**
     * x ← eˣ, without its last product, which the caller makes under its own mask: {@code x·scale},
     * where x is register {@code at + i} and scale register {@code at + count + i}, i below count.
     * Spoils registers up to {@code at + 4·count}.
     */
    void almostExp(Assembler asm, int at, int count) {
        // Where either is NaN, these give their second operand, as the definition does.
        each(count, i -> asm.op(VMAXPS, zmm(at + i), constant(LOW), zmm(at + i)));
        each(count, i -> asm.op(VMINPS, zmm(at + i), constant(HIGH), zmm(at + i)));
        int t = at + count;
        int n = at + 2 * count; // later the polynomial
        int square = at + 3 * count;
        each(count, i -> asm.op(VMOVUPS, zmm(t + i), constant(MAGIC)));
        each(count, i -> asm.op(VFMADD231PS, zmm(t + i), zmm(at + i), constant(LOG2_E)));
        each(count, i -> asm.op(VSUBPS, zmm(n + i), zmm(t + i), constant(MAGIC)));
        each(count, i -> asm.op(VFNMADD231PS, zmm(at + i), zmm(n + i), constant(LN2_HIGH)));
        each(count, i -> asm.op(VFNMADD231PS, zmm(at + i), zmm(n + i), constant(LN2_LOW)));
        each(count, i -> asm.op(VMULPS, zmm(square + i), zmm(at + i), zmm(at + i)));
        each(count, i -> asm.op(VMOVUPS, zmm(n + i), constant(EXP_5)));
        for (int power = EXP_5 + 1; power <= EXP_0; power++) {
            Zmm next = constant(power);
            each(count, i -> asm.op(VFMADD213PS, zmm(n + i), zmm(at + i), next));
        }
        each(count, i -> asm.op(VFMADD231PS, zmm(at + i), zmm(n + i), zmm(square + i)));
        each(count, i -> asm.op(VADDPS, zmm(at + i), zmm(at + i), one()));
        each(count, i -> asm.op(VPSLLD, zmm(t + i), zmm(t + i), 23));
        each(count, i -> asm.op(VPADDD, zmm(t + i), zmm(t + i), one()));
    }

    /** x ← eˣ, where x is registers {@code at} to {@code at + count}. */
    void exp(Assembler asm, int at, int count) {
        almostExp(asm, at, count);
        each(count, i -> asm.op(VMULPS, zmm(at + i), zmm(at + i), zmm(at + count + i)));
    }

    private static void each(int count, IntConsumer body) {
        for (int i = 0; i < count; i++) {
            body.accept(i);
        }
    }
}
