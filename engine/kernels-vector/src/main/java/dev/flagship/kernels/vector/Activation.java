package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.CanonicalMath.LANES;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** GELU, ReLU and softmax of a row; tails are computed by the scalar definitions. */
final class Activation {
    private static final int SIGN = 0x80000000;

    private Activation() {}

    /** A row of out = max(0, x). */
    static void relu(Tensor x, Tensor out, int row) {
        int size = x.rowSize();
        int vectors = size - size % LENGTH;
        long base = (long) row * size * 4;
        for (int i = 0; i < vectors; i += LENGTH) {
            FloatVector a = FloatVector.fromMemorySegment(FLOATS, x.data(), base + i * 4L, ORDER);
            // Where 0 is not larger the number stays, NaN and −0 too.
            a.blend(0f, a.compare(VectorOperators.LT, 0f))
                    .intoMemorySegment(out.data(), base + i * 4L, ORDER);
        }
        for (int i = vectors; i < size; i++) {
            out.set(row, i, CanonicalMath.relu(x.get(row, i)));
        }
    }

    /** A row of out = x·Φ(x), in strips of {@code strip.length} numbers. */
    static void gelu(Tensor x, Tensor out, int row, float[] strip) {
        int size = x.rowSize();
        int vectors = size - size % LENGTH;
        long base = (long) row * size * 4;
        for (int from = 0; from < vectors; from += strip.length) {
            int count = Math.min(strip.length, vectors - from);
            logOfComplement(x.data(), base + from * 4L, count, strip);
            Pointwise.exp(strip, count);
            gelu(x.data(), out.data(), base + from * 4L, count, strip);
        }
        for (int i = vectors; i < size; i++) {
            out.set(row, i, CanonicalMath.gelu(x.get(row, i)));
        }
    }

    /** strip = ln(1 − erf |x·√½|), which holds from {@code ERF_SPLIT} on. */
    private static void logOfComplement(MemorySegment x, long base, int count, float[] strip) {
        for (int i = 0; i < count; i += LENGTH) {
            FloatVector y =
                    FloatVector.fromMemorySegment(FLOATS, x, base + i * 4L, ORDER)
                            .mul(CanonicalMath.SQRT_HALF);
            FloatVector a = y.abs();
            a =
                    a.blend(
                            CanonicalMath.ERF_END,
                            a.compare(VectorOperators.GT, CanonicalMath.ERF_END));
            FloatVector q =
                    a.fma(
                            FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_6),
                            FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_5));
            q = q.fma(a, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_4));
            q = q.fma(a, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_3));
            q = q.fma(a, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_2));
            q = q.fma(a, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_1));
            q = q.fma(a, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_HIGH_0));
            q.intoArray(strip, i);
        }
    }

    /** out = x/2 + x/2·erf(x·√½) where the strip holds 1 − erf |x·√½| for large x. */
    private static void gelu(
            MemorySegment x, MemorySegment out, long base, int count, float[] strip) {
        for (int i = 0; i < count; i += LENGTH) {
            FloatVector value = FloatVector.fromMemorySegment(FLOATS, x, base + i * 4L, ORDER);
            FloatVector y = value.mul(CanonicalMath.SQRT_HALF);
            FloatVector s = y.mul(y);
            FloatVector p =
                    s.fma(
                            FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_5),
                            FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_4));
            p = p.fma(s, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_3));
            p = p.fma(s, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_2));
            p = p.fma(s, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_1));
            p = p.fma(s, FloatVector.broadcast(FLOATS, CanonicalMath.ERF_LOW_0));
            FloatVector small = p.fma(y, y);
            IntVector sign = y.reinterpretAsInts().and(IntVector.broadcast(INTS, SIGN));
            FloatVector complement = FloatVector.fromArray(FLOATS, strip, i);
            FloatVector large =
                    FloatVector.broadcast(FLOATS, 1f)
                            .sub(complement)
                            .reinterpretAsInts()
                            .or(sign)
                            .reinterpretAsFloats();
            VectorMask<Float> isSmall =
                    y.abs().compare(VectorOperators.LT, CanonicalMath.ERF_SPLIT);
            FloatVector half = value.mul(0.5f);
            large.blend(small, isSmall)
                    .fma(half, half)
                    .intoMemorySegment(out, base + i * 4L, ORDER);
        }
    }

    /** A row of out = exp(x − max) / Σ exp(x − max), in strips of a multiple of 16 numbers. */
    static void softmax(Tensor x, Tensor out, int row, float[] partial, float[] strip) {
        int size = x.rowSize();
        long base = (long) row * size * 4;
        float max = max(x, row, partial);
        Arrays.fill(partial, 0f);
        int whole = size - size % LANES;
        for (int from = 0; from < whole; from += strip.length) {
            int count = Math.min(strip.length, whole - from);
            for (int i = 0; i < count; i += LENGTH) {
                FloatVector.fromMemorySegment(FLOATS, x.data(), base + (from + i) * 4L, ORDER)
                        .sub(max)
                        .intoArray(strip, i);
            }
            Pointwise.exp(strip, count);
            for (int v = 0; v < PER_BAND; v++) {
                FloatVector sum = FloatVector.fromArray(FLOATS, partial, v * LENGTH);
                for (int i = v * LENGTH; i < count; i += LANES) {
                    FloatVector e = FloatVector.fromArray(FLOATS, strip, i);
                    sum = sum.add(e);
                    e.intoMemorySegment(out.data(), base + (from + i) * 4L, ORDER);
                }
                sum.intoArray(partial, v * LENGTH);
            }
        }
        for (int i = whole; i < size; i++) {
            float e = CanonicalMath.exp(x.get(row, i) - max);
            partial[i - whole] = partial[i - whole] + e;
            out.set(row, i, e);
        }
        float inverse = 1f / CanonicalMath.treeSum(partial);
        for (int i = 0; i < whole; i += LENGTH) {
            FloatVector.fromMemorySegment(FLOATS, out.data(), base + i * 4L, ORDER)
                    .mul(inverse)
                    .intoMemorySegment(out.data(), base + i * 4L, ORDER);
        }
        for (int i = whole; i < size; i++) {
            out.set(row, i, out.get(row, i) * inverse);
        }
    }

    private static float max(Tensor x, int row, float[] partial) {
        int size = x.rowSize();
        int whole = size - size % LANES;
        long base = (long) row * size * 4;
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector max = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
            for (int i = v * LENGTH; i < whole; i += LANES) {
                FloatVector a =
                        FloatVector.fromMemorySegment(FLOATS, x.data(), base + i * 4L, ORDER);
                max = a.blend(max, max.compare(VectorOperators.GT, a));
            }
            max.intoArray(partial, v * LENGTH);
        }
        for (int i = whole; i < size; i++) {
            partial[i - whole] = CanonicalMath.max(partial[i - whole], x.get(row, i));
        }
        return CanonicalMath.treeMax(partial);
    }
}
