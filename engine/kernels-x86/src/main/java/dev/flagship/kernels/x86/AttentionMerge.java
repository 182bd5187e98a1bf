package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.VectorOp.*;

/**
 * Merges what {@link AttentionKernel} leaves of each piece of some queries, pieces ascending, and
 * divides by the sum of weights, as {@link dev.flagship.tensor.ScalarKernels} does.
 */
final class AttentionMerge {
    // Slots of the parameters. Those of a query are its state after the first piece.
    static final int MAXIMA = 0;
    static final int SUMS = 1;
    static final int WEIGHTED = 2;

    /** Bytes from the state after one piece to that after the next. */
    static final int PIECE_STRIDE = 3;

    static final int PIECES = 4;
    static final int COUNT = 5;

    /** Bytes of a weighted sum, and of an output. */
    static final int QUERY_STRIDE = 6;

    static final int OUT = 7;

    /** {@link AttentionConstants} of the instruction set. */
    static final int CONSTANTS = 8;

    private static final ExpCode WIDE_EXP = new ExpCode(16);
    private static final NarrowExp NARROW_EXP = new NarrowExp(Mem.at(R15, AttentionConstants.EXP));
    private static final Gp[] KEPT = {RBX, R12, R13, R14, R15};

    private final Assembler asm = new Assembler();
    private final Isa isa;
    private final Vec max;
    private final Vec sum;

    private AttentionMerge(Isa isa) {
        this.isa = isa;
        max = isa.register(14);
        sum = isa.register(15);
    }

    /** Name for profilers and messages. */
    static String symbol(Isa isa) {
        return "attend_merge_" + isa.registersSymbol();
    }

    static byte[] assemble(Isa isa) {
        return new AttentionMerge(isa).emit();
    }

    private static Mem param(int slot) {
        return Mem.at(RDI, 8 * slot);
    }

    private byte[] emit() {
        Vec inverse = isa.register(0);
        Vec product = isa.register(1);
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        for (Gp register : KEPT) {
            asm.push(register);
        }
        asm.mov(R15, param(CONSTANTS));
        if (isa.wide()) {
            WIDE_EXP.load(asm, Mem.at(R15, AttentionConstants.EXP));
        }
        asm.mov(RSI, param(MAXIMA));
        asm.mov(RDX, param(SUMS));
        asm.mov(R8, param(WEIGHTED));
        asm.mov(R9, param(OUT));
        asm.mov(R10, param(QUERY_STRIDE));
        asm.mov(R11, param(PIECE_STRIDE));
        asm.mov(RCX, param(COUNT));
        Label query = new Label();
        Label piece = new Label();
        Label merged = new Label();
        asm.bind(query);
        asm.op(VBROADCASTSS, max, Mem.at(RSI));
        asm.op(VBROADCASTSS, sum, Mem.at(RDX));
        asm.mov(RAX, param(PIECES));
        asm.mov(R12, RSI);
        asm.mov(R13, RDX);
        asm.mov(R14, R8);
        asm.bind(piece);
        asm.sub(RAX, 1);
        asm.jcc(Condition.EQUAL, merged);
        asm.add(R12, R11);
        asm.add(R13, R11);
        asm.add(R14, R11);
        merge();
        asm.jmp(piece);
        asm.bind(merged);
        if (isa.wide()) {
            asm.op(VDIVPS, inverse, WIDE_EXP.one(), sum);
        } else {
            asm.op(VMOVUPS, inverse, NARROW_EXP.one());
            asm.op(VDIVPS, inverse, inverse, sum);
        }
        asm.xor(RBX, RBX);
        Label lines = new Label();
        asm.bind(lines);
        asm.op(VMULPS, product, inverse, Mem.at(R8, RBX, 1));
        asm.store(VMOVUPS_STORE, Mem.at(R9, RBX, 1), product);
        asm.add(RBX, isa.bytes());
        asm.cmp(RBX, R10);
        asm.jcc(Condition.NOT_EQUAL, lines);
        asm.add(RSI, 4);
        asm.add(RDX, 4);
        asm.add(R8, R10);
        asm.add(R9, R10);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, query);
        asm.vzeroupper();
        for (int i = KEPT.length - 1; i >= 0; i--) {
            asm.pop(KEPT[i]);
        }
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    /** The state at rsi, rdx and r8 takes in that at r12, r13 and r14. */
    private void merge() {
        Vec ours = isa.register(0);
        Vec theirs = isa.register(1);
        Vec spare = isa.register(8);
        Vec weighted = isa.register(9);
        asm.op(VBROADCASTSS, theirs, Mem.at(R12));
        asm.op(VMOVUPS, ours, max);
        asm.op(VMAXPS, max, ours, theirs);
        asm.op(VSUBPS, ours, ours, max);
        asm.op(VSUBPS, theirs, theirs, max);
        if (isa.wide()) {
            WIDE_EXP.exp(asm, 0, 2);
        } else {
            NARROW_EXP.exp(asm, 0, 2);
        }
        asm.op(VBROADCASTSS, spare, Mem.at(R13));
        asm.op(VMULPS, spare, theirs, spare);
        asm.op(VFMADD213PS, sum, ours, spare);
        asm.xor(RBX, RBX);
        Label lines = new Label();
        asm.bind(lines);
        asm.op(VMULPS, spare, theirs, Mem.at(R14, RBX, 1));
        asm.op(VMOVUPS, weighted, Mem.at(R8, RBX, 1));
        asm.op(VFMADD213PS, weighted, ours, spare);
        asm.store(VMOVUPS_STORE, Mem.at(R8, RBX, 1), weighted);
        asm.add(RBX, isa.bytes());
        asm.cmp(RBX, R10);
        asm.jcc(Condition.NOT_EQUAL, lines);
    }
}
