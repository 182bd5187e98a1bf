package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * Values of a description in JSON. What is missing or null is as if it were not said; what is of
 * another kind is refused by name.
 *
 * @param file for messages
 * @param place of these settings in it, for messages: keys on the way with a dot behind each
 */
record Settings(Path file, JsonNode json, String place) {

    Settings(Path file, JsonNode json) {
        this(file, json, "");
    }

    boolean has(String key) {
        return json.hasNonNull(key);
    }

    /** The settings below a key, empty ones if there are none. */
    Settings below(String key) {
        JsonNode value = json.path(key);
        if (absent(value) || value.isObject()) {
            return new Settings(file, value, place + key + '.');
        }
        throw wrong(key, value, "settings in braces");
    }

    /** A text, or what stands for its absence. */
    String text(String key, String otherwise) {
        JsonNode value = json.path(key);
        if (absent(value)) {
            return otherwise;
        }
        if (value.isString()) {
            return value.stringValue();
        }
        throw wrong(key, value, "a text");
    }

    boolean flag(String key, boolean otherwise) {
        JsonNode value = json.path(key);
        if (value.isBoolean()) {
            return value.booleanValue();
        }
        if (absent(value)) {
            return otherwise;
        }
        throw wrong(key, value, "true or false");
    }

    /**
     * A whole number.
     *
     * @throws LoadException if it is missing or something else
     */
    int integer(String key) {
        JsonNode value = json.path(key);
        if (value.isIntegralNumber() && value.canConvertToInt()) {
            return value.intValue();
        }
        throw wrong(key, value, "a whole number");
    }

    int integer(String key, int otherwise) {
        return has(key) ? integer(key) : otherwise;
    }

    /**
     * A finite number.
     *
     * @throws LoadException if it is missing or something else
     */
    float real(String key) {
        return realIfThere(key).orElseThrow(() -> wrong(key, json.path(key), "a number"));
    }

    float real(String key, float otherwise) {
        return realIfThere(key).orElse(otherwise);
    }

    Optional<Float> realIfThere(String key) {
        JsonNode value = json.path(key);
        if (absent(value)) {
            return Optional.empty();
        }
        float number = value.isNumber() ? (float) value.asDouble(Double.NaN) : Float.NaN;
        if (Float.isFinite(number)) {
            return Optional.of(number);
        }
        throw wrong(key, value, "a number");
    }

    /** Token ids: one, or a list of them; what is neither is left out. */
    Set<Integer> ids(String key) {
        Set<Integer> ids = new LinkedHashSet<>();
        JsonNode value = json.path(key);
        addId(ids, value);
        value.forEach(each -> addId(ids, each));
        return ids;
    }

    private static void addId(Set<Integer> ids, JsonNode value) {
        if (value.isIntegralNumber() && value.canConvertToInt()) {
            ids.add(value.intValue());
        }
    }

    private static boolean absent(JsonNode value) {
        return value.isMissingNode() || value.isNull();
    }

    private LoadException wrong(String key, JsonNode value, String expected) {
        return new LoadException(
                file,
                "%s is %s, expected %s"
                        .formatted(
                                place + key,
                                value.isMissingNode()
                                        ? "missing"
                                        : FormatException.quote(value.toString()),
                                expected),
                "Download the file again.");
    }
}
