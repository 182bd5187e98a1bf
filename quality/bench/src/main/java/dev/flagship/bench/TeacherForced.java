package dev.flagship.bench;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;

/** Runs a model over given tokens, without sampling. */
final class TeacherForced implements AutoCloseable {
    private final LoadedModel model;
    private final PagedKvCache cache;
    private final Step step;
    private PagedKvCache.Sequence sequence;

    /**
     * @param positions most tokens of one run
     */
    TeacherForced(LoadedModel model, int positions) {
        this(model, model.kernels(), positions);
    }

    /** As above, with the model's kernels seen through {@code kernels}. */
    TeacherForced(LoadedModel model, Kernels kernels, int positions) {
        this.model = model;
        KvLayout layout = model.kvLayout();
        this.cache =
                new PagedKvCache(layout, (positions + KvLayout.PAGE - 1) / KvLayout.PAGE, kernels);
        this.step = new Step(new Scratch(kernels, model.numerics()), cache);
        this.sequence = cache.sequence();
    }

    interface Reader {
        /**
         * Reads logits, one row for each token of the run, or one for the last; valid during the
         * call.
         */
        void read(Tensor logits);
    }

    void restart() {
        sequence.close();
        sequence = cache.sequence();
    }

    /** Forgets all tokens from {@code length} on, and makes room for {@code more}. */
    void cutTo(int length, int more) {
        sequence.truncate(length);
        if (!sequence.reserve(length + more)) {
            throw new IllegalStateException("the run is longer than was planned for");
        }
    }

    /** Tokens run since the start, those cut not counted. */
    int length() {
        return sequence.length();
    }

    /** Runs tokens [from, from + count) after those run before. */
    void run(int[] ids, int from, int count, Step.Wanted wanted, Reader reader) {
        if (!sequence.reserve(sequence.length() + count)) {
            throw new IllegalStateException("the run is longer than was planned for");
        }
        step.clear();
        step.add(sequence, ids, from, count, wanted);
        try (var _ = step.frame()) {
            Tensor logits = model.lm().forward(step);
            sequence.advance(count);
            reader.read(logits);
        }
    }

    @Override
    public void close() {
        step.close();
        cache.close();
    }
}
