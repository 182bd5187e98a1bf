package dev.flagship.kernels.x86;

import static dev.flagship.kernels.x86.Gp.*;
import static dev.flagship.kernels.x86.Vec.zmm;
import static dev.flagship.kernels.x86.VectorOp.*;

/**
 * Merges what {@link AttentionKernel} leaves of each piece of some queries, pieces ascending, and
 * divides by the sum of weights, as {@link dev.flagship.tensor.ScalarKernels} does.
 */
final class AttentionMerge {
    static final String SYMBOL = "attend_merge_avx512";

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

    /** {@link ExpCode}'s constants. */
    static final int CONSTANTS = 8;

    private static final int LINE = 64;
    private static final ExpCode EXP = new ExpCode(16);

    private AttentionMerge() {}

    private static Mem param(int slot) {
        return Mem.at(RDI, 8 * slot);
    }

    static byte[] assemble() {
        Gp[] kept = {RBX, R12, R13, R14};
        Zmm max = zmm(29);
        Zmm sum = zmm(30);
        Zmm inverse = zmm(0);
        Assembler asm = new Assembler();
        asm.endbr64();
        asm.push(RBP);
        asm.mov(RBP, RSP);
        for (Gp register : kept) {
            asm.push(register);
        }
        asm.mov(RAX, param(CONSTANTS));
        EXP.load(asm, Mem.at(RAX));
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
        merge(asm, max, sum);
        asm.jmp(piece);
        asm.bind(merged);
        asm.op(VDIVPS, inverse, EXP.one(), sum);
        asm.xor(RBX, RBX);
        Label lines = new Label();
        asm.bind(lines);
        asm.op(VMULPS, zmm(1), inverse, Mem.at(R8, RBX, 1));
        asm.store(VMOVUPS_STORE, Mem.at(R9, RBX, 1), zmm(1));
        asm.add(RBX, LINE);
        asm.cmp(RBX, R10);
        asm.jcc(Condition.NOT_EQUAL, lines);
        asm.add(RSI, 4);
        asm.add(RDX, 4);
        asm.add(R8, R10);
        asm.add(R9, R10);
        asm.sub(RCX, 1);
        asm.jcc(Condition.NOT_EQUAL, query);
        asm.vzeroupper();
        for (int i = kept.length - 1; i >= 0; i--) {
            asm.pop(kept[i]);
        }
        asm.pop(RBP);
        asm.ret();
        return asm.bytes();
    }

    /** The state at rsi, rdx and r8 takes in that at r12, r13 and r14. */
    private static void merge(Assembler asm, Zmm max, Zmm sum) {
        Zmm ours = zmm(0);
        Zmm theirs = zmm(1);
        Zmm spare = zmm(8);
        asm.op(VBROADCASTSS, theirs, Mem.at(R12));
        asm.op(VMOVUPS, ours, max);
        asm.op(VMAXPS, max, ours, theirs);
        asm.op(VSUBPS, ours, ours, max);
        asm.op(VSUBPS, theirs, theirs, max);
        EXP.exp(asm, 0, 2);
        asm.op(VMULPS, spare, theirs, Mem.at(R13).broadcasting());
        asm.op(VFMADD213PS, sum, ours, spare);
        asm.xor(RBX, RBX);
        Label lines = new Label();
        asm.bind(lines);
        asm.op(VMULPS, spare, theirs, Mem.at(R14, RBX, 1));
        asm.op(VMOVUPS, zmm(9), Mem.at(R8, RBX, 1));
        asm.op(VFMADD213PS, zmm(9), ours, spare);
        asm.store(VMOVUPS_STORE, Mem.at(R8, RBX, 1), zmm(9));
        asm.add(RBX, LINE);
        asm.cmp(RBX, R10);
        asm.jcc(Condition.NOT_EQUAL, lines);
    }
}
