package dev.flagship.server;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.TokenLogprob;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Lays out one completion, whole or in chunks: id, time and model are the same in all its parts.
 */
final class CompletionWriter {
    private final String id;
    private final long created = Instant.now().getEpochSecond();
    private final ModelInfo model;
    private final ChatCompletionRequest request;

    CompletionWriter(ModelInfo model, ChatCompletionRequest request) {
        this.model = model;
        this.request = request;
        var random = ThreadLocalRandom.current();
        var hex = HexFormat.of();
        this.id =
                "chatcmpl-"
                        + hex.toHexDigits(random.nextLong())
                        + hex.toHexDigits(random.nextInt());
    }

    /** A whole completion without its choices. */
    ObjectNode completion(List<String> warnings) {
        return withWarnings(envelope("chat.completion"), warnings);
    }

    static void addChoice(
            ArrayNode choices,
            int index,
            String text,
            @Nullable ArrayNode logprobs,
            String reason) {
        ObjectNode message =
                Wire.object().put("role", "assistant").put("content", text).putNull("refusal");
        ObjectNode choice = choices.addObject().put("index", index);
        choice.set("message", message);
        putLogprobs(choice, logprobs);
        choice.put("finish_reason", reason);
    }

    /** The first chunk of a choice. */
    ObjectNode roleChunk(int choice) {
        return chunk(choice, Wire.object().put("role", "assistant").put("content", ""), null, null);
    }

    /** A chunk with text, and log-probabilities where they were asked for. */
    ObjectNode textChunk(int choice, Event.Text text) {
        ArrayNode logprobs =
                request.chat().topLogprobs().isPresent() ? logprobs(text.tokens()) : null;
        return chunk(choice, Wire.object().put("content", text.text()), logprobs, null);
    }

    /** The last chunk of a choice. */
    ObjectNode endChunk(int choice, String reason, List<String> warnings) {
        return withWarnings(chunk(choice, Wire.object(), null, reason), warnings);
    }

    /** The last chunk of a choice that failed: clients of OpenAI raise on the error in it. */
    ObjectNode errorChunk(int choice, ApiException error) {
        ObjectNode chunk = chunk(choice, Wire.object(), null, "error");
        chunk.setAll(Wire.errorJson(error));
        return chunk;
    }

    /** The chunk that a stream ends with if usage was asked for. */
    ObjectNode usageChunk(ObjectNode usage) {
        ObjectNode chunk = envelope("chat.completion.chunk");
        chunk.putArray("choices");
        return chunk.set("usage", usage);
    }

    private ObjectNode chunk(
            int choice, ObjectNode delta, @Nullable ArrayNode logprobs, @Nullable String reason) {
        ObjectNode chunk = envelope("chat.completion.chunk");
        ObjectNode json = chunk.putArray("choices").addObject().put("index", choice);
        json.set("delta", delta);
        putLogprobs(json, logprobs);
        json.put("finish_reason", reason);
        if (request.includeUsage()) {
            chunk.putNull("usage");
        }
        return chunk;
    }

    private ObjectNode envelope(String object) {
        return Wire.object()
                .put("id", id)
                .put("object", object)
                .put("created", created)
                .put("model", model.id())
                // Equal seeds give equal answers where these agree.
                .put(
                        "system_fingerprint",
                        "flagship-%s-kv-%s-%s"
                                .formatted(model.numerics(), model.kvCache(), model.rung()));
    }

    private static ObjectNode withWarnings(ObjectNode json, List<String> warnings) {
        if (!warnings.isEmpty()) {
            ArrayNode array = json.putArray("warnings");
            warnings.forEach(array::add);
        }
        return json;
    }

    static ObjectNode usage(int promptTokens, int cachedTokens, int completionTokens) {
        ObjectNode usage =
                Wire.object()
                        .put("prompt_tokens", promptTokens)
                        .put("completion_tokens", completionTokens)
                        .put("total_tokens", promptTokens + completionTokens);
        usage.putObject("prompt_tokens_details").put("cached_tokens", cachedTokens);
        return usage;
    }

    private static void putLogprobs(ObjectNode choice, @Nullable ArrayNode logprobs) {
        if (logprobs == null) {
            choice.putNull("logprobs");
        } else {
            ObjectNode object = choice.putObject("logprobs");
            object.set("content", logprobs);
            object.putNull("refusal");
        }
    }

    static ArrayNode logprobs(List<TokenLogprob> tokens) {
        ArrayNode array = Wire.object().arrayNode();
        for (TokenLogprob token : tokens) {
            ArrayNode top = putToken(array, token).putArray("top_logprobs");
            token.top().forEach(alternative -> putToken(top, alternative));
        }
        return array;
    }

    private static ObjectNode putToken(ArrayNode array, TokenLogprob token) {
        ObjectNode json = array.addObject().put("token", token.text());
        // JSON has no infinity; OpenAI uses this number for "practically impossible".
        json.put("logprob", Math.max(-9999f, token.logprob()));
        ArrayNode bytes = json.putArray("bytes");
        token.bytes().forEach(bytes::add);
        return json;
    }

    /**
     * The wire's word for an end, or what to raise instead.
     *
     * @throws ApiException if the answer did not come to an end of its own
     */
    static String finishReason(Event.Finished end) {
        return switch (end.reason()) {
            case STOP -> "stop";
            case LENGTH -> "length";
            case CANCELLED ->
                    throw ApiException.unavailable(
                            "generation_cancelled",
                            "The answer was cancelled because the model is being closed.",
                            10);
            case ERROR ->
                    throw ApiException.failed(
                            end.warnings().isEmpty()
                                    ? "The model failed to answer."
                                    : String.join(" ", end.warnings()));
        };
    }
}
