package dev.flagship.nn;

import dev.flagship.tensor.Tensor;

/**
 * x / √(mean(x²) + eps) · weight, row by row (arXiv:1910.07467).
 *
 * @param weight (1, D)
 */
public record RmsNorm(Tensor weight, float eps) {

    /** (T, D) → (T, D). */
    public Tensor apply(Tensor x) {
        Tensor out = x.scratch().take(x.rows(), x.rowSize());
        x.scratch().kernels().rmsNorm(x, weight, eps, out);
        return out;
    }
}
