package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.Tokenizer;
import dev.flagship.tokenizers.TokenizerConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Translates a Hugging Face folder (or a file in one): config.json, safetensors, tokenizer files.
 */
final class HuggingFaceLlama {
    private static final long LARGEST_JSON = 16 << 20;
    private static final JsonMapper JSON =
            JsonMapper.builder(
                            JsonFactory.builder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(64)
                                                    .build())
                                    .build())
                    .build();

    private final SafetensorsFile file;
    private final Path folder;

    private HuggingFaceLlama(SafetensorsFile file) {
        this.file = file;
        Path path = file.path().toAbsolutePath();
        this.folder = Files.isDirectory(path) ? path : path.resolveSibling("");
    }

    /**
     * Reads everything but the weights.
     *
     * @throws LoadException if a file is missing or the model is not supported
     * @throws IOException if a file cannot be read
     */
    static ModelSource read(SafetensorsFile file) throws IOException {
        return new HuggingFaceLlama(file).read();
    }

    private ModelSource read() throws IOException {
        JsonNode json = require("config.json");
        String type = json.path("model_type").asString("");
        if (!type.equals("llama")) {
            throw new LoadException(
                    folder.resolve("config.json"),
                    "model_type is %s".formatted(FormatException.quote(type)),
                    "This version runs llama.");
        }
        refuseVariants(json);
        Llama.Config config = config(json);
        Tokenizer tokenizer =
                BpeTokenizer.fromFolder(folder)
                        .orElseThrow(() ->
                                new LoadException(
                                        folder,
                                        "tokenizer.json is missing, and so are tokenizer.model and vocab.json with merges.txt",
                                        "Download one of them into the folder, beside the weights."));
        return new ModelSource(
                file,
                config,
                tensors(config),
                integer(json, "max_position_embeddings", 2048),
                tokenizer,
                template(),
                endTokens(json, tokenizer),
                List.of("hugging face"));
    }

    private void refuseVariants(JsonNode json) {
        for (String key : List.of("attention_bias", "mlp_bias")) {
            if (flag(json, key)) {
                throw new LoadException(
                        folder.resolve("config.json"),
                        key + " is true",
                        "This version runs LLaMA models without biases.");
            }
        }
        for (JsonNode place : List.of(json, json.path("rope_parameters"))) {
            JsonNode rotated = place.path("partial_rotary_factor");
            if (!rotated.isMissingNode()
                    && !rotated.isNull()
                    && !(rotated.isNumber() && rotated.doubleValue() == 1)) {
                throw new LoadException(
                        folder.resolve("config.json"),
                        "partial_rotary_factor is " + FormatException.quote(rotated.toString()),
                        "This version runs LLaMA models that rotate whole heads.");
            }
        }
        String activation = json.path("hidden_act").asString("silu");
        if (!activation.equals("silu")) {
            throw new LoadException(
                    folder.resolve("config.json"),
                    "hidden_act is %s".formatted(FormatException.quote(activation)),
                    "This version runs LLaMA models with silu.");
        }
    }

    private Llama.Config config(JsonNode json) {
        int dim = integer(json, "hidden_size", -1);
        int heads = integer(json, "num_attention_heads", -1);
        int headSize =
                ModelSource.headSize(
                        file.path(),
                        integer(json, "head_dim", heads > 0 ? Math.max(0, dim / heads) : 0));
        boolean tied = flag(json, "tie_word_embeddings");
        return new Llama.Config(
                integer(json, "vocab_size", -1),
                dim,
                integer(json, "intermediate_size", -1),
                integer(json, "num_hidden_layers", -1),
                heads,
                integer(json, "num_key_value_heads", heads),
                headSize,
                real(json, "rms_norm_eps", 1e-6f),
                real(
                        ropeParameters(json).has("rope_theta") ? ropeParameters(json) : json,
                        "rope_theta",
                        10_000),
                scaling(json, headSize),
                tied);
    }

    private boolean flag(JsonNode json, String key) {
        JsonNode value = json.path(key);
        if (value.isBoolean() || value.isMissingNode() || value.isNull()) {
            return value.isBoolean() && value.booleanValue();
        }
        throw new LoadException(
                folder.resolve("config.json"),
                "%s is %s, expected true or false"
                        .formatted(key, FormatException.quote(value.toString())),
                "Download the file again.");
    }

    private int integer(JsonNode json, String key, int otherwise) {
        JsonNode value = json.path(key);
        if (value.isIntegralNumber() && value.canConvertToInt()) {
            return value.intValue();
        }
        if (otherwise >= 0 && (value.isMissingNode() || value.isNull())) {
            return otherwise;
        }
        throw new LoadException(
                folder.resolve("config.json"),
                "%s is %s, expected a whole number"
                        .formatted(key, FormatException.quote(value.toString())),
                "Download the file again.");
    }

    private float real(JsonNode json, String key, float otherwise) {
        JsonNode value = json.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        float number = value.isNumber() ? (float) value.asDouble(Double.NaN) : Float.NaN;
        if (Float.isFinite(number)) {
            return number;
        }
        throw new LoadException(
                folder.resolve("config.json"),
                "%s is %s, expected a number"
                        .formatted(key, FormatException.quote(value.toString())),
                "Download the file again.");
    }

    /** Transformers 5 gathers rotary settings under rope_parameters; before, they stood alone. */
    private static JsonNode ropeParameters(JsonNode json) {
        return json.path("rope_parameters");
    }

    private Rope.Scaling scaling(JsonNode json, int headSize) {
        JsonNode s =
                json.hasNonNull("rope_parameters")
                        ? ropeParameters(json)
                        : json.path("rope_scaling");
        String type = s.path("rope_type").asString(s.path("type").asString("default"));
        return switch (type) {
            case "default" -> new Rope.Scaling.None();
            case "linear" ->
                    new Rope.Scaling.Divisors(
                            Collections.nCopies(Math.max(0, headSize / 2), real(s, "factor", 1)));
            case "llama3" ->
                    new Rope.Scaling.Llama3(
                            real(s, "factor", 8),
                            real(s, "low_freq_factor", 1),
                            real(s, "high_freq_factor", 4),
                            integer(s, "original_max_position_embeddings", 8192));
            default ->
                    throw new LoadException(
                            folder.resolve("config.json"),
                            "rope_type is %s".formatted(FormatException.quote(type)),
                            "This version knows default, linear and llama3.");
        };
    }

    private Map<String, TensorSource> tensors(Llama.Config config) {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        for (TensorEntry entry : file.tensors().values()) {
            boolean stray = entry.name().endsWith(".rotary_emb.inv_freq");
            boolean shadow = config.tiedHead() && entry.name().equals("lm_head.weight");
            if (!stray && !shadow) {
                tensors.put(entry.name(), TensorSource.of(entry.name(), entry));
            }
        }
        return tensors;
    }

    private Optional<ChatTemplate> template() throws IOException {
        Path own = folder.resolve("chat_template.jinja");
        if (Files.exists(own)) {
            return Optional.of(ChatTemplate.parse(text(own)));
        }
        Path config = folder.resolve("tokenizer_config.json");
        if (!Files.exists(config)) {
            return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(config)) {
            return TokenizerConfig.read(in).chatTemplate().map(ChatTemplate::parse);
        }
    }

    private Set<Integer> endTokens(JsonNode config, Tokenizer tokenizer) throws IOException {
        Set<Integer> ends = new LinkedHashSet<>();
        tokenizer.eos().ifPresent(ends::add);
        addIds(ends, config.path("eos_token_id"));
        Path defaults = folder.resolve("generation_config.json");
        if (Files.exists(defaults)) {
            addIds(ends, json(defaults).path("eos_token_id"));
        }
        return ends;
    }

    private static void addIds(Set<Integer> ends, JsonNode ids) {
        if (ids.isArray()) {
            ids.forEach(id -> addIds(ends, id));
        } else if (ids.isIntegralNumber() && ids.canConvertToInt()) {
            ends.add(ids.intValue());
        }
    }

    private JsonNode require(String name) throws IOException {
        Path path = folder.resolve(name);
        if (!Files.exists(path)) {
            throw new LoadException(
                    folder,
                    name + " is missing",
                    "Download it into the folder, beside the weights.");
        }
        return json(path);
    }

    private JsonNode json(Path path) throws IOException {
        try {
            return JSON.readTree(text(path));
        } catch (JacksonException e) {
            throw new LoadException(
                    path, "it is not JSON: " + e.getOriginalMessage(), "Download it again.", e);
        }
    }

    private static String text(Path path) throws IOException {
        if (Files.size(path) > LARGEST_JSON) {
            throw new LoadException(
                    path, "it is larger than 16 MiB", "This is not the file that its name says.");
        }
        try {
            return Files.readString(path);
        } catch (CharacterCodingException e) {
            throw new LoadException(path, "it is not UTF-8", "Download it again.", e);
        }
    }
}
