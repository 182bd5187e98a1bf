package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.BYTES;
import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.tensor.CanonicalMath.LANES;
import static dev.flagship.tensor.KvLayout.GROUP;
import static dev.flagship.tensor.KvLayout.PAGE;
import static dev.flagship.tensor.ScalarKernels.PIECE;
import static dev.flagship.tensor.ScalarKernels.SEGMENT;

import dev.flagship.tensor.CanonicalMath;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention of one tile of rows to one KV head, by one thread. A segment of 64 positions is widened
 * to F32 once and then meets every row of the tile and every query head of the group.
 *
 * <p>Working arrays of one thread; grown when a larger head comes.
 */
final class Attention {
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;
    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final float[] scores = new float[SEGMENT];
    private final float[] partial = new float[LANES];
    private int size;
    private int padded;
    private short[] halves = {};
    private byte[] quants = {};
    private float[] scales = {};
    private float[] keys = {}; // [page of the segment][dimension][16 positions]
    private float[] values = {}; // [position of the segment][padded dimension]
    private float[] query = {};
    private States piece = new States(0, 0);
    private States total = new States(0, 0);

    /** Online softmax of several queries: largest score, sum of weights, weighted sum of values. */
    private static final class States {
        private final float[] max;
        private final float[] sum;
        private final float[] acc;

        States(int queries, int padded) {
            max = new float[queries];
            sum = new float[queries];
            acc = new float[queries * padded];
        }

        void reset(int queries, int padded) {
            Arrays.fill(max, 0, queries, Float.NEGATIVE_INFINITY);
            Arrays.fill(sum, 0, queries, 0f);
            Arrays.fill(acc, 0, queries * padded, 0f);
        }
    }

    private void shape(int headSize, int queries) {
        padded = (headSize + LANES - 1) / LANES * LANES;
        if (size != headSize) {
            size = headSize;
            halves = new short[headSize * PAGE];
            quants = new byte[headSize * PAGE + BYTES.length()];
            scales = new float[headSize * PAGE / GROUP];
            keys = new float[headSize * SEGMENT];
            values = new float[padded * SEGMENT];
        }
        if (query.length < queries * headSize) {
            query = new float[queries * headSize];
        }
        if (piece.max.length < queries || piece.acc.length < queries * padded) {
            piece = new States(queries, padded);
            total = new States(queries, padded);
        }
    }

    /** Numbers that {@link #pieceInto} writes for one query. */
    static int stateSize(int headSize) {
        return headSize + 2;
    }

    /** All pieces of a tile and a KV head, merged and normalised into out. */
    void whole(KvRows rows, int layer, int tile, int kvHead, Tensor q, Tensor out) {
        int group = begin(rows, tile, kvHead, q);
        int first = rows.tileStart(tile);
        int queries = (rows.tileEnd(tile) - first) * group;
        int last = rows.position(rows.tileEnd(tile) - 1);
        States result = piece;
        for (int from = 0; from <= last; from += PIECE) {
            run(rows, layer, tile, kvHead, group, from);
            if (from == 0 && last >= PIECE) {
                States swap = total;
                total = piece;
                piece = swap;
                result = total;
            } else if (from > 0) {
                for (int i = 0; i < queries; i++) {
                    // A row that ends before this piece has nothing to merge.
                    if (rows.position(first + i / group) >= from) {
                        merge(i);
                    }
                }
            }
        }
        for (int i = 0; i < queries; i++) {
            int head = kvHead * group + i % group;
            normalise(result.acc, i * padded, result.sum[i]);
            float[] acc = result.acc;
            for (int d = 0; d < size; d++) {
                out.set(first + i / group, head * size + d, acc[i * padded + d]);
            }
        }
    }

    /** One piece of a tile and a KV head; query i's state goes to {@code states} at offset(i). */
    void pieceInto(
            KvRows rows,
            int layer,
            int tile,
            int kvHead,
            int index,
            Tensor q,
            float[] states,
            int pieces) {
        int group = begin(rows, tile, kvHead, q);
        int first = rows.tileStart(tile);
        int queries = (rows.tileEnd(tile) - first) * group;
        run(rows, layer, tile, kvHead, group, index * PIECE);
        for (int i = 0; i < queries; i++) {
            int row = first + i / group;
            int head = kvHead * group + i % group;
            int at = ((row * q.shape().heads() + head) * pieces + index) * stateSize(size);
            states[at] = piece.max[i];
            states[at + 1] = piece.sum[i];
            System.arraycopy(piece.acc, i * padded, states, at + 2, size);
        }
    }

    /** Merges the states of one query's pieces, ascending, into out. */
    static void mergeInto(
            float[] states, int at, int pieces, int headSize, Tensor out, int row, int head) {
        float max = states[at];
        float sum = states[at + 1];
        for (int p = 1; p < pieces; p++) {
            int next = at + p * stateSize(headSize);
            float newMax = CanonicalMath.max(max, states[next]);
            float a = CanonicalMath.exp(max - newMax);
            float b = CanonicalMath.exp(states[next] - newMax);
            sum = Math.fma(sum, a, states[next + 1] * b);
            for (int d = 2; d < headSize + 2; d++) {
                states[at + d] = Math.fma(states[at + d], a, states[next + d] * b);
            }
            max = newMax;
        }
        float inverse = 1f / sum;
        for (int d = 0; d < headSize; d++) {
            out.set(row, head * headSize + d, states[at + 2 + d] * inverse);
        }
    }

    /** Loads the tile's queries; returns query heads per KV head. */
    private int begin(KvRows rows, int tile, int kvHead, Tensor q) {
        KvLayout kv = rows.layout();
        int group = q.shape().heads() / kv.kvHeads();
        int first = rows.tileStart(tile);
        int count = rows.tileEnd(tile) - first;
        shape(kv.headSize(), count * group);
        for (int r = 0; r < count; r++) {
            MemorySegment.copy(
                    q.data(),
                    F32,
                    ((long) (first + r) * q.rowSize() + (long) kvHead * group * size) * 4,
                    query,
                    r * group * size,
                    group * size);
        }
        return group;
    }

    private void run(KvRows rows, int layer, int tile, int kvHead, int group, int from) {
        int first = rows.tileStart(tile);
        int queries = (rows.tileEnd(tile) - first) * group;
        piece.reset(queries, padded);
        int end = Math.min(from + PIECE, rows.position(rows.tileEnd(tile) - 1) + 1);
        float scale = ScalarKernels.attentionScale(size);
        for (int start = from; start < end; start += SEGMENT) {
            widen(rows, layer, first, kvHead, start, Math.min(SEGMENT, end - start));
            for (int i = 0; i < queries; i++) {
                int n = Math.min(SEGMENT, rows.position(first + i / group) + 1 - start);
                if (n > 0) {
                    score(keys, query, i * size, size, scale, n, scores);
                    float rescale = soften(i, n);
                    weigh(values, scores, n, rescale, piece.acc, i * padded, padded);
                }
            }
        }
    }

    /** Brings {@code n} positions from {@code start} to F32. */
    private void widen(KvRows rows, int layer, int row, int kvHead, int start, int n) {
        KvLayout kv = rows.layout();
        int blockSize = size * PAGE;
        for (int p = 0; p * PAGE < n; p++) {
            int page = rows.page(row, start + p * PAGE);
            long k = kv.keys(page, layer, kvHead);
            long v = kv.values(page, layer, kvHead);
            int count = Math.min(PAGE, n - p * PAGE);
            if (kv.type() == DType.F16) {
                MemorySegment.copy(rows.pool(), F16, k, halves, 0, blockSize);
                for (int i = 0; i < blockSize; i++) {
                    keys[p * blockSize + i] = Float.float16ToFloat(halves[i]);
                }
                MemorySegment.copy(rows.pool(), F16, v, halves, 0, count * size);
                for (int t = 0; t < count; t++) {
                    widenRow(halves, t * size, values, (p * PAGE + t) * padded, size);
                }
            } else if (kv.type() == DType.Q8_0) {
                loadInt8(rows, k);
                for (int d = 0; d < size; d++) {
                    int at = d * PAGE;
                    widenLine(quants, at, scales, d / GROUP * PAGE, keys, p * blockSize + at);
                }
                loadInt8(rows, v);
                for (int g = 0; g < count * (size / GROUP); g++) {
                    int t = g * GROUP / size;
                    int to = (p * PAGE + t) * padded + (g * GROUP - t * size);
                    widenGroup(quants, g * GROUP, scales[g], values, to);
                }
            } else {
                MemorySegment.copy(rows.pool(), F32, k, keys, p * blockSize, blockSize);
                for (int t = 0; t < count; t++) {
                    MemorySegment.copy(
                            rows.pool(),
                            F32,
                            v + t * (size * 4L),
                            values,
                            (p * PAGE + t) * padded,
                            size);
                }
            }
        }
    }

    /** Copies a block of Q8_0, its scales widened. */
    private void loadInt8(KvRows rows, long block) {
        MemorySegment.copy(rows.pool(), ValueLayout.JAVA_BYTE, block, quants, 0, size * PAGE);
        int count = size * PAGE / GROUP;
        long at = block + rows.layout().scalesOffset();
        MemorySegment.copy(rows.pool(), F16, at, halves, 0, count);
        widenRow(halves, 0, scales, 0, count);
    }

    /** 16 numbers, each with a scale of its own. */
    private static void widenLine(
            byte[] from, int fromAt, float[] scales, int scaleAt, float[] to, int toAt) {
        for (int i = 0; i < PAGE; i += LENGTH) {
            widen8(from, fromAt + i)
                    .mul(FloatVector.fromArray(FLOATS, scales, scaleAt + i))
                    .intoArray(to, toAt + i);
        }
    }

    /** 32 numbers of one scale. */
    private static void widenGroup(byte[] from, int fromAt, float scale, float[] to, int toAt) {
        for (int i = 0; i < GROUP; i += LENGTH) {
            widen8(from, fromAt + i).mul(scale).intoArray(to, toAt + i);
        }
    }

    /** As many numbers as a vector has floats; bytes behind them may be read. */
    private static FloatVector widen8(byte[] from, int at) {
        return (FloatVector)
                ((IntVector)
                                ByteVector.fromArray(BYTES, from, at)
                                        .convertShape(VectorOperators.B2I, INTS, 0))
                        .convert(VectorOperators.I2F, 0);
    }

    private static void widenRow(short[] from, int fromAt, float[] to, int toAt, int count) {
        for (int i = 0; i < count; i++) {
            to[toAt + i] = Float.float16ToFloat(from[fromAt + i]);
        }
    }

    /** scores[t] = (Σ q·k) · scale for all 64 lanes; those from n on are not meaningful. */
    private static void score(
            float[] keys, float[] query, int q, int size, float scale, int n, float[] scores) {
        int vectors = (n + LENGTH - 1) / LENGTH;
        for (int j = 0; j < vectors; j += 4) {
            int k0 = keyAt(j, size);
            int k1 = keyAt(j + 1, size);
            int k2 = keyAt(j + 2, size);
            int k3 = keyAt(j + 3, size);
            FloatVector a0 = FloatVector.zero(FLOATS);
            FloatVector a1 = a0;
            FloatVector a2 = a0;
            FloatVector a3 = a0;
            for (int d = 0; d < size; d++) {
                FloatVector x = FloatVector.broadcast(FLOATS, query[q + d]);
                a0 = x.fma(FloatVector.fromArray(FLOATS, keys, k0 + d * PAGE), a0);
                a1 = x.fma(FloatVector.fromArray(FLOATS, keys, k1 + d * PAGE), a1);
                a2 = x.fma(FloatVector.fromArray(FLOATS, keys, k2 + d * PAGE), a2);
                a3 = x.fma(FloatVector.fromArray(FLOATS, keys, k3 + d * PAGE), a3);
            }
            a0.mul(scale).intoArray(scores, j * LENGTH);
            a1.mul(scale).intoArray(scores, (j + 1) * LENGTH);
            a2.mul(scale).intoArray(scores, (j + 2) * LENGTH);
            a3.mul(scale).intoArray(scores, (j + 3) * LENGTH);
        }
    }

    /** Where the keys of the segment's vector j of positions begin. */
    private static int keyAt(int j, int size) {
        return j / PER_BAND * (size * PAGE) + j % PER_BAND * LENGTH;
    }

    /**
     * Turns n scores into weights (the rest into 0); returns the factor for what was summed before.
     */
    private float soften(int query, int n) {
        Arrays.fill(scores, n, SEGMENT, Float.NEGATIVE_INFINITY);
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector m = FloatVector.fromArray(FLOATS, scores, v * LENGTH);
            for (int t = LANES + v * LENGTH; t < SEGMENT; t += LANES) {
                FloatVector next = FloatVector.fromArray(FLOATS, scores, t);
                m = next.blend(m, m.compare(VectorOperators.GT, next));
            }
            m.intoArray(partial, v * LENGTH);
        }
        float old = piece.max[query];
        float max = CanonicalMath.max(old, CanonicalMath.treeMax(partial));
        for (int t = 0; t < SEGMENT; t += LENGTH) {
            FloatVector.fromArray(FLOATS, scores, t).sub(max).intoArray(scores, t);
        }
        Pointwise.exp(scores, SEGMENT);
        Arrays.fill(scores, n, SEGMENT, 0f);
        for (int v = 0; v < PER_BAND; v++) {
            FloatVector sum = FloatVector.zero(FLOATS);
            for (int t = v * LENGTH; t < SEGMENT; t += LANES) {
                sum = sum.add(FloatVector.fromArray(FLOATS, scores, t));
            }
            sum.intoArray(partial, v * LENGTH);
        }
        float rescale = CanonicalMath.exp(old - max);
        piece.sum[query] = Math.fma(piece.sum[query], rescale, CanonicalMath.treeSum(partial));
        piece.max[query] = max;
        return rescale;
    }

    /**
     * acc = acc · rescale, then acc = fma(weight, value, acc) for each of n positions, ascending.
     */
    private static void weigh(
            float[] values,
            float[] weights,
            int n,
            float rescale,
            float[] acc,
            int accAt,
            int padded) {
        int d = 0;
        for (; d + 4 * LENGTH <= padded; d += 4 * LENGTH) {
            int at = accAt + d;
            FloatVector a0 = FloatVector.fromArray(FLOATS, acc, at).mul(rescale);
            FloatVector a1 = FloatVector.fromArray(FLOATS, acc, at + LENGTH).mul(rescale);
            FloatVector a2 = FloatVector.fromArray(FLOATS, acc, at + 2 * LENGTH).mul(rescale);
            FloatVector a3 = FloatVector.fromArray(FLOATS, acc, at + 3 * LENGTH).mul(rescale);
            for (int t = 0; t < n; t++) {
                FloatVector w = FloatVector.broadcast(FLOATS, weights[t]);
                int v = t * padded + d;
                a0 = w.fma(FloatVector.fromArray(FLOATS, values, v), a0);
                a1 = w.fma(FloatVector.fromArray(FLOATS, values, v + LENGTH), a1);
                a2 = w.fma(FloatVector.fromArray(FLOATS, values, v + 2 * LENGTH), a2);
                a3 = w.fma(FloatVector.fromArray(FLOATS, values, v + 3 * LENGTH), a3);
            }
            a0.intoArray(acc, at);
            a1.intoArray(acc, at + LENGTH);
            a2.intoArray(acc, at + 2 * LENGTH);
            a3.intoArray(acc, at + 3 * LENGTH);
        }
        for (; d < padded; d += LENGTH) {
            FloatVector a = FloatVector.fromArray(FLOATS, acc, accAt + d).mul(rescale);
            for (int t = 0; t < n; t++) {
                FloatVector w = FloatVector.broadcast(FLOATS, weights[t]);
                a = w.fma(FloatVector.fromArray(FLOATS, values, t * padded + d), a);
            }
            a.intoArray(acc, accAt + d);
        }
    }

    /** total = total merged with piece, for one query. */
    private void merge(int query) {
        float max = CanonicalMath.max(total.max[query], piece.max[query]);
        float a = CanonicalMath.exp(total.max[query] - max);
        float b = CanonicalMath.exp(piece.max[query] - max);
        total.sum[query] = Math.fma(total.sum[query], a, piece.sum[query] * b);
        for (int d = query * padded; d < (query + 1) * padded; d++) {
            total.acc[d] = Math.fma(total.acc[d], a, piece.acc[d] * b);
        }
        total.max[query] = max;
    }

    private void normalise(float[] acc, int from, float sum) {
        float inverse = 1f / sum;
        for (int d = from; d < from + size; d++) {
            acc[d] = acc[d] * inverse;
        }
    }
}
