package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.ExpConstant.*;
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
    static final int CONSTANT_REGISTERS = ExpConstant.COUNT;

    /** Bytes of the constants in memory. */
    static final int BYTES = 4 * CONSTANT_REGISTERS;

    /** Writes the constants where {@link #load} reads them. */
    static void store(MemorySegment to, long offset) {
        for (ExpConstant c : ExpConstant.values()) {
            to.set(ValueLayout.JAVA_FLOAT, offset + 4L * c.place(), c.value());
        }
    }

    /** Emits the loading of the constants from memory. */
    void load(Assembler asm, Mem from) {
        for (ExpConstant c : ExpConstant.values()) {
            asm.op(VBROADCASTSS, constant(c), from.plus(4 * c.place()));
        }
    }

    private Zmm constant(ExpConstant c) {
        return zmm(first + c.place());
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
        for (ExpConstant power : ExpConstant.LOWER_POWERS) {
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
