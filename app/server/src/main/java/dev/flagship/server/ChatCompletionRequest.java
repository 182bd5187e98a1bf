package dev.flagship.server;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A body of {@code POST /v1/chat/completions}, as OpenAI's API reference describes it, with {@code
 * top_k}, {@code min_p} and {@code repetition_penalty} as other servers name them. What is absent
 * takes its default: the model's sampling, one choice, a random seed. What cannot be honoured is
 * refused.
 *
 * @param model the name asked for; empty if the client leaves it to the server
 * @param chat what each choice is asked, but for its seed; see {@link ChatRequest#choice}
 * @param n number of choices
 * @param includeUsage whether a stream ends with a chunk of usage
 * @param warnings what was accepted and has no effect
 */
record ChatCompletionRequest(
        Optional<String> model,
        ChatRequest chat,
        int n,
        boolean stream,
        boolean includeUsage,
        List<String> warnings) {

    private static final int MOST_CHOICES = 8;
    private static final int MOST_STOPS = 16;
    private static final int STOP_LENGTH = 64;
    private static final int MOST_BIASES = 300;

    ChatCompletionRequest {
        warnings = List.copyOf(warnings);
    }

    /**
     * The model that a body asks for, if it names one.
     *
     * @throws ApiException 400 if that is no text
     */
    static Optional<String> model(ObjectNode body) {
        return new Fields(body, "").string("model");
    }

    /**
     * Reads a body.
     *
     * @param usual sampling of the model, for what the body does not say
     * @throws ApiException 400 that names the parameter at fault
     */
    static ChatCompletionRequest of(ObjectNode body, Sampling usual) {
        var fields = new Fields(body, "");
        var warnings = new ArrayList<String>();
        Optional<String> model = fields.string("model");
        List<Message> messages = messages(fields, warnings);
        Sampling sampling = sampling(fields, usual);
        OptionalInt maxTokens = maxTokens(fields);
        List<String> stop = stop(fields);
        OptionalInt topLogprobs = topLogprobs(fields);
        int n = (int) fields.integer("n", 1, MOST_CHOICES).orElse(1);
        boolean stream = fields.flag("stream", false);
        boolean includeUsage = includeUsage(fields, stream);
        acceptWithoutEffect(fields);
        fields.refuseOthers();
        return new ChatCompletionRequest(
                model,
                new ChatRequest(
                        new Prompt.Conversation(messages), sampling, maxTokens, stop, topLogprobs),
                n,
                stream,
                includeUsage,
                warnings);
    }

    private static List<Message> messages(Fields fields, List<String> warnings) {
        ArrayNode array =
                fields.array("messages")
                        .orElseThrow(
                                () -> ApiException.missing("messages", "messages is required."));
        if (array.isEmpty()) {
            throw ApiException.invalid("messages", "messages must hold at least one message.");
        }
        var messages = new ArrayList<Message>(array.size());
        for (int i = 0; i < array.size(); i++) {
            messages.add(message(array.get(i), "messages[" + i + "]", warnings));
        }
        return messages;
    }

    private static Message message(JsonNode node, String path, List<String> warnings) {
        var fields = new Fields(Fields.object(node, path), path + ".");
        String role =
                fields.string("role")
                        .orElseThrow(() ->
                                ApiException.missing(path + ".role", path + ".role is required."));
        String known =
                switch (role) {
                    case "system", "developer" -> "system"; // OpenAI's newer word for the same
                    case "user", "assistant" -> role;
                    default ->
                            throw ApiException.unsupported(
                                    path + ".role",
                                    "%s.role must be system, developer, user or assistant; tools are not supported by this server."
                                            .formatted(path));
                };
        JsonNode content =
                fields.any("content")
                        .orElseThrow(() ->
                                ApiException.missing(
                                        path + ".content", path + ".content is required."));
        if (fields.string("name").isPresent()) {
            warnings.add(path + ".name is not shown to the model.");
        }
        if (known.equals("assistant")) { // an answer of this API, sent back as it came
            fields.noneOf("tool_calls", "This server does not call functions");
            fields.noneOf("annotations", "This server does not cite");
        }
        fields.refuseOthers();
        return new Message(known, content(content, path + ".content"));
    }

    /** A string, or text parts, which are joined by line breaks as other servers do. */
    private static String content(JsonNode content, String path) {
        if (!content.isArray()) {
            return Fields.text(content, path);
        }
        var texts = new ArrayList<String>(content.size());
        for (int i = 0; i < content.size(); i++) {
            String at = path + "[" + i + "]";
            var part = new Fields(Fields.object(content.get(i), at), at + ".");
            if (!part.string("type").orElse("").equals("text")) {
                throw ApiException.unsupported(
                        at + ".type", at + ".type must be \"text\": this model reads text only.");
            }
            texts.add(
                    part.string("text")
                            .orElseThrow(() ->
                                    ApiException.missing(at + ".text", at + ".text is required.")));
            part.refuseOthers();
        }
        return String.join("\n", texts);
    }

    private static Sampling sampling(Fields fields, Sampling usual) {
        float temperature =
                fields.number(
                        "temperature",
                        usual.temperature(),
                        t -> t >= 0 && t <= Sampling.MOST_TEMPERATURE,
                        "between 0 and 2");
        float topP =
                fields.number("top_p", usual.topP(), p -> p > 0 && p <= 1, "above 0 and at most 1");
        long topK = fields.integer("top_k", -1, Integer.MAX_VALUE).orElse(usual.topK());
        float minP =
                fields.number(
                        "min_p", usual.minP(), p -> p >= 0 && p < 1, "at least 0 and below 1");
        float repetition =
                fields.number(
                        "repetition_penalty",
                        usual.repetitionPenalty(),
                        p -> p > 0 && p <= 100,
                        "above 0 and at most 100");
        float presence = penalty(fields, "presence_penalty");
        float frequency = penalty(fields, "frequency_penalty");
        OptionalLong seed = fields.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE);
        return new Sampling(
                temperature,
                (int) Math.max(0, topK), // -1 switches it off, as in vLLM
                topP,
                minP,
                repetition,
                presence,
                frequency,
                logitBias(fields),
                seed.isPresent() ? seed.getAsLong() : ThreadLocalRandom.current().nextLong());
    }

    private static float penalty(Fields fields, String name) {
        return fields.number(name, 0, p -> Math.abs(p) <= 2, "between -2 and 2");
    }

    private static Map<Integer, Float> logitBias(Fields fields) {
        Optional<ObjectNode> object = fields.object("logit_bias");
        if (object.isEmpty()) {
            return Map.of();
        }
        if (object.get().size() > MOST_BIASES) {
            throw ApiException.invalid(
                    "logit_bias",
                    "logit_bias has %d entries, at most %d are allowed."
                            .formatted(object.get().size(), MOST_BIASES));
        }
        var biases = new TreeMap<Integer, Float>();
        for (Map.Entry<String, JsonNode> entry : object.get().properties()) {
            float bias =
                    Fields.number(
                            entry.getValue(),
                            "logit_bias",
                            b -> Math.abs(b) <= 100,
                            "between -100 and 100");
            if (biases.put(tokenId(entry.getKey()), bias) != null) {
                throw ApiException.invalid(
                        "logit_bias", "logit_bias names token " + entry.getKey() + " twice.");
            }
        }
        return biases;
    }

    private static int tokenId(String key) {
        if (!key.isEmpty()
                && key.length() <= 9
                && key.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return Integer.parseInt(key);
        }
        throw ApiException.invalid(
                "logit_bias", "logit_bias must map token ids to numbers; a key is no token id.");
    }

    private static OptionalInt maxTokens(Fields fields) {
        OptionalLong old = fields.integer("max_tokens", 1, Integer.MAX_VALUE);
        OptionalLong now = fields.integer("max_completion_tokens", 1, Integer.MAX_VALUE);
        if (old.isPresent() && now.isPresent() && old.getAsLong() != now.getAsLong()) {
            throw ApiException.invalid(
                    "max_completion_tokens",
                    "max_tokens and max_completion_tokens differ; give one of them.");
        }
        OptionalLong most = now.isPresent() ? now : old;
        return most.isPresent() ? OptionalInt.of((int) most.getAsLong()) : OptionalInt.empty();
    }

    private static List<String> stop(Fields fields) {
        Optional<JsonNode> node = fields.any("stop");
        if (node.isEmpty()) {
            return List.of();
        }
        var stops = new ArrayList<String>();
        if (node.get().isArray()) {
            node.get().forEach(each -> stops.add(Fields.text(each, "stop")));
        } else {
            stops.add(Fields.text(node.get(), "stop"));
        }
        if (stops.size() > MOST_STOPS
                || stops.stream().anyMatch(s -> s.isEmpty() || s.length() > STOP_LENGTH)) {
            throw ApiException.invalid(
                    "stop",
                    "stop takes at most %d strings of 1 to %d characters."
                            .formatted(MOST_STOPS, STOP_LENGTH));
        }
        return stops;
    }

    private static OptionalInt topLogprobs(Fields fields) {
        boolean logprobs = fields.flag("logprobs", false);
        OptionalLong top = fields.integer("top_logprobs", 0, 20);
        if (top.isPresent() && !logprobs) {
            throw ApiException.invalid("top_logprobs", "top_logprobs needs logprobs: true.");
        }
        return logprobs ? OptionalInt.of((int) top.orElse(0)) : OptionalInt.empty();
    }

    private static boolean includeUsage(Fields fields, boolean stream) {
        Optional<ObjectNode> options = fields.object("stream_options");
        if (options.isEmpty()) {
            return false;
        }
        if (!stream) {
            throw ApiException.invalid("stream_options", "stream_options needs stream: true.");
        }
        var inner = new Fields(options.get(), "stream_options.");
        boolean usage = inner.flag("include_usage", false);
        if (inner.flag("include_obfuscation", false)) {
            throw ApiException.unsupported(
                    "stream_options.include_obfuscation",
                    "stream_options.include_obfuscation is not supported by this server.");
        }
        inner.refuseOthers();
        return usage;
    }

    /**
     * Labels for the caller's own books, and requests for what happens anyway: none of them changes
     * an answer.
     */
    private static void acceptWithoutEffect(Fields fields) {
        fields.string("user");
        fields.string("safety_identifier");
        fields.string("prompt_cache_key");
        fields.object("metadata");
        only(fields, "store", "false", fields.flag("store", false) ? "true" : "false");
        withoutTools(fields);
        String tier = named(fields, "service_tier", "auto");
        only(fields, "service_tier", "auto", tier.equals("default") ? "auto" : tier);
        String format =
                fields.object("response_format")
                        .map(object -> {
                            var inner = new Fields(object, "response_format.");
                            String type = inner.string("type").orElse("");
                            inner.any("json_schema"); // refused with its type
                            inner.refuseOthers();
                            return type;
                        })
                        .orElse("text");
        only(fields, "response_format", "text", format);
        Optional<ArrayNode> modalities = fields.array("modalities");
        only(
                fields,
                "modalities",
                "[\"text\"]",
                modalities.map(ArrayNode::toString).orElse("[\"text\"]"));
    }

    /**
     * What clients that can call functions say where they have none. The choice "auto" is between
     * no functions, and so that is what happens.
     */
    private static void withoutTools(Fields fields) {
        fields.noneOf("tools", "This server does not call functions");
        fields.noneOf("functions", "This server does not call functions");
        for (String choice : List.of("tool_choice", "function_call")) {
            String value = named(fields, choice, "none");
            only(fields, choice, "none", value.equals("auto") ? "none" : value);
        }
        fields.flag("parallel_tool_calls", true);
    }

    /** A string, or {@code otherwise}; a value of another type reads as itself and is refused. */
    private static String named(Fields fields, String name, String otherwise) {
        return fields.any(name)
                .map(node -> node.isString() ? node.stringValue() : node.toString())
                .orElse(otherwise);
    }

    private static void only(Fields fields, String name, String supported, String value) {
        if (!value.equals(supported)) {
            throw ApiException.unsupported(
                    fields.path(name),
                    "%s other than %s is not supported by this server.".formatted(name, supported));
        }
    }
}
