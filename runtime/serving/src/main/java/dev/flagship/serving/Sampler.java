package dev.flagship.serving;

import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Tensor;

/**
 * Chooses the tokens of one answer. Order: logit bias and penalties, temperature, top-k, top-p,
 * min-p; each of the last three works on what the one before left. One thread, the step thread.
 */
final class Sampler {
    private static final int FIRST_CANDIDATES = 64;

    private static final double INFINITE = Double.POSITIVE_INFINITY;

    private final Sampling sampling;
    private final Kernels kernels;
    private final int[] biased;
    private final float[] biases;
    private final TokenCounts generated = new TokenCounts(); // if any penalty asks for it
    private final TokenCounts seen = new TokenCounts(); // in prompt and answer, likewise
    private int[] ids = new int[FIRST_CANDIDATES];
    private float[] values = new float[FIRST_CANDIDATES];
    private double[] masses = new double[FIRST_CANDIDATES];

    Sampler(Sampling sampling, Kernels kernels, int[] prompt) {
        this.sampling = sampling;
        this.kernels = kernels;
        this.biased = sampling.logitBias().keySet().stream().mapToInt(Integer::intValue).toArray();
        this.biases = new float[biased.length];
        for (int i = 0; i < biased.length; i++) {
            biases[i] = sampling.logitBias().getOrDefault(biased[i], 0f);
        }
        if (repetition()) {
            for (int id : prompt) {
                seen.add(id);
            }
        }
    }

    private boolean repetition() {
        return sampling.repetitionPenalty() != 1;
    }

    private boolean presenceOrFrequency() {
        return sampling.presencePenalty() != 0 || sampling.frequencyPenalty() != 0;
    }

    /** No finite logit: the model computed nothing that can be sampled. */
    static final class NoLogitException extends dev.flagship.base.FlagshipException {
        @java.io.Serial private static final long serialVersionUID = 1L;

        NoLogitException(float best) {
            super(
                    "no_finite_logit",
                    "The model's best logit is %s: its weights or this prompt make it overflow."
                            .formatted(best),
                    true,
                    null);
        }
    }

    /**
     * Chooses from a row of logits, which is changed in place.
     *
     * @param position of the token in the sequence, the counter of the random numbers
     * @throws NoLogitException if no logit is finite
     */
    int choose(Tensor logits, int row, int position) {
        adjust(logits, row);
        int id =
                sampling.temperature() == 0
                        ? greedy(logits, row)
                        : draw(logits, row, CounterRandom.uniform(sampling.seed(), 0, position));
        if (presenceOrFrequency()) {
            generated.add(id);
        }
        if (repetition()) {
            seen.add(id);
        }
        return id;
    }

    private void adjust(Tensor logits, int row) {
        int size = logits.rowSize();
        for (int i = 0; i < biased.length; i++) {
            if (biased[i] < size) {
                logits.set(row, biased[i], logits.get(row, biased[i]) + biases[i]);
            }
        }
        if (repetition()) {
            float repetition = sampling.repetitionPenalty();
            for (int slot = 0; slot < seen.slots(); slot++) {
                if (!seen.empty(slot)) {
                    int id = seen.id(slot);
                    float logit = logits.get(row, id);
                    logits.set(row, id, logit > 0 ? logit / repetition : logit * repetition);
                }
            }
        }
        if (presenceOrFrequency()) {
            for (int slot = 0; slot < generated.slots(); slot++) {
                if (!generated.empty(slot)) {
                    int id = generated.id(slot);
                    float penalty =
                            sampling.presencePenalty()
                                    + generated.count(slot) * sampling.frequencyPenalty();
                    logits.set(row, id, logits.get(row, id) - penalty);
                }
            }
        }
    }

    private int greedy(Tensor logits, int row) {
        kernels.topK(logits, row, 1, ids, values);
        if (!Float.isFinite(values[0])) {
            throw new NoLogitException(values[0]);
        }
        return ids[0];
    }

    private int draw(Tensor logits, int row, double u) {
        float best = best(logits, row);
        int size = logits.rowSize();
        boolean limited = sampling.topK() > 0 && sampling.topK() < size;
        boolean cut = limited || sampling.topP() < 1 || sampling.minP() > 0;
        return cut ? drawFromBest(logits, row, best, u) : drawFromAll(logits, row, best, u);
    }

    private float best(Tensor logits, int row) {
        kernels.topK(logits, row, 1, ids, values);
        if (!Float.isFinite(values[0])) {
            throw new NoLogitException(values[0]);
        }
        return values[0];
    }

    /** Weight relative to the likeliest token, at the temperature. */
    private double mass(float logit, float best) {
        double m = Math.exp(((double) logit - best) / sampling.temperature());
        return Double.isNaN(m) ? 0 : m;
    }

    private int drawFromAll(Tensor logits, int row, float best, double u) {
        int size = logits.rowSize();
        double rest = u * total(logits, row, best);
        int last = 0;
        for (int id = 0; id < size; id++) {
            double m = mass(logits.get(row, id), best);
            if (m > 0) {
                last = id;
                rest -= m;
                if (rest < 0) {
                    return id;
                }
            }
        }
        return last; // rounding left a crumb
    }

    private int drawFromBest(Tensor logits, int row, float best, double u) {
        int size = logits.rowSize();
        int kept = sampling.topK() > 0 ? Math.min(sampling.topK(), size) : size;
        boolean all = kept == size;
        // Without top-p only min-p cuts, for which nobody needs to know the sum of all.
        double whole = all && sampling.topP() < 1 ? total(logits, row, best) : INFINITE;
        int count = all ? Math.min(size, FIRST_CANDIDATES) : kept;
        while (true) {
            candidates(logits, row, count, best);
            double sum = sum(count);
            if (count == kept) {
                return pick(nucleus(count, sum), u);
            }
            if (sum >= sampling.topP() * whole || masses[count - 1] < sampling.minP()) {
                return pick(nucleus(count, whole), u);
            }
            count = Math.min(kept, count * 8);
        }
    }

    private double total(Tensor logits, int row, float best) {
        double total = 0;
        for (int id = 0; id < logits.rowSize(); id++) {
            total += mass(logits.get(row, id), best);
        }
        return total;
    }

    private void candidates(Tensor logits, int row, int count, float best) {
        if (ids.length < count) {
            ids = new int[count];
            values = new float[count];
            masses = new double[count];
        }
        kernels.topK(logits, row, count, ids, values);
        for (int i = 0; i < count; i++) {
            masses[i] = mass(values[i], best);
        }
    }

    /**
     * How many of the sorted candidates reach top-p of {@code whole} and pass min-p; at least one.
     */
    private int nucleus(int count, double whole) {
        double sum = 0;
        int n = 0;
        while (n < count
                && (n == 0 || (sum < sampling.topP() * whole && masses[n] >= sampling.minP()))) {
            sum += masses[n++];
        }
        return n;
    }

    private double sum(int count) {
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += masses[i];
        }
        return sum;
    }

    private int pick(int count, double u) {
        double rest = u * sum(count);
        for (int i = 0; i < count; i++) {
            rest -= masses[i];
            if (rest < 0) {
                return ids[i];
            }
        }
        return ids[count - 1];
    }
}
