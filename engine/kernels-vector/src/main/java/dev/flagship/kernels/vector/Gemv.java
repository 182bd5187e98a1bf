package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PAIRS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;
import static jdk.incubator.vector.VectorOperators.ASHR;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;

/**
 * Products of quantised rows with one int8 row, streamed straight from memory. A group of up to
 * {@link #STREAMS} row vectors advances together, so that a loaded activation serves all of them,
 * and memory has more than one stream to run ahead on.
 *
 * <p>The Vector API has no int8 dot product, so a block is summed in 16-bit halves of a row's lane,
 * modulo 2¹⁶, where the sum that counts fits in 16 bits. A half of n holds several numbers, and
 * modulo 2¹⁶ they need no masks: with n = b₀ + 2⁸·b₁ and n ≫ 8 = b₁, a₀·n + (a₁ − 2⁸·a₀)·(n ≫ 8) is
 * a₀·b₀ + a₁·b₁. The factors of the shifts are made once per row, by {@link #pack8} and {@link
 * #pack4}.
 *
 * <p>Where vectors are computed the JDK's own methods are called alone, and the loops over 8 and 4
 * bits are written out stream by stream: C2 stops inlining other methods when a loop has grown
 * large, and then boxes a vector at each call.
 */
final class Gemv {
    /** Row vectors of a group: two panels. */
    static final int STREAMS = 4;

    /** Ints per line of 4 columns: factors of n and n ≫ 8, and a constant. */
    static final int FACTORS_8 = 3;

    /** Ints per line of 8 columns: factors of n, n ≫ 4, n ≫ 8 and n ≫ 12. */
    static final int FACTORS_4 = 4;

    /**
     * Ints per 16 columns of 6 bits: factors of two lines of nibbles and of n, n ≫ 2 … n ≫ 14 of
     * the line of bit pairs, and a constant.
     */
    static final int FACTORS_6 = 17;

    private static final int GROUP_6 = 16;

    /** Makes a low half positive, so that adding a lane carries nothing into its high half. */
    private static final int LIFT = 1 << 15;

    private static final int LINES_8 = BLOCK / 4;
    private static final int LINES_4 = BLOCK / 8;

    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private Gemv() {}

    /** Whether there is such a product; other types meet a single row in panels. */
    static boolean multiplies(DType type) {
        return switch (type) {
            case Q8_0, Q4_0, Q4_1, Q4_K, Q6_K -> true;
            default -> false;
        };
    }

    /**
     * Factors for 8-bit lines, of which a byte is the number + 128: the constant takes the 128
     * away. A half's sum is at most 2·128·127 &lt; 2¹⁵.
     *
     * @param a int8 numbers, |a| ≤ 127
     */
    static void pack8(int[] a, int cols, int[] factors) {
        for (int k = 0, at = 0; k < cols; k += 4, at += FACTORS_8) {
            int a0 = a[k];
            int a1 = a[k + 1];
            int a2 = a[k + 2];
            int a3 = a[k + 3];
            factors[at] = halves(a0, a2);
            factors[at + 1] = halves(a1 - (a0 << 8), a3 - (a2 << 8));
            factors[at + 2] = halves(LIFT - 128 * (a0 + a1), -128 * (a2 + a3));
        }
    }

    /**
     * Factors for 4-bit lines. A half's sum over a whole block is at most 16·15·127 &lt; 2¹⁵.
     *
     * @param a int8 numbers, |a| ≤ 127
     */
    static void pack4(int[] a, int cols, int[] factors) {
        for (int k = 0, at = 0; k < cols; k += 8, at += FACTORS_4) {
            packNibbles(a, k, factors, at);
        }
    }

    private static void packNibbles(int[] a, int k, int[] factors, int at) {
        int l0 = a[k]; // low nibble of byte 0
        int l1 = a[k + 1];
        int l2 = a[k + 2];
        int l3 = a[k + 3];
        int h0 = a[k + 4]; // high nibble of byte 0
        int h1 = a[k + 5];
        int h2 = a[k + 6];
        int h3 = a[k + 7];
        factors[at] = halves(l0, l2);
        factors[at + 1] = halves(h0 - (l0 << 4), h2 - (l2 << 4));
        factors[at + 2] = halves(l1 - (h0 << 4), l3 - (h2 << 4));
        factors[at + 3] = halves(h1 - (l1 << 4), h3 - (l3 << 4));
    }

    /**
     * Factors for groups of 6-bit numbers, of which the stored bits are the number + 32: the
     * constant takes the 32 away. A half's sum over a group is at most 8·32·127 &lt; 2¹⁵.
     *
     * @param a int8 numbers, |a| ≤ 127
     */
    static void pack6(int[] a, int cols, int[] factors) {
        for (int k = 0, at = 0; k < cols; k += GROUP_6, at += FACTORS_6) {
            packNibbles(a, k, factors, at);
            packNibbles(a, k + 8, factors, at + FACTORS_4);
            int lowSum = 0;
            int highSum = 0;
            int lowBefore = 0;
            int highBefore = 0;
            for (int i = 0; i < 8; i++) {
                int low = a[k + i % 4 * 4 + i / 4]; // bits 2i of bytes 0 and 1
                int high = a[k + i % 4 * 4 + i / 4 + 2]; // of bytes 2 and 3
                factors[at + 2 * FACTORS_4 + i] =
                        halves((low - (lowBefore << 2)) << 4, (high - (highBefore << 2)) << 4);
                lowSum += low;
                highSum += high;
                lowBefore = low;
                highBefore = high;
            }
            factors[at + FACTORS_6 - 1] = halves(-32 * lowSum, -32 * highSum);
        }
    }

    private static int halves(int low, int high) {
        return low & 0xFFFF | high << 16;
    }

    /** Where the numbers of a row vector begin. */
    private static long start(BandMatrix w, int vector) {
        return vector / PER_BAND * BandMatrix.bandBytes(w.type(), w.cols())
                + vector % PER_BAND * (LENGTH * 4L);
    }

    /** Where the scales of a group's row vector begin in planes of so many numbers a band. */
    private static int plane(int vector, int size) {
        return vector / PER_BAND * size + vector % PER_BAND * LENGTH;
    }

    /**
     * Rows of {@code count} vectors of Q8_0, line by line.
     *
     * @param count 1 to {@link #STREAMS}; streams beyond it repeat the numbers of the last, and
     *     their sums mean nothing
     * @param act the row, by {@link #pack8}
     * @param scales sa per block
     * @param planes the bands' planes of scales, by {@link #widen}
     * @param next receives the scales of the next group, a bit with each block: a pass of its own
     *     would leave the streams idle
     * @param nextAt where those begin, or -1
     * @param acc receives {@code LENGTH} numbers a vector
     */
    static void eightBit(
            BandMatrix w,
            int vector,
            int count,
            int[] act,
            float[] scales,
            float[] planes,
            short[] next,
            long nextAt,
            float[] acc) {
        MemorySegment numbers = w.numbers();
        MemorySegment nextScales = w.scales();
        int blocks = w.cols() / BLOCK;
        long at0 = start(w, vector);
        long at1 = start(w, vector + Math.min(1, count - 1));
        long at2 = start(w, vector + Math.min(2, count - 1));
        long at3 = start(w, vector + Math.min(3, count - 1));
        int s1 = plane(1, blocks * BAND);
        int s2 = plane(2, blocks * BAND);
        int s3 = plane(3, blocks * BAND);
        FloatVector acc0 = FloatVector.zero(FLOATS);
        FloatVector acc1 = FloatVector.zero(FLOATS);
        FloatVector acc2 = FloatVector.zero(FLOATS);
        FloatVector acc3 = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            if (nextAt >= 0) {
                long from = nextAt + block * (STREAMS * (LENGTH * 2L));
                int to = block * (STREAMS * LENGTH);
                ShortVector.fromMemorySegment(PAIRS, nextScales, from, ORDER).intoArray(next, to);
                ShortVector.fromMemorySegment(PAIRS, nextScales, from + LENGTH * 4L, ORDER)
                        .intoArray(next, to + 2 * LENGTH);
            }
            IntVector zero = IntVector.zero(INTS);
            IntVector lanes0 = zero;
            IntVector lanes1 = zero;
            IntVector lanes2 = zero;
            IntVector lanes3 = zero;
            IntVector high0 = zero;
            IntVector high1 = zero;
            IntVector high2 = zero;
            IntVector high3 = zero;
            for (int line = 0; line < LINES_8; line++) {
                long at = block * 512L + line * 64L;
                int a = (block * LINES_8 + line) * FACTORS_8;
                ShortVector f0 = IntVector.broadcast(INTS, act[a]).reinterpretAsShorts();
                ShortVector f1 = IntVector.broadcast(INTS, act[a + 1]).reinterpretAsShorts();
                ShortVector lift = IntVector.broadcast(INTS, act[a + 2]).reinterpretAsShorts();
                ShortVector n0 = ShortVector.fromMemorySegment(PAIRS, numbers, at0 + at, ORDER);
                ShortVector p0 = n0.mul(f0).add(n0.lanewise(LSHR, 8).mul(f1)).add(lift);
                IntVector pair0 = p0.reinterpretAsInts();
                lanes0 = lanes0.add(pair0);
                high0 = high0.add(pair0.lanewise(ASHR, 16));
                ShortVector n1 = ShortVector.fromMemorySegment(PAIRS, numbers, at1 + at, ORDER);
                ShortVector p1 = n1.mul(f0).add(n1.lanewise(LSHR, 8).mul(f1)).add(lift);
                IntVector pair1 = p1.reinterpretAsInts();
                lanes1 = lanes1.add(pair1);
                high1 = high1.add(pair1.lanewise(ASHR, 16));
                ShortVector n2 = ShortVector.fromMemorySegment(PAIRS, numbers, at2 + at, ORDER);
                ShortVector p2 = n2.mul(f0).add(n2.lanewise(LSHR, 8).mul(f1)).add(lift);
                IntVector pair2 = p2.reinterpretAsInts();
                lanes2 = lanes2.add(pair2);
                high2 = high2.add(pair2.lanewise(ASHR, 16));
                ShortVector n3 = ShortVector.fromMemorySegment(PAIRS, numbers, at3 + at, ORDER);
                ShortVector p3 = n3.mul(f0).add(n3.lanewise(LSHR, 8).mul(f1)).add(lift);
                IntVector pair3 = p3.reinterpretAsInts();
                lanes3 = lanes3.add(pair3);
                high3 = high3.add(pair3.lanewise(ASHR, 16));
            }
            // The low halves' sum is the lanes' less the high halves' in their place.
            float sa = scales[block];
            int s = block * BAND;
            IntVector low0 = lanes0.sub(high0.lanewise(LSHL, 16));
            IntVector int0 = low0.add(high0).sub(LINES_8 * LIFT);
            FloatVector dot0 = (FloatVector) int0.convert(I2F, 0);
            FloatVector scale0 = FloatVector.fromArray(FLOATS, planes, s).mul(sa);
            acc0 = dot0.fma(scale0, acc0);
            IntVector low1 = lanes1.sub(high1.lanewise(LSHL, 16));
            IntVector int1 = low1.add(high1).sub(LINES_8 * LIFT);
            FloatVector dot1 = (FloatVector) int1.convert(I2F, 0);
            FloatVector scale1 = FloatVector.fromArray(FLOATS, planes, s + s1).mul(sa);
            acc1 = dot1.fma(scale1, acc1);
            IntVector low2 = lanes2.sub(high2.lanewise(LSHL, 16));
            IntVector int2 = low2.add(high2).sub(LINES_8 * LIFT);
            FloatVector dot2 = (FloatVector) int2.convert(I2F, 0);
            FloatVector scale2 = FloatVector.fromArray(FLOATS, planes, s + s2).mul(sa);
            acc2 = dot2.fma(scale2, acc2);
            IntVector low3 = lanes3.sub(high3.lanewise(LSHL, 16));
            IntVector int3 = low3.add(high3).sub(LINES_8 * LIFT);
            FloatVector dot3 = (FloatVector) int3.convert(I2F, 0);
            FloatVector scale3 = FloatVector.fromArray(FLOATS, planes, s + s3).mul(sa);
            acc3 = dot3.fma(scale3, acc3);
        }
        acc0.intoArray(acc, 0);
        acc1.intoArray(acc, LENGTH);
        acc2.intoArray(acc, 2 * LENGTH);
        acc3.intoArray(acc, 3 * LENGTH);
    }

    /** Where the scales of a row vector's band begin. */
    static long scalesAt(BandMatrix w, int vector) {
        return vector / PER_BAND * BandMatrix.bandScaleBytes(w.type(), w.cols());
    }

    /**
     * Reads the planes of scales of the bands that {@code count} vectors lie in, one after another:
     * {@code [band][block][16]}, for Q4_1 {@code [band][block][scales, minima][16]}.
     */
    static void readScales(BandMatrix w, int vector, int count, short[] halves) {
        long from = scalesAt(w, vector);
        long to = scalesAt(w, vector + count - 1 + PER_BAND);
        MemorySegment.copy(w.scales(), F16, from, halves, 0, (int) (to - from) / 2);
    }

    /**
     * Widens planes of scales. Done before the products: in their loop, C2 may compile the widening
     * first, not inline it and box a vector per block. F16 denormals, which a shift and a product
     * would send through the processor's slow path, cost nothing here.
     */
    static void widen(short[] halves, float[] floats, int count) {
        for (int i = 0; i < count; i++) {
            floats[i] = Float.float16ToFloat(halves[i]);
        }
    }

    /**
     * Rows of {@code count} vectors of Q4_0, Q4_1 or Q4_K. Parameters as {@link #eightBit}.
     *
     * @param act the row, by {@link #pack4}
     * @param sums Σ a per block
     */
    static void fourBit(
            BandMatrix w,
            int vector,
            int count,
            int[] act,
            float[] scales,
            float[] sums,
            float[] planes,
            float[] acc) {
        MemorySegment numbers = w.numbers();
        int blocks = w.cols() / BLOCK;
        boolean min = w.type().hasMinimum();
        float bias = min ? 0f : 8f;
        int width = min ? 2 * BAND : BAND;
        long at0 = start(w, vector);
        long at1 = start(w, vector + Math.min(1, count - 1));
        long at2 = start(w, vector + Math.min(2, count - 1));
        long at3 = start(w, vector + Math.min(3, count - 1));
        int s1 = plane(1, blocks * width);
        int s2 = plane(2, blocks * width);
        int s3 = plane(3, blocks * width);
        FloatVector acc0 = FloatVector.zero(FLOATS);
        FloatVector acc1 = FloatVector.zero(FLOATS);
        FloatVector acc2 = FloatVector.zero(FLOATS);
        FloatVector acc3 = FloatVector.zero(FLOATS);
        for (int block = 0; block < blocks; block++) {
            ShortVector sum0 = ShortVector.zero(PAIRS);
            ShortVector sum1 = ShortVector.zero(PAIRS);
            ShortVector sum2 = ShortVector.zero(PAIRS);
            ShortVector sum3 = ShortVector.zero(PAIRS);
            for (int line = 0; line < LINES_4; line++) {
                long at = block * 256L + line * 64L;
                int a = (block * LINES_4 + line) * FACTORS_4;
                ShortVector f0 = IntVector.broadcast(INTS, act[a]).reinterpretAsShorts();
                ShortVector f1 = IntVector.broadcast(INTS, act[a + 1]).reinterpretAsShorts();
                ShortVector f2 = IntVector.broadcast(INTS, act[a + 2]).reinterpretAsShorts();
                ShortVector f3 = IntVector.broadcast(INTS, act[a + 3]).reinterpretAsShorts();
                ShortVector n0 = ShortVector.fromMemorySegment(PAIRS, numbers, at0 + at, ORDER);
                sum0 = sum0.add(n0.mul(f0));
                sum0 = sum0.add(n0.lanewise(LSHR, 4).mul(f1));
                sum0 = sum0.add(n0.lanewise(LSHR, 8).mul(f2));
                sum0 = sum0.add(n0.lanewise(LSHR, 12).mul(f3));
                ShortVector n1 = ShortVector.fromMemorySegment(PAIRS, numbers, at1 + at, ORDER);
                sum1 = sum1.add(n1.mul(f0));
                sum1 = sum1.add(n1.lanewise(LSHR, 4).mul(f1));
                sum1 = sum1.add(n1.lanewise(LSHR, 8).mul(f2));
                sum1 = sum1.add(n1.lanewise(LSHR, 12).mul(f3));
                ShortVector n2 = ShortVector.fromMemorySegment(PAIRS, numbers, at2 + at, ORDER);
                sum2 = sum2.add(n2.mul(f0));
                sum2 = sum2.add(n2.lanewise(LSHR, 4).mul(f1));
                sum2 = sum2.add(n2.lanewise(LSHR, 8).mul(f2));
                sum2 = sum2.add(n2.lanewise(LSHR, 12).mul(f3));
                ShortVector n3 = ShortVector.fromMemorySegment(PAIRS, numbers, at3 + at, ORDER);
                sum3 = sum3.add(n3.mul(f0));
                sum3 = sum3.add(n3.lanewise(LSHR, 4).mul(f1));
                sum3 = sum3.add(n3.lanewise(LSHR, 8).mul(f2));
                sum3 = sum3.add(n3.lanewise(LSHR, 12).mul(f3));
            }
            float sa = scales[block];
            float offset = bias * sums[block];
            int s = block * width;
            IntVector lanes0 = sum0.reinterpretAsInts();
            IntVector low0 = lanes0.lanewise(LSHL, 16).lanewise(ASHR, 16);
            IntVector int0 = lanes0.lanewise(ASHR, 16).add(low0);
            FloatVector dot0 = ((FloatVector) int0.convert(I2F, 0)).sub(offset);
            FloatVector scale0 = FloatVector.fromArray(FLOATS, planes, s).mul(sa);
            acc0 = dot0.fma(scale0, acc0);
            IntVector lanes1 = sum1.reinterpretAsInts();
            IntVector low1 = lanes1.lanewise(LSHL, 16).lanewise(ASHR, 16);
            IntVector int1 = lanes1.lanewise(ASHR, 16).add(low1);
            FloatVector dot1 = ((FloatVector) int1.convert(I2F, 0)).sub(offset);
            FloatVector scale1 = FloatVector.fromArray(FLOATS, planes, s + s1).mul(sa);
            acc1 = dot1.fma(scale1, acc1);
            IntVector lanes2 = sum2.reinterpretAsInts();
            IntVector low2 = lanes2.lanewise(LSHL, 16).lanewise(ASHR, 16);
            IntVector int2 = lanes2.lanewise(ASHR, 16).add(low2);
            FloatVector dot2 = ((FloatVector) int2.convert(I2F, 0)).sub(offset);
            FloatVector scale2 = FloatVector.fromArray(FLOATS, planes, s + s2).mul(sa);
            acc2 = dot2.fma(scale2, acc2);
            IntVector lanes3 = sum3.reinterpretAsInts();
            IntVector low3 = lanes3.lanewise(LSHL, 16).lanewise(ASHR, 16);
            IntVector int3 = lanes3.lanewise(ASHR, 16).add(low3);
            FloatVector dot3 = ((FloatVector) int3.convert(I2F, 0)).sub(offset);
            FloatVector scale3 = FloatVector.fromArray(FLOATS, planes, s + s3).mul(sa);
            acc3 = dot3.fma(scale3, acc3);
            if (min) {
                FloatVector sum = FloatVector.broadcast(FLOATS, sa * sums[block]);
                int m = s + BAND;
                acc0 = FloatVector.fromArray(FLOATS, planes, m).fma(sum, acc0);
                acc1 = FloatVector.fromArray(FLOATS, planes, m + s1).fma(sum, acc1);
                acc2 = FloatVector.fromArray(FLOATS, planes, m + s2).fma(sum, acc2);
                acc3 = FloatVector.fromArray(FLOATS, planes, m + s3).fma(sum, acc3);
            }
        }
        acc0.intoArray(acc, 0);
        acc1.intoArray(acc, LENGTH);
        acc2.intoArray(acc, 2 * LENGTH);
        acc3.intoArray(acc, 3 * LENGTH);
    }

    /**
     * Rows of {@code count} vectors of Q6_K. Parameters as {@link #eightBit}.
     *
     * @param act the row, by {@link #pack6}
     */
    static void sixBit(
            BandMatrix w,
            int vector,
            int count,
            int[] act,
            float[] scales,
            float[] planes,
            float[] acc) {
        MemorySegment numbers = w.numbers();
        int groups = w.cols() / GROUP_6;
        Arrays.fill(acc, 0, count * LENGTH, 0f);
        for (int group = 0; group < groups; group++) {
            for (int i = 0; i < count; i++) {
                long at = start(w, vector + i) + (long) group * BandMatrix.GROUP_BYTES_6;
                int s = plane(i, groups * BAND) + group * BAND;
                sixBitGroup(
                        numbers,
                        at,
                        act,
                        group * FACTORS_6,
                        scales[group / 2],
                        planes,
                        s,
                        acc,
                        i * LENGTH);
            }
        }
    }

    private static void sixBitGroup(
            MemorySegment numbers,
            long at,
            int[] act,
            int a,
            float scale,
            float[] planes,
            int scaleAt,
            float[] acc,
            int accAt) {
        ShortVector sum = IntVector.broadcast(INTS, act[a + FACTORS_6 - 1]).reinterpretAsShorts();
        for (int line = 0; line < 2; line++) {
            ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at + line * 64L, ORDER);
            int f = a + line * FACTORS_4;
            ShortVector even =
                    n.mul(IntVector.broadcast(INTS, act[f]).reinterpretAsShorts())
                            .add(
                                    n.lanewise(LSHR, 4)
                                            .mul(
                                                    IntVector.broadcast(INTS, act[f + 1])
                                                            .reinterpretAsShorts()));
            ShortVector odd =
                    n.lanewise(LSHR, 8)
                            .mul(IntVector.broadcast(INTS, act[f + 2]).reinterpretAsShorts())
                            .add(
                                    n.lanewise(LSHR, 12)
                                            .mul(
                                                    IntVector.broadcast(INTS, act[f + 3])
                                                            .reinterpretAsShorts()));
            sum = sum.add(even.add(odd));
        }
        ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at + 128, ORDER);
        for (int i = 0; i < 8; i++) {
            ShortVector bits = n.lanewise(LSHR, 2L * i);
            sum =
                    sum.add(
                            bits.mul(
                                    IntVector.broadcast(INTS, act[a + 2 * FACTORS_4 + i])
                                            .reinterpretAsShorts()));
        }
        IntVector lanes = sum.reinterpretAsInts();
        IntVector low = lanes.lanewise(LSHL, 16).lanewise(ASHR, 16);
        FloatVector dot = (FloatVector) lanes.lanewise(ASHR, 16).add(low).convert(I2F, 0);
        FloatVector s = FloatVector.fromArray(FLOATS, planes, scaleAt);
        dot.fma(s.mul(scale), FloatVector.fromArray(FLOATS, acc, accAt)).intoArray(acc, accAt);
    }
}
