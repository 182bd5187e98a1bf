package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The loops of {@link MachineLimits} and {@link MultiplyAdds}, apart from them since only these
 * link to the incubator module.
 */
final class PeakLoops {
    /** Multiply-adds in flight: latency 4 at two a cycle needs 8; some processors need more. */
    private static final int CHAINS = 12;

    /** A loop over ints may drop its bounds checks, and a slice of this size costs nothing. */
    private static final int SLICE = 1 << 20;

    private PeakLoops() {}

    static int read(MemorySegment piece) {
        long whole = piece.byteSize() / 64 * 64;
        int sum = 0;
        for (long at = 0; at < whole; at += SLICE) {
            int bytes = (int) Math.min(SLICE, whole - at);
            sum ^= readSlice(piece.asSlice(at, bytes), bytes);
        }
        return sum;
    }

    /** Four streams at once: one reaches two thirds of what they do on the measured machines. */
    private static int readSlice(MemorySegment slice, int bytes) {
        IntVector s0 = IntVector.zero(INTS);
        IntVector s1 = s0;
        IntVector s2 = s0;
        IntVector s3 = s0;
        int vector = LENGTH * 4;
        int quarter = bytes / 4 / vector * vector;
        for (int at = 0; at < quarter; at += vector) {
            s0 = s0.lanewise(VectorOperators.XOR, load(slice, at));
            s1 = s1.lanewise(VectorOperators.XOR, load(slice, at + quarter));
            s2 = s2.lanewise(VectorOperators.XOR, load(slice, at + 2 * quarter));
            s3 = s3.lanewise(VectorOperators.XOR, load(slice, at + 3 * quarter));
        }
        for (int at = 4 * quarter; at < bytes; at += vector) {
            s0 = s0.lanewise(VectorOperators.XOR, load(slice, at));
        }
        return s0.lanewise(VectorOperators.XOR, s1)
                .lanewise(VectorOperators.XOR, s2.lanewise(VectorOperators.XOR, s3))
                .reduceLanes(VectorOperators.XOR);
    }

    private static IntVector load(MemorySegment slice, int at) {
        return IntVector.fromMemorySegment(INTS, slice, at, ORDER);
    }

    static float multiplyAdd(int rounds) {
        // x ← x·m + c tends to 1: no number is ever denormal or infinite.
        FloatVector m = FloatVector.broadcast(FLOATS, 0.75f);
        FloatVector c = FloatVector.broadcast(FLOATS, 0.25f);
        FloatVector x0 = FloatVector.broadcast(FLOATS, 0.01f);
        FloatVector x1 = FloatVector.broadcast(FLOATS, 0.02f);
        FloatVector x2 = FloatVector.broadcast(FLOATS, 0.03f);
        FloatVector x3 = FloatVector.broadcast(FLOATS, 0.04f);
        FloatVector x4 = FloatVector.broadcast(FLOATS, 0.05f);
        FloatVector x5 = FloatVector.broadcast(FLOATS, 0.06f);
        FloatVector x6 = FloatVector.broadcast(FLOATS, 0.07f);
        FloatVector x7 = FloatVector.broadcast(FLOATS, 0.08f);
        FloatVector x8 = FloatVector.broadcast(FLOATS, 0.09f);
        FloatVector x9 = FloatVector.broadcast(FLOATS, 0.10f);
        FloatVector x10 = FloatVector.broadcast(FLOATS, 0.11f);
        FloatVector x11 = FloatVector.broadcast(FLOATS, 0.12f);
        for (int i = 0; i < rounds; i++) {
            x0 = x0.fma(m, c);
            x1 = x1.fma(m, c);
            x2 = x2.fma(m, c);
            x3 = x3.fma(m, c);
            x4 = x4.fma(m, c);
            x5 = x5.fma(m, c);
            x6 = x6.fma(m, c);
            x7 = x7.fma(m, c);
            x8 = x8.fma(m, c);
            x9 = x9.fma(m, c);
            x10 = x10.fma(m, c);
            x11 = x11.fma(m, c);
        }
        return x0.add(x1)
                .add(x2.add(x3))
                .add(x4.add(x5).add(x6.add(x7)))
                .add(x8.add(x9).add(x10.add(x11)))
                .reduceLanes(VectorOperators.ADD);
    }

    static long operationsPerRound() {
        return 2L * CHAINS * LENGTH;
    }
}
