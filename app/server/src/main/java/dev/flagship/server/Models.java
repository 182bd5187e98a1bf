package dev.flagship.server;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.http.Exchange;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ModelInfo;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The models served, by name, in the order in which they were added; and what the API says of them.
 */
final class Models {
    private final Map<String, ChatModel> models = new LinkedHashMap<>();
    private boolean loading = true;

    synchronized void add(ChatModel model) {
        if (models.putIfAbsent(model.info().id(), model) != null) {
            throw new InvalidArgumentException(
                    "server: model " + model.info().id() + " is served already");
        }
    }

    synchronized void complete() {
        loading = false;
    }

    private synchronized boolean isLoading() {
        return loading;
    }

    /** What is served now. */
    synchronized Map<String, ChatModel> all() {
        return new LinkedHashMap<>(models);
    }

    /**
     * The model that a client asks for, or the only one if it leaves the choice to the server.
     *
     * @throws ApiException 404 if there is none of that name, 503 if it may be about to appear, 400
     *     if there is a choice and the client made none
     */
    ChatModel find(Optional<String> name) {
        Map<String, ChatModel> all = all();
        ChatModel found =
                name.isPresent()
                        ? all.get(name.get())
                        : all.size() == 1 ? all.values().iterator().next() : null;
        if (found != null) {
            return found;
        }
        if (isLoading()) {
            throw ApiException.unavailable(
                    "model_loading", "Models are being loaded; try again in a few seconds.", 3);
        }
        String names = String.join(", ", all.keySet());
        if (name.isEmpty()) {
            throw ApiException.missing(
                    "model", "model is required, since several are served: %s.".formatted(names));
        }
        throw ApiException.modelNotFound(
                "The model \"%s\" is not served here. Served: %s."
                        .formatted(name.get(), names.isEmpty() ? "none" : names));
    }

    /** {@code GET /v1/models}. */
    void list(Exchange exchange) {
        ObjectNode json = Wire.object().put("object", "list");
        ArrayNode data = json.putArray("data");
        all().values().forEach(model -> data.add(describe(model.info())));
        exchange.respond(200, Wire.JSON, Wire.bytes(json));
    }

    /** {@code GET /v1/models/{id}}. */
    void show(Exchange exchange) {
        ChatModel model = find(Optional.of(exchange.pathValue("id")));
        exchange.respond(200, Wire.JSON, Wire.bytes(describe(model.info())));
    }

    /**
     * {@code GET /health}: 200 while every model is ready; 503 before, and once one has failed,
     * with the reasons.
     */
    void health(Exchange exchange) {
        boolean ready = !isLoading();
        Map<String, String> failed = new LinkedHashMap<>();
        ArrayNode names = Wire.object().arrayNode();
        all().forEach((name, model) -> {
            names.add(name);
            model.failure().ifPresent(why -> failed.put(name, why));
        });
        String status = !failed.isEmpty() ? "failed" : ready ? "ok" : "loading";
        ObjectNode json = Wire.object().put("status", status);
        json.set("models", names);
        if (!failed.isEmpty()) {
            ObjectNode reasons = json.putObject("failed");
            failed.forEach(reasons::put);
        }
        exchange.respond(status.equals("ok") ? 200 : 503, Wire.JSON, Wire.bytes(json));
    }

    private static ObjectNode describe(ModelInfo info) {
        ObjectNode json =
                Wire.object()
                        .put("id", info.id())
                        .put("object", "model")
                        .put("created", info.loaded().getEpochSecond())
                        .put("owned_by", "flagship");
        json.putObject("flagship")
                .put("family", info.family())
                .put("parameters", info.parameters())
                .put("context_length", info.contextLength())
                .put("vocabulary_size", info.vocabularySize())
                .put("numerics", info.numerics())
                .put("kv_cache", info.kvCache())
                .put("kernels", info.rung());
        return json;
    }
}
