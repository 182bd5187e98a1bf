package dev.flagship.server;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.TokenLogprob;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
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
    private final CompletionRequest request;
    private final CompletionForm form;

    CompletionWriter(ModelInfo model, CompletionRequest request) {
        this.model = model;
        this.request = request;
        this.form = request.form();
        var random = ThreadLocalRandom.current();
        var hex = HexFormat.of();
        this.id =
                form.idPrefix()
                        + hex.toHexDigits(random.nextLong())
                        + hex.toHexDigits(random.nextInt());
    }

    /** A whole completion without its choices. */
    ObjectNode completion(List<String> warnings) {
        return Wire.putWarnings(envelope(form.object()), warnings);
    }

    void addChoice(
            ArrayNode choices, int index, String text, List<TokenLogprob> tokens, String reason) {
        ObjectNode choice = choices.addObject().put("index", index);
        form.putWhole(choice, text, tokens);
        choice.put("finish_reason", reason);
    }

    /** The chunk that a choice begins with before it says anything, if there is one. */
    Optional<ObjectNode> openingChunk(int choice) {
        return form.opening().map(fields -> chunk(choice, null, json -> json.setAll(fields)));
    }

    /** A chunk with text, and log-probabilities where they were asked for. */
    ObjectNode textChunk(int choice, Event.Text text) {
        return chunk(choice, null, json -> form.putPiece(json, text));
    }

    /** The last chunk of a choice. */
    ObjectNode endChunk(int choice, String reason, List<String> warnings) {
        return Wire.putWarnings(chunk(choice, reason, form::putEnd), warnings);
    }

    /** The last chunk of a choice that failed: clients of OpenAI raise on the error in it. */
    ObjectNode errorChunk(int choice, ApiException error) {
        ObjectNode chunk = chunk(choice, "error", form::putEnd);
        chunk.setAll(Wire.errorJson(error));
        return chunk;
    }

    /** The chunk that a stream ends with if usage was asked for. */
    ObjectNode usageChunk(ObjectNode usage) {
        ObjectNode chunk = envelope(form.chunkObject());
        chunk.putArray("choices");
        return chunk.set("usage", usage);
    }

    private ObjectNode chunk(int choice, @Nullable String reason, Consumer<ObjectNode> content) {
        ObjectNode chunk = envelope(form.chunkObject());
        ObjectNode json = chunk.putArray("choices").addObject().put("index", choice);
        content.accept(json);
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

    static ObjectNode usage(int promptTokens, int cachedTokens, int completionTokens) {
        ObjectNode usage =
                Wire.object()
                        .put("prompt_tokens", promptTokens)
                        .put("completion_tokens", completionTokens)
                        .put("total_tokens", promptTokens + completionTokens);
        usage.putObject("prompt_tokens_details").put("cached_tokens", cachedTokens);
        return usage;
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
