package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.xmm;
import static dev.flagship.kernels.x86.Vec.ymm;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.CanonicalMath;

/**
 * Rows of int8 activations as the products read them, and the kernel that makes them of F32 rows.
 *
 * <p>A row is a run of blocks of 48 bytes, one for 32 numbers: the 32 int8 numbers a; sa (F32);
 * −128·S and −8·S (i32), S = Σ a, where the sums of 8-bit and 4-bit weights begin; sa·S (F32). A
 * product names all of a block by short displacements from one pointer.
 *
 * <p>For registers of 256 bits the two begin higher by the bits of 1.5·2²³: see {@link NarrowTile}.
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

    /** On the way from a general register to a vector register. */
    private static final int CONSTANT = 6;

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
    static byte[] quantizer(Isa isa) {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        constant(asm, isa, ABS, 0x7FFFFFFF);
        constant(asm, isa, F127, Float.floatToRawIntBits(CanonicalMath.INT8_MAX));
        constant(asm, isa, MAGIC, CanonicalMath.ROUND_MAGIC_BITS);
        constant(asm, isa, HIGH, CanonicalMath.INT8_MAX);
        constant(asm, isa, LOW, -CanonicalMath.INT8_MAX);
        Vec zero = isa.register(ZERO.number());
        asm.op(VPXOR, zero, zero, zero);
        for (int lane = 1; isa.wide() && lane <= 3; lane++) {
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
        if (isa.wide()) {
            block(asm);
        } else {
            narrowBlock(asm);
        }
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

    private static void constant(Assembler asm, Isa isa, Zmm register, int bits) {
        asm.mov32(RAX, bits);
        if (isa.wide()) {
            asm.op(VPBROADCASTD_GP, register, RAX);
        } else {
            asm.mov32(Mem.at(RDI, 8 * CONSTANT), RAX);
            asm.op(VPBROADCASTD, narrow(register), Mem.at(RDI, 8 * CONSTANT));
        }
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

    private static Xmm low(Vec v) {
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

    // --- the same in registers of 256 bits, without masks

    private static Ymm narrow(Zmm v) {
        return ymm(v.number());
    }

    private static void narrowBlock(Assembler asm) {
        Ymm amax = ymm(4);
        Ymm spare = ymm(5);
        Ymm inverse = ymm(6);
        Ymm scale = ymm(7);
        Ymm abs = narrow(ABS);
        for (int i = 0; i < 4; i++) {
            asm.op(VMOVUPS, ymm(i), Mem.at(RSI, 32 * i));
            asm.op(VPAND, i == 0 ? amax : spare, abs, ymm(i));
            if (i > 0) {
                asm.op(VPMAXSD, amax, amax, spare);
            }
        }
        acrossLanes(asm, VPMAXSD, amax, spare);
        asm.op(VDIVPS, low(scale), low(amax), low(F127));
        asm.op(VDIVPS, low(inverse), low(F127), low(amax));
        // Magnitudes are zero where their bits are.
        asm.op(VPCMPEQD, low(spare), low(amax), low(ZERO));
        asm.op(VPANDN, low(inverse), low(spare), low(inverse));
        asm.op(VBROADCASTSS, inverse, low(inverse));
        for (int i = 0; i < 4; i++) {
            integers(asm, ymm(i), inverse, spare);
        }
        Ymm sum = ymm(4);
        asm.op(VPADDD, sum, ymm(0), ymm(1));
        asm.op(VPADDD, spare, ymm(2), ymm(3));
        asm.op(VPADDD, sum, sum, spare);
        storeBytes(asm, spare);
        acrossLanes(asm, VPADDD, sum, spare);
        asm.op(VCVTDQ2PS, low(spare), low(sum));
        asm.op(VMULPS, low(spare), low(scale), low(spare));
        asm.op(VBLENDPS, low(scale), low(scale), low(spare), 1 << 3);
        asm.op(VPSLLD, low(spare), low(sum), 7);
        asm.op(VPSUBD, low(spare), low(MAGIC), low(spare));
        asm.op(VBLENDPS, low(scale), low(scale), low(spare), 1 << 1);
        asm.op(VPSLLD, low(spare), low(sum), 3);
        asm.op(VPSUBD, low(spare), low(MAGIC), low(spare));
        asm.op(VBLENDPS, low(scale), low(scale), low(spare), 1 << 2);
        asm.store(VMOVUPS_STORE, Mem.at(RDX, SCALE), low(scale));
    }

    /** Registers 0–3 become bytes; packing works on each half of a register for itself. */
    private static void storeBytes(Assembler asm, Ymm spare) {
        asm.op(VPACKSSDW, ymm(0), ymm(0), ymm(1));
        asm.op(VPACKSSDW, ymm(2), ymm(2), ymm(3));
        asm.op(VPACKSSWB, ymm(0), ymm(0), ymm(2));
        asm.op(VPERM2I128, ymm(1), ymm(0), ymm(0), 1);
        asm.op(VPUNPCKLDQ, low(spare), xmm(0), xmm(1));
        asm.op(VPUNPCKHDQ, xmm(0), xmm(0), xmm(1));
        asm.store(VMOVDQU_STORE, Mem.at(RDX), low(spare));
        asm.store(VMOVDQU_STORE, Mem.at(RDX, 16), xmm(0));
    }

    /** Every lane becomes the result over all 8. */
    private static void acrossLanes(Assembler asm, VectorOp op, Ymm v, Ymm spare) {
        asm.op(VPERM2I128, spare, v, v, 1);
        asm.op(op, v, v, spare);
        asm.op(VPSHUFD, spare, v, 0x4E);
        asm.op(op, v, v, spare);
        asm.op(VPSHUFD, spare, v, 0xB1);
        asm.op(op, v, v, spare);
    }

    private static void integers(Assembler asm, Ymm x, Ymm inverse, Ymm number) {
        asm.op(VMULPS, x, x, inverse);
        asm.op(VCMPPS_LANES, number, x, x, ORDERED);
        asm.op(VADDPS, x, x, narrow(MAGIC));
        asm.op(VPSUBD, x, x, narrow(MAGIC));
        asm.op(VPMINSD, x, x, narrow(HIGH));
        asm.op(VPMAXSD, x, x, narrow(LOW));
        asm.op(VPAND, x, x, number);
    }
}
