package dev.flagship.cli;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * How answers are to be.
 *
 * @param system what every conversation begins with; null: nothing
 * @param sampling but for its seed
 * @param seed null takes a new one for every answer
 */
record AnswerSettings(
        @Nullable String system, Sampling sampling, @Nullable Long seed, OptionalInt maxTokens) {

    /** The messages before the first of the user's. */
    List<Message> opening() {
        return system == null ? List.of() : List.of(Message.system(system));
    }

    ChatRequest request(Prompt prompt) {
        long chosen = seed == null ? ThreadLocalRandom.current().nextLong() : seed;
        return new ChatRequest(
                prompt, sampling.withSeed(chosen), maxTokens, List.of(), OptionalInt.empty());
    }

    AnswerSettings withSystem(@Nullable String text) {
        return new AnswerSettings(text, sampling, seed, maxTokens);
    }

    AnswerSettings withSampling(Sampling other) {
        return new AnswerSettings(system, other, seed, maxTokens);
    }

    AnswerSettings withSeed(@Nullable Long number) {
        return new AnswerSettings(system, sampling, number, maxTokens);
    }

    AnswerSettings withMaxTokens(OptionalInt most) {
        return new AnswerSettings(system, sampling, seed, most);
    }
}
