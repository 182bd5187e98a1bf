package dev.flagship.serving;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.serving.api.RequestException;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;
import dev.flagship.tokenizers.ControlTokens;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.IntConsumer;

/**
 * How well a model foretells a text: e to the mean of −ln p over its tokens. The text is cut into
 * windows of equal length, each of which begins anew, with the token that begins texts where the
 * model has one; what is left at the end is not looked at unless it is all.
 *
 * @param tokens that were foretold
 * @param numerics in which it was computed
 */
public record Perplexity(double value, int tokens, Numerics numerics) {
    private static final int WINDOW = 1024;
    private static final int CHUNK = 128;

    /** Fewer say nothing of a model. */
    public static final int LEAST_TOKENS = 32;

    /**
     * Measures.
     *
     * @throws RequestException if the text has less than {@link #LEAST_TOKENS}
     * @throws LoadException if the model cannot be loaded
     * @throws IOException if a file cannot be read
     */
    public static Perplexity of(Path model, String text, LoadOptions options, LoadListener listener)
            throws IOException {
        try (LoadedModel loaded = LoadedModel.load(model, options, listener)) {
            return of(loaded, text, listener);
        }
    }

    private static Perplexity of(LoadedModel model, String text, LoadListener listener) {
        int[] ids = model.tokenizer().encode(text, ControlTokens.AS_TEXT);
        int begin = model.tokenizer().addsBos() ? 1 : 0;
        int window = Math.min(Math.min(WINDOW, model.contextLength()) - begin, ids.length);
        if (ids.length < LEAST_TOKENS) {
            throw RequestException.invalidPrompt(
                    "The text has %d tokens; perplexity needs %d."
                            .formatted(ids.length, LEAST_TOKENS),
                    null);
        }
        if (window < 2) {
            throw RequestException.invalidPrompt(
                    "The model's context of %d tokens is too short to measure perplexity."
                            .formatted(model.contextLength()),
                    null);
        }
        int windows = ids.length / window;
        String stage = "Measuring perplexity";
        listener.progress(stage, 0, text.length());
        double sum = 0;
        long all = (long) windows * (window + begin);
        try (Windows run = new Windows(model, window + begin)) {
            for (int w = 0; w < windows; w++) {
                int[] own = new int[window + begin];
                if (begin > 0) {
                    own[0] = model.tokenizer().bos().orElseThrow();
                }
                System.arraycopy(ids, w * window, own, begin, window);
                long before = (long) w * own.length;
                sum +=
                        run.surprise(
                                own,
                                done ->
                                        listener.progress(
                                                stage,
                                                text.length() * (before + done) / all,
                                                text.length()));
            }
        }
        int tokens = windows * (window + begin - 1);
        return new Perplexity(Math.exp(sum / tokens), tokens, model.numerics());
    }

    /** Runs windows one after the other. */
    private static final class Windows implements AutoCloseable {
        private final LoadedModel model;
        private final PagedKvCache cache;
        private final Step step;

        Windows(LoadedModel model, int length) {
            this.model = model;
            this.cache =
                    new PagedKvCache(
                            model.kvLayout(),
                            (length + KvLayout.PAGE - 1) / KvLayout.PAGE,
                            model.kernels());
            this.step = new Step(new Scratch(model.kernels(), model.numerics()), cache);
        }

        /**
         * The sum of −ln p over all tokens but the first.
         *
         * @param done hears how many are
         */
        double surprise(int[] ids, IntConsumer done) {
            double sum = 0;
            try (PagedKvCache.Sequence sequence = cache.sequence()) {
                for (int from = 0; from < ids.length; from += CHUNK) {
                    int count = Math.min(CHUNK, ids.length - from);
                    if (!sequence.reserve(from + count)) {
                        throw new IllegalStateException("the pool was made for one window");
                    }
                    step.clear();
                    step.add(sequence, ids, from, count, Step.Wanted.ALL);
                    try (var _ = step.frame()) {
                        Tensor logits = model.lm().forward(step);
                        sequence.advance(count);
                        for (int i = 0; i < count && from + i + 1 < ids.length; i++) {
                            sum += surprise(logits.row(i), ids[from + i + 1]);
                        }
                    }
                    done.accept(from + count);
                }
            }
            return sum;
        }

        private static double surprise(float[] logits, int id) {
            float most = Float.NEGATIVE_INFINITY;
            for (float logit : logits) {
                most = Math.max(most, logit);
            }
            double sum = 0;
            for (float logit : logits) {
                sum += Math.exp(logit - most);
            }
            return Math.log(sum) + most - logits[id];
        }

        @Override
        public void close() {
            step.close();
            cache.close();
        }
    }
}
