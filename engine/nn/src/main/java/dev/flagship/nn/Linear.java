package dev.flagship.nn;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Tensor;
import java.util.List;

/**
 * One or several products y = x · wᵀ of the same x, which share one pass over it and one rounding
 * of it.
 */
public final class Linear {
    private final List<BandMatrix> weights;
    private final int[] widths;

    private Linear(List<BandMatrix> weights) {
        this.weights = List.copyOf(weights);
        this.widths = weights.stream().mapToInt(BandMatrix::rows).toArray();
    }

    /** A layer for one weight [out, in]. */
    public static Linear of(BandMatrix weight) {
        return new Linear(List.of(weight));
    }

    /** Layers that always meet the same x, as one. */
    public static Linear joined(Linear... parts) {
        return new Linear(java.util.Arrays.stream(parts).flatMap(p -> p.weights.stream()).toList());
    }

    /** (T, in) → (T, out), for a layer with one weight. */
    public Tensor apply(Tensor x) {
        return applyAll(x).getFirst();
    }

    /** (T, in) → one (T, out_i) for each weight, in order. */
    public List<Tensor> applyAll(Tensor x) {
        List<Tensor> outs = x.scratch().takeAll(x.rows(), widths);
        x.scratch().kernels().project(x, weights, outs, x.scratch().numerics());
        return outs;
    }
}
