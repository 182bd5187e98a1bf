package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.CanonicalMath.LANES;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/** Norms, rotations and element-wise operations; tails are computed by the scalar definitions. */
final class Pointwise {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private Pointwise() {}

    /** e^x of every number in [0, count) of a, in place. count is a multiple of {@code LENGTH}. */
    static void exp(float[] a, int count) {
        for (int i = 0; i < count; i += LENGTH) {
            FloatVector x = FloatVector.fromArray(FLOATS, a, i);
            x =
                    x.blend(
                            CanonicalMath.EXP_LOW,
                            x.compare(VectorOperators.LT, CanonicalMath.EXP_LOW));
            x =
                    x.blend(
                            CanonicalMath.EXP_HIGH,
                            x.compare(VectorOperators.GT, CanonicalMath.EXP_HIGH));
            FloatVector t =
                    x.fma(
                            FloatVector.broadcast(FLOATS, CanonicalMath.LOG2_E),
                            FloatVector.broadcast(FLOATS, CanonicalMath.ROUND_MAGIC));
            FloatVector n = t.sub(CanonicalMath.ROUND_MAGIC).neg();
            FloatVector r = n.fma(FloatVector.broadcast(FLOATS, CanonicalMath.LN2_HIGH), x);
            r = n.fma(FloatVector.broadcast(FLOATS, CanonicalMath.LN2_LOW), r);
            FloatVector p =
                    r.fma(
                            FloatVector.broadcast(FLOATS, CanonicalMath.EXP_5),
                            FloatVector.broadcast(FLOATS, CanonicalMath.EXP_4));
            p = p.fma(r, FloatVector.broadcast(FLOATS, CanonicalMath.EXP_3));
            p = p.fma(r, FloatVector.broadcast(FLOATS, CanonicalMath.EXP_2));
            p = p.fma(r, FloatVector.broadcast(FLOATS, CanonicalMath.EXP_1));
            p = p.fma(r, FloatVector.broadcast(FLOATS, CanonicalMath.EXP_0));
            FloatVector e = p.fma(r.mul(r), r).add(1f);
            IntVector power =
                    t.reinterpretAsInts()
                            .lanewise(VectorOperators.LSHL, 23)
                            .add(CanonicalMath.ONE_BITS);
            e.mul(power.reinterpretAsFloats()).intoArray(a, i);
        }
    }

    /** Row {@code row} of out = x · inverseRms(x) · weight. */
    static void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out, int row, float[] partial) {
        int size = x.rowSize();
        int whole = size - size % LANES;
        long base = (long) row * size * 4;
        MemorySegment in = x.data();
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int i = v * LENGTH; i < whole; i += LANES) {
                FloatVector a = FloatVector.fromMemorySegment(FLOATS, in, base + i * 4L, ORDER);
                sum = a.fma(a, sum);
            }
            sum.intoArray(partial, v * LENGTH);
        }
        for (int i = whole; i < size; i++) {
            float a = x.get(row, i);
            partial[i - whole] = Math.fma(a, a, partial[i - whole]);
        }
        float inverse = CanonicalMath.inverseRms(CanonicalMath.treeSum(partial), size, eps);
        int vectors = size - size % LENGTH;
        for (int i = 0; i < vectors; i += LENGTH) {
            FloatVector a = FloatVector.fromMemorySegment(FLOATS, in, base + i * 4L, ORDER);
            FloatVector w = FloatVector.fromMemorySegment(FLOATS, weight.data(), i * 4L, ORDER);
            a.mul(inverse).mul(w).intoMemorySegment(out.data(), base + i * 4L, ORDER);
        }
        for (int i = vectors; i < size; i++) {
            out.set(row, i, x.get(row, i) * inverse * weight.get(0, i));
        }
    }

    static void layerNorm(
            Tensor x, Tensor weight, Tensor bias, float eps, Tensor out, int row, float[] partial) {
        int size = x.rowSize();
        int whole = size - size % LANES;
        long base = (long) row * size * 4;
        MemorySegment in = x.data();
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int i = v * LENGTH; i < whole; i += LANES) {
                sum = sum.add(FloatVector.fromMemorySegment(FLOATS, in, base + i * 4L, ORDER));
            }
            sum.intoArray(partial, v * LENGTH);
        }
        for (int i = whole; i < size; i++) {
            partial[i - whole] += x.get(row, i);
        }
        float mean = CanonicalMath.treeSum(partial) / size;
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int i = v * LENGTH; i < whole; i += LANES) {
                FloatVector a = FloatVector.fromMemorySegment(FLOATS, in, base + i * 4L, ORDER);
                FloatVector d = a.sub(mean);
                sum = d.fma(d, sum);
            }
            sum.intoArray(partial, v * LENGTH);
        }
        for (int i = whole; i < size; i++) {
            float d = x.get(row, i) - mean;
            partial[i - whole] = Math.fma(d, d, partial[i - whole]);
        }
        float inverse = CanonicalMath.inverseRms(CanonicalMath.treeSum(partial), size, eps);
        int vectors = size - size % LENGTH;
        for (int i = 0; i < vectors; i += LENGTH) {
            FloatVector a = FloatVector.fromMemorySegment(FLOATS, in, base + i * 4L, ORDER);
            FloatVector w = FloatVector.fromMemorySegment(FLOATS, weight.data(), i * 4L, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(FLOATS, bias.data(), i * 4L, ORDER);
            a.sub(mean).mul(inverse).fma(w, b).intoMemorySegment(out.data(), base + i * 4L, ORDER);
        }
        for (int i = vectors; i < size; i++) {
            float d = x.get(row, i) - mean;
            out.set(row, i, Math.fma(d * inverse, weight.get(0, i), bias.get(0, i)));
        }
    }

    /** Rotates all heads of a row in place. */
    static void rope(Tensor x, RopeTable table, int row, int position) {
        int half = table.pairs();
        int angles = position * half;
        int vectors = half - half % LENGTH;
        MemorySegment data = x.data();
        for (int head = 0; head < x.shape().heads(); head++) {
            int start = head * 2 * half;
            long base = ((long) row * x.rowSize() + start) * 4;
            for (int i = 0; i < vectors; i += LENGTH) {
                long at = base + i * 4L;
                FloatVector a = FloatVector.fromMemorySegment(FLOATS, data, at, ORDER);
                FloatVector b = FloatVector.fromMemorySegment(FLOATS, data, at + half * 4L, ORDER);
                FloatVector cos = FloatVector.fromArray(FLOATS, table.cos(), angles + i);
                FloatVector sin = FloatVector.fromArray(FLOATS, table.sin(), angles + i);
                a.fma(cos, b.mul(sin).neg()).intoMemorySegment(data, at, ORDER);
                b.fma(cos, a.mul(sin)).intoMemorySegment(data, at + half * 4L, ORDER);
            }
            for (int i = vectors; i < half; i++) {
                float a = x.get(row, start + i);
                float b = x.get(row, start + i + half);
                float cos = table.cos()[angles + i];
                float sin = table.sin()[angles + i];
                x.set(row, start + i, Math.fma(a, cos, -(b * sin)));
                x.set(row, start + i + half, Math.fma(b, cos, a * sin));
            }
        }
    }

    /** A row of out = silu(gate) · up, in strips of {@code strip.length} numbers. */
    static void swiGlu(Tensor gate, Tensor up, Tensor out, int row, float[] strip) {
        int size = gate.rowSize();
        int vectors = size - size % LENGTH;
        long base = (long) row * size * 4;
        for (int from = 0; from < vectors; from += strip.length) {
            int count = Math.min(strip.length, vectors - from);
            for (int i = 0; i < count; i += LENGTH) {
                FloatVector.fromMemorySegment(FLOATS, gate.data(), base + (from + i) * 4L, ORDER)
                        .neg()
                        .intoArray(strip, i);
            }
            exp(strip, count);
            for (int i = 0; i < count; i += LENGTH) {
                long at = base + (from + i) * 4L;
                FloatVector g = FloatVector.fromMemorySegment(FLOATS, gate.data(), at, ORDER);
                FloatVector u = FloatVector.fromMemorySegment(FLOATS, up.data(), at, ORDER);
                g.div(FloatVector.fromArray(FLOATS, strip, i).add(1f))
                        .mul(u)
                        .intoMemorySegment(out.data(), at, ORDER);
            }
        }
        for (int i = vectors; i < size; i++) {
            out.set(row, i, CanonicalMath.silu(gate.get(row, i)) * up.get(row, i));
        }
    }

    /** Numbers [from, to) of x += y. */
    static void add(MemorySegment x, MemorySegment y, long from, long to) {
        long i = from;
        for (; i + LENGTH <= to; i += LENGTH) {
            FloatVector a = FloatVector.fromMemorySegment(FLOATS, x, i * 4, ORDER);
            FloatVector b = FloatVector.fromMemorySegment(FLOATS, y, i * 4, ORDER);
            a.add(b).intoMemorySegment(x, i * 4, ORDER);
        }
        for (; i < to; i++) {
            x.set(F32, i * 4, x.get(F32, i * 4) + y.get(F32, i * 4));
        }
    }
}
