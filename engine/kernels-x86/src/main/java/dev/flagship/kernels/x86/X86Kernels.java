package dev.flagship.kernels.x86;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.KernelChecks;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;

/** Emitted code where there is some; every other operation goes to the best other rung. */
final class X86Kernels implements Kernels {
    private final KernelLibrary library;
    private final Int8Products products;
    private final FloatProducts floats;
    private final Attention attention;
    private final Pointwise pointwise;
    private final Kernels other;

    /**
     * @param library closed with this rung, as the others are
     * @param other does everything else
     */
    X86Kernels(
            KernelLibrary library,
            Int8Products products,
            FloatProducts floats,
            Attention attention,
            Pointwise pointwise,
            Kernels other) {
        this.library = library;
        this.products = products;
        this.floats = floats;
        this.attention = attention;
        this.pointwise = pointwise;
        this.other = other;
    }

    @Override
    public String rung() {
        return "x86-" + library.isa().tag + " over " + other.rung();
    }

    @Override
    public OffHeap memory(long bytes) {
        return LinuxPages.memory(bytes);
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        KernelChecks.project(x, weights, outs);
        int int8 = 0;
        int plain = 0;
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            int8 += int8(x, w, outs.get(i), numerics) ? 1 : 0;
            plain += floats.takes(x, w, outs.get(i), numerics) ? 1 : 0;
        }
        if (int8 + plain == 0) {
            other.project(x, weights, outs, numerics);
            return;
        }
        for (int i = 0; int8 + plain < weights.size() && i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            Tensor out = outs.get(i);
            if (!int8(x, w, out, numerics) && !floats.takes(x, w, out, numerics)) {
                other.project(x, List.of(w), List.of(out), numerics);
            }
        }
        if (int8 > 0) {
            products.project(x, weights, outs);
        }
        if (plain > 0) {
            floats.project(x, weights, outs, numerics);
        }
    }

    private boolean int8(Tensor x, BandMatrix w, Tensor out, Numerics numerics) {
        return numerics == Numerics.FAST && products.takes(x, w, out);
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        KernelChecks.attend(rows, layer, q, out);
        if (attention.takes(rows, q, out)) {
            attention.attend(rows, layer, q, out);
        } else {
            other.attend(rows, layer, q, out);
        }
    }

    // --- rows and elements

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        KernelChecks.layerNorm(x, weight, bias, out);
        if (pointwise.takes(PointwiseKernel.LAYER_NORM, x, weight, out)
                && pointwise.takes(PointwiseKernel.LAYER_NORM, bias)) {
            pointwise.layerNorm(x, weight, bias, eps, out);
        } else {
            other.layerNorm(x, weight, bias, eps, out);
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        KernelChecks.rmsNorm(x, weight, out);
        if (pointwise.takes(PointwiseKernel.RMS_NORM, x, weight, out)) {
            pointwise.rmsNorm(x, weight, eps, out);
        } else {
            other.rmsNorm(x, weight, eps, out);
        }
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        KernelChecks.rope(x, table, positions);
        if (pointwise.takes(PointwiseKernel.ROPE, x)) {
            pointwise.rope(x, table, positions);
        } else {
            other.rope(x, table, positions);
        }
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        KernelChecks.sameShape("swiGlu", gate, up);
        KernelChecks.sameShape("swiGlu", gate, out);
        if (pointwise.takes(PointwiseKernel.SWIGLU, gate, up, out)) {
            pointwise.run(PointwiseKernel.SWIGLU, gate, up, out);
        } else {
            other.swiGlu(gate, up, out);
        }
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        KernelChecks.sameShape("gelu", x, out);
        if (pointwise.takes(PointwiseKernel.GELU, x, x, out)) {
            pointwise.run(PointwiseKernel.GELU, x, x, out);
        } else {
            other.gelu(x, out);
        }
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        KernelChecks.sameShape("relu", x, out);
        if (pointwise.takes(PointwiseKernel.RELU, x, x, out)) {
            pointwise.run(PointwiseKernel.RELU, x, x, out);
        } else {
            other.relu(x, out);
        }
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        KernelChecks.sameShape("softmax", x, out);
        if (pointwise.takes(PointwiseKernel.SOFTMAX, x, x, out)) {
            pointwise.softmax(x, out);
        } else {
            other.softmax(x, out);
        }
    }

    @Override
    public void add(Tensor x, Tensor y) {
        KernelChecks.sameShape("add", x, y);
        if (pointwise.takes(PointwiseKernel.ADD, x, y, x)) {
            pointwise.run(PointwiseKernel.ADD, x, y, x);
        } else {
            other.add(x, y);
        }
    }

    // --- logits

    @Override
    public float logSumExp(Tensor logits, int row) {
        KernelChecks.logSumExp(logits, row);
        return pointwise.takes(PointwiseKernel.SUM_EXP, logits)
                ? pointwise.logSumExp(logits, row)
                : other.logSumExp(logits, row);
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        KernelChecks.topK(logits, row, k, ids, values);
        if (Pointwise.worthStrips(logits, k)
                && pointwise.takes(PointwiseKernel.STRIP_MAX, logits)) {
            pointwise.topK(logits, row, k, ids, values);
        } else {
            other.topK(logits, row, k, ids, values);
        }
    }

    // --- delegated

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        other.embed(table, ids, out);
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        other.append(rows, layer, keys, values);
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        other.gather(x, rows, out);
    }

    @Override
    public void close() {
        // From the last to the first, each of them whatever the others throw.
        try (other;
                library;
                pointwise;
                attention;
                floats;
                products) {}
    }
}
