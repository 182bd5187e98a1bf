package dev.flagship.serving.api;

import static dev.flagship.base.Check.check;

import java.util.List;
import java.util.OptionalInt;

/**
 * One request for one answer.
 *
 * @param prompt what to continue
 * @param sampling how tokens are chosen
 * @param maxTokens most tokens to generate; empty leaves it to the model's setting and the room in
 *     its context; 0, which needs an echo, computes the prompt alone
 * @param stop texts that end the answer and are not part of it; at most 16 of at most 64
 *     characters, none a surrogate without its partner
 * @param topLogprobs report this many alternatives a token, at most 20; empty reports no
 *     log-probabilities
 * @param echo whether the prompt is told as well, with its log-probabilities if there are any
 */
public record ChatRequest(
        Prompt prompt,
        Sampling sampling,
        OptionalInt maxTokens,
        List<String> stop,
        OptionalInt topLogprobs,
        Echo echo) {

    /** What an answer tells before its own text. */
    public enum Echo {
        NOTHING,
        /**
         * The prompt: a text as it was given, ids as the text that they spell. Control tokens add
         * nothing to it.
         */
        PROMPT
    }

    public ChatRequest {
        int least = echo == Echo.PROMPT ? 0 : 1;
        check(
                maxTokens.orElse(1) >= least,
                "max_tokens %s is below %s",
                maxTokens.orElse(1),
                least);
        check(stop.size() <= 16, "stop has %s strings, at most 16", stop.size());
        for (String s : stop) {
            check(
                    !s.isEmpty() && s.length() <= 64,
                    "stop string of %s characters, allowed are 1 to 64",
                    s.length());
            check(
                    s.codePoints().noneMatch(c -> c >= 0xD800 && c <= 0xDFFF),
                    "stop string %s holds half a character; text never does",
                    stop.indexOf(s));
        }
        check(
                topLogprobs.orElse(0) >= 0 && topLogprobs.orElse(0) <= 20,
                "top_logprobs %s is not in [0, 20]",
                topLogprobs.orElse(0));
        stop = List.copyOf(stop);
    }

    /** A request without echo. */
    public ChatRequest(
            Prompt prompt,
            Sampling sampling,
            OptionalInt maxTokens,
            List<String> stop,
            OptionalInt topLogprobs) {
        this(prompt, sampling, maxTokens, stop, topLogprobs, Echo.NOTHING);
    }

    /** A conversation with the given sampling and no further limits. */
    public static ChatRequest of(List<Message> messages, Sampling sampling) {
        return new ChatRequest(
                new Prompt.Conversation(messages),
                sampling,
                OptionalInt.empty(),
                List.of(),
                OptionalInt.empty());
    }

    /**
     * The request of one of several answers: seeds count up from the request's own, so that an
     * equal seed does not give equal choices.
     */
    public ChatRequest choice(int index) {
        return new ChatRequest(
                prompt,
                sampling.withSeed(sampling.seed() + index),
                maxTokens,
                stop,
                topLogprobs,
                echo);
    }

    /** Whether log-probabilities of the prompt's tokens are wanted. */
    public boolean scoresPrompt() {
        return echo == Echo.PROMPT && topLogprobs.isPresent();
    }

    /** The same request with another bound on the answer's length. */
    public ChatRequest withMaxTokens(int tokens) {
        return new ChatRequest(prompt, sampling, OptionalInt.of(tokens), stop, topLogprobs, echo);
    }

    /** The same request with tokens chosen otherwise. */
    public ChatRequest withSampling(Sampling other) {
        return new ChatRequest(prompt, other, maxTokens, stop, topLogprobs, echo);
    }

    /** The same request, ended by any of these texts, which are not part of the answer. */
    public ChatRequest withStop(List<String> texts) {
        return new ChatRequest(prompt, sampling, maxTokens, texts, topLogprobs, echo);
    }
}
