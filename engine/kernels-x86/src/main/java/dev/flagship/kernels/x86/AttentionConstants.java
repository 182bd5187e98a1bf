package dev.flagship.kernels.x86;

import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** What the code of {@link AttentionKernel} and {@link AttentionMerge} reads and never writes. */
final class AttentionConstants {
    /** Those of exp: {@link NarrowExp}'s or {@link ExpCode}'s. */
    static final int EXP = 0;

    /** Eight ints of ones, eight of zeros: a mask of n lanes begins n ints before the zeros. */
    static final int LANES = Math.ceilDiv(Math.max(NarrowExp.BYTES, ExpCode.BYTES), 64) * 64;

    /** The first zero of {@link #LANES}. */
    static final int NO_LANES = LANES + 32;

    /** 0, 1, 2 … as F32, a number for each position of a piece. */
    static final int POSITIONS = LANES + 64;

    private AttentionConstants() {}

    static OffHeap of(Isa isa) {
        OffHeap memory = OffHeap.allocate(POSITIONS + 4L * ScalarKernels.PIECE);
        MemorySegment to = memory.segment();
        if (isa.wide()) {
            ExpCode.store(to, EXP);
        } else {
            NarrowExp.store(to, EXP);
        }
        for (int i = 0; i < 16; i++) {
            to.set(ValueLayout.JAVA_INT, LANES + 4L * i, i < 8 ? -1 : 0);
        }
        for (int i = 0; i < ScalarKernels.PIECE; i++) {
            to.set(ValueLayout.JAVA_FLOAT, POSITIONS + 4L * i, i);
        }
        return memory;
    }
}
