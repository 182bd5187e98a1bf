package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;

/**
 * Writes the code that takes F16 and BF16 numbers out of a band, as {@link BandMatrix} lays them,
 * as F32: lane = row. Both are widened exactly.
 *
 * @param upper for BF16 a register or memory that holds {@link #UPPER} in all lanes
 */
record HalfFloats(Assembler asm, Isa isa, DType type, Operand upper) {
    /** The half of a lane that is a BF16 number of an odd k. */
    static final int UPPER = 0xFFFF0000;

    private static final int LINE = 64;

    HalfFloats {
        check(type == DType.F16 || type == DType.BF16, "%s numbers have no 16 bits", type);
    }

    /** Bytes from k = 0 to where k lies; BF16 has two k in a line. */
    int offset(int k) {
        return type == DType.F16 ? k * (LINE / 2) : k / 2 * LINE;
    }

    /**
     * to ← the numbers of a k.
     *
     * @param first where k = 0 of a pair of k begins
     * @param within bytes of F32 numbers of the rows before the wanted ones
     */
    void take(Mem first, int k, int within, Vec to) {
        Mem line = first.plus(offset(k) + (type == DType.F16 ? within / 2 : within));
        if (type == DType.F16) {
            asm.op(VCVTPH2PS, to, line);
        } else if (!isa.wide()) { // which are shifted in registers only
            asm.op(VMOVDQU, to, line);
            if (k % 2 == 0) {
                asm.op(VPSLLD, to, to, 16);
            } else {
                asm.op(VPAND, to, to, upper);
            }
        } else if (k % 2 == 0) {
            asm.op(VPSLLD, to, line, 16);
        } else {
            asm.op(VPAND, to, (Vec) upper, line);
        }
    }
}
