package dev.flagship.serving;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.formats.FormatException;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.serving.ModelSource.Assumed;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Translates a Hugging Face folder (or a file in one) of LLaMA, or of Mistral: config.json, weights
 * in safetensors or PyTorch's files, tokenizer files.
 */
final class HuggingFaceLlama {
    private static final String CONFIG = "config.json";
    private static final String POSITIONS = "max_position_embeddings";
    private static final String MISTRAL = "mistral";
    private static final String WINDOW = "sliding_window";

    /** What transformers' MistralConfig takes for what is not said. */
    private static final int MISTRAL_WINDOW = 4096;

    private static final int MISTRAL_POSITIONS = 131_072;
    private static final int MISTRAL_KV_HEADS = 8;
    private static final List<String> RECIPE = List.of("temperature", "top_k", "top_p", "min_p");
    private static final String WEIGHT = ".weight";
    private static final String FUSED_HEADS = "self_attn.qkv_proj.weight";
    private static final String FUSED_GATES = "mlp.gate_up_proj.weight";

    private final ModelFile file;
    private final ModelFolder folder;

    private HuggingFaceLlama(ModelFile file) {
        this.file = file;
        this.folder = ModelFolder.of(file.path());
    }

    /**
     * Reads everything but the weights.
     *
     * @throws LoadException if a file is missing or the model is not supported
     * @throws IOException if a file cannot be read
     */
    static ModelSource read(ModelFile file) throws IOException {
        return new HuggingFaceLlama(file).read();
    }

    private ModelSource read() throws IOException {
        Settings json = folder.require(CONFIG);
        String type = json.text("model_type", "");
        if (!type.equals("llama") && !type.equals(MISTRAL)) {
            throw new LoadException(
                    json.file(),
                    type.isEmpty()
                            ? "model_type is missing"
                            : "model_type is %s".formatted(FormatException.quote(type)),
                    "This version runs llama and mistral.");
        }
        if (type.equals(MISTRAL)) {
            refuseWindow(json);
        }
        refuseVariants(json);
        refuseRounded(json);
        Llama.Config config = config(file.path(), json);
        BpeTokenizer tokenizer = folder.tokenizer();
        Optional<Settings> generation = folder.find("generation_config.json");
        return new ModelSource(
                file,
                config,
                json.has(POSITIONS) ? Set.of() : Set.of(Assumed.CONTEXT),
                tensors(config),
                json.integer(POSITIONS, type.equals(MISTRAL) ? MISTRAL_POSITIONS : 2048),
                tokenizer,
                folder.template(),
                endTokens(json, generation, tokenizer),
                generation.map(HuggingFaceLlama::sampling).orElse(Sampling.usual(0)),
                ModelCard.of(folder),
                List.of("hugging face"));
    }

    /**
     * Mistral (Jiang et al. 2023, arXiv:2310.06825) is LLaMA with grouped queries, and from v0.2 on
     * without its sliding window. One that no position leaves behind changes nothing.
     */
    private static void refuseWindow(Settings json) {
        boolean silent = json.json().path(WINDOW).isMissingNode(); // null is that there is none
        if (!silent && !json.has(WINDOW)) {
            return;
        }
        int window = json.integer(WINDOW, MISTRAL_WINDOW);
        int positions = json.integer(POSITIONS, MISTRAL_POSITIONS);
        if (window < positions) {
            throw new LoadException(
                    json.file(),
                    silent
                            ? "it has no sliding_window, which transformers takes for %d, less than its %d positions"
                                    .formatted(window, positions)
                            : "sliding_window is %d, less than its %d positions"
                                    .formatted(window, positions),
                    silent
                            ? "This version has no sliding-window attention; if the model has none either, write \"sliding_window\": null."
                            : "This version has no sliding-window attention; Mistral's models from v0.2 on need none.");
        }
    }

    private static void refuseVariants(Settings json) {
        for (String key : List.of("attention_bias", "mlp_bias")) {
            if (json.flag(key, false)) {
                throw new LoadException(
                        json.file(),
                        key + " is true",
                        "This version runs LLaMA models without biases.");
            }
        }
        for (Settings place : List.of(json, json.below("rope_parameters"))) {
            var rotated = place.json().path("partial_rotary_factor");
            if (!rotated.isMissingNode()
                    && !rotated.isNull()
                    && !(rotated.isNumber() && rotated.doubleValue() == 1)) {
                throw new LoadException(
                        json.file(),
                        "partial_rotary_factor is " + FormatException.quote(rotated.toString()),
                        "This version runs LLaMA models that rotate whole heads.");
            }
        }
        String activation = json.text("hidden_act", "silu");
        if (!activation.equals("silu")) {
            throw new LoadException(
                    json.file(),
                    "hidden_act is %s".formatted(FormatException.quote(activation)),
                    "This version runs LLaMA models with silu.");
        }
    }

    /**
     * Refuses weights in the encoding of another library, where a matrix is in several tensors or
     * in a type that is not read. The words alone do not count: plain weights may lie beside them.
     *
     * <p>Source: transformers' documentation, "Quantization", quantization_config in config.json.
     */
    private void refuseRounded(Settings json) {
        Set<String> withheld = file.withheld().keySet();
        boolean plain =
                file.tensors().keySet().stream().allMatch(n -> n.endsWith(WEIGHT) || stray(n))
                        && withheld.stream().noneMatch(n -> n.contains("weight"));
        boolean told = json.has("quantization_config");
        if (plain || !told && withheld.stream().noneMatch(n -> n.endsWith(".qweight"))) {
            return;
        }
        Settings encoding = json.below("quantization_config");
        boolean bits = encoding.has("load_in_4bit") || encoding.has("load_in_8bit");
        String usual = !told ? "gptq or awq" : bits ? "bitsandbytes" : "an unnamed method";
        throw new LoadException(
                told ? json.file() : folder.path(),
                "its weights are quantised by "
                        + FormatException.quote(encoding.text("quant_method", usual)),
                "This version reads quantised weights from GGUF only: take a GGUF file of the model; or take it unquantised, and let flagship quantize round it.");
    }

    /** Rotary frequencies, which follow from config.json. */
    private static boolean stray(String name) {
        return name.endsWith(".rotary_emb.inv_freq");
    }

    /**
     * Sizes and constants.
     *
     * @param path for messages
     */
    static Llama.Config config(Path path, Settings json) {
        int dim = json.integer("hidden_size");
        int heads = json.integer("num_attention_heads");
        int headSize =
                ModelSource.headSize(
                        path, json.integer("head_dim", heads > 0 ? Math.max(0, dim / heads) : 0));
        Settings rope = json.below("rope_parameters");
        return new Llama.Config(
                json.integer("vocab_size"),
                dim,
                json.integer("intermediate_size"),
                json.integer("num_hidden_layers"),
                heads,
                json.integer("num_key_value_heads", unsaidKvHeads(json, heads)),
                headSize,
                json.real("rms_norm_eps", 1e-6f),
                (rope.has("rope_theta") ? rope : json).real("rope_theta", 10_000),
                scaling(json, headSize),
                json.flag("tie_word_embeddings", false));
    }

    /** As transformers: a Mistral without the key has eight, one with null as many as heads. */
    private static int unsaidKvHeads(Settings json, int heads) {
        boolean silent = json.json().path("num_key_value_heads").isMissingNode();
        return silent && json.text("model_type", "").equals(MISTRAL) ? MISTRAL_KV_HEADS : heads;
    }

    /**
     * Transformers 5 gathers rotary settings under rope_parameters; before, they stood alone. None
     * of a scaling's numbers has a usual value, in transformers either.
     */
    private static Rope.Scaling scaling(Settings json, int headSize) {
        Settings s = json.below(json.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
        String type = s.text("rope_type", s.text("type", "default"));
        return switch (type) {
            case "default" -> new Rope.Scaling.None();
            case "linear" ->
                    new Rope.Scaling.Divisors(
                            Collections.nCopies(Math.max(0, headSize / 2), s.real("factor")));
            case "llama3" ->
                    new Rope.Scaling.Llama3(
                            s.real("factor"),
                            s.real("low_freq_factor"),
                            s.real("high_freq_factor"),
                            s.integer("original_max_position_embeddings"));
            default ->
                    throw new LoadException(
                            json.file(),
                            "rope_type is %s".formatted(FormatException.quote(type)),
                            "This version knows default, linear and llama3.");
        };
    }

    private Map<String, TensorSource> tensors(Llama.Config config) {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        for (TensorEntry entry : file.tensors().values()) {
            String name = entry.name();
            boolean shadow = config.tiedHead() && name.equals("lm_head.weight");
            if (stray(name) || shadow) {
                continue;
            }
            for (TensorSource source : split(entry, config)) {
                if (tensors.put(source.name(), source) != null) {
                    throw new LoadException(
                            file.path(),
                            "tensor %s is there twice, once in a fused one"
                                    .formatted(FormatException.quote(source.name())),
                            "The file contradicts itself; fetch or convert it again.");
                }
            }
        }
        return tensors;
    }

    /** Takes matrices apart that some store in one: q, k and v; gate and up. */
    private List<TensorSource> split(TensorEntry entry, Llama.Config config) {
        String name = entry.name();
        long q = (long) config.heads() * config.headSize();
        long kv = (long) config.kvHeads() * config.headSize();
        if (name.endsWith("." + FUSED_HEADS)) {
            checkFused(entry, q + 2 * kv);
            String layer = name.substring(0, name.length() - FUSED_HEADS.length()) + "self_attn.";
            return List.of(
                    TensorSource.ofRows(layer + "q_proj.weight", entry, 0, q),
                    TensorSource.ofRows(layer + "k_proj.weight", entry, q, kv),
                    TensorSource.ofRows(layer + "v_proj.weight", entry, q + kv, kv));
        }
        if (name.endsWith("." + FUSED_GATES)) {
            long hidden = config.ffn();
            checkFused(entry, 2 * hidden);
            String layer = name.substring(0, name.length() - FUSED_GATES.length()) + "mlp.";
            return List.of(
                    TensorSource.ofRows(layer + "gate_proj.weight", entry, 0, hidden),
                    TensorSource.ofRows(layer + "up_proj.weight", entry, hidden, hidden));
        }
        return List.of(TensorSource.of(name, entry));
    }

    private void checkFused(TensorEntry entry, long rows) {
        if (entry.shape().size() != 2 || entry.rows() != rows) {
            throw new LoadException(
                    file.path(),
                    "tensor %s is %s, its description asks for %d rows"
                            .formatted(FormatException.quote(entry.name()), entry.shape(), rows),
                    "The file contradicts itself; fetch or convert it again.");
        }
    }

    private static Set<Integer> endTokens(
            Settings config, Optional<Settings> generation, Tokenizer tokenizer) {
        Set<Integer> ends = new LinkedHashSet<>();
        tokenizer.eos().ifPresent(ends::add);
        ends.addAll(config.ids("eos_token_id"));
        generation.ifPresent(g -> ends.addAll(g.ids("eos_token_id")));
        return ends;
    }

    /**
     * What the model's makers recommend. A recipe stands as it is: where they name any of its
     * numbers, those that they do not name cut nothing off.
     */
    private static Sampling sampling(Settings generation) {
        boolean recipe = RECIPE.stream().anyMatch(generation::has);
        Sampling base = recipe ? Sampling.at(1, 0) : Sampling.usual(0);
        boolean greedy = !generation.flag("do_sample", true);
        try {
            return new Sampling(
                    greedy ? 0 : generation.real("temperature", base.temperature()),
                    generation.integer("top_k", base.topK()),
                    generation.real("top_p", base.topP()),
                    generation.real("min_p", base.minP()),
                    generation.real("repetition_penalty", 1),
                    0,
                    0,
                    Map.of(),
                    0);
        } catch (InvalidArgumentException e) {
            throw new LoadException(
                    generation.file(), e.getMessage(), "Correct it, or delete the file.", e);
        }
    }
}
