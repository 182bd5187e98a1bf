package dev.flagship.server;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads bodies of {@code POST /v1/chat/completions}, as OpenAI's API reference describes them. What
 * is absent takes its default: the model's sampling, one choice, a random seed. What cannot be
 * honoured is refused.
 */
final class ChatCompletionRequest {
    private ChatCompletionRequest() {}

    /**
     * Reads a body.
     *
     * @param usual sampling of the model, for what the body does not say
     * @throws ApiException 400 that names the parameter at fault
     */
    static CompletionRequest of(ObjectNode body, Sampling usual) {
        var fields = new Fields(body, "");
        var warnings = new ArrayList<String>();
        fields.string("model"); // found by it
        List<Message> messages = messages(fields, warnings);
        Sampling sampling = AnswerFields.sampling(fields, usual);
        OptionalInt maxTokens = maxTokens(fields);
        List<String> stop = AnswerFields.stop(fields);
        OptionalInt topLogprobs = topLogprobs(fields);
        int n = AnswerFields.choices(fields);
        boolean stream = fields.flag("stream", false);
        boolean includeUsage = AnswerFields.includeUsage(fields, stream);
        acceptWithoutEffect(fields);
        fields.refuseOthers();
        var chat =
                new ChatRequest(
                        new Prompt.Conversation(messages), sampling, maxTokens, stop, topLogprobs);
        return new CompletionRequest(
                List.of(chat),
                n,
                stream,
                includeUsage,
                new ChatForm(topLogprobs.isPresent()),
                warnings);
    }

    /** The conversation. */
    static List<Message> messages(Fields fields, List<String> warnings) {
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

    private static OptionalInt topLogprobs(Fields fields) {
        boolean logprobs = fields.flag("logprobs", false);
        OptionalLong top = fields.integer("top_logprobs", 0, 20);
        if (top.isPresent() && !logprobs) {
            throw ApiException.invalid("top_logprobs", "top_logprobs needs logprobs: true.");
        }
        return logprobs ? OptionalInt.of((int) top.orElse(0)) : OptionalInt.empty();
    }

    /**
     * Labels for the caller's own books, and requests for what happens anyway: none of them changes
     * an answer.
     */
    private static void acceptWithoutEffect(Fields fields) {
        AnswerFields.labels(fields);
        AnswerFields.only(fields, "store", "false", fields.flag("store", false) ? "true" : "false");
        withoutTools(fields);
        String tier = AnswerFields.named(fields, "service_tier", "auto");
        AnswerFields.only(fields, "service_tier", "auto", tier.equals("default") ? "auto" : tier);
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
        AnswerFields.only(fields, "response_format", "text", format);
        Optional<ArrayNode> modalities = fields.array("modalities");
        AnswerFields.only(
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
            String value = AnswerFields.named(fields, choice, "none");
            AnswerFields.only(fields, choice, "none", value.equals("auto") ? "none" : value);
        }
        fields.flag("parallel_tool_calls", true);
    }
}
