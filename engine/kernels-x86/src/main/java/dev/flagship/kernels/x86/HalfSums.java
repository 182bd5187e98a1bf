package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

/**
 * Where the integer sums of 6-bit weights begin, whose groups are half a block of activations: for
 * each block and each row of x, −32·Σ of the first 16 numbers and of the last 16, as i32 {@code
 * [block][row][half]}. They lie apart from {@link ActivationRows}, for longer blocks there slowed
 * the products of all other types by some 4 %.
 */
final class HalfSums {
    /** Bytes of a row's pair. */
    static final int PAIR = 8;

    // Slots of the kernel's parameters.
    static final int ROWS = 0;
    static final int ROW_STRIDE = 1;
    static final int BLOCKS = 2;
    static final int COUNT = 3;
    static final int OUT = 4;

    /** See {@link #stride}. */
    static final int OUT_STRIDE = 5;

    private static final int BIAS = 0x20202020;

    private HalfSums() {}

    /** Bytes from a block's pairs to the next block's. */
    static long stride(int rows) {
        return rows * (long) PAIR;
    }

    /** Makes them of rows of activations. */
    static byte[] kernel() {
        KMask numbers = new KMask(1);
        KMask first = new KMask(2);
        KMask second = new KMask(3);
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        mask(asm, numbers, 0xFF);
        mask(asm, first, 1);
        mask(asm, second, 1 << 4);
        asm.mov32(RAX, BIAS);
        asm.op(VPBROADCASTD_GP, zmm(2), RAX);
        asm.op(VPXOR, zmm(3), zmm(3), zmm(3));
        asm.mov(R8, Mem.at(RDI, 8 * ROWS));
        asm.mov(R9, Mem.at(RDI, 8 * OUT));
        asm.mov(R10, Mem.at(RDI, 8 * COUNT));
        Label row = new Label();
        Label block = new Label();
        asm.bind(row);
        asm.mov(RSI, R8);
        asm.mov(RDX, R9);
        asm.mov(RCX, Mem.at(RDI, 8 * BLOCKS));
        asm.bind(block);
        asm.op(VMOVDQU, zmm(0).zeroing(numbers), Mem.at(RSI));
        asm.op(VPXOR, zmm(1), zmm(1), zmm(1));
        asm.op(VPDPBUSD, zmm(1), zmm(2), zmm(0));
        asm.op(VPSHUFD, zmm(0), zmm(1), 0x4E);
        asm.op(VPADDD, zmm(1), zmm(1), zmm(0));
        asm.op(VPSHUFD, zmm(0), zmm(1), 0xB1);
        asm.op(VPADDD, zmm(1), zmm(1), zmm(0));
        asm.op(VPSUBD, zmm(1), zmm(3), zmm(1));
        asm.store(VMOVDQU_STORE, Mem.at(RDX).masked(first), zmm(1));
        // Lane 4 goes behind lane 0.
        asm.store(VMOVDQU_STORE, Mem.at(RDX, 4 - 4 * 4).masked(second), zmm(1));
        asm.add(RSI, ActivationRows.BLOCK_BYTES);
        asm.add(RDX, Mem.at(RDI, 8 * OUT_STRIDE));
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, block);
        asm.add(R8, Mem.at(RDI, 8 * ROW_STRIDE));
        asm.add(R9, PAIR);
        asm.sub(R10, 1);
        asm.jcc(Condition.NOT_EQUAL, row);
        asm.vzeroupper();
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    private static void mask(Assembler asm, KMask mask, int lanes) {
        asm.mov32(RAX, lanes);
        asm.kmovd(mask, RAX);
    }
}
