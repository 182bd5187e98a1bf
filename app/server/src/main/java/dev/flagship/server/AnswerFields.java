package dev.flagship.server;

import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The fields that all kinds of completion have in common, as OpenAI's API reference describes them,
 * with {@code top_k}, {@code min_p} and {@code repetition_penalty} as other servers name them. Each
 * method takes its fields, or refuses them with an {@link ApiException} that names the one at
 * fault.
 */
final class AnswerFields {
    private static final int MOST_CHOICES = 8;
    private static final int MOST_STOPS = 16;
    private static final int STOP_LENGTH = 64;
    private static final int MOST_BIASES = 300;

    private AnswerFields() {}

    /** Number of choices. */
    static int choices(Fields fields) {
        return (int) fields.integer("n", 1, MOST_CHOICES).orElse(1);
    }

    /**
     * How tokens are chosen.
     *
     * @param usual sampling of the model, for what the body does not say
     */
    static Sampling sampling(Fields fields, Sampling usual) {
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

    /** Texts that end an answer: one, or several in an array. */
    static List<String> stop(Fields fields) {
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

    /** Whether a stream ends with a chunk of usage. */
    static boolean includeUsage(Fields fields, boolean stream) {
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

    /** What goes before a text. */
    static Prompt.Raw.Begin begin(Fields fields) {
        return fields.flag("add_special_tokens", true)
                ? Prompt.Raw.Begin.AS_TRAINED
                : Prompt.Raw.Begin.NOTHING;
    }

    /** Labels for the caller's own books: none of them changes an answer. */
    static void labels(Fields fields) {
        fields.string("user");
        fields.string("safety_identifier");
        fields.string("prompt_cache_key");
        fields.object("metadata");
    }

    /** A string, or {@code otherwise}; a value of another type reads as itself and is refused. */
    static String named(Fields fields, String name, String otherwise) {
        return fields.any(name)
                .map(node -> node.isString() ? node.stringValue() : node.toString())
                .orElse(otherwise);
    }

    /** Refuses a value other than that which happens anyway. */
    static void only(Fields fields, String name, String supported, String value) {
        if (!value.equals(supported)) {
            throw ApiException.unsupported(
                    fields.path(name),
                    "%s other than %s is not supported by this server.".formatted(name, supported));
        }
    }
}
