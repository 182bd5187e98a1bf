package dev.flagship.server;

import dev.flagship.base.JsonFault;
import dev.flagship.http.ErrorRenderer;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** JSON as it crosses the wire: bounded and strict on its way in, OpenAI's error shape out. */
final class Wire {
    static final String JSON = "application/json";

    private static final int DEPTH = 64;
    private static final int STRING = 256 << 10;
    private static final int ARRAY = 131_072; // ids of the longest context that models are made for
    private static final int DIGITS = 100;

    /** Bounds the tree in memory: far more than any conversation within a body's limit needs. */
    private static final int TOKENS = 200_000;

    private static final JsonMapper MAPPER =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(DEPTH)
                                                    .maxStringLength(STRING)
                                                    .maxNameLength(1024)
                                                    .maxNumberLength(DIGITS)
                                                    .maxTokenCount(TOKENS)
                                                    .build())
                                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                    .build())
                    .build();

    private Wire() {}

    static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    static byte[] bytes(ObjectNode json) {
        return MAPPER.writeValueAsBytes(json);
    }

    static String text(ObjectNode json) {
        return MAPPER.writeValueAsString(json);
    }

    /** Adds what was accepted and has no effect, if there is such. */
    static ObjectNode putWarnings(ObjectNode json, List<String> warnings) {
        if (!warnings.isEmpty()) {
            ArrayNode array = json.putArray("warnings");
            warnings.forEach(array::add);
        }
        return json;
    }

    /**
     * Reads a body.
     *
     * @throws ApiException 400 if it is not one JSON object within the limits
     */
    static ObjectNode read(byte[] body) {
        JsonNode root;
        try {
            var text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body));
            root = MAPPER.readTree(text.toString());
        } catch (CharacterCodingException e) {
            throw ApiException.malformed("The body is not valid UTF-8.", e);
        } catch (StreamConstraintsException e) {
            throw ApiException.malformed(
                    "The body is beyond a limit: depth %d, %d characters a string, %d digits a number, %d values in all."
                            .formatted(DEPTH, STRING, DIGITS, TOKENS),
                    e);
        } catch (JacksonException e) {
            throw ApiException.malformed(
                    "The body is not valid JSON: %s."
                            .formatted(
                                    JsonFault.of(
                                            e.getOriginalMessage(),
                                            e.getLocation().getLineNr(),
                                            e.getLocation().getColumnNr())),
                    e);
        }
        if (!(root instanceof ObjectNode object)) {
            throw ApiException.malformed("The body must be a JSON object.", null);
        }
        boundArrays(object);
        return object;
    }

    private static void boundArrays(JsonNode node) {
        if (node.isArray() && node.size() > ARRAY) {
            throw ApiException.malformed(
                    "The body has an array of %d values, at most %d are allowed."
                            .formatted(node.size(), ARRAY),
                    null);
        }
        node.forEach(Wire::boundArrays); // no deeper than DEPTH
    }

    /** An error for {@link dev.flagship.http.HttpServer}, which knows no parameters. */
    static ErrorRenderer.Body error(int status, String code, String message) {
        return new ErrorRenderer.Body(JSON, bytes(errorJson(status, code, null, message)));
    }

    static ObjectNode errorJson(ApiException e) {
        return errorJson(
                e.status(), e.code(), e.param().orElse(null), String.valueOf(e.getMessage()));
    }

    private static ObjectNode errorJson(
            int status, String code, @Nullable String param, String message) {
        ObjectNode error =
                object().put("message", message)
                        .put("type", status >= 500 ? "server_error" : "invalid_request_error")
                        .put("param", param)
                        .put("code", code);
        return object().set("error", error);
    }
}
