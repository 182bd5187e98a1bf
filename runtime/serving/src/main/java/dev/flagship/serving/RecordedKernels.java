package dev.flagship.serving;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;

/**
 * Makes a {@link KernelEvent} of every operation while a Flight Recorder recording asks for them.
 * Without one, whether to is a constant to the compiler, and nothing is allocated.
 */
final class RecordedKernels implements Kernels {
    private final Kernels kernels;
    private final String rung;

    /** Asked only whether anybody records. */
    private final KernelEvent asked = new KernelEvent();

    /**
     * @param kernels does the work; closed with this
     */
    RecordedKernels(Kernels kernels) {
        this.kernels = kernels;
        this.rung = kernels.rung();
    }

    /** Who does the work. */
    Kernels recorded() {
        return kernels;
    }

    private static KernelEvent begin() {
        KernelEvent event = new KernelEvent();
        event.begin();
        return event;
    }

    private void end(KernelEvent event, String operation, String type, int rows, long bytes) {
        event.end();
        if (event.shouldCommit()) {
            event.operation = operation;
            event.rung = rung;
            event.type = type;
            event.rows = rows;
            event.bytes = bytes;
            event.commit();
        }
    }

    private static long bytes(Tensor x) {
        return 4 * x.shape().elements();
    }

    private static long bytes(List<BandMatrix> weights) {
        long bytes = 0;
        for (BandMatrix w : weights) {
            bytes += w.byteSize();
        }
        return bytes;
    }

    private static long allBytes(List<Tensor> tensors) {
        long bytes = 0;
        for (Tensor x : tensors) {
            bytes += bytes(x);
        }
        return bytes;
    }

    /** Keys and values of one position in one layer. */
    private static long positionBytes(KvRows rows) {
        return rows.layout().bytesPerToken() / rows.layout().layers();
    }

    /** Keys and values that attention reads: each tile all positions up to its last row's. */
    private static long read(KvRows rows) {
        long positions = 0;
        for (int tile = 0; tile < rows.tiles(); tile++) {
            positions += rows.position(rows.tileEnd(tile) - 1) + 1;
        }
        return positions * positionBytes(rows);
    }

    @Override
    public String rung() {
        return rung;
    }

    @Override
    public void embed(BandMatrix table, int[] ids, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.embed(table, ids, out);
            return;
        }
        KernelEvent event = begin();
        kernels.embed(table, ids, out);
        long read = table.byteSize() / table.rows() * ids.length;
        end(event, "embed", table.type().toString(), out.rows(), read + bytes(out));
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        if (!asked.isEnabled()) {
            kernels.project(x, weights, outs, numerics);
            return;
        }
        KernelEvent event = begin();
        kernels.project(x, weights, outs, numerics);
        String type = weights.isEmpty() ? "" : weights.getFirst().type().toString();
        end(event, "project", type, x.rows(), bytes(x) + bytes(weights) + allBytes(outs));
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.rmsNorm(x, weight, eps, out);
            return;
        }
        KernelEvent event = begin();
        kernels.rmsNorm(x, weight, eps, out);
        end(event, "rmsNorm", "", x.rows(), bytes(x) + bytes(weight) + bytes(out));
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        if (!asked.isEnabled()) {
            kernels.rope(x, table, positions);
            return;
        }
        KernelEvent event = begin();
        kernels.rope(x, table, positions);
        end(event, "rope", "", x.rows(), 2 * bytes(x));
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        if (!asked.isEnabled()) {
            kernels.append(rows, layer, keys, values);
            return;
        }
        KernelEvent event = begin();
        kernels.append(rows, layer, keys, values);
        long written = keys.rows() * positionBytes(rows);
        end(
                event,
                "append",
                rows.layout().type().toString(),
                keys.rows(),
                bytes(keys) + bytes(values) + written);
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.attend(rows, layer, q, out);
            return;
        }
        KernelEvent event = begin();
        kernels.attend(rows, layer, q, out);
        end(
                event,
                "attend",
                rows.layout().type().toString(),
                q.rows(),
                read(rows) + bytes(q) + bytes(out));
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.swiGlu(gate, up, out);
            return;
        }
        KernelEvent event = begin();
        kernels.swiGlu(gate, up, out);
        end(event, "swiGlu", "", gate.rows(), bytes(gate) + bytes(up) + bytes(out));
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.gelu(x, out);
            return;
        }
        KernelEvent event = begin();
        kernels.gelu(x, out);
        end(event, "gelu", "", x.rows(), bytes(x) + bytes(out));
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.relu(x, out);
            return;
        }
        KernelEvent event = begin();
        kernels.relu(x, out);
        end(event, "relu", "", x.rows(), bytes(x) + bytes(out));
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.softmax(x, out);
            return;
        }
        KernelEvent event = begin();
        kernels.softmax(x, out);
        end(event, "softmax", "", x.rows(), bytes(x) + bytes(out));
    }

    @Override
    public void add(Tensor x, Tensor y) {
        if (!asked.isEnabled()) {
            kernels.add(x, y);
            return;
        }
        KernelEvent event = begin();
        kernels.add(x, y);
        end(event, "add", "", x.rows(), 2 * bytes(x) + bytes(y));
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        if (!asked.isEnabled()) {
            kernels.gather(x, rows, out);
            return;
        }
        KernelEvent event = begin();
        kernels.gather(x, rows, out);
        end(event, "gather", "", out.rows(), 2 * bytes(out));
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        if (!asked.isEnabled()) {
            return kernels.logSumExp(logits, row);
        }
        KernelEvent event = begin();
        float sum = kernels.logSumExp(logits, row);
        end(event, "logSumExp", "", 1, 4L * logits.rowSize());
        return sum;
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        if (!asked.isEnabled()) {
            kernels.topK(logits, row, k, ids, values);
            return;
        }
        KernelEvent event = begin();
        kernels.topK(logits, row, k, ids, values);
        end(event, "topK", "", 1, 4L * logits.rowSize() + 8L * k);
    }

    @Override
    public void close() {
        kernels.close();
    }
}
