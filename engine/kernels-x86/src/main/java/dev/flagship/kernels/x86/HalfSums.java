package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

/**
 * Where the integer sums of weights with an offset of 32 begin whose groups are half a block; those
 * with an offset of 128 begin at four times that. For each block and each row of x, −32·Σ of the
 * first 16 numbers and of the last 16, as i32 {@code [tile][block][row of the tile][half]}: a tile
 * reads them in one piece. They lie apart from {@link ActivationRows}, for longer blocks there
 * slowed the products of all other types by some 4 %.
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

    /** {@link #stride}; all rows of a call are of one tile. */
    static final int OUT_STRIDE = 5;

    // The code's own: what shorter registers read.
    private static final int LANES = 6;
    private static final int CONSTANT = 8;

    private static final int BIAS = 0x20202020;
    private static final int ONES = 0x00010001;

    private static final KMask NUMBERS = new KMask(1);
    private static final KMask FIRST = new KMask(2);
    private static final KMask SECOND = new KMask(3);

    private HalfSums() {}

    /**
     * Bytes from a block's pairs to the next block's.
     *
     * @param columns rows of x that a tile meets
     */
    static long stride(int columns) {
        return columns * (long) PAIR;
    }

    /** Bytes from a tile's pairs to the next tile's. */
    static long tile(int columns, int blocks) {
        return stride(columns) * blocks;
    }

    /** Bytes of all. */
    static long bytes(int rows, int columns, int blocks) {
        return Math.ceilDiv(rows, columns) * tile(columns, blocks);
    }

    /** Name for profilers and messages. */
    static String symbol(Isa isa) {
        return "half_sums_" + isa.registersSymbol();
    }

    /** Makes them of rows of activations. */
    static byte[] kernel(Isa isa) {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        if (isa.wide()) {
            constants(asm);
        } else {
            narrowConstants(asm);
        }
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
        if (isa.wide()) {
            block(asm);
        } else {
            narrowBlock(asm, isa);
        }
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

    private static void constants(Assembler asm) {
        mask(asm, NUMBERS, 0xFF);
        mask(asm, FIRST, 1);
        mask(asm, SECOND, 1 << 4);
        asm.mov32(RAX, BIAS);
        asm.op(VPBROADCASTD_GP, zmm(2), RAX);
        asm.op(VPXOR, zmm(3), zmm(3), zmm(3));
    }

    private static void block(Assembler asm) {
        asm.op(VMOVDQU, zmm(0).zeroing(NUMBERS), Mem.at(RSI));
        asm.op(VPXOR, zmm(1), zmm(1), zmm(1));
        asm.op(VPDPBUSD, zmm(1), zmm(2), zmm(0));
        asm.op(VPSHUFD, zmm(0), zmm(1), 0x4E);
        asm.op(VPADDD, zmm(1), zmm(1), zmm(0));
        asm.op(VPSHUFD, zmm(0), zmm(1), 0xB1);
        asm.op(VPADDD, zmm(1), zmm(1), zmm(0));
        asm.op(VPSUBD, zmm(1), zmm(3), zmm(1));
        asm.store(VMOVDQU_STORE, Mem.at(RDX).masked(FIRST), zmm(1));
        // Lane 4 goes behind lane 0.
        asm.store(VMOVDQU_STORE, Mem.at(RDX, 4 - 4 * 4).masked(SECOND), zmm(1));
    }

    private static void narrowConstants(Assembler asm) {
        constant(asm, ymm(2), BIAS);
        constant(asm, ymm(4), ONES);
        asm.op(VPXOR, ymm(3), ymm(3), ymm(3));
        // Two of four lanes.
        asm.xor(RAX, RAX);
        asm.mov(Mem.at(RDI, 8 * (LANES + 1)), RAX);
        asm.sub(RAX, 1);
        asm.mov(Mem.at(RDI, 8 * LANES), RAX);
        asm.op(VMOVDQU, xmm(5), Mem.at(RDI, 8 * LANES));
    }

    private static void constant(Assembler asm, Ymm to, int bits) {
        Mem at = Mem.at(RDI, 8 * CONSTANT);
        asm.mov32(RAX, bits);
        asm.mov32(at, RAX);
        asm.op(VPBROADCASTD, to, at);
    }

    private static void narrowBlock(Assembler asm, Isa isa) {
        if (isa.vnni) {
            asm.op(VPXOR, ymm(1), ymm(1), ymm(1));
            asm.op(VPDPBUSD, ymm(1), ymm(2), Mem.at(RSI));
        } else {
            asm.op(VPMADDUBSW, ymm(1), ymm(2), Mem.at(RSI));
            asm.op(VPMADDWD, ymm(1), ymm(1), ymm(4));
        }
        asm.op(VPSHUFD, ymm(0), ymm(1), 0x4E);
        asm.op(VPADDD, ymm(1), ymm(1), ymm(0));
        asm.op(VPSHUFD, ymm(0), ymm(1), 0xB1);
        asm.op(VPADDD, ymm(1), ymm(1), ymm(0));
        asm.op(VPSUBD, ymm(1), ymm(3), ymm(1));
        asm.op(VPERM2I128, ymm(0), ymm(1), ymm(1), 1);
        asm.op(VPUNPCKLDQ, ymm(1), ymm(1), ymm(0));
        asm.store(VMASKMOVPS_STORE, Mem.at(RDX), xmm(5), xmm(1));
    }

    private static void mask(Assembler asm, KMask mask, int lanes) {
        asm.mov32(RAX, lanes);
        asm.kmovd(mask, RAX);
    }
}
