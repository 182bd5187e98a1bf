package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.*;
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
record FloatUnpacker(Isa isa, DType type) {
    // Slots of the parameters, which leave alone what FloatKernel wants to find again.
    static final int NUMBERS = FloatKernel.NUMBERS;
    static final int SCALES = FloatKernel.SLOTS;
    static final int LINES = SCALES + 1;

    /** Blocks of 32 k, at least 1. */
    static final int BLOCKS = LINES + 1;

    private static final int CONSTANT = BLOCKS + 1;
    static final int SLOTS = CONSTANT + 1;

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

    FloatUnpacker {
        check(TYPES.contains(type), "%s weights are not widened in scratch", type);
    }

    /** Name for profilers and messages. */
    String symbol() {
        return String.format(Locale.ROOT, "widen_%s_%s", type, isa.registersSymbol());
    }

    byte[] assemble() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        constant(asm, mask(), type == DType.Q8_0 ? 0xFF : 0xF);
        constant(asm, offset(), type == DType.Q8_0 ? 128 : 8);
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

    private void constant(Assembler asm, Vec to, int bits) {
        asm.mov32(RAX, bits);
        if (isa.wide()) {
            asm.op(VPBROADCASTD_GP, to, RAX);
        } else {
            asm.mov32(Mem.at(RDI, 8 * CONSTANT), RAX);
            asm.op(VPBROADCASTD, to, Mem.at(RDI, 8 * CONSTANT));
        }
    }

    private Vec mask() {
        return isa.register(isa.registers() - 1);
    }

    private Vec offset() {
        return isa.register(isa.registers() - 2);
    }

    /** A lane of a line holds four or eight k of its row. */
    private void block(Assembler asm) {
        int lines = type == DType.Q8_0 ? LINES_8 : LINES_4;
        for (int within = 0; within < LINE; within += isa.bytes()) {
            part(asm, lines, within);
        }
        asm.add(NUMBER, lines * LINE);
        asm.add(SCALE, type.hasMinimum() ? 64 : 32);
    }

    /**
     * As many rows as a register has lanes.
     *
     * @param within bytes of a line before them
     */
    private void part(Assembler asm, int lines, int within) {
        boolean minima = type.hasMinimum();
        int perLane = BLOCK / lines;
        Vec scales = isa.register(isa.registers() - 3);
        Vec minimum = isa.register(isa.registers() - 4);
        Vec numbers = isa.register(0);
        asm.op(VCVTPH2PS, scales, Mem.at(SCALE, within / 2));
        if (minima) {
            asm.op(VCVTPH2PS, minimum, Mem.at(SCALE, 32 + within / 2));
        }
        for (int line = 0; line < lines; line++) {
            asm.op(VMOVDQU, numbers, Mem.at(NUMBER, line * LINE + within));
            for (int k = 0; k < perLane; k++) {
                Vec q = isa.register(1 + k);
                int shift = k % 4 * 8 + k / 4 * 4;
                if (shift == 0) {
                    asm.op(VPAND, q, mask(), numbers);
                } else {
                    asm.op(VPSRLD, q, numbers, shift);
                    asm.op(VPAND, q, q, mask());
                }
                if (!minima) {
                    asm.op(VPSUBD, q, q, offset());
                }
                asm.op(VCVTDQ2PS, q, q);
                Vec weight = isa.register(isa.wide() ? 16 + k : 9 + k % 3);
                if (minima) {
                    asm.op(VMOVUPS, weight, minimum);
                    asm.op(VFMADD231PS, weight, q, scales);
                } else {
                    asm.op(VMULPS, weight, q, scales);
                }
                int at = (line * perLane + k) * LINE + within;
                asm.store(VMOVUPS_STORE, Mem.at(LINE_OUT, at), weight);
            }
        }
    }
}
