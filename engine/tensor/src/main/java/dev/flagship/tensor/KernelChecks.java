package dev.flagship.tensor;

import com.google.errorprone.annotations.FormatMethod;
import com.google.errorprone.annotations.FormatString;
import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The argument checks that every rung makes before it touches memory. They run once per operation,
 * some once per row, so the values for a message are gathered only after a check has failed.
 */
public final class KernelChecks {
    private KernelChecks() {}

    @FormatMethod
    private static InvalidArgumentException refused(
            @FormatString String message, @Nullable Object... values) {
        return new InvalidArgumentException(message.formatted(values));
    }

    public static void embed(BandMatrix table, int[] ids, Tensor out) {
        if (!(out.rowSize() == table.cols() && ids.length >= out.rows())) {
            throw refused(
                    "embed: %s ids, table %s has rows of %s, output is %s",
                    ids.length, Quoted.of(table.name()), table.cols(), out.shape());
        }
        for (int i = 0; i < out.rows(); i++) {
            if (!(ids[i] >= 0 && ids[i] < table.rows())) {
                throw refused(
                        "embed: id %s at row %s, table %s has %s rows",
                        ids[i], i, Quoted.of(table.name()), table.rows());
            }
        }
    }

    public static void project(Tensor x, List<BandMatrix> weights, List<Tensor> outs) {
        if (weights.size() != outs.size()) {
            throw refused("project: %s weights, %s outputs", weights.size(), outs.size());
        }
        for (int i = 0; i < weights.size(); i++) {
            BandMatrix w = weights.get(i);
            Tensor out = outs.get(i);
            if (!(x.rowSize() == w.cols() && out.rowSize() == w.rows() && out.rows() == x.rows())) {
                throw refused(
                        "project: x %s times %s [%s, %s] into %s",
                        x.shape(), Quoted.of(w.name()), w.rows(), w.cols(), out.shape());
            }
        }
    }

    public static void rmsNorm(Tensor x, Tensor weight, Tensor out) {
        if (!(weight.rowSize() == x.rowSize()
                && out.rowSize() == x.rowSize()
                && out.rows() == x.rows())) {
            throw refused(
                    "rmsNorm: x %s, weight %s, output %s", x.shape(), weight.shape(), out.shape());
        }
    }

    public static void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor out) {
        if (!(weight.rowSize() == x.rowSize()
                && bias.rowSize() == x.rowSize()
                && out.rowSize() == x.rowSize()
                && out.rows() == x.rows())) {
            throw refused(
                    "layerNorm: x %s, weight %s, bias %s, output %s",
                    x.shape(), weight.shape(), bias.shape(), out.shape());
        }
    }

    public static void rope(Tensor x, RopeTable table, int[] positions) {
        if (!(x.shape().width() == 2 * table.pairs() && positions.length >= x.rows())) {
            throw refused(
                    "rope: x %s, table of %s pairs, %s positions",
                    x.shape(), table.pairs(), positions.length);
        }
        for (int i = 0; i < x.rows(); i++) {
            if (!(positions[i] >= 0 && (positions[i] + 1L) * table.pairs() <= table.cos().length)) {
                throw refused(
                        "rope: position %s at row %s is outside the table; call ensure first",
                        positions[i], i);
            }
        }
    }

    public static void append(KvRows rows, int layer, Tensor keys, Tensor values) {
        KvLayout kv = rows.layout();
        if (!(keys.rows() == rows.count()
                && values.rows() == rows.count()
                && keys.rowSize() == kv.kvHeads() * kv.headSize()
                && values.rowSize() == keys.rowSize()
                && layer >= 0
                && layer < kv.layers())) {
            throw refused(
                    "append: keys %s, values %s into layer %s of %s for %s rows",
                    keys.shape(), values.shape(), layer, kv, rows.count());
        }
    }

    public static void attend(KvRows rows, int layer, Tensor q, Tensor out) {
        KvLayout kv = rows.layout();
        if (!(q.rows() == rows.count()
                && q.shape().width() == kv.headSize()
                && q.shape().heads() % kv.kvHeads() == 0
                && out.rows() == q.rows()
                && out.rowSize() == q.rowSize()
                && layer >= 0
                && layer < kv.layers())) {
            throw refused(
                    "attend: q %s into %s, layer %s of %s for %s rows",
                    q.shape(), out.shape(), layer, kv, rows.count());
        }
    }

    public static void sameShape(String operation, Tensor a, Tensor b) {
        if (!(a.rows() == b.rows() && a.rowSize() == b.rowSize())) {
            throw refused("%s: %s and %s differ", operation, a.shape(), b.shape());
        }
    }

    public static void gather(Tensor x, int[] rows, Tensor out) {
        if (!(x.rowSize() == out.rowSize() && rows.length >= out.rows())) {
            throw refused("gather: %s rows of %s into %s", rows.length, x.shape(), out.shape());
        }
        for (int i = 0; i < out.rows(); i++) {
            if (!(rows[i] >= 0 && rows[i] < x.rows())) {
                throw refused("gather: row %s of a tensor %s", rows[i], x.shape());
            }
        }
    }

    public static void logSumExp(Tensor logits, int row) {
        if (!(row >= 0 && row < logits.rows())) {
            throw refused("logSumExp: row %s of %s", row, logits.shape());
        }
    }

    public static void topK(Tensor logits, int row, int k, int[] ids, float[] values) {
        if (!(row >= 0
                && row < logits.rows()
                && k >= 1
                && k <= logits.rowSize()
                && ids.length >= k
                && values.length >= k)) {
            throw refused(
                    "topK: %s of row %s of %s into %s ids", k, row, logits.shape(), ids.length);
        }
    }
}
