package dev.flagship.testing;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what every layer gives, under the names that a PyTorch forward hook sees: a layer is known
 * by the path of its weight. Models know nothing of it.
 *
 * <p>Modules without a weight of their own are derived: {@code self_attn} gives what {@code o_proj}
 * gives, {@code mlp} what {@code down_proj} gives, {@code model.layers.N} the residual stream after
 * the next sum, and a product with the embedding table is {@code lm_head}. Rows of later steps are
 * appended.
 */
public final class RecordingKernels implements Kernels {
    private static final String WEIGHT = ".weight";
    private static final String HEAD = "lm_head";
    private static final String DOWN = ".mlp.down_proj";
    private static final String OUT = ".self_attn.o_proj";

    private final Kernels kernels;
    private final Map<String, List<float[]>> rows = new LinkedHashMap<>();
    private String table = "";
    private @Nullable String layerInSum;

    /**
     * @param kernels does the work; closed by {@link #close}
     */
    public RecordingKernels(Kernels kernels) {
        this.kernels = kernels;
    }

    /** Rows of every module seen, by its path, in the order of first appearance. */
    public Map<String, List<float[]>> outputs() {
        return rows;
    }

    private void keep(String path, Tensor out) {
        List<float[]> kept = rows.computeIfAbsent(path, _ -> new ArrayList<>());
        for (int row = 0; row < out.rows(); row++) {
            kept.add(out.row(row));
        }
    }

    private static String module(String weight) {
        return weight.endsWith(WEIGHT)
                ? weight.substring(0, weight.length() - WEIGHT.length())
                : weight;
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        kernels.embed(table, ids, out);
        this.table = table.name();
        keep(module(table.name()), out);
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        kernels.project(x, weights, outs, numerics);
        for (int i = 0; i < weights.size(); i++) {
            String name = weights.get(i).name();
            String path = name.equals(table) ? HEAD : module(name);
            keep(path, outs.get(i));
            if (path.endsWith(OUT)) {
                keep(path.substring(0, path.lastIndexOf('.')), outs.get(i));
            } else if (path.endsWith(DOWN)) {
                keep(path.substring(0, path.lastIndexOf('.')), outs.get(i));
                layerInSum = path.substring(0, path.length() - DOWN.length());
            }
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        kernels.rmsNorm(x, weight, eps, out);
        keep(module(weight.name()), out);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        kernels.layerNorm(x, weight, bias, eps, out);
        keep(module(weight.name()), out);
    }

    @Override
    public void add(Tensor x, Tensor y) {
        kernels.add(x, y);
        if (layerInSum != null) {
            keep(layerInSum, x);
            layerInSum = null;
        }
    }

    @Override
    public String rung() {
        return kernels.rung();
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
