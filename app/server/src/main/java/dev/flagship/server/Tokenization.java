package dev.flagship.server;

import dev.flagship.http.Exchange;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Text to a model's token ids and back, with the fields of vLLM's API. */
final class Tokenization {
    private static final String PROMPT = "prompt";
    private static final String MESSAGES = "messages";
    private static final String TOKENS = "tokens";

    private final Models models;

    Tokenization(Models models) {
        this.models = models;
    }

    /** {@code POST /tokenize}. */
    void tokenize(Exchange exchange) {
        ObjectNode body = Wire.read(exchange.body());
        ChatModel model = models.find(CompletionRequest.model(body));
        var fields = new Fields(body, "");
        var warnings = new ArrayList<String>();
        fields.string("model"); // found by it
        boolean chat = body.hasNonNull(MESSAGES);
        Prompt prompt = chat ? conversation(fields, warnings) : text(fields);
        boolean spelled = fields.flag("return_token_strs", false);
        fields.refuseOthers();
        int[] ids;
        try {
            ids = model.ids(prompt);
        } catch (RequestException e) {
            throw ApiException.of(e, chat ? MESSAGES : PROMPT);
        }
        ObjectNode json =
                Wire.object()
                        .put("count", ids.length)
                        .put("max_model_len", model.info().contextLength());
        ArrayNode tokens = json.putArray(TOKENS);
        for (int id : ids) {
            tokens.add(id);
        }
        if (spelled) {
            ArrayNode spellings = json.putArray("token_strs");
            for (int id : ids) {
                spellings.add(model.spelling(id));
            }
        } else {
            json.putNull("token_strs");
        }
        Wire.putWarnings(json, warnings);
        exchange.respond(200, Wire.JSON, Wire.bytes(json));
    }

    private static Prompt text(Fields fields) {
        String text =
                fields.string(PROMPT)
                        .orElseThrow(() ->
                                ApiException.missing(
                                        PROMPT, "prompt is required, or messages for a chat."));
        return new Prompt.Raw(text, AnswerFields.begin(fields));
    }

    /** As a chat would be laid out; its template writes the control tokens. */
    private static Prompt conversation(Fields fields, List<String> warnings) {
        List<Message> messages = ChatCompletionRequest.messages(fields, warnings);
        for (String name : List.of("add_special_tokens", "continue_final_message")) {
            AnswerFields.only(fields, name, "false", Boolean.toString(fields.flag(name, false)));
        }
        String name = "add_generation_prompt";
        AnswerFields.only(fields, name, "true", Boolean.toString(fields.flag(name, true)));
        return new Prompt.Conversation(messages);
    }

    /** {@code POST /detokenize}. */
    void detokenize(Exchange exchange) {
        ObjectNode body = Wire.read(exchange.body());
        ChatModel model = models.find(CompletionRequest.model(body));
        var fields = new Fields(body, "");
        fields.string("model"); // found by it
        ArrayNode tokens =
                fields.array(TOKENS)
                        .orElseThrow(() -> ApiException.missing(TOKENS, "tokens is required."));
        fields.refuseOthers();
        int[] ids =
                TokenIds.of(tokens, TOKENS, model.info().vocabularySize()).stream()
                        .mapToInt(Integer::intValue)
                        .toArray();
        try {
            exchange.respond(
                    200, Wire.JSON, Wire.bytes(Wire.object().put(PROMPT, model.text(ids))));
        } catch (RequestException e) {
            throw ApiException.of(e, TOKENS);
        }
    }
}
