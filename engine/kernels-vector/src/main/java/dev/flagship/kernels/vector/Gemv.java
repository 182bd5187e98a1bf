package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PAIRS;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Products of quantised rows with one int8 row, streamed straight from memory. A group of up to
 * {@link #STREAMS} row vectors advances together, block by block: on the measured machine one
 * stream a thread reaches two thirds of what four do.
 *
 * <p>The Vector API has no int8 dot product, so a block is summed in 16-bit halves of a row's lane,
 * modulo 2¹⁶, where the sum that counts fits in 16 bits. A half of n holds several numbers, and
 * modulo 2¹⁶ they need no masks: with n = b₀ + 2⁸·b₁ and n ≫ 8 = b₁, a₀·n + (a₁ − 2⁸·a₀)·(n ≫ 8) is
 * a₀·b₀ + a₁·b₁. The factors of the shifts are made once per row, by {@link #pack8} and {@link
 * #pack4}.
 *
 * <p>A block is a method of its own, for a loop over all streams is more code than C2 keeps
 * unboxed; the accumulators wait in an array.
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
     * @param act the row, by {@link #pack8}
     * @param scales sa per block
     * @param planes the bands' planes of scales, widened by {@link #widenScales}
     * @param acc receives {@code LENGTH} numbers a vector
     */
    static void eightBit(
            BandMatrix w,
            int vector,
            int count,
            int[] act,
            float[] scales,
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
                    numbers, at0, at1, block, act, scales, planes, s, s + second(plane), acc, 0);
            if (count == STREAMS) {
                s += third(plane);
                eightBitBlock(
                        numbers,
                        at2,
                        at3,
                        block,
                        act,
                        scales,
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
            int[] act,
            float[] scales,
            float[] planes,
            int scaleAt0,
            int scaleAt1,
            float[] acc,
            int accAt) {
        IntVector i = IntVector.zero(INTS); // Σ lane
        IntVector iHigh = i; // Σ high half
        IntVector j = i;
        IntVector jHigh = i;
        for (int line = 0; line < LINES_8; line++) {
            long at = block * 512L + line * 64L;
            ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at0 + at, ORDER);
            ShortVector m = ShortVector.fromMemorySegment(PAIRS, numbers, at1 + at, ORDER);
            int a = (block * LINES_8 + line) * FACTORS_8;
            ShortVector f0 = factor(act[a]);
            ShortVector f1 = factor(act[a + 1]);
            ShortVector constant = factor(act[a + 2]);
            IntVector p = product(n, f0, f1, constant);
            i = i.add(p);
            iHigh = iHigh.add(p.lanewise(VectorOperators.ASHR, 16));
            IntVector q = product(m, f0, f1, constant);
            j = j.add(q);
            jHigh = jHigh.add(q.lanewise(VectorOperators.ASHR, 16));
        }
        FloatVector dot0 = floats(fold(i, iHigh));
        FloatVector dot1 = floats(fold(j, jHigh));
        FloatVector s0 = FloatVector.fromArray(FLOATS, planes, scaleAt0);
        FloatVector s1 = FloatVector.fromArray(FLOATS, planes, scaleAt1);
        dot0.fma(s0.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt))
                .intoArray(acc, accAt);
        dot1.fma(s1.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt + LENGTH))
                .intoArray(acc, accAt + LENGTH);
    }

    private static ShortVector factor(int halves) {
        return IntVector.broadcast(INTS, halves).reinterpretAsShorts();
    }

    /** Sum of a line's products in each half, the low one lifted. */
    private static IntVector product(
            ShortVector n, ShortVector f0, ShortVector f1, ShortVector constant) {
        return n.mul(f0)
                .add(n.lanewise(VectorOperators.LSHR, 8).mul(f1))
                .add(constant)
                .reinterpretAsInts();
    }

    /** Low halves' sum, which is the lanes' less the high halves' in their place, plus the high. */
    private static IntVector fold(IntVector lanes, IntVector high) {
        return lanes.sub(high.lanewise(VectorOperators.LSHL, 16)).add(high).sub(LINES_8 * LIFT);
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
            int[] act,
            float[] scales,
            float[] sums,
            float bias,
            float[] planes,
            int scaleAt,
            float[] acc,
            int accAt) {
        ShortVector sum = ShortVector.zero(PAIRS);
        for (int line = 0; line < LINES_4; line++) {
            long at = start + block * 256L + line * 64L;
            ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at, ORDER);
            int a = (block * LINES_4 + line) * FACTORS_4;
            ShortVector even =
                    n.mul(factor(act[a]))
                            .add(n.lanewise(VectorOperators.LSHR, 4).mul(factor(act[a + 1])));
            ShortVector odd =
                    n.lanewise(VectorOperators.LSHR, 8)
                            .mul(factor(act[a + 2]))
                            .add(n.lanewise(VectorOperators.LSHR, 12).mul(factor(act[a + 3])));
            sum = sum.add(even.add(odd));
        }
        IntVector lanes = sum.reinterpretAsInts();
        IntVector low = lanes.lanewise(VectorOperators.LSHL, 16).lanewise(VectorOperators.ASHR, 16);
        FloatVector dot =
                floats(lanes.lanewise(VectorOperators.ASHR, 16).add(low)).sub(bias * sums[block]);
        FloatVector s = FloatVector.fromArray(FLOATS, planes, scaleAt);
        dot.fma(s.mul(scales[block]), FloatVector.fromArray(FLOATS, acc, accAt))
                .intoArray(acc, accAt);
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
                int s = (i / PER_BAND * groups + group) * BAND + i % PER_BAND * LENGTH;
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
        ShortVector sum = factor(act[a + FACTORS_6 - 1]);
        for (int line = 0; line < 2; line++) {
            ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at + line * 64L, ORDER);
            int f = a + line * FACTORS_4;
            ShortVector even =
                    n.mul(factor(act[f]))
                            .add(n.lanewise(VectorOperators.LSHR, 4).mul(factor(act[f + 1])));
            ShortVector odd =
                    n.lanewise(VectorOperators.LSHR, 8)
                            .mul(factor(act[f + 2]))
                            .add(n.lanewise(VectorOperators.LSHR, 12).mul(factor(act[f + 3])));
            sum = sum.add(even.add(odd));
        }
        ShortVector n = ShortVector.fromMemorySegment(PAIRS, numbers, at + 128, ORDER);
        for (int i = 0; i < 8; i++) {
            ShortVector bits = n.lanewise(VectorOperators.LSHR, 2L * i);
            sum = sum.add(bits.mul(factor(act[a + 2 * FACTORS_4 + i])));
        }
        IntVector lanes = sum.reinterpretAsInts();
        IntVector low = lanes.lanewise(VectorOperators.LSHL, 16).lanewise(VectorOperators.ASHR, 16);
        FloatVector dot = floats(lanes.lanewise(VectorOperators.ASHR, 16).add(low));
        FloatVector s = FloatVector.fromArray(FLOATS, planes, scaleAt);
        dot.fma(s.mul(scale), FloatVector.fromArray(FLOATS, acc, accAt)).intoArray(acc, accAt);
    }

    private static FloatVector floats(IntVector v) {
        return (FloatVector) v.convert(VectorOperators.I2F, 0);
    }
}
