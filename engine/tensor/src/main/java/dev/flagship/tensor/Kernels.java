package dev.flagship.tensor;

import java.util.List;

/**
 * Whole operations over the rows of many sequences. Each rung splits them over its {@link Team};
 * who computes an output, how many rows come along and how they are tiled cannot change a bit of
 * it: every output has one formula and one order, given by {@link ScalarKernels}.
 *
 * <p>All operations are called by one thread, the step thread. Outputs must not overlap inputs
 * unless an operation says so. T is the number of rows. Wrong shapes raise {@link
 * dev.flagship.base.InvalidArgumentException}.
 */
public interface Kernels extends AutoCloseable {

    /** Name of the rung, for people: {@code scalar}, {@code vector-512}. */
    String rung();

    /**
     * Zeroed memory for what lives as long as a model and is used little by little, 64-byte
     * aligned. A rung that reaches the system itself takes it page by page as it is touched; else
     * all of it is there at once.
     */
    default OffHeap memory(long bytes) {
        return OffHeap.allocate(bytes);
    }

    /** out (T, cols) = rows {@code ids[0…T)} of the table, widened to F32. */
    void embed(BandMatrix table, int[] ids, Tensor out);

    /**
     * Products with several weights that share one pass over x: {@code outs[i] = x · w[i]ᵀ}.
     *
     * <p>EXACT, or a weight without scales: acc = fma(w[k], x[k], acc), k ascending. FAST with a
     * quantised weight: x is rounded to int8 per 32 numbers with scale sa; per group of the weight
     * (32 numbers, of Q6_K 16), ascending, I = Σ q·a is an exact integer and acc = fma(I, sw·sa,
     * acc), then for types with a minimum acc = fma(m, sa·Σa, acc).
     *
     * @param x (T, cols)
     * @param weights each [rows_i, cols]
     * @param outs each (T, rows_i)
     */
    void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics);

    /**
     * out = x · inverseRms(x) · weight, row by row (arXiv:1910.07467). x and out (T, D), weight (1,
     * D).
     */
    void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out);

    /**
     * Layer norm (arXiv:1607.06450), row by row: with m the mean of x and d = x − m, out = fma(d ·
     * inverseRms(d), weight, bias). x and out (T, D), weight and bias (1, D).
     */
    void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out);

    /**
     * Rotates the halves of each head in place: (a, b) → (a·cos − b·sin, b·cos + a·sin). x (T, H,
     * E).
     */
    void rope(Tensor x, RopeTable table, int[] positions);

    /**
     * Writes keys and values (T, K·E) of each row to its place in the sequence's pages, rounded to
     * what these hold; {@link KvLayout} says how.
     */
    void append(KvRows rows, int layer, Tensor keys, Tensor values);

    /**
     * Causal attention over the sequence's pages, their numbers widened to F32: q (T, H, E) → out
     * (T, H·E), scores scaled by 1/√E, query head h reads KV head h / (H/K). Softmax is online over
     * segments of 64 positions aligned to absolute positions; pieces of 512 positions are merged in
     * ascending order.
     */
    void attend(KvRows rows, int layer, Tensor q, Tensor out);

    /** out = silu(gate) · up, element by element; out may be gate or up. */
    void swiGlu(Tensor gate, Tensor up, Tensor out);

    /** out = x·Φ(x), {@link CanonicalMath#gelu}, element by element; out may be x. */
    void gelu(Tensor x, Tensor out);

    /** out = max(0, x), element by element; −0 and NaN stay what they are. out may be x. */
    void relu(Tensor x, Tensor out);

    /**
     * out = exp(x − max) / Σ exp(x − max), row by row; out may be x. Largest number and sum by 16
     * partials, then every e is multiplied by 1 / Σ. As exp is clamped, what lies more than 87
     * below the largest counts as 87 below: −∞ gives 10⁻³⁸, not 0. A NaN, a +∞ or nothing but −∞
     * makes the whole row NaN.
     */
    void softmax(Tensor x, Tensor out);

    /** x += y, element by element. */
    void add(Tensor x, Tensor y);

    /** out row i = x row {@code rows[i]}, for every row of out. */
    void gather(Tensor x, int[] rows, Tensor out);

    /** log Σ exp of a row: max + log(Σ exp(x − max)), summed by 16 partials. */
    float logSumExp(Tensor logits, int row);

    /**
     * The k largest numbers of a row, best first; equal numbers in order of their index; NaN counts
     * as smallest.
     *
     * @param ids receives k indices
     * @param values receives k numbers
     */
    void topK(Tensor logits, int row, int k, int[] ids, float[] values);

    /** Frees what the rung holds. The team stays its owner's. */
    @Override
    void close();
}
