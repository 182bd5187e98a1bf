package dev.flagship.server;

import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Takes the fields of a JSON object one by one and refuses what nobody took. A field whose value is
 * null counts as absent, as in OpenAI's API.
 */
final class Fields {
    /** Whether a number is allowed, asked after rounding to a float. */
    @FunctionalInterface
    interface Range {
        boolean holds(float value);
    }

    private final ObjectNode object;
    private final String prefix;
    private final Set<String> untaken = new HashSet<>();

    /**
     * @param prefix what goes before a field's name in messages: empty, or a path with its dot
     */
    Fields(ObjectNode object, String prefix) {
        this.object = object;
        this.prefix = prefix;
        for (Map.Entry<String, JsonNode> field : object.properties()) {
            if (!field.getValue().isNull()) {
                untaken.add(field.getKey());
            }
        }
    }

    /** A field's path for messages. */
    String path(String name) {
        return prefix + name;
    }

    Optional<JsonNode> any(String name) {
        return untaken.remove(name) ? Optional.of(object.get(name)) : Optional.empty();
    }

    Optional<String> string(String name) {
        return any(name).map(node -> text(node, path(name)));
    }

    /** A JSON string whose surrogates pair up, as those of all Unicode text do. */
    static String text(JsonNode node, String path) {
        if (!node.isString()) {
            throw ApiException.invalid(path, "%s must be a string.".formatted(path));
        }
        String text = node.stringValue();
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (Character.charCount(text.codePointAt(i)) == 1) {
                    throw ApiException.invalid(
                            path, "%s has half a surrogate pair.".formatted(path));
                }
                i++;
            }
        }
        return text;
    }

    boolean flag(String name, boolean otherwise) {
        Optional<JsonNode> node = any(name);
        if (node.isEmpty()) {
            return otherwise;
        }
        if (!node.get().isBoolean()) {
            throw ApiException.invalid(
                    path(name), "%s must be true or false.".formatted(path(name)));
        }
        return node.get().booleanValue();
    }

    OptionalLong integer(String name, long least, long most) {
        Optional<JsonNode> node = any(name);
        if (node.isEmpty()) {
            return OptionalLong.empty();
        }
        if (!node.get().isIntegralNumber() || !node.get().canConvertToLong()) {
            throw ApiException.invalid(path(name), "%s must be an integer.".formatted(path(name)));
        }
        long value = node.get().longValue();
        if (value < least || value > most) {
            throw ApiException.invalid(
                    path(name),
                    "%s is %d; it must be between %d and %d."
                            .formatted(path(name), value, least, most));
        }
        return OptionalLong.of(value);
    }

    float number(String name, float otherwise, Range range, String rangeInWords) {
        return any(name)
                .map(node -> number(node, path(name), range, rangeInWords))
                .orElse(otherwise);
    }

    static float number(JsonNode node, String path, Range range, String rangeInWords) {
        if (!node.isNumber()) {
            throw ApiException.invalid(path, "%s must be a number.".formatted(path));
        }
        float value = (float) node.doubleValue();
        if (!range.holds(value)) {
            throw ApiException.invalid(
                    path, "%s is %s; it must be %s.".formatted(path, node, rangeInWords));
        }
        return value;
    }

    Optional<ObjectNode> object(String name) {
        return any(name).map(node -> object(node, path(name)));
    }

    static ObjectNode object(JsonNode node, String path) {
        if (!(node instanceof ObjectNode object)) {
            throw ApiException.invalid(path, "%s must be an object.".formatted(path));
        }
        return object;
    }

    Optional<ArrayNode> array(String name) {
        return any(name)
                .map(node -> {
                    if (!(node instanceof ArrayNode array)) {
                        throw ApiException.invalid(
                                path(name), "%s must be an array.".formatted(path(name)));
                    }
                    return array;
                });
    }

    /**
     * Takes an array that has nothing in it, which is as good as none.
     *
     * @throws ApiException 400 if it has something in it
     */
    void noneOf(String name, String why) {
        if (!array(name).map(ArrayNode::isEmpty).orElse(true)) {
            throw ApiException.unsupported(
                    path(name), "%s: %s must be empty or left out.".formatted(why, path(name)));
        }
    }

    /**
     * @throws ApiException 400 that names a field which nobody took
     */
    void refuseOthers() {
        if (!untaken.isEmpty()) {
            String first = path(untaken.stream().sorted().toList().getFirst());
            throw ApiException.unsupported(
                    first, "%s is not supported by this server.".formatted(first));
        }
    }
}
