package dev.flagship.bench;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;

/** Counts the time, the work and the weights of matrix products. Allocates nothing. */
final class TimingKernels implements Kernels {
    private final Kernels kernels;
    private long nanos;
    private long operations;
    private long weightBytes;
    private boolean counting = true;

    /**
     * @param kernels does the work and stays its owner's
     */
    TimingKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    void reset() {
        nanos = 0;
        operations = 0;
        weightBytes = 0;
    }

    /** Stops or resumes counting, for work that is not measured. */
    void count(boolean on) {
        counting = on;
    }

    /** Time within products. */
    long nanos() {
        return nanos;
    }

    /** 2 · T · rows · cols of every product. */
    long operations() {
        return operations;
    }

    /** Packed bytes of every product's weight, however many rows met it. */
    long weightBytes() {
        return weightBytes;
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        long started = System.nanoTime();
        kernels.project(x, weights, outs, numerics);
        if (!counting) {
            return;
        }
        nanos += System.nanoTime() - started;
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            operations += 2L * x.rows() * w.rows() * w.cols();
            weightBytes += w.byteSize();
        }
    }

    @Override
    public String rung() {
        return kernels.rung();
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        kernels.embed(table, ids, out);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        kernels.rmsNorm(x, weight, eps, out);
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        kernels.rope(x, table, positions);
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        kernels.append(rows, layer, keys, values);
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
        // The model closes its kernels.
    }
}
