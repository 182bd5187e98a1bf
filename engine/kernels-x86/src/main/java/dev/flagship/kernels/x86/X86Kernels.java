package dev.flagship.kernels.x86;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.KernelChecks;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;

/** Int8 products by emitted code; every other operation goes to the best other rung. */
final class X86Kernels implements Kernels {
    private final KernelLibrary library;
    private final Int8Products products;
    private final Kernels other;

    /**
     * @param library closed with this rung, as the other two are
     * @param other does everything else
     */
    X86Kernels(KernelLibrary library, Int8Products products, Kernels other) {
        this.library = library;
        this.products = products;
        this.other = other;
    }

    @Override
    public String rung() {
        return "x86-avx512-vnni over " + other.rung();
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        KernelChecks.project(x, weights, outs);
        int ours = 0;
        for (int i = 0; numerics == Numerics.FAST && i < weights.size(); i++) {
            ours += products.takes(x, weights.get(i), outs.get(i)) ? 1 : 0;
        }
        if (ours == 0) {
            other.project(x, weights, outs, numerics);
            return;
        }
        for (int i = 0; ours < weights.size() && i < weights.size(); i++) {
            if (!products.takes(x, weights.get(i), outs.get(i))) {
                other.project(x, List.of(weights.get(i)), List.of(outs.get(i)), numerics);
            }
        }
        products.project(x, weights, outs);
    }

    // --- delegated

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        other.embed(table, ids, out);
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        other.rmsNorm(x, weight, eps, out);
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        other.rope(x, table, positions);
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        other.append(rows, layer, keys, values);
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        other.attend(rows, layer, q, out);
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        other.swiGlu(gate, up, out);
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        other.gelu(x, out);
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        other.relu(x, out);
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        other.softmax(x, out);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        other.add(x, y);
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        other.gather(x, rows, out);
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        return other.logSumExp(logits, row);
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        other.topK(logits, row, k, ids, values);
    }

    @Override
    public void close() {
        products.close();
        library.close();
        other.close();
    }
}
