package dev.flagship.serving.api;

import java.util.List;

/**
 * What a {@link Generation} tells, in this order: one {@code Started}, any number of {@code Text},
 * one {@code Finished}.
 */
public sealed interface Event {

    /** The prompt was accepted. */
    record Started(int promptTokens) implements Event {}

    /**
     * New text: whole code points, never part of a stop string, possibly empty when only
     * log-probabilities are told. Where the prompt is told as well, the first of them is it.
     *
     * @param tokens the tokens newly covered, with log-probabilities; empty unless asked for
     */
    record Text(String text, List<TokenLogprob> tokens) implements Event {
        public Text {
            tokens = List.copyOf(tokens);
        }
    }

    /**
     * The end.
     *
     * @param warnings what the caller should know, for example that the pool ended the answer early
     */
    record Finished(FinishReason reason, Usage usage, List<String> warnings) implements Event {
        public Finished {
            warnings = List.copyOf(warnings);
        }
    }
}
