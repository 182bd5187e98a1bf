package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.ExpConstant.*;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntConsumer;

/**
 * {@link CanonicalMath#exp} on registers of 256 bits, several at once, since each waits long for
 * itself. There are too few registers to hold constants: they are read from memory, where each
 * fills a register.
 *
 * @param constants where {@link #store} wrote them
 */
record NarrowExp(Mem constants) {
    private static final int REGISTER = 32;

    /** Bytes of the constants. */
    static final int BYTES = REGISTER * ExpConstant.COUNT;

    /** Writes the constants. */
    static void store(MemorySegment to, long offset) {
        for (ExpConstant c : ExpConstant.values()) {
            for (int at = 0; at < REGISTER; at += 4) {
                long lane = offset + (long) REGISTER * c.place() + at;
                to.set(ValueLayout.JAVA_FLOAT_UNALIGNED, lane, c.value());
            }
        }
    }

    private Mem constant(ExpConstant c) {
        return constants.plus(REGISTER * c.place());
    }

    /** 1 in all lanes. */
    Mem one() {
        return constant(ONE);
    }

    /**
     * x ← eˣ, without its last product: {@code x·scale}, where x is register {@code at + i} and
     * scale register {@code at + count + i}, i below count. Spoils registers up to {@code at +
     * 3·count}, that one included.
     */
    void almostExp(Assembler asm, int at, int count) {
        int t = at + count;
        int n = at + 2 * count; // later the polynomial
        Ymm spare = ymm(at + 3 * count);
        // Where x is NaN, these give it, their second operand, as the definition does.
        bound(asm, VMAXPS, LOW, at, count, spare);
        bound(asm, VMINPS, HIGH, at, count, spare);
        each(count, i -> asm.op(VMOVUPS, ymm(t + i), constant(MAGIC)));
        each(count, i -> asm.op(VMOVUPS, ymm(n + i), constant(EXP_5)));
        asm.op(VMOVUPS, spare, constant(LOG2_E));
        each(count, i -> asm.op(VFMADD231PS, ymm(t + i), ymm(at + i), spare));
        for (ExpConstant part : new ExpConstant[] {LN2_HIGH, LN2_LOW}) {
            for (int i = 0; i < count; i++) {
                asm.op(VSUBPS, spare, ymm(t + i), constant(MAGIC));
                asm.op(VFNMADD231PS, ymm(at + i), spare, constant(part));
            }
        }
        for (ExpConstant power : ExpConstant.LOWER_POWERS) {
            Mem next = constant(power);
            each(count, i -> asm.op(VFMADD213PS, ymm(n + i), ymm(at + i), next));
        }
        for (int i = 0; i < count; i++) {
            asm.op(VMULPS, spare, ymm(at + i), ymm(at + i));
            asm.op(VFMADD231PS, ymm(at + i), ymm(n + i), spare);
        }
        each(count, i -> asm.op(VADDPS, ymm(at + i), ymm(at + i), one()));
        each(count, i -> asm.op(VPSLLD, ymm(t + i), ymm(t + i), 23));
        each(count, i -> asm.op(VPADDD, ymm(t + i), ymm(t + i), one()));
    }

    private void bound(
            Assembler asm, VectorOp op, ExpConstant constant, int at, int count, Ymm spare) {
        asm.op(VMOVUPS, spare, constant(constant));
        each(count, i -> asm.op(op, ymm(at + i), spare, ymm(at + i)));
    }

    /** x ← eˣ, where x is registers {@code at} to {@code at + count}. */
    void exp(Assembler asm, int at, int count) {
        almostExp(asm, at, count);
        each(count, i -> asm.op(VMULPS, ymm(at + i), ymm(at + i), ymm(at + count + i)));
    }

    private static void each(int count, IntConsumer body) {
        for (int i = 0; i < count; i++) {
            body.accept(i);
        }
    }
}
