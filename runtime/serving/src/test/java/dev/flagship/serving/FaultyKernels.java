package dev.flagship.serving;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Another rung until a test asks for a fault. */
final class FaultyKernels implements Kernels {
    /** Strikes once the head's logits are computed. */
    interface Fault {
        void strike(Tensor logits);
    }

    private static final int HEALTHY = -1;

    private final Kernels kernels;
    private volatile @Nullable Fault fault;
    private volatile int poison = HEALTHY;
    private final AtomicInteger embedded = new AtomicInteger();
    private volatile @Nullable Throwable failure;
    private int sick = HEALTHY; // row of the poison in the step at hand

    FaultyKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    /** From now on the fault sees the logits of every step; null ends it. */
    void fault(@Nullable Fault next) {
        fault = next;
    }

    /**
     * From now on a step with this token in it stores NaN for its row in the first layer, and fails
     * in the second, once it has stored its rows there too.
     */
    void poison(int token, Throwable with) {
        failure = with;
        poison = token;
    }

    /** Rows of all steps so far. */
    int rows() {
        return embedded.get();
    }

    @Override
    public String rung() {
        return FaultyKernelsProvider.NAME;
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        kernels.project(x, weights, outs, numerics);
        Fault current = fault;
        if (current != null && weights.getFirst().name().equals("lm_head.weight")) {
            current.strike(outs.getFirst());
        }
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        embedded.addAndGet(out.rows());
        sick = HEALTHY;
        for (int row = 0; row < out.rows(); row++) {
            sick = poison != HEALTHY && ids[row] == poison ? row : sick;
        }
        kernels.embed(table, ids, out);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        kernels.rmsNorm(x, weight, eps, out);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        kernels.layerNorm(x, weight, bias, eps, out);
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        kernels.rope(x, table, positions);
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        if (sick != HEALTHY) {
            float[] nans = new float[keys.rowSize()];
            Arrays.fill(nans, Float.NaN);
            keys.put(sick, nans);
            values.put(sick, nans);
        }
        kernels.append(rows, layer, keys, values);
        if (sick != HEALTHY && layer == 1) {
            switch (failure) {
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case null, default -> throw new IllegalStateException(failure);
            }
        }
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        kernels.attend(rows, layer, q, out);
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        kernels.swiGlu(gate, up, out);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        kernels.add(x, y);
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        kernels.gelu(x, out);
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        kernels.relu(x, out);
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        kernels.softmax(x, out);
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        kernels.gather(x, rows, out);
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        return kernels.logSumExp(logits, row);
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        kernels.topK(logits, row, k, ids, values);
    }

    @Override
    public void close() {
        kernels.close();
    }
}
