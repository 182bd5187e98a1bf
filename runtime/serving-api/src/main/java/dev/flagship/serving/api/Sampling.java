package dev.flagship.serving.api;

import static dev.flagship.base.Check.check;

import java.util.Map;

/**
 * How the next token is chosen. Order of the steps: bias and penalties, temperature, top-k, top-p,
 * min-p.
 *
 * @param temperature 0 is greedy; at most {@value #MOST_TEMPERATURE}, as in OpenAI's API
 * @param topK keep the k likeliest tokens; 0 keeps all
 * @param topP keep the smallest set whose probability reaches this; in (0, 1]
 * @param minP drop tokens below this share of the likeliest one's probability; in [0, 1)
 * @param repetitionPenalty divides positive and multiplies negative logits of seen tokens (CTRL,
 *     arXiv:1909.05858); 1 is off
 * @param presencePenalty subtracted once for every generated token; in [-2, 2]
 * @param frequencyPenalty subtracted per occurrence of a generated token; in [-2, 2]
 * @param logitBias added to the logits of these token ids; each in [-100, 100], at most 300
 * @param seed equal seeds give equal answers
 */
public record Sampling(
        float temperature,
        int topK,
        float topP,
        float minP,
        float repetitionPenalty,
        float presencePenalty,
        float frequencyPenalty,
        Map<Integer, Float> logitBias,
        long seed) {

    /** The greatest temperature. */
    public static final float MOST_TEMPERATURE = 2;

    public Sampling {
        check(
                temperature >= 0 && temperature <= MOST_TEMPERATURE,
                "temperature %s is not between 0 and 2",
                temperature);
        check(topK >= 0, "top_k %s is negative; 0 keeps all tokens", topK);
        check(topP > 0 && topP <= 1, "top_p %s is not in (0, 1]", topP);
        check(minP >= 0 && minP < 1, "min_p %s is not in [0, 1)", minP);
        check(
                repetitionPenalty > 0 && repetitionPenalty <= 100,
                "repetition_penalty %s is not in (0, 100]",
                repetitionPenalty);
        check(
                Math.abs(presencePenalty) <= 2,
                "presence_penalty %s is not in [-2, 2]",
                presencePenalty);
        check(
                Math.abs(frequencyPenalty) <= 2,
                "frequency_penalty %s is not in [-2, 2]",
                frequencyPenalty);
        check(logitBias.size() <= 300, "logit_bias has %s entries, at most 300", logitBias.size());
        logitBias.forEach((id, bias) ->
                check(
                        id >= 0 && Math.abs(bias) <= 100,
                        "logit_bias %s: %s: ids start at 0 and biases lie in [-100, 100]",
                        id,
                        bias));
        logitBias = Map.copyOf(logitBias);
    }

    /** Always the likeliest token; ties go to the lower id. */
    public static Sampling greedy() {
        return new Sampling(0, 0, 1, 0, 1, 0, 0, Map.of(), 0);
    }

    /**
     * What suits open models when nobody says otherwise: temperature 0.8, the 40 likeliest, of them
     * those of joint share 0.95 and at least 0.05 of the best. Plain sampling at temperature 1 lets
     * small models ramble.
     */
    public static Sampling usual(long seed) {
        return new Sampling(0.8f, 40, 0.95f, 0.05f, 1, 0, 0, Map.of(), seed);
    }

    /** Plain sampling at a temperature. */
    public static Sampling at(float temperature, long seed) {
        return new Sampling(temperature, 0, 1, 0, 1, 0, 0, Map.of(), seed);
    }

    /** The same choice of tokens with another seed. */
    public Sampling withSeed(long other) {
        return new Sampling(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                logitBias,
                other);
    }
}
