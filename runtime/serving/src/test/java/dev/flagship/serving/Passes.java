package dev.flagship.serving;

import dev.flagship.nn.CausalLm;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * One sequence through a model, without scheduler: what a request must give whatever runs beside
 * it.
 */
final class Passes implements AutoCloseable {
    private final CausalLm lm;
    private final PagedKvCache cache;
    private final PagedKvCache.Sequence sequence;
    private final Step step;

    Passes(CausalLm lm, Kernels kernels, Numerics numerics) {
        this(lm, kernels, numerics, lm.kvLayout(DType.F32));
    }

    private Passes(CausalLm lm, Kernels kernels, Numerics numerics, KvLayout layout) {
        this.lm = lm;
        this.cache = new PagedKvCache(layout, 256);
        this.sequence = cache.sequence();
        this.step = new Step(new Scratch(kernels, numerics), cache);
    }

    static Passes of(LoadedModel model) {
        return new Passes(model.lm(), model.kernels(), model.numerics());
    }

    /** As {@link #of}, with the pages that the model was loaded with. */
    static Passes inPagesOf(LoadedModel model) {
        return new Passes(model.lm(), model.kernels(), model.numerics(), model.kvLayout());
    }

    /** Logits of all rows. */
    List<float[]> forward(int... ids) {
        step.clear();
        if (!sequence.reserve(sequence.length() + ids.length)) {
            throw new AssertionError("the test's pool is too small");
        }
        step.add(sequence, ids, 0, ids.length, Step.Wanted.ALL);
        List<float[]> rows = new ArrayList<>();
        try (var _ = step.frame()) {
            Tensor logits = lm.forward(step);
            for (int row = 0; row < logits.rows(); row++) {
                rows.add(logits.row(row));
            }
        }
        sequence.advance(ids.length);
        return rows;
    }

    /** Greedy tokens after the prompt. */
    int[] greedy(int[] prompt, int count) {
        int[] chosen = new int[count];
        float[] logits = forward(prompt).getLast();
        for (int i = 0; i < count; i++) {
            if (i > 0) {
                logits = forward(chosen[i - 1]).getLast();
            }
            chosen[i] = argMax(logits);
        }
        return chosen;
    }

    private static int argMax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }

    @Override
    public void close() {
        step.close();
        cache.close();
    }
}
