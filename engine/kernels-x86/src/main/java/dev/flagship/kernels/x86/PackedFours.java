package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.BandMatrix;

/**
 * Writes the code that takes four columns of a band's rows out of lines of fewer than 8 bits a
 * number, as {@link BandMatrix} lays them, into a byte each: lane = row.
 *
 * @param bits of a number: 2 to 6
 * @param lowBits holds {@link #lowBits(int)} in all lanes
 * @param highBits holds {@link #highBits(int)} in all lanes; with 2 or 4 bits it is not used
 */
record PackedFours(Assembler asm, Isa isa, int bits, Operand lowBits, Operand highBits) {
    private static final int LINE = 64;

    /** Ternary logic: first | second & third. */
    private static final int OR_OF_AND = 0xF8;

    /** Whether a number's bits lie in two lines. */
    static boolean split(int bits) {
        return bits == 3 || bits == 5 || bits == 6;
    }

    /** Those of a number's bits in each byte that its first line holds. */
    static int lowBits(int bits) {
        return bits < 4 ? 0x03030303 : 0x0F0F0F0F;
    }

    /** Those that its second line holds. */
    static int highBits(int bits) {
        return switch (bits) {
            case 6 -> 0x30303030;
            case 5 -> 0x10101010;
            default -> 0x04040404;
        };
    }

    /**
     * to ← four columns of a block of 32, a byte each.
     *
     * @param block where the block's lines begin
     * @param four which of its eight fours of columns
     * @param spare is lost
     */
    void take(Mem block, int four, Vec to, Vec spare) {
        switch (bits) {
            case 6 -> {
                Mem group = block.plus(four / 4 * BandMatrix.GROUP_BYTES_6);
                low(group.plus(four % 4 / 2 * LINE), four % 2 * 4, to);
                addHigh(group.plus(2 * LINE), 4 - four % 4 * 2, to, spare);
            }
            case 5 -> {
                low(block.plus(four / 2 * LINE), four % 2 * 4, to);
                addHigh(block.plus(BandMatrix.HIGH_BITS_5), 4 - four, to, spare);
            }
            case 4 -> low(block.plus(four / 2 * LINE), four % 2 * 4, to);
            case 3 -> {
                low(block.plus(four / 4 * LINE), four % 4 * 2, to);
                addHigh(block.plus(BandMatrix.HIGH_BITS_3), 2 - four, to, spare);
            }
            default -> low(block.plus(four / 4 * LINE), four % 4 * 2, to);
        }
    }

    /**
     * @param down how far the bits are shifted
     */
    private void low(Mem line, int down, Vec to) {
        if (down == 0 && lowBits instanceof Vec mask) {
            asm.op(VPAND, to, mask, line);
            return;
        }
        if (down == 0) {
            asm.op(VMOVDQU, to, line);
        } else {
            shift(VPSRLW, to, line, down);
        }
        asm.op(VPAND, to, to, lowBits);
    }

    /**
     * @param up how far the bits are shifted, down if it is negative
     */
    private void addHigh(Mem line, int up, Vec to, Vec spare) {
        if (up > 0) {
            shift(VPSLLD, spare, line, up);
        } else if (up < 0) {
            shift(VPSRLD, spare, line, -up);
        } else {
            asm.op(VMOVDQU, spare, line);
        }
        if (isa.wide()) {
            asm.op(VPTERNLOGD, to, spare, highBits, OR_OF_AND);
        } else {
            asm.op(VPAND, spare, spare, highBits);
            asm.op(VPOR, to, to, spare);
        }
    }

    /** Short registers are shifted in registers only. */
    private void shift(VectorOp op, Vec to, Mem line, int count) {
        if (isa.wide()) {
            asm.op(op, to, line, count);
        } else {
            asm.op(VMOVDQU, to, line);
            asm.op(op, to, to, count);
        }
    }
}
