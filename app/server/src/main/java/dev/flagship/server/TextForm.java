package dev.flagship.server;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.TokenLogprob;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A text completion's choices, of OpenAI's first API: text, and log-probabilities in four arrays.
 *
 * @param logprobs whether log-probabilities were asked for
 * @param names how tokens are written in them
 */
record TextForm(boolean logprobs, TokenNames names) implements CompletionForm {

    /** How tokens are written. */
    enum TokenNames {
        /** Their text; where that is no whole characters, their bytes: {@code bytes:\xe2\x82}. */
        TEXT,
        /** Their ids: {@code token_id:42}. */
        IDS
    }

    @Override
    public String idPrefix() {
        return "cmpl-";
    }

    @Override
    public String object() {
        return "text_completion";
    }

    @Override
    public String chunkObject() {
        return "text_completion";
    }

    @Override
    public String promptField() {
        return "prompt";
    }

    @Override
    public Optional<ObjectNode> opening() {
        return Optional.empty();
    }

    @Override
    public void putPiece(ObjectNode choice, Event.Text text) {
        putWhole(choice, text.text(), text.tokens());
    }

    @Override
    public void putEnd(ObjectNode choice) {
        choice.put("text", "").putNull("logprobs");
    }

    @Override
    public void putWhole(ObjectNode choice, String text, List<TokenLogprob> tokens) {
        choice.put("text", text);
        if (!logprobs) {
            choice.putNull("logprobs");
            return;
        }
        ObjectNode object = choice.putObject("logprobs");
        ArrayNode names = object.putArray("tokens");
        ArrayNode values = object.putArray("token_logprobs");
        ArrayNode tops = object.putArray("top_logprobs");
        ArrayNode offsets = object.putArray("text_offset");
        for (TokenLogprob token : tokens) {
            names.add(name(token));
            offsets.add(token.offset());
            if (Float.isNaN(token.logprob())) { // the first of a prompt
                values.addNull();
                tops.addNull();
            } else {
                values.add(Math.max(IMPOSSIBLE, token.logprob()));
                putTop(tops.addObject(), token);
            }
        }
    }

    /** The likeliest, best first, and the token itself; of two of one name the likelier. */
    private void putTop(ObjectNode top, TokenLogprob token) {
        for (TokenLogprob each : token.top()) {
            top.putIfAbsent(name(each), value(each));
        }
        top.putIfAbsent(name(token), value(token));
    }

    private static JsonNode value(TokenLogprob token) {
        return Wire.object().numberNode(Math.max(IMPOSSIBLE, token.logprob()));
    }

    private String name(TokenLogprob token) {
        if (names == TokenNames.IDS) {
            return "token_id:" + token.id();
        }
        byte[] bytes = new byte[token.bytes().size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = token.bytes().get(i).byteValue();
        }
        if (Arrays.equals(bytes, token.text().getBytes(StandardCharsets.UTF_8))) {
            return token.text();
        }
        var name = new StringBuilder("bytes:");
        for (byte b : bytes) {
            name.append(String.format(Locale.ROOT, "\\x%02x", b));
        }
        return name.toString();
    }
}
