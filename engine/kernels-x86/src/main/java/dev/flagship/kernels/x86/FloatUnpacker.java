package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.DType;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * Widens blocks of a band of quantised weights to F32 lines, 16 rows each, in the order of k: the
 * numbers of {@link dev.flagship.tensor.BandMatrix#weight}, bit for bit.
 */
record FloatUnpacker(DType type) {
    // Slots of the parameters, which leave alone what FloatKernel wants to find again.
    static final int NUMBERS = FloatKernel.NUMBERS;
    static final int SCALES = FloatKernel.SLOTS;
    static final int LINES = SCALES + 1;

    /** Blocks of 32 k, at least 1. */
    static final int BLOCKS = LINES + 1;

    static final int SLOTS = BLOCKS + 1;

    /** The types that can be widened. */
    static final Set<DType> TYPES =
            Collections.unmodifiableSet(EnumSet.of(DType.Q8_0, DType.Q4_0, DType.Q4_1));

    private static final int LINE = 64;
    private static final int LINES_8 = 8;
    private static final int LINES_4 = 4;

    private static final Gp NUMBER = RSI;
    private static final Gp SCALE = RDX;
    private static final Gp LINE_OUT = RAX;
    private static final Gp COUNT = RCX;

    private static final Zmm MASK = zmm(31);
    private static final Zmm OFFSET = zmm(30);
    private static final Zmm SCALES_16 = zmm(29);
    private static final Zmm MINIMA_16 = zmm(28);

    FloatUnpacker {
        check(TYPES.contains(type), "%s weights are not widened in scratch", type);
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "widen_%s_avx512", type);
    }

    byte[] assemble() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        asm.mov32(RAX, type == DType.Q8_0 ? 0xFF : 0xF);
        asm.op(VPBROADCASTD_GP, MASK, RAX);
        asm.mov32(RAX, type == DType.Q8_0 ? 128 : 8);
        asm.op(VPBROADCASTD_GP, OFFSET, RAX);
        asm.mov(NUMBER, Mem.at(RDI, 8 * NUMBERS));
        asm.mov(SCALE, Mem.at(RDI, 8 * SCALES));
        asm.mov(LINE_OUT, Mem.at(RDI, 8 * LINES));
        asm.mov(COUNT, Mem.at(RDI, 8 * BLOCKS));
        Label next = new Label();
        asm.bind(next);
        block(asm);
        asm.add(LINE_OUT, BLOCK * LINE);
        asm.sub(COUNT, 1);
        asm.jcc(Condition.NOT_EQUAL, next);
        asm.vzeroupper();
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    /** A lane of a line holds four or eight k of its row. */
    private void block(Assembler asm) {
        boolean minima = type == DType.Q4_1;
        int lines = type == DType.Q8_0 ? LINES_8 : LINES_4;
        int perLane = BLOCK / lines;
        asm.op(VCVTPH2PS, SCALES_16, Mem.at(SCALE));
        if (minima) {
            asm.op(VCVTPH2PS, MINIMA_16, Mem.at(SCALE, 32));
        }
        for (int line = 0; line < lines; line++) {
            asm.op(VMOVDQU, zmm(0), Mem.at(NUMBER, line * LINE));
            for (int k = 0; k < perLane; k++) {
                Zmm q = zmm(1 + k);
                int shift = k % 4 * 8 + k / 4 * 4;
                if (shift == 0) {
                    asm.op(VPAND, q, MASK, zmm(0));
                } else {
                    asm.op(VPSRLD, q, zmm(0), shift);
                    asm.op(VPAND, q, q, MASK);
                }
                if (!minima) {
                    asm.op(VPSUBD, q, q, OFFSET);
                }
                asm.op(VCVTDQ2PS, q, q);
                Zmm weight = zmm(16 + k);
                if (minima) {
                    asm.op(VMOVUPS, weight, MINIMA_16);
                    asm.op(VFMADD231PS, weight, q, SCALES_16);
                } else {
                    asm.op(VMULPS, weight, q, SCALES_16);
                }
                int at = (line * perLane + k) * LINE;
                asm.store(VMOVUPS_STORE, Mem.at(LINE_OUT, at), weight);
            }
        }
        asm.add(NUMBER, lines * LINE);
        asm.add(SCALE, minima ? 64 : 32);
    }
}
