package dev.flagship.tensor;

import static dev.flagship.tensor.BandMatrix.BLOCK;
import static dev.flagship.tensor.CanonicalMath.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;

/**
 * The truth: plain loops, one output at a time, in the canonical order. Written to be read; every
 * other rung must equal it bit for bit.
 */
public final class ScalarKernels implements Kernels {
    /** Positions that share one step of the online softmax. */
    public static final int SEGMENT = 64;

    /** Positions whose partial results are merged as one. */
    public static final int PIECE = 512;

    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final Team team;

    public ScalarKernels(Team team) {
        this.team = team;
    }

    @Override
    public String rung() {
        return "scalar";
    }

    private interface Body {
        void at(int index);
    }

    /** Runs the body for 0 … count − 1, contiguous ranges per thread. */
    private void each(int count, Body body) {
        team.run((thread, threads) -> {
            int from = (int) ((long) count * thread / threads);
            int to = (int) ((long) count * (thread + 1) / threads);
            for (int i = from; i < to; i++) {
                body.at(i);
            }
        });
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        KernelChecks.embed(table, ids, out);
        for (int row = 0; row < out.rows(); row++) {
            for (int col = 0; col < table.cols(); col++) {
                out.set(row, col, table.weight(ids[row], col));
            }
        }
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        KernelChecks.project(x, weights, outs);
        Int8Rows quantized = null;
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            Tensor out = outs.get(i);
            if (numerics == Numerics.FAST && w.type().quantized()) {
                Int8Rows q = quantized == null ? new Int8Rows(x) : quantized;
                quantized = q;
                each(w.rows(), output -> int8Row(q, w, output, out));
            } else {
                each(w.rows(), output -> plainRow(x, w, output, out));
            }
        }
    }

    private static void plainRow(Tensor x, BandMatrix w, int output, Tensor out) {
        float[] weights = new float[w.cols()];
        for (int k = 0; k < weights.length; k++) {
            weights[k] = w.weight(output, k);
        }
        for (int row = 0; row < x.rows(); row++) {
            float acc = 0;
            for (int k = 0; k < weights.length; k++) {
                acc = Math.fma(weights[k], x.get(row, k), acc);
            }
            out.set(row, output, acc);
        }
    }

    private static void int8Row(Int8Rows x, BandMatrix w, int output, Tensor out) {
        int[] weights = new int[w.cols()];
        for (int k = 0; k < weights.length; k++) {
            weights[k] = w.quant(output, k);
        }
        for (int row = 0; row < x.rows; row++) {
            float acc = 0;
            int size = w.type().groupElements();
            for (int group = 0; group < w.cols() / size; group++) {
                int dot = 0;
                int sum = 0;
                for (int k = group * size; k < (group + 1) * size; k++) {
                    int a = x.quants[row * w.cols() + k];
                    dot += weights[k] * a;
                    sum += a;
                }
                float sa = x.scales[row * (w.cols() / BLOCK) + group * size / BLOCK];
                acc = Math.fma((float) dot, w.scale(output, group) * sa, acc);
                if (w.type().hasMinimum()) {
                    acc = Math.fma(w.min(output, group), sa * sum, acc);
                }
            }
            out.set(row, output, acc);
        }
    }

    /** Activations rounded to int8, a scale per 32. */
    private static final class Int8Rows {
        private final int rows;
        private final byte[] quants;
        private final float[] scales;

        Int8Rows(Tensor x) {
            int cols = x.rowSize();
            int blocks = cols / BLOCK;
            rows = x.rows();
            quants = new byte[rows * cols];
            scales = new float[rows * blocks];
            for (int row = 0; row < rows; row++) {
                for (int block = 0; block < blocks; block++) {
                    int bits = 0;
                    for (int k = block * BLOCK; k < (block + 1) * BLOCK; k++) {
                        bits = CanonicalMath.maxMagnitudeBits(bits, x.get(row, k));
                    }
                    float amax = Float.intBitsToFloat(bits);
                    scales[row * blocks + block] = CanonicalMath.int8Scale(amax);
                    float inverse = CanonicalMath.int8Inverse(amax);
                    for (int k = block * BLOCK; k < (block + 1) * BLOCK; k++) {
                        quants[row * cols + k] = (byte) CanonicalMath.int8(x.get(row, k), inverse);
                    }
                }
            }
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        KernelChecks.rmsNorm(x, weight, out);
        each(
                x.rows(),
                row -> {
                    float[] partial = new float[LANES];
                    for (int i = 0; i < x.rowSize(); i++) {
                        float v = x.get(row, i);
                        partial[i % LANES] = Math.fma(v, v, partial[i % LANES]);
                    }
                    float sum = CanonicalMath.treeSum(partial);
                    float inverse = CanonicalMath.inverseRms(sum, x.rowSize(), eps);
                    for (int i = 0; i < x.rowSize(); i++) {
                        out.set(row, i, x.get(row, i) * inverse * weight.get(0, i));
                    }
                });
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        KernelChecks.layerNorm(x, weight, bias, out);
        each(
                x.rows(),
                row -> {
                    float[] partial = new float[LANES];
                    for (int i = 0; i < x.rowSize(); i++) {
                        partial[i % LANES] += x.get(row, i);
                    }
                    float mean = CanonicalMath.treeSum(partial) / x.rowSize();
                    Arrays.fill(partial, 0);
                    for (int i = 0; i < x.rowSize(); i++) {
                        float d = x.get(row, i) - mean;
                        partial[i % LANES] = Math.fma(d, d, partial[i % LANES]);
                    }
                    float sum = CanonicalMath.treeSum(partial);
                    float inverse = CanonicalMath.inverseRms(sum, x.rowSize(), eps);
                    for (int i = 0; i < x.rowSize(); i++) {
                        float d = x.get(row, i) - mean;
                        out.set(row, i, Math.fma(d * inverse, weight.get(0, i), bias.get(0, i)));
                    }
                });
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        KernelChecks.rope(x, table, positions);
        int half = table.pairs();
        each(
                x.rows(),
                row -> {
                    for (int head = 0; head < x.shape().heads(); head++) {
                        for (int i = 0; i < half; i++) {
                            int at = head * 2 * half + i;
                            float a = x.get(row, at);
                            float b = x.get(row, at + half);
                            float cos = table.cos()[positions[row] * half + i];
                            float sin = table.sin()[positions[row] * half + i];
                            x.set(row, at, Math.fma(a, cos, -(b * sin)));
                            x.set(row, at + half, Math.fma(b, cos, a * sin));
                        }
                    }
                });
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        KernelChecks.append(rows, layer, keys, values);
        KvLayout kv = rows.layout();
        for (int row = 0; row < rows.count(); row++) {
            int position = rows.position(row);
            int page = rows.page(row, position);
            int slot = position % KvLayout.PAGE;
            for (int head = 0; head < kv.kvHeads(); head++) {
                long k = kv.keys(page, layer, head);
                long v = kv.values(page, layer, head);
                int at = head * kv.headSize();
                if (kv.type() == DType.Q8_0) {
                    for (int group = 0; group < kv.headSize(); group += KvLayout.GROUP) {
                        short scaleOfKeys = cacheScale(keys, row, at + group);
                        short scaleOfValues = cacheScale(values, row, at + group);
                        putScale(rows, k, keyScaleAt(group, slot), scaleOfKeys);
                        putScale(rows, v, valueAt(kv, group, slot) / KvLayout.GROUP, scaleOfValues);
                        for (int d = group; d < group + KvLayout.GROUP; d++) {
                            float key = keys.get(row, at + d);
                            float value = values.get(row, at + d);
                            putQuant(rows, k + keyAt(d, slot), key, scaleOfKeys);
                            putQuant(rows, v + valueAt(kv, d, slot), value, scaleOfValues);
                        }
                    }
                } else {
                    for (int d = 0; d < kv.headSize(); d++) {
                        put(rows, k, keyAt(d, slot), keys.get(row, at + d));
                        put(rows, v, valueAt(kv, d, slot), values.get(row, at + d));
                    }
                }
            }
        }
    }

    private static int keyAt(int d, int slot) {
        return d * KvLayout.PAGE + slot;
    }

    private static int keyScaleAt(int d, int slot) {
        return keyAt(d / KvLayout.GROUP, slot);
    }

    private static int valueAt(KvLayout kv, int d, int slot) {
        return slot * kv.headSize() + d;
    }

    private static void put(KvRows rows, long block, int index, float value) {
        if (rows.layout().type() == DType.F32) {
            rows.pool().set(F32, block + index * 4L, value);
        } else {
            rows.pool().set(F16, block + index * 2L, Float.floatToFloat16(value));
        }
    }

    /** Scale of the 32 numbers from {@code from} on. */
    private static short cacheScale(Tensor x, int row, int from) {
        int bits = 0;
        for (int i = from; i < from + KvLayout.GROUP; i++) {
            bits = CanonicalMath.maxMagnitudeBits(bits, x.get(row, i));
        }
        return CanonicalMath.cacheScale(Float.intBitsToFloat(bits));
    }

    private static void putScale(KvRows rows, long block, int index, short scale) {
        rows.pool().set(F16, block + rows.layout().scalesOffset() + index * 2L, scale);
    }

    private static void putQuant(KvRows rows, long at, float value, short scale) {
        int quant = CanonicalMath.int8(value, CanonicalMath.cacheInverse(scale));
        rows.pool().set(ValueLayout.JAVA_BYTE, at, (byte) quant);
    }

    private static float cachedKey(KvRows rows, long block, int d, int slot) {
        return cached(rows, block, keyAt(d, slot), keyScaleAt(d, slot));
    }

    private static float cachedValue(KvRows rows, long block, int d, int slot) {
        int index = valueAt(rows.layout(), d, slot);
        return cached(rows, block, index, index / KvLayout.GROUP);
    }

    private static float cached(KvRows rows, long block, int index, int scaleIndex) {
        MemorySegment pool = rows.pool();
        if (rows.layout().type() == DType.F32) {
            return pool.get(F32, block + index * 4L);
        }
        if (rows.layout().type() == DType.F16) {
            return Float.float16ToFloat(pool.get(F16, block + index * 2L));
        }
        long scale = block + rows.layout().scalesOffset() + scaleIndex * 2L;
        return pool.get(ValueLayout.JAVA_BYTE, block + index)
                * Float.float16ToFloat(pool.get(F16, scale));
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        KernelChecks.attend(rows, layer, q, out);
        int heads = q.shape().heads();
        each(
                q.rows() * heads,
                index -> {
                    int row = index / heads;
                    int head = index % heads;
                    int size = rows.layout().headSize();
                    float[] result = attendOne(rows, layer, row, head, q);
                    for (int d = 0; d < size; d++) {
                        out.set(row, head * size + d, result[d]);
                    }
                });
    }

    /** State of an online softmax: largest score, sum of weights, weighted sum of values. */
    private static final class Softmax {
        private float max = Float.NEGATIVE_INFINITY;
        private float sum;
        private final float[] acc;

        Softmax(int size) {
            acc = new float[size];
        }
    }

    private static float[] attendOne(KvRows rows, int layer, int row, int head, Tensor q) {
        int position = rows.position(row);
        Softmax total = piece(rows, layer, row, head, q, 0);
        for (int from = PIECE; from <= position; from += PIECE) {
            merge(total, piece(rows, layer, row, head, q, from));
        }
        float inverse = 1f / total.sum;
        for (int d = 0; d < total.acc.length; d++) {
            total.acc[d] = total.acc[d] * inverse;
        }
        return total.acc;
    }

    private static void merge(Softmax total, Softmax next) {
        float max = CanonicalMath.max(total.max, next.max);
        float a = CanonicalMath.exp(total.max - max);
        float b = CanonicalMath.exp(next.max - max);
        total.sum = Math.fma(total.sum, a, next.sum * b);
        for (int d = 0; d < total.acc.length; d++) {
            total.acc[d] = Math.fma(total.acc[d], a, next.acc[d] * b);
        }
        total.max = max;
    }

    private static Softmax piece(KvRows rows, int layer, int row, int head, Tensor q, int from) {
        KvLayout kv = rows.layout();
        int size = kv.headSize();
        int kvHead = head / (q.shape().heads() / kv.kvHeads());
        float scale = attentionScale(size);
        Softmax state = new Softmax(size);
        int end = Math.min(from + PIECE, rows.position(row) + 1);
        for (int start = from; start < end; start += SEGMENT) {
            int n = Math.min(SEGMENT, end - start);
            float[] scores = new float[SEGMENT];
            for (int t = 0; t < n; t++) {
                long keys = kv.keys(rows.page(row, start + t), layer, kvHead);
                float dot = 0;
                int slot = (start + t) % KvLayout.PAGE;
                for (int d = 0; d < size; d++) {
                    float k = cachedKey(rows, keys, d, slot);
                    dot = Math.fma(q.get(row, head * size + d), k, dot);
                }
                scores[t] = dot * scale;
            }
            segment(state, scores, n);
            for (int t = 0; t < n; t++) {
                long values = kv.values(rows.page(row, start + t), layer, kvHead);
                int slot = (start + t) % KvLayout.PAGE;
                for (int d = 0; d < size; d++) {
                    float v = cachedValue(rows, values, d, slot);
                    state.acc[d] = Math.fma(scores[t], v, state.acc[d]);
                }
            }
        }
        return state;
    }

    /** Scores are multiplied by this. */
    public static float attentionScale(int headSize) {
        return (float) (1 / Math.sqrt(headSize));
    }

    /** Turns the first n scores into weights (the rest into 0) and rescales the state. */
    private static void segment(Softmax state, float[] scores, int n) {
        float[] partial = new float[LANES];
        for (int i = 0; i < LANES; i++) {
            partial[i] = i < n ? scores[i] : Float.NEGATIVE_INFINITY;
        }
        for (int t = LANES; t < SEGMENT; t++) {
            float score = t < n ? scores[t] : Float.NEGATIVE_INFINITY;
            partial[t % LANES] = CanonicalMath.max(partial[t % LANES], score);
        }
        float max = CanonicalMath.max(state.max, CanonicalMath.treeMax(partial));
        float rescale = CanonicalMath.exp(state.max - max);
        float[] sums = new float[LANES];
        for (int t = 0; t < SEGMENT; t++) {
            scores[t] = t < n ? CanonicalMath.exp(scores[t] - max) : 0f;
            sums[t % LANES] = sums[t % LANES] + scores[t];
        }
        state.sum = Math.fma(state.sum, rescale, CanonicalMath.treeSum(sums));
        for (int d = 0; d < state.acc.length; d++) {
            state.acc[d] = state.acc[d] * rescale;
        }
        state.max = max;
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        KernelChecks.sameShape("swiGlu", gate, up);
        KernelChecks.sameShape("swiGlu", gate, out);
        each(
                gate.rows(),
                row -> {
                    for (int i = 0; i < gate.rowSize(); i++) {
                        out.set(row, i, CanonicalMath.silu(gate.get(row, i)) * up.get(row, i));
                    }
                });
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        KernelChecks.sameShape("gelu", x, out);
        each(
                x.rows(),
                row -> {
                    for (int i = 0; i < x.rowSize(); i++) {
                        out.set(row, i, CanonicalMath.gelu(x.get(row, i)));
                    }
                });
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        KernelChecks.sameShape("relu", x, out);
        each(
                x.rows(),
                row -> {
                    for (int i = 0; i < x.rowSize(); i++) {
                        out.set(row, i, CanonicalMath.relu(x.get(row, i)));
                    }
                });
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        KernelChecks.sameShape("softmax", x, out);
        each(
                x.rows(),
                row -> {
                    float[] partial = new float[LANES];
                    Arrays.fill(partial, Float.NEGATIVE_INFINITY);
                    for (int i = 0; i < x.rowSize(); i++) {
                        partial[i % LANES] = CanonicalMath.max(partial[i % LANES], x.get(row, i));
                    }
                    float max = CanonicalMath.treeMax(partial);
                    float[] sums = new float[LANES];
                    for (int i = 0; i < x.rowSize(); i++) {
                        float e = CanonicalMath.exp(x.get(row, i) - max);
                        sums[i % LANES] = sums[i % LANES] + e;
                        out.set(row, i, e);
                    }
                    float inverse = 1f / CanonicalMath.treeSum(sums);
                    for (int i = 0; i < x.rowSize(); i++) {
                        out.set(row, i, out.get(row, i) * inverse);
                    }
                });
    }

    @Override
    public void add(Tensor x, Tensor y) {
        KernelChecks.sameShape("add", x, y);
        for (int row = 0; row < x.rows(); row++) {
            for (int i = 0; i < x.rowSize(); i++) {
                x.set(row, i, x.get(row, i) + y.get(row, i));
            }
        }
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        KernelChecks.gather(x, rows, out);
        long bytes = x.rowSize() * 4L;
        for (int i = 0; i < out.rows(); i++) {
            MemorySegment.copy(x.data(), rows[i] * bytes, out.data(), i * bytes, bytes);
        }
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        KernelChecks.logSumExp(logits, row);
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < logits.rowSize(); i++) {
            max = CanonicalMath.max(max, logits.get(row, i));
        }
        float[] sums = new float[LANES];
        for (int i = 0; i < logits.rowSize(); i++) {
            sums[i % LANES] += CanonicalMath.exp(logits.get(row, i) - max);
        }
        return max + (float) StrictMath.log(CanonicalMath.treeSum(sums));
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        KernelChecks.topK(logits, row, k, ids, values);
        int size = 0;
        for (int i = 0; i < logits.rowSize(); i++) {
            size = TopK.offer(ids, values, size, k, i, logits.get(row, i));
        }
        TopK.sort(ids, values, k);
    }

    @Override
    public void close() {}
}
