package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.CanonicalMath;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Blocks of 32 numbers that are rounded to int8. */
final class Int8Blocks {
    private Int8Blocks() {}

    /** Largest magnitude, as {@link CanonicalMath#maxMagnitudeBits} compares. */
    static float largest(float[] row, int from) {
        IntVector most = IntVector.zero(INTS);
        for (int k = from; k < from + BLOCK; k += LENGTH) {
            IntVector bits = FloatVector.fromArray(FLOATS, row, k).reinterpretAsInts();
            most = most.max(bits.and(0x7FFFFFFF));
        }
        return Float.intBitsToFloat(most.reduceLanes(VectorOperators.MAX));
    }

    /**
     * Rounds as {@link CanonicalMath#int8} does it, number by number.
     *
     * @param quants receives the numbers from {@code to} on
     * @return their sum
     */
    static int round(float[] row, int from, float inverse, int[] quants, int to) {
        IntVector sums = IntVector.zero(INTS);
        for (int k = 0; k < BLOCK; k += LENGTH) {
            FloatVector y = FloatVector.fromArray(FLOATS, row, from + k).mul(inverse);
            IntVector q =
                    y.add(CanonicalMath.ROUND_MAGIC)
                            .reinterpretAsInts()
                            .sub(CanonicalMath.ROUND_MAGIC_BITS)
                            .max(-CanonicalMath.INT8_MAX)
                            .min(CanonicalMath.INT8_MAX)
                            .blend(
                                    0,
                                    y.reinterpretAsInts()
                                            .and(0x7FFFFFFF)
                                            .compare(VectorOperators.GT, 0x7F800000));
            q.intoArray(quants, to + k);
            sums = sums.add(q);
        }
        return sums.reduceLanes(VectorOperators.ADD);
    }
}
