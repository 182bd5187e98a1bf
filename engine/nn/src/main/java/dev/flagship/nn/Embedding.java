package dev.flagship.nn;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Tensor;

/**
 * A row of the table for each token.
 *
 * @param table [V, D]
 */
public record Embedding(BandMatrix table) {

    /** → (T, D) in the step's scratch. */
    public Tensor apply(Step step) {
        Tensor out = step.scratch().take(step.rows(), table.cols());
        step.scratch().kernels().embed(table, step.tokens(), out);
        return out;
    }
}
