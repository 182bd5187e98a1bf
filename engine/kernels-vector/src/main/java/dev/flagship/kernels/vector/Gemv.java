package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.kernels.vector.Lanes.SHORTS;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of quantised bands with one int8 row, streamed straight from memory in address order.
 *
 * <p>A byte is not shifted into place but masked where it stands, so its number arrives 2⁸ʲ too
 * large; the activation is 2⁸ʲ too small instead. Powers of two are exact, and it saves one
 * operation in four.
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

    /**
     * Bands [from, to) of Q8_0.
     *
     * @param act activations times {@link #prescale8}
     * @param scales sa per block
     * @param sums Σ a per block
     * @param out receives a number per row of the bands
     */
    static void eightBit(
            BandMatrix w,
            int from,
            int to,
            float[] act,
            float[] scales,
            float[] sums,
            float[] out) {
        int blocks = w.cols() / BLOCK;
        for (int band = from; band < to; band++) {
            for (int v = 0; v < PER_BAND; v++) {
                eightBitVector(
                        w,
                        band,
                        v,
                        blocks,
                        act,
                        scales,
                        sums,
                        out,
                        (band - from) * 16 + v * LENGTH);
            }
        }
    }

    private static void eightBitVector(
            BandMatrix w,
            int band,
            int v,
            int blocks,
            float[] act,
            float[] scales,
            float[] sums,
            float[] out,
            int outAt) {
        MemorySegment numbers = w.numbers().asSlice(band * (blocks * 512L), blocks * 512L);
        MemorySegment planes = w.scales().asSlice(band * (blocks * 32L), blocks * 32L);
        FloatVector acc = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            FloatVector i0 = FloatVector.zero(FLOATS);
            FloatVector i1 = i0;
            FloatVector i2 = i0;
            FloatVector i3 = i0;
            long at = block * 512L + v * (LENGTH * 4L);
            int k = block * BLOCK;
            for (int line = 0; line < 8; line++) {
                IntVector n = IntVector.fromMemorySegment(INTS, numbers, at + line * 64L, ORDER);
                int a = k + line * 4;
                i0 = floats(n.and(0xFF)).fma(FloatVector.broadcast(FLOATS, act[a]), i0);
                i1 = floats(n.and(0xFF00)).fma(FloatVector.broadcast(FLOATS, act[a + 1]), i1);
                i2 = floats(n.and(0xFF0000)).fma(FloatVector.broadcast(FLOATS, act[a + 2]), i2);
                i3 =
                        floats(n.lanewise(VectorOperators.LSHR, 24))
                                .fma(FloatVector.broadcast(FLOATS, act[a + 3]), i3);
            }
            FloatVector dot = i0.add(i1).add(i2.add(i3)).sub(128f * sums[block]);
            FloatVector scale = halves(planes, block * 32L + v * (LENGTH * 2L));
            acc = dot.fma(scale.mul(scales[block]), acc);
        }
        acc.intoArray(out, outAt);
    }

    /**
     * Bands [from, to) of Q4_0 or Q4_1; parameters as {@link #eightBit}, act times {@link
     * #prescale4}.
     */
    static void fourBit(
            BandMatrix w,
            int from,
            int to,
            float[] act,
            float[] scales,
            float[] sums,
            float[] out) {
        int blocks = w.cols() / BLOCK;
        for (int band = from; band < to; band++) {
            for (int v = 0; v < PER_BAND; v++) {
                int outAt = (band - from) * 16 + v * LENGTH;
                if (w.type() == DType.Q4_1) {
                    fourBitVector(w, band, v, blocks, 0f, act, scales, sums, out, outAt, true);
                } else {
                    fourBitVector(w, band, v, blocks, 8f, act, scales, sums, out, outAt, false);
                }
            }
        }
    }

    private static void fourBitVector(
            BandMatrix w,
            int band,
            int v,
            int blocks,
            float bias,
            float[] act,
            float[] scales,
            float[] sums,
            float[] out,
            int outAt,
            boolean min) {
        long stride = min ? 64 : 32;
        MemorySegment numbers = w.numbers().asSlice(band * (blocks * 256L), blocks * 256L);
        MemorySegment planes = w.scales().asSlice(band * (blocks * stride), blocks * stride);
        FloatVector acc = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            FloatVector i0 = FloatVector.zero(FLOATS);
            FloatVector i1 = i0;
            FloatVector i2 = i0;
            FloatVector i3 = i0;
            long at = block * 256L + v * (LENGTH * 4L);
            int k = block * BLOCK;
            for (int line = 0; line < 4; line++) {
                IntVector n = IntVector.fromMemorySegment(INTS, numbers, at + line * 64L, ORDER);
                int a = k + line * 8;
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
            FloatVector dot = i0.add(i1).add(i2.add(i3)).sub(bias * sums[block]);
            FloatVector scale = halves(planes, block * stride + v * (LENGTH * 2L));
            acc = dot.fma(scale.mul(scales[block]), acc);
            if (min) {
                FloatVector m = halves(planes, block * stride + 32 + v * (LENGTH * 2L));
                acc = m.fma(FloatVector.broadcast(FLOATS, scales[block] * sums[block]), acc);
            }
        }
        acc.intoArray(out, outAt);
    }

    private static FloatVector floats(IntVector v) {
        return (FloatVector) v.convert(VectorOperators.I2F, 0);
    }

    private static FloatVector halves(MemorySegment memory, long offset) {
        return ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, memory, offset, ORDER)
                                .convertShape(VectorOperators.S2I, INTS, 0))
                .lanewise(VectorOperators.LSHL, 13)
                .and(Panels.HALF_BITS)
                .reinterpretAsFloats()
                .mul(Panels.HALF_REBIAS);
    }
}
