package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of quantised rows with one int8 row, streamed straight from memory. A group of up to
 * {@link #STREAMS} row vectors advances together, block by block: on the measured machine one
 * stream a thread reaches two thirds of what four do.
 *
 * <p>A byte is not shifted into place but masked where it stands, so its number arrives 2⁸ʲ too
 * large; the activation is 2⁸ʲ too small instead. Powers of two are exact, and it saves one
 * operation in four.
 *
 * <p>A block is a method of its own, for a loop over all streams is more code than C2 keeps
 * unboxed; the accumulators wait in an array.
 */
final class Gemv {
    /** Row vectors of a group: two panels. */
    static final int STREAMS = 4;

    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

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

    /** Where the numbers of a row vector begin; an absent one repeats the last. */
    private static long start(BandMatrix w, int vector) {
        int present = Math.min(vector, w.bands() * PER_BAND - 1);
        return present / PER_BAND * BandMatrix.bandBytes(w.type(), w.cols())
                + present % PER_BAND * (LENGTH * 4L);
    }

    /**
     * Rows of {@code count} vectors of Q8_0.
     *
     * @param count 2 or {@link #STREAMS}
     * @param act activations times {@link #prescale8}
     * @param scales sa per block
     * @param sums Σ a per block
     * @param planes the bands' planes of scales, widened by {@link #widenScales}
     * @param acc receives {@code LENGTH} numbers a vector
     */
    static void eightBit(
            BandMatrix w,
            int vector,
            int count,
            float[] act,
            float[] scales,
            float[] sums,
            float[] planes,
            float[] acc) {
        MemorySegment numbers = w.numbers();
        int blocks = w.cols() / BLOCK;
        long at0 = start(w, vector);
        long at1 = start(w, vector + 1);
        long at2 = start(w, vector + 2);
        long at3 = start(w, vector + 3);
        Arrays.fill(acc, 0, count * LENGTH, 0f);
        int plane = blocks * BAND;
        for (int block = 0; block < blocks; block++) {
            int s = block * BAND;
            eightBitBlock(
                    numbers,
                    at0,
                    at1,
                    block,
                    act,
                    scales,
                    sums,
                    planes,
                    s,
                    s + second(plane),
                    acc,
                    0);
            if (count == STREAMS) {
                s += third(plane);
                eightBitBlock(
                        numbers,
                        at2,
                        at3,
                        block,
                        act,
                        scales,
                        sums,
                        planes,
                        s,
                        s + second(plane),
                        acc,
                        PANEL_ROWS);
            }
        }
    }

    /** From a vector's scales to its neighbour's: in the same band, or in the next. */
    private static int second(int plane) {
        return PER_BAND == 1 ? plane : LENGTH;
    }

    /** From a group's first scales to those of its third vector. */
    private static int third(int plane) {
        return PER_BAND == 4 ? 2 * LENGTH : 2 / PER_BAND * plane;
    }

    /**
     * Widens the planes of scales of the bands that {@code count} vectors lie in, one after
     * another: {@code [band][block][16]}, for Q4_1 {@code [band][block][scales, minima][16]}. Done
     * before the products: in their loop, C2 may compile the widening first, not inline it and box
     * a vector per block. F16 denormals, which a shift and a product would send through the
     * processor's slow path, cost nothing here.
     */
    static void widenScales(BandMatrix w, int vector, int count, short[] halves, float[] planes) {
        int plane = Math.toIntExact(BandMatrix.bandScaleBytes(w.type(), w.cols()) / 2);
        int first = vector / PER_BAND;
        int last = Math.min((vector + count - 1) / PER_BAND, w.bands() - 1);
        int halvesCount = (last - first + 1) * plane;
        MemorySegment.copy(w.scales(), F16, first * (plane * 2L), halves, 0, halvesCount);
        widen(halves, planes, halvesCount);
    }

    private static void widen(short[] halves, float[] floats, int count) {
        for (int i = 0; i < count; i++) {
            floats[i] = Float.float16ToFloat(halves[i]);
        }
    }

    private static void eightBitBlock(
            MemorySegment numbers,
            long at0,
            long at1,
            int block,
            float[] act,
            float[] scales,
            float[] sums,
            float[] planes,
            int scaleAt0,
            int scaleAt1,
            float[] acc,
            int accAt) {
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
        FloatVector s0 = FloatVector.fromArray(FLOATS, planes, scaleAt0);
        FloatVector s1 = FloatVector.fromArray(FLOATS, planes, scaleAt1);
        FloatVector dot0 = i0.add(i1).add(i2.add(i3)).sub(correction);
        FloatVector dot1 = j0.add(j1).add(j2.add(j3)).sub(correction);
        dot0.fma(s0.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt))
                .intoArray(acc, accAt);
        dot1.fma(s1.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt + LENGTH))
                .intoArray(acc, accAt + LENGTH);
    }

    /**
     * Rows of {@code count} vectors of Q4_0 or Q4_1. Parameters as {@link #eightBit}, act times
     * {@link #prescale4}.
     */
    static void fourBit(
            BandMatrix w,
            int vector,
            int count,
            float[] act,
            float[] scales,
            float[] sums,
            float[] planes,
            float[] acc) {
        MemorySegment numbers = w.numbers();
        int blocks = w.cols() / BLOCK;
        boolean min = w.type() == DType.Q4_1;
        float bias = min ? 0f : 8f;
        int width = min ? 2 * BAND : BAND;
        int plane = blocks * width;
        Arrays.fill(acc, 0, count * LENGTH, 0f);
        for (int block = 0; block < blocks; block++) {
            for (int i = 0; i < count; i++) {
                long at = start(w, vector + i);
                int s = i / PER_BAND * plane + block * width + i % PER_BAND * LENGTH;
                fourBitBlock(
                        numbers, at, block, act, scales, sums, bias, planes, s, acc, i * LENGTH);
                if (min) {
                    addMinimum(planes, s + BAND, scales[block] * sums[block], acc, i * LENGTH);
                }
            }
        }
    }

    private static void addMinimum(float[] planes, int at, float sum, float[] acc, int accAt) {
        FloatVector.fromArray(FLOATS, planes, at)
                .fma(FloatVector.broadcast(FLOATS, sum), FloatVector.fromArray(FLOATS, acc, accAt))
                .intoArray(acc, accAt);
    }

    private static void fourBitBlock(
            MemorySegment numbers,
            long start,
            int block,
            float[] act,
            float[] scales,
            float[] sums,
            float bias,
            float[] planes,
            int scaleAt,
            float[] acc,
            int accAt) {
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
        FloatVector dot = i0.add(i1).add(i2.add(i3)).sub(bias * sums[block]);
        FloatVector s = FloatVector.fromArray(FLOATS, planes, scaleAt);
        dot.fma(s.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt))
                .intoArray(acc, accAt);
    }

    private static FloatVector floats(IntVector v) {
        return (FloatVector) v.convert(VectorOperators.I2F, 0);
    }
}
