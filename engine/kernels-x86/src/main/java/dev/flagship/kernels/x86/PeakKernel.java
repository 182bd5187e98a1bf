package dev.flagship.kernels.x86;

import static dev.flagship.base.Check.check;
import static dev.flagship.kernels.x86.Gp.RCX;
import static dev.flagship.kernels.x86.Gp.RDI;
import static dev.flagship.kernels.x86.VectorOp.*;

import dev.flagship.tensor.PeakLoop.Kind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/**
 * A loop of the instructions that products are made of, on registers alone: sums that do not wait
 * for each other, each of which gains the product of the same two operands again and again. What
 * {@link ProductKernel} and {@link FloatKernel} do beside that, loading and scaling, is left out,
 * so that they cannot be faster.
 *
 * <p>A product of bytes is one {@code vpdpbusd} where there is one. Without it, a sum of two pairs
 * of 8-bit products may exceed 16 bits, so that each four products take {@code vpsignb}, {@code
 * vpmaddubsw}, {@code vpmaddwd} and {@code vpaddd}; the magnitudes of weights are made once a load
 * and do not count. Of 4-bit weights eight pairs fit into 16 bits: {@code vpmaddubsw} and {@code
 * vpaddw}, widened once per 32 products ({@link NarrowTile}).
 */
record PeakKernel(Isa isa, Kind kind) {
    // Bytes of the block of parameters. Each operand and each sum has room for the longest
    // register.
    static final int ROUNDS = 0;

    /** Two 1s of 16 bits. */
    private static final int ONES = 8;

    /**
     * Numbers of a type of which two, or 4 bytes, fill 32 bits; 4-bit ones in bytes of their own.
     */
    static final int WEIGHTS = 64;

    /** The same; never −128. */
    static final int ACTIVATIONS = 128;

    static final int SUMS = 192;
    static final int BYTES = SUMS + 64 * 24;

    private static final int REGISTER = 64;

    /** Products of 4-bit weights that are summed in 16 bits, in fours. */
    static final int QUADS = 8;

    /**
     * @param isa whose registers and products of bytes it has
     */
    PeakKernel {
        check(kind != Kind.BF16 || isa.wide(), "%s has no products of BF16", isa);
        check(kind != Kind.INT4 || !isa.vnni, "%s has no products of 4 bits", isa);
    }

    /** The limits that kernels for an instruction set have on a processor. */
    static List<PeakKernel> all(Isa isa, CpuFeatures features) {
        List<PeakKernel> all = new ArrayList<>();
        all.add(new PeakKernel(isa, Kind.FP32));
        if (isa.wide() && features.avx512Bf16()) {
            all.add(new PeakKernel(isa, Kind.BF16));
        }
        all.add(new PeakKernel(isa, Kind.INT8));
        if (!isa.vnni) {
            all.add(new PeakKernel(isa, Kind.INT4));
        }
        return all;
    }

    String instructions() {
        String names =
                switch (kind) {
                    case FP32 -> "vfmadd231ps";
                    case BF16 -> "vdpbf16ps";
                    case INT8 -> isa.vnni ? "vpdpbusd" : "vpsignb, vpmaddubsw, vpmaddwd and vpaddd";
                    case INT4 -> "vpmaddubsw and vpaddw";
                };
        return "%s, %d bits".formatted(names, 8 * isa.bytes());
    }

    /** Name for messages. */
    String symbol() {
        return "peak_%s_%s".formatted(kind.name().toLowerCase(java.util.Locale.ROOT), isa.symbol());
    }

    /**
     * Sums in registers. A fused multiply-add takes 4 cycles and more, two begin in one; a {@code
     * vdpbf16ps} takes longer. Where sums grow by additions, these are the only ones that wait.
     */
    int chains() {
        return switch (kind) {
            case FP32, BF16 -> isa.wide() ? 24 : 12;
            case INT8 -> isa.wide() ? 24 : isa.vnni ? 12 : 10;
            case INT4 -> 5;
        };
    }

    /** Multiplications and additions of a round. */
    long operations() {
        int products =
                switch (kind) {
                    case FP32 -> isa.bytes() / 4;
                    case BF16 -> isa.bytes() / 2;
                    case INT8 -> isa.bytes();
                    case INT4 -> isa.bytes() * QUADS;
                };
        return 2L * products * chains();
    }

    /** Writes what is no operand. */
    static void prepare(MemorySegment block, int rounds) {
        check(rounds > 0, "%s rounds of a loop; at least one is needed", rounds);
        block.set(ValueLayout.JAVA_LONG, ROUNDS, rounds);
        block.set(ValueLayout.JAVA_INT, ONES, 0x0001_0001);
    }

    byte[] assemble() {
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.mov(RCX, Mem.at(RDI, ROUNDS));
        asm.op(VMOVDQU, weights(), Mem.at(RDI, WEIGHTS));
        asm.op(VMOVDQU, activations(), Mem.at(RDI, ACTIVATIONS));
        if (!isa.vnni) {
            asm.op(VPABSB, magnitudes(), weights());
            asm.op(VPBROADCASTD, ones(), Mem.at(RDI, ONES));
        }
        for (int i = 0; i < chains(); i++) {
            asm.op(VMOVDQU, sum(i), Mem.at(RDI, SUMS + i * REGISTER));
        }
        Label round = new Label();
        asm.bind(round);
        round(asm);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, round);
        for (int i = 0; i < chains(); i++) {
            asm.store(VMOVDQU_STORE, Mem.at(RDI, SUMS + i * REGISTER), sum(i));
        }
        asm.vzeroupper();
        asm.ret();
        return asm.bytes();
    }

    private void round(Assembler asm) {
        switch (kind) {
            case FP32 -> each(asm, VFMADD231PS);
            case BF16 -> each(asm, VDPBF16PS);
            case INT8 -> {
                if (isa.vnni) {
                    each(asm, VPDPBUSD);
                } else {
                    signed(asm);
                }
            }
            case INT4 -> fourBits(asm);
        }
    }

    private void each(Assembler asm, VectorOp op) {
        for (int i = 0; i < chains(); i++) {
            asm.op(op, sum(i), weights(), activations());
        }
    }

    private void signed(Assembler asm) {
        for (int i = 0; i < chains(); i++) {
            asm.op(VPSIGNB, product(), activations(), weights());
            asm.op(VPMADDUBSW, product(), magnitudes(), product());
            asm.op(VPMADDWD, product(), product(), ones());
            asm.op(VPADDD, sum(i), sum(i), product());
        }
    }

    private void fourBits(Assembler asm) {
        for (int quad = 0; quad < QUADS; quad++) {
            for (int i = 0; i < chains(); i++) {
                if (quad == 0) {
                    asm.op(VPMADDUBSW, pairs(i), weights(), activations());
                } else {
                    asm.op(VPMADDUBSW, product(), weights(), activations());
                    asm.op(VPADDW, pairs(i), pairs(i), product());
                }
            }
        }
        for (int i = 0; i < chains(); i++) {
            asm.op(VPMADDWD, pairs(i), pairs(i), ones());
            asm.op(VPADDD, sum(i), sum(i), pairs(i));
        }
    }

    private Vec sum(int i) {
        return isa.register(i);
    }

    private Vec pairs(int i) {
        return isa.register(chains() + i);
    }

    private Vec last(int i) {
        return isa.register(isa.registers() - i);
    }

    private Vec weights() {
        return last(1);
    }

    private Vec activations() {
        return last(2);
    }

    private Vec magnitudes() {
        return last(3);
    }

    private Vec ones() {
        return last(4);
    }

    private Vec product() {
        return last(5);
    }
}
