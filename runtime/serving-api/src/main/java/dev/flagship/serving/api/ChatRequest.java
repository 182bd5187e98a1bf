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
 *     its context
 * @param stop texts that end the answer and are not part of it; at most 16 of at most 64
 *     characters, none a surrogate without its partner
 * @param topLogprobs report this many alternatives a token, at most 20; empty reports no
 *     log-probabilities
 */
public record ChatRequest(
        Prompt prompt,
        Sampling sampling,
        OptionalInt maxTokens,
        List<String> stop,
        OptionalInt topLogprobs) {

    public ChatRequest {
        check(maxTokens.orElse(1) >= 1, "max_tokens %s is below 1", maxTokens.orElse(1));
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
                prompt, sampling.withSeed(sampling.seed() + index), maxTokens, stop, topLogprobs);
    }

    /** The same request with another bound on the answer's length. */
    public ChatRequest withMaxTokens(int tokens) {
        return new ChatRequest(prompt, sampling, OptionalInt.of(tokens), stop, topLogprobs);
    }
}
