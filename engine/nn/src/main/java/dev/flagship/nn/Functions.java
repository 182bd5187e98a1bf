package dev.flagship.nn;

import dev.flagship.tensor.Tensor;

/** The nonlinear parts of a block, as functions: their arithmetic belongs to the kernels. */
public final class Functions {
    private Functions() {}

    /**
     * Causal attention of q (T, H, E) over layer {@code layer} of the step's cache → (T, H·E).
     *
     * @param q a row for each row of the step, or for each whose logits are wanted
     */
    public static Tensor attend(Tensor q, Step step, int layer) {
        Tensor out = q.scratch().take(q.rows(), q.rowSize());
        var rows = q.rows() == step.rows() ? step.rowsInCache() : step.outputRowsInCache();
        q.scratch().kernels().attend(rows, layer, q, out);
        return out;
    }

    /** silu(gate) · up, in place of gate: (T, F). */
    public static Tensor swiGlu(Tensor gate, Tensor up) {
        gate.scratch().kernels().swiGlu(gate, up, gate);
        return gate;
    }
}
