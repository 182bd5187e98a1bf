package dev.flagship.bench;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;

/** Several sequences with different texts, decoded greedily in one step a token. One thread. */
final class ManySequences implements AutoCloseable {
    private final LoadedModel model;
    private final Kernels kernels;
    private final Workload work;
    private final PagedKvCache cache;
    private final Step step;
    private final PagedKvCache.Sequence[] sequences;
    private final int[][] next;
    private final float[] value = new float[1];

    ManySequences(LoadedModel model, Kernels kernels, Workload work) {
        this.model = model;
        this.kernels = kernels;
        this.work = work;
        KvLayout layout = model.kvLayout();
        int pages = Math.ceilDiv(positions(), KvLayout.PAGE);
        cache = new PagedKvCache(layout, work.sequences() * pages, kernels);
        step = new Step(new Scratch(kernels, model.numerics()), cache);
        sequences = new PagedKvCache.Sequence[work.sequences()];
        next = new int[work.sequences()][1];
        for (int i = 0; i < sequences.length; i++) {
            sequences[i] = cache.sequence();
        }
    }

    private int positions() {
        return work.shortPrefix() + 1 + work.decode();
    }

    /** Each sequence holds its prefix again, and is about to see the token after it. */
    void restart() {
        step.clear();
        int prefix = work.shortPrefix();
        for (int i = 0; i < sequences.length; i++) {
            sequences[i].truncate(0);
            if (!sequences[i].reserve(positions())) {
                throw new IllegalStateException("the sequences are longer than was planned for");
            }
            int from = i * (prefix + 1);
            step.add(sequences[i], work.ids(), from, prefix, Step.Wanted.NONE);
            next[i][0] = work.ids()[from + prefix];
        }
        try (var _ = step.frame()) {
            model.lm().forward(step);
        }
        for (PagedKvCache.Sequence sequence : sequences) {
            sequence.advance(prefix);
        }
    }

    /** Decodes so many tokens of each sequence. */
    void decode(int tokens) {
        for (int t = 0; t < tokens; t++) {
            step.clear();
            for (int i = 0; i < sequences.length; i++) {
                step.add(sequences[i], next[i], 0, 1, Step.Wanted.LAST);
            }
            try (var _ = step.frame()) {
                Tensor logits = model.lm().forward(step);
                for (int i = 0; i < sequences.length; i++) {
                    sequences[i].advance(1);
                    kernels.topK(logits, i, 1, next[i], value);
                }
            }
        }
    }

    /** The token that each sequence would see next. */
    int[] next() {
        int[] ids = new int[next.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = next[i][0];
        }
        return ids;
    }

    @Override
    public void close() {
        step.close();
        cache.close();
    }
}
