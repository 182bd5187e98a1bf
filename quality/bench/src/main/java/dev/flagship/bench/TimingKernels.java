package dev.flagship.bench;

import static dev.flagship.bench.OperationTimes.Small.ACTIVATION;
import static dev.flagship.bench.OperationTimes.Small.APPEND;
import static dev.flagship.bench.OperationTimes.Small.ATTENTION;
import static dev.flagship.bench.OperationTimes.Small.CHOICE;
import static dev.flagship.bench.OperationTimes.Small.EMBEDDING;
import static dev.flagship.bench.OperationTimes.Small.NORM;
import static dev.flagship.bench.OperationTimes.Small.ROTATION;
import static dev.flagship.bench.OperationTimes.Small.ROWS;
import static dev.flagship.bench.OperationTimes.Small.SOFTMAX;
import static dev.flagship.bench.OperationTimes.Small.SUM;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Counts the time, the work and the weights of matrix products; if asked, the time of each other
 * operation, too. Allocates nothing.
 */
final class TimingKernels implements Kernels {
    private final Kernels kernels;
    private final @Nullable OperationTimes each;
    private long nanos;
    private long operations;
    private long weightBytes;
    private boolean counting = true;

    /**
     * @param kernels does the work and stays its owner's
     */
    TimingKernels(Kernels kernels) {
        this(kernels, null);
    }

    /**
     * As above.
     *
     * @param each hears of every operation. That takes two looks at the clock for each: not for
     *     figures of speed
     */
    TimingKernels(Kernels kernels, @Nullable OperationTimes each) {
        this.kernels = kernels;
        this.each = each;
    }

    void reset() {
        nanos = 0;
        operations = 0;
        weightBytes = 0;
        if (each != null) {
            each.reset();
        }
    }

    private long begin() {
        return each == null || !counting ? 0 : System.nanoTime();
    }

    private void end(OperationTimes.Small kind, long began) {
        if (each != null && counting) {
            each.add(kind, System.nanoTime() - began);
        }
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
        long took = System.nanoTime() - started;
        long done = 0;
        long bytes = 0;
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            done += 2L * x.rows() * w.rows() * w.cols();
            bytes += w.byteSize();
        }
        nanos += took;
        operations += done;
        weightBytes += bytes;
        if (each != null) {
            each.add(weights, took, done, bytes);
        }
    }

    @Override
    public OffHeap memory(long bytes) {
        return kernels.memory(bytes);
    }

    @Override
    public String rung() {
        return kernels.rung();
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        long began = begin();
        kernels.embed(table, ids, out);
        end(EMBEDDING, began);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        long began = begin();
        kernels.rmsNorm(x, weight, eps, out);
        end(NORM, began);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        long began = begin();
        kernels.layerNorm(x, weight, bias, eps, out);
        end(NORM, began);
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        long began = begin();
        kernels.rope(x, table, positions);
        end(ROTATION, began);
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        long began = begin();
        kernels.append(rows, layer, keys, values);
        end(APPEND, began);
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        long began = begin();
        kernels.attend(rows, layer, q, out);
        end(ATTENTION, began);
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        long began = begin();
        kernels.swiGlu(gate, up, out);
        end(ACTIVATION, began);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        long began = begin();
        kernels.add(x, y);
        end(SUM, began);
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        long began = begin();
        kernels.gelu(x, out);
        end(ACTIVATION, began);
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        long began = begin();
        kernels.relu(x, out);
        end(ACTIVATION, began);
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        long began = begin();
        kernels.softmax(x, out);
        end(SOFTMAX, began);
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        long began = begin();
        kernels.gather(x, rows, out);
        end(ROWS, began);
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        long began = begin();
        float sum = kernels.logSumExp(logits, row);
        end(CHOICE, began);
        return sum;
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        long began = begin();
        kernels.topK(logits, row, k, ids, values);
        end(CHOICE, began);
    }

    @Override
    public void close() {
        // The model closes its kernels.
    }
}
