package dev.flagship.serving.api;

import dev.flagship.base.FlagshipException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** A request that this model cannot serve. Its message may be shown to the client. */
public final class RequestException extends FlagshipException {
    @Serial private static final long serialVersionUID = 1L;

    private RequestException(String code, String message, @Nullable Throwable cause) {
        super(code, message, true, cause);
    }

    /** The laid-out prompt needs more room than the context has. */
    public static RequestException contextLengthExceeded(int promptTokens, int contextLength) {
        return new RequestException(
                "context_length_exceeded",
                "The prompt takes %d tokens and the context, as this model was started, holds %d, one of them kept for the answer. Shorten the prompt, or start the model with a larger --context if it allows more."
                        .formatted(promptTokens, contextLength),
                null);
    }

    /**
     * A prompt of which no more than its log-probabilities are wanted is longer than the context.
     */
    public static RequestException promptExceedsContext(int promptTokens, int contextLength) {
        return new RequestException(
                "context_length_exceeded",
                "The prompt takes %d tokens and the context, as this model was started, holds %d. Shorten the prompt, or start the model with a larger --context if it allows more."
                        .formatted(promptTokens, contextLength),
                null);
    }

    /** The laid-out prompt and the answer asked for need more room than the context has. */
    public static RequestException contextLengthExceeded(
            int promptTokens, int maxTokens, int contextLength) {
        return new RequestException(
                "context_length_exceeded",
                "The prompt takes %d tokens and max_tokens asks for %d more, but the context, as this model was started, holds %d. Ask for %d at most, shorten the prompt, or start the model with a larger --context if it allows more."
                        .formatted(
                                promptTokens,
                                maxTokens,
                                contextLength,
                                contextLength - promptTokens),
                null);
    }

    /** More log-probabilities of a prompt are wanted than are told at once. */
    public static RequestException tooManyScores(
            int promptTokens, int alternatives, int choices, int most) {
        return new RequestException(
                "too_many_logprobs",
                "Log-probabilities of %d tokens of the prompt, with %d alternatives to each, told to %d choices: these are more values than the %d that are told at once. Ask for fewer logprobs or choices, or score the text in parts."
                        .formatted(promptTokens, alternatives, choices, most),
                null);
    }

    /** The prompt is so long that it is not even tokenised. */
    public static RequestException promptTooLong(long characters, int contextLength) {
        return new RequestException(
                "context_length_exceeded",
                "The prompt has %d characters, more than this model takes for its context of %d tokens, as it was started. Shorten it, or start the model with a larger --context if it allows more."
                        .formatted(characters, contextLength),
                null);
    }

    /** A prompt that cannot be laid out or tokenised. */
    public static RequestException invalidPrompt(String message, @Nullable Throwable cause) {
        return new RequestException("invalid_prompt", message, cause);
    }

    /** The queue is full or the KV pool cannot hold the request. */
    public static RequestException overloaded(String message) {
        return new RequestException("overloaded", message, null);
    }

    /** The model has failed and answers no more. */
    public static RequestException failed(String model, String why) {
        return new RequestException("model_failed", "Model %s: %s".formatted(model, why), null);
    }

    /** The thread that asks was interrupted before the request was accepted; it still is. */
    public static RequestException cancelled(String model) {
        return new RequestException(
                "request_cancelled",
                "The request to model %s was cancelled before it was accepted.".formatted(model),
                null);
    }

    /** The model is closed or closing. */
    public static RequestException closed(String model) {
        return new RequestException(
                "model_closed", "Model %s has been closed.".formatted(model), null);
    }
}
