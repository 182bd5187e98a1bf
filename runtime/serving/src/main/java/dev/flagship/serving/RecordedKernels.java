package dev.flagship.serving;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.RopeTable;
import dev.flagship.tensor.Tensor;
import java.util.List;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * Makes a {@link KernelEvent} of every operation while a Flight Recorder recording asks for them.
 * Without one nothing is allocated.
 */
final class RecordedKernels implements Kernels {
    private final Kernels kernels;
    private final String rung;

    /** Asked only whether anybody records. */
    private @Nullable KernelEvent asked;

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

    /**
     * Null while nobody records: nothing is allocated then, nor are Flight Recorder's classes
     * loaded, which would take a tenth of each start.
     */
    private @Nullable KernelEvent begin() {
        if (!FlightRecorder.isInitialized()) {
            return null;
        }
        if (asked == null) {
            asked = new KernelEvent();
        }
        if (!asked.isEnabled()) {
            return null;
        }
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

    @Override
    public OffHeap memory(long bytes) {
        return kernels.memory(bytes);
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
        KernelEvent event = begin();
        kernels.embed(table, ids, out);
        if (event != null) {
            long read = table.byteSize() / table.rows() * ids.length;
            end(event, "embed", table.type().toString(), out.rows(), read + bytes(out));
        }
    }

    @Override
    public void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs, Numerics numerics) {
        KernelEvent event = begin();
        kernels.project(x, weights, outs, numerics);
        if (event != null) {
            String type = weights.isEmpty() ? "" : weights.getFirst().type().toString();
            end(event, "project", type, x.rows(), bytes(x) + bytes(weights) + allBytes(outs));
        }
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        KernelEvent event = begin();
        kernels.rmsNorm(x, weight, eps, out);
        if (event != null) {
            end(event, "rmsNorm", "", x.rows(), bytes(x) + bytes(weight) + bytes(out));
        }
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, float eps, Tensor out) {
        KernelEvent event = begin();
        kernels.layerNorm(x, weight, bias, eps, out);
        if (event != null) {
            long bytes = bytes(x) + bytes(weight) + bytes(bias) + bytes(out);
            end(event, "layerNorm", "", x.rows(), bytes);
        }
    }

    @Override
    public void rope(Tensor x, RopeTable table, int[] positions) {
        KernelEvent event = begin();
        kernels.rope(x, table, positions);
        if (event != null) {
            end(event, "rope", "", x.rows(), 2 * bytes(x));
        }
    }

    @Override
    public void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        KernelEvent event = begin();
        kernels.append(rows, layer, keys, values);
        if (event != null) {
            long written = keys.rows() * positionBytes(rows);
            end(
                    event,
                    "append",
                    rows.layout().type().toString(),
                    keys.rows(),
                    bytes(keys) + bytes(values) + written);
        }
    }

    @Override
    public void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        KernelEvent event = begin();
        kernels.attend(rows, layer, q, out);
        if (event != null) {
            end(
                    event,
                    "attend",
                    rows.layout().type().toString(),
                    q.rows(),
                    read(rows) + bytes(q) + bytes(out));
        }
    }

    @Override
    public void swiGlu(Tensor gate, Tensor up, Tensor out) {
        KernelEvent event = begin();
        kernels.swiGlu(gate, up, out);
        if (event != null) {
            end(event, "swiGlu", "", gate.rows(), bytes(gate) + bytes(up) + bytes(out));
        }
    }

    @Override
    public void gelu(Tensor x, Tensor out) {
        KernelEvent event = begin();
        kernels.gelu(x, out);
        if (event != null) {
            end(event, "gelu", "", x.rows(), bytes(x) + bytes(out));
        }
    }

    @Override
    public void relu(Tensor x, Tensor out) {
        KernelEvent event = begin();
        kernels.relu(x, out);
        if (event != null) {
            end(event, "relu", "", x.rows(), bytes(x) + bytes(out));
        }
    }

    @Override
    public void softmax(Tensor x, Tensor out) {
        KernelEvent event = begin();
        kernels.softmax(x, out);
        if (event != null) {
            end(event, "softmax", "", x.rows(), bytes(x) + bytes(out));
        }
    }

    @Override
    public void add(Tensor x, Tensor y) {
        KernelEvent event = begin();
        kernels.add(x, y);
        if (event != null) {
            end(event, "add", "", x.rows(), 2 * bytes(x) + bytes(y));
        }
    }

    @Override
    public void gather(Tensor x, int[] rows, Tensor out) {
        KernelEvent event = begin();
        kernels.gather(x, rows, out);
        if (event != null) {
            end(event, "gather", "", out.rows(), 2 * bytes(out));
        }
    }

    @Override
    public float logSumExp(Tensor logits, int row) {
        KernelEvent event = begin();
        float sum = kernels.logSumExp(logits, row);
        if (event != null) {
            end(event, "logSumExp", "", 1, 4L * logits.rowSize());
        }
        return sum;
    }

    @Override
    public void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        KernelEvent event = begin();
        kernels.topK(logits, row, k, ids, values);
        if (event != null) {
            end(event, "topK", "", 1, 4L * logits.rowSize() + 8L * k);
        }
    }

    @Override
    public void close() {
        kernels.close();
    }
}
