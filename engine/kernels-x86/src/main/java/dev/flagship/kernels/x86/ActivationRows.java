package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;

/**
 * Rows of int8 activations as the products read them, and the kernel that makes them of F32 rows.
 *
 * <p>A row is a run of blocks of 48 bytes, one for 32 numbers: the 32 int8 numbers a; sa (F32);
 * −128·S and −8·S (i32), S = Σ a, where the sums of 8-bit and 4-bit weights begin; sa·S (F32). A
 * product names all of a block by short displacements from one pointer.
 */
final class ActivationRows {
    static final int BLOCK_BYTES = 48;
    static final int SCALE = 32;
    static final int START_8 = 36;
    static final int START_4 = 40;
    static final int SCALED_SUM = 44;

    // Slots of the kernel's parameters.
    static final int X = 0;
    static final int X_STRIDE = 1;
    static final int BLOCKS = 2;
    static final int ROWS = 3;
    static final int OUT = 4;
    static final int OUT_STRIDE = 5;

    private static final int NOT_EQUAL = 4;
    private static final int ORDERED = 7;

    private static final Zmm ABS = zmm(8);
    private static final Zmm F127 = zmm(9);
    private static final Zmm MAGIC = zmm(10);
    private static final Zmm HIGH = zmm(11);
    private static final Zmm LOW = zmm(12);
    private static final Zmm ZERO = zmm(13);

    private ActivationRows() {}

    /**
     * Bytes from one row to the next: an odd number of cache lines, so that the rows of a tile do
     * not compete for the same lines of a cache.
     */
    static long stride(int blocks) {
        return ((blocks * (long) BLOCK_BYTES + 63) / 64 | 1) * 64;
    }

    /** {@link CanonicalMath#int8} and its companions, 32 numbers at a time. */
    static byte[] quantizer() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        constant(asm, ABS, 0x7FFFFFFF);
        constant(asm, F127, Float.floatToRawIntBits(CanonicalMath.INT8_MAX));
        constant(asm, MAGIC, CanonicalMath.ROUND_MAGIC_BITS);
        constant(asm, HIGH, CanonicalMath.INT8_MAX);
        constant(asm, LOW, -CanonicalMath.INT8_MAX);
        asm.op(VPXOR, ZERO, ZERO, ZERO);
        for (int lane = 1; lane <= 3; lane++) {
            asm.mov32(RAX, 1 << lane);
            asm.kmovd(new KMask(3 + lane), RAX);
        }
        asm.mov(R8, Mem.at(RDI, 8 * X));
        asm.mov(R9, Mem.at(RDI, 8 * OUT));
        asm.mov(R10, Mem.at(RDI, 8 * ROWS));
        Label row = new Label();
        Label block = new Label();
        asm.bind(row);
        asm.mov(RSI, R8);
        asm.mov(RDX, R9);
        asm.mov(RCX, Mem.at(RDI, 8 * BLOCKS));
        asm.bind(block);
        block(asm);
        asm.add(RSI, 128);
        asm.add(RDX, BLOCK_BYTES);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, block);
        asm.add(R8, Mem.at(RDI, 8 * X_STRIDE));
        asm.add(R9, Mem.at(RDI, 8 * OUT_STRIDE));
        asm.sub(R10, 1);
        asm.jcc(Condition.NOT_EQUAL, row);
        asm.vzeroupper();
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    private static void constant(Assembler asm, Zmm register, int bits) {
        asm.mov32(RAX, bits);
        asm.op(VPBROADCASTD_GP, register, RAX);
    }

    private static void block(Assembler asm) {
        KMask some = new KMask(1);
        Zmm amax = zmm(2);
        Zmm spare = zmm(3);
        Xmm scale = xmm(4);
        Zmm inverse = zmm(5);
        asm.op(VMOVUPS, zmm(0), Mem.at(RSI));
        asm.op(VMOVUPS, zmm(1), Mem.at(RSI, 64));
        asm.op(VPAND, amax, ABS, zmm(0));
        asm.op(VPAND, spare, ABS, zmm(1));
        // Magnitudes compare as integers, and NaN is the largest.
        asm.op(VPMAXSD, amax, amax, spare);
        acrossLanes(asm, VPMAXSD, amax, spare);
        // All lanes are alike, and short divisions are several times faster.
        asm.op(VDIVPS, scale, low(amax), low(F127));
        asm.op(VCMPPS, some, low(amax), low(ZERO), NOT_EQUAL);
        asm.op(VDIVPS, low(inverse).zeroing(some), low(F127), low(amax));
        asm.op(VBROADCASTSS, inverse, low(inverse));
        integers(asm, zmm(0), inverse, new KMask(2));
        integers(asm, zmm(1), inverse, new KMask(3));
        asm.store(VPMOVSDB, Mem.at(RDX), zmm(0));
        asm.store(VPMOVSDB, Mem.at(RDX, 16), zmm(1));
        Zmm sum = zmm(0);
        asm.op(VPADDD, sum, zmm(0), zmm(1));
        acrossLanes(asm, VPADDD, sum, spare);
        // Lanes 0–3 of scale become the block's last 16 bytes.
        asm.op(VCVTDQ2PS, low(spare), low(sum));
        asm.op(VMULPS, scale.merging(new KMask(6)), scale, low(spare));
        asm.op(VPSLLD, low(spare), low(sum), 7);
        asm.op(VPSUBD, scale.merging(new KMask(4)), low(ZERO), low(spare));
        asm.op(VPSLLD, low(spare), low(sum), 3);
        asm.op(VPSUBD, scale.merging(new KMask(5)), low(ZERO), low(spare));
        asm.store(VMOVUPS_STORE, Mem.at(RDX, SCALE), scale);
    }

    private static Xmm low(Zmm v) {
        return xmm(v.number());
    }

    /** Every lane becomes the result over all 16. */
    private static void acrossLanes(Assembler asm, VectorOp op, Zmm v, Zmm spare) {
        asm.op(VSHUFI32X4, spare, v, v, 0x4E);
        asm.op(op, v, v, spare);
        asm.op(VSHUFI32X4, spare, v, v, 0xB1);
        asm.op(op, v, v, spare);
        asm.op(VPSHUFD, spare, v, 0x4E);
        asm.op(op, v, v, spare);
        asm.op(VPSHUFD, spare, v, 0xB1);
        asm.op(op, v, v, spare);
    }

    /** Rounds x·inverse to integers of ±127; NaN becomes 0. */
    private static void integers(Assembler asm, Zmm x, Zmm inverse, KMask number) {
        asm.op(VMULPS, x, x, inverse);
        asm.op(VCMPPS, number, x, x, ORDERED);
        asm.op(VADDPS, x, x, MAGIC);
        asm.op(VPSUBD, x, x, MAGIC);
        asm.op(VPMINSD, x, x, HIGH);
        asm.op(VPMAXSD, x.zeroing(number), x, LOW);
    }
}
