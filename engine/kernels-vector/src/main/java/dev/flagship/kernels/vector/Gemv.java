package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of quantised rows with one int8 row, streamed straight from memory in address order. The
 * unit is that of a panel: two vectors of rows.
 *
 * <p>A byte is not shifted into place but masked where it stands, so its number arrives 2⁸ʲ too
 * large; the activation is 2⁸ʲ too small instead. Powers of two are exact, and it saves one
 * operation in four.
 *
 * <p>Scales are widened before, by {@link Panels}: done in the loop, C2 may compile the widening
 * first, not inline it and box a vector per block.
 */
final class Gemv {
    private Gemv() {}

    /** Factor for the activation of column k of an 8-bit line. */
    static float prescale8(int k) {
        // The last byte needs no mask when it is shifted down, which also keeps it positive.
        return k % 4 == 3 ? 1f : 1f / (1 << (8 * (k % 4)));
    }

    /** Factor for the activation of column k of a 4-bit line. */
    static float prescale4(int k) {
        int shift = k % 4 * 8 + (k % 8 < 4 ? 0 : 4);
        return shift == 28 ? 1f : 1f / (1 << shift);
    }

    /** Where the numbers of a row vector begin. */
    private static long start(BandMatrix w, int vector) {
        int present = Math.min(vector, w.bands() * PER_BAND - 1);
        return present / PER_BAND * BandMatrix.bandBytes(w.type(), w.cols())
                + present % PER_BAND * (LENGTH * 4L);
    }

    /**
     * Rows of the vectors {@code vector} and {@code vector + 1} of Q8_0. Both streams at once, for
     * two keep more of memory busy than one; where the second is absent the first is done twice.
     *
     * @param act activations times {@link #prescale8}
     * @param scales sa per block
     * @param sums Σ a per block
     * @param weightScales sw, {@code [block][PANEL_ROWS]}
     * @param out receives {@code PANEL_ROWS} numbers
     */
    static void eightBit(
            BandMatrix w,
            int vector,
            float[] act,
            float[] scales,
            float[] sums,
            float[] weightScales,
            float[] out) {
        MemorySegment numbers = w.numbers();
        long at0 = start(w, vector);
        long at1 = start(w, vector + 1);
        FloatVector acc0 = FloatVector.zero(FLOATS);
        FloatVector acc1 = acc0;
        for (int block = 0; block < w.cols() / BLOCK; block++) {
            FloatVector i0 = FloatVector.zero(FLOATS);
            FloatVector i1 = i0;
            FloatVector i2 = i0;
            FloatVector i3 = i0;
            FloatVector j0 = i0;
            FloatVector j1 = i0;
            FloatVector j2 = i0;
            FloatVector j3 = i0;
            for (int line = 0; line < 8; line++) {
                long at = block * 512L + line * 64L;
                IntVector n = IntVector.fromMemorySegment(INTS, numbers, at0 + at, ORDER);
                IntVector m = IntVector.fromMemorySegment(INTS, numbers, at1 + at, ORDER);
                int a = block * BLOCK + line * 4;
                FloatVector x = FloatVector.broadcast(FLOATS, act[a]);
                i0 = floats(n.and(0xFF)).fma(x, i0);
                j0 = floats(m.and(0xFF)).fma(x, j0);
                x = FloatVector.broadcast(FLOATS, act[a + 1]);
                i1 = floats(n.and(0xFF00)).fma(x, i1);
                j1 = floats(m.and(0xFF00)).fma(x, j1);
                x = FloatVector.broadcast(FLOATS, act[a + 2]);
                i2 = floats(n.and(0xFF0000)).fma(x, i2);
                j2 = floats(m.and(0xFF0000)).fma(x, j2);
                x = FloatVector.broadcast(FLOATS, act[a + 3]);
                i3 = floats(n.lanewise(VectorOperators.LSHR, 24)).fma(x, i3);
                j3 = floats(m.lanewise(VectorOperators.LSHR, 24)).fma(x, j3);
            }
            float correction = 128f * sums[block];
            FloatVector s0 = FloatVector.fromArray(FLOATS, weightScales, block * PANEL_ROWS);
            FloatVector s1 =
                    FloatVector.fromArray(FLOATS, weightScales, block * PANEL_ROWS + LENGTH);
            FloatVector dot0 = i0.add(i1).add(i2.add(i3)).sub(correction);
            FloatVector dot1 = j0.add(j1).add(j2.add(j3)).sub(correction);
            acc0 = dot0.fma(s0.mul(scales[block]), acc0);
            acc1 = dot1.fma(s1.mul(scales[block]), acc1);
        }
        acc0.intoArray(out, 0);
        acc1.intoArray(out, LENGTH);
    }

    /**
     * Rows of the vectors {@code vector} and {@code vector + 1} of Q4_0 or Q4_1, one after the
     * other: twice the code in one loop is more than C2 takes. Parameters as {@link #eightBit}, act
     * times {@link #prescale4}.
     *
     * @param minima m, laid out as weightScales; read for Q4_1 only
     */
    static void fourBit(
            BandMatrix w,
            int vector,
            float[] act,
            float[] scales,
            float[] sums,
            float[] weightScales,
            float[] minima,
            float[] out) {
        for (int i = 0; i < 2; i++) {
            long start = start(w, vector + i);
            if (w.type() == DType.Q4_1) {
                fourBitMin(w, start, act, scales, sums, weightScales, minima, i * LENGTH, out);
            } else {
                fourBitPlain(w, start, act, scales, sums, weightScales, i * LENGTH, out);
            }
        }
    }

    private static void fourBitPlain(
            BandMatrix w,
            long start,
            float[] act,
            float[] scales,
            float[] sums,
            float[] weightScales,
            int lane,
            float[] out) {
        MemorySegment numbers = w.numbers();
        FloatVector acc = FloatVector.zero(FLOATS);
        for (int block = 0; block < w.cols() / BLOCK; block++) {
            FloatVector i0 = FloatVector.zero(FLOATS);
            FloatVector i1 = i0;
            FloatVector i2 = i0;
            FloatVector i3 = i0;
            for (int line = 0; line < 4; line++) {
                long at = start + block * 256L + line * 64L;
                IntVector n = IntVector.fromMemorySegment(INTS, numbers, at, ORDER);
                int a = block * BLOCK + line * 8;
                i0 = floats(n.and(0xF)).fma(FloatVector.broadcast(FLOATS, act[a]), i0);
                i1 = floats(n.and(0xF00)).fma(FloatVector.broadcast(FLOATS, act[a + 1]), i1);
                i2 = floats(n.and(0xF0000)).fma(FloatVector.broadcast(FLOATS, act[a + 2]), i2);
                i3 = floats(n.and(0xF000000)).fma(FloatVector.broadcast(FLOATS, act[a + 3]), i3);
                i0 = floats(n.and(0xF0)).fma(FloatVector.broadcast(FLOATS, act[a + 4]), i0);
                i1 = floats(n.and(0xF000)).fma(FloatVector.broadcast(FLOATS, act[a + 5]), i1);
                i2 = floats(n.and(0xF00000)).fma(FloatVector.broadcast(FLOATS, act[a + 6]), i2);
                i3 =
                        floats(n.lanewise(VectorOperators.LSHR, 28))
                                .fma(FloatVector.broadcast(FLOATS, act[a + 7]), i3);
            }
            FloatVector dot = i0.add(i1).add(i2.add(i3)).sub(8f * sums[block]);
            FloatVector s = FloatVector.fromArray(FLOATS, weightScales, block * PANEL_ROWS + lane);
            acc = dot.fma(s.mul(scales[block]), acc);
        }
        acc.intoArray(out, lane);
    }

    private static void fourBitMin(
            BandMatrix w,
            long start,
            float[] act,
            float[] scales,
            float[] sums,
            float[] weightScales,
            float[] minima,
            int lane,
            float[] out) {
        MemorySegment numbers = w.numbers();
        FloatVector acc = FloatVector.zero(FLOATS);
        for (int block = 0; block < w.cols() / BLOCK; block++) {
            FloatVector i0 = FloatVector.zero(FLOATS);
            FloatVector i1 = i0;
            FloatVector i2 = i0;
            FloatVector i3 = i0;
            for (int line = 0; line < 4; line++) {
                long at = start + block * 256L + line * 64L;
                IntVector n = IntVector.fromMemorySegment(INTS, numbers, at, ORDER);
                int a = block * BLOCK + line * 8;
                i0 = floats(n.and(0xF)).fma(FloatVector.broadcast(FLOATS, act[a]), i0);
                i1 = floats(n.and(0xF00)).fma(FloatVector.broadcast(FLOATS, act[a + 1]), i1);
                i2 = floats(n.and(0xF0000)).fma(FloatVector.broadcast(FLOATS, act[a + 2]), i2);
                i3 = floats(n.and(0xF000000)).fma(FloatVector.broadcast(FLOATS, act[a + 3]), i3);
                i0 = floats(n.and(0xF0)).fma(FloatVector.broadcast(FLOATS, act[a + 4]), i0);
                i1 = floats(n.and(0xF000)).fma(FloatVector.broadcast(FLOATS, act[a + 5]), i1);
                i2 = floats(n.and(0xF00000)).fma(FloatVector.broadcast(FLOATS, act[a + 6]), i2);
                i3 =
                        floats(n.lanewise(VectorOperators.LSHR, 28))
                                .fma(FloatVector.broadcast(FLOATS, act[a + 7]), i3);
            }
            FloatVector dot = i0.add(i1).add(i2.add(i3));
            FloatVector s = FloatVector.fromArray(FLOATS, weightScales, block * PANEL_ROWS + lane);
            FloatVector m = FloatVector.fromArray(FLOATS, minima, block * PANEL_ROWS + lane);
            acc = dot.fma(s.mul(scales[block]), acc);
            acc = m.fma(FloatVector.broadcast(FLOATS, scales[block] * sums[block]), acc);
        }
        acc.intoArray(out, lane);
    }

    private static FloatVector floats(IntVector v) {
        return (FloatVector) v.convert(VectorOperators.I2F, 0);
    }
}
