package dev.flagship.nn;

import dev.flagship.tensor.Tensor;

/** The nonlinear parts of a block, as functions: their arithmetic belongs to the kernels. */
public final class Functions {
    private Functions() {}

    /** Causal attention of q (T, H, E) over layer {@code layer} of the step's cache → (T, H·E). */
    public static Tensor attend(Tensor q, Step step, int layer) {
        Tensor out = q.scratch().take(q.rows(), q.rowSize());
        q.scratch().kernels().attend(step.rowsInCache(), layer, q, out);
        return out;
    }

    /** silu(gate) · up, in place of gate: (T, F). */
    public static Tensor swiGlu(Tensor gate, Tensor up) {
        gate.scratch().kernels().swiGlu(gate, up, gate);
        return gate;
    }
}
