package dev.flagship.server;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.TokenLogprob;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A chat completion's choices: messages.
 *
 * @param logprobs whether log-probabilities were asked for
 */
record ChatForm(boolean logprobs) implements CompletionForm {
    @Override
    public String idPrefix() {
        return "chatcmpl-";
    }

    @Override
    public String object() {
        return "chat.completion";
    }

    @Override
    public String chunkObject() {
        return "chat.completion.chunk";
    }

    @Override
    public String promptField() {
        return "messages";
    }

    @Override
    public Optional<ObjectNode> opening() {
        ObjectNode choice = Wire.object();
        choice.putObject("delta").put("role", "assistant").put("content", "");
        return Optional.of(choice.putNull("logprobs"));
    }

    @Override
    public void putPiece(ObjectNode choice, Event.Text text) {
        choice.putObject("delta").put("content", text.text());
        putLogprobs(choice, text.tokens());
    }

    @Override
    public void putEnd(ObjectNode choice) {
        choice.putObject("delta");
        choice.putNull("logprobs");
    }

    @Override
    public void putWhole(ObjectNode choice, String text, List<TokenLogprob> tokens) {
        choice.putObject("message")
                .put("role", "assistant")
                .put("content", text)
                .putNull("refusal");
        putLogprobs(choice, tokens);
    }

    private void putLogprobs(ObjectNode choice, List<TokenLogprob> tokens) {
        if (!logprobs) {
            choice.putNull("logprobs");
            return;
        }
        ObjectNode object = choice.putObject("logprobs");
        ArrayNode content = object.putArray("content");
        for (TokenLogprob token : tokens) {
            ArrayNode top = putToken(content, token).putArray("top_logprobs");
            token.top().forEach(alternative -> putToken(top, alternative));
        }
        object.putNull("refusal");
    }

    private static ObjectNode putToken(ArrayNode array, TokenLogprob token) {
        ObjectNode json = array.addObject().put("token", token.text());
        json.put("logprob", Math.max(IMPOSSIBLE, token.logprob()));
        ArrayNode bytes = json.putArray("bytes");
        token.bytes().forEach(bytes::add);
        return json;
    }
}
