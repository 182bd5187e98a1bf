package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.formats.TensorEntry;
import dev.flagship.formats.TorchFile;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.serving.ModelSource.Assumed;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Translates a folder as Meta gives it out: params.json and {@code consolidated.NN.pth}, a part of
 * each tensor in every file. Rows of q and k are in the order of GGUF: rotated pairs are
 * neighbours.
 *
 * <p>Source: github.com/meta-llama/llama, llama/model.py, and meta-llama/llama-models,
 * models/llama3/args.py. What {@code params.json} does not tell is taken from Hugging Face's
 * published conversions of the same checkpoints: the context length, and the factor 32 by which
 * Llama 3.2 scales its rotary frequencies.
 */
final class MetaLlama {
    /** What a part of a tensor is of the whole. */
    private enum Role {
        /** The parts lie below each other. */
        ROWS,
        /** The parts lie beside each other. */
        COLUMNS,
        /** Columns up to Llama 2, rows from Llama 3 on. */
        EMBEDDING,
        /** Every file has the whole. */
        COPY
    }

    private record Part(String name, Role role) {}

    private static final Map<String, Part> LAYER_PARTS =
            Map.of(
                    "attention_norm", new Part("input_layernorm", Role.COPY),
                    "attention.wq", new Part("self_attn.q_proj", Role.ROWS),
                    "attention.wk", new Part("self_attn.k_proj", Role.ROWS),
                    "attention.wv", new Part("self_attn.v_proj", Role.ROWS),
                    "attention.wo", new Part("self_attn.o_proj", Role.COLUMNS),
                    "ffn_norm", new Part("post_attention_layernorm", Role.COPY),
                    "feed_forward.w1", new Part("mlp.gate_proj", Role.ROWS),
                    "feed_forward.w2", new Part("mlp.down_proj", Role.COLUMNS),
                    "feed_forward.w3", new Part("mlp.up_proj", Role.ROWS));
    private static final Map<String, Part> PARTS =
            Map.of(
                    "tok_embeddings", new Part("model.embed_tokens", Role.EMBEDDING),
                    "norm", new Part("model.norm", Role.COPY),
                    "output", new Part("lm_head", Role.ROWS));

    private static final String EMBEDDING = "tok_embeddings.weight";
    private static final String ENDING = ".weight";

    /** Rotary frequencies, which follow from params.json. */
    private static final String STRAY = "rope.freqs";

    /** By how much positions are scaled; Meta's own files do not tell. */
    private static final String FACTOR = "rope_scaling_factor";

    /** Keys of models that are built otherwise. */
    private static final List<String> VARIANTS =
            List.of("moe_args", "vision_chunk_size", "quantization_args", "lora_args");

    private static final List<String> END_TOKENS =
            List.of("<|end_of_text|>", "<|eot_id|>", "<|eom_id|>");

    private final TorchFile file;
    private final ModelFolder folder;

    private MetaLlama(TorchFile file) {
        this.file = file;
        this.folder = ModelFolder.of(file.path());
    }

    /**
     * Reads everything but the weights.
     *
     * @param file a consolidated one
     * @throws LoadException if a file is missing or the model is not supported
     * @throws IOException if a file cannot be read
     */
    static ModelSource read(TorchFile file) throws IOException {
        return new MetaLlama(file).read();
    }

    private ModelSource read() throws IOException {
        Settings params = folder.require("params.json");
        for (String key : VARIANTS) {
            if (params.has(key)) {
                throw new LoadException(
                        params.file(), key + " is there", "This version runs dense LLaMA models.");
            }
        }
        file.withheld()
                .forEach((name, reason) -> {
                    if (translated(name).isPresent()) {
                        throw new LoadException(
                                file.path(),
                                "tensor %s cannot be used: %s"
                                        .formatted(FormatException.quote(name), reason),
                                "This version reads weights in F32, F16 and BF16 here; convert it.");
                    }
                });
        int dim = params.integer("dim");
        file.requireParts(partsPromised(params, dim));
        TensorSource embedding = source(EMBEDDING, dim);
        Llama.Config config =
                config(
                        file.path(),
                        params,
                        embedding.shape().getFirst(),
                        !file.tensors().containsKey("output.weight"));
        BpeTokenizer tokenizer = folder.tokenizerHereOrAbove();
        return new ModelSource(
                file,
                config,
                scaled(params) && !params.has(FACTOR)
                        ? Set.of(Assumed.CONTEXT, Assumed.SCALING)
                        : Set.of(Assumed.CONTEXT),
                tensors(config),
                contextLength(params),
                tokenizer,
                folder.template(),
                endTokens(tokenizer),
                Sampling.usual(0),
                ModelCard.of(folder),
                List.of("meta", "dim " + dim, "head size " + config.headSize()));
    }

    /**
     * Sizes and constants.
     *
     * @param path for messages
     * @param embeddings rows of the embedding, which count where the vocabulary is said to be −1
     */
    static Llama.Config config(Path path, Settings params, long embeddings, boolean tied) {
        int dim = params.integer("dim");
        int heads = params.integer("n_heads");
        int headSize = headSize(path, params, dim, heads);
        int vocab = params.integer("vocab_size", -1);
        if (vocab == -1) {
            vocab = (int) Math.min(embeddings, Integer.MAX_VALUE);
        }
        return new Llama.Config(
                vocab,
                dim,
                hidden(params, dim),
                params.integer("n_layers"),
                heads,
                params.integer("n_kv_heads", heads),
                headSize,
                params.real("norm_eps", 1e-5f),
                params.real("rope_theta", 10_000),
                scaling(params, dim),
                tied);
    }

    private static int headSize(Path path, Settings params, int dim, int heads) {
        return ModelSource.headSize(
                path, params.integer("head_dim", heads > 0 ? Math.max(0, dim / heads) : 0));
    }

    /**
     * Of how many parts the model was made, by how much of two matrices one of them has; 0 if the
     * two do not agree, and the file contradicts itself, as the comparison of shapes will say.
     */
    private int partsPromised(Settings params, int dim) {
        int heads = params.integer("n_heads");
        long queries = (long) heads * headSize(file.path(), params, dim, heads);
        long byQueries = partsOf("layers.0.attention.wq.weight", queries, dim);
        long byGates = partsOf("layers.0.feed_forward.w1.weight", hidden(params, dim), dim);
        return byQueries == byGates ? Math.toIntExact(byQueries) : 0;
    }

    /** How many times the rows of a part make those of a matrix; 0 if they do not. */
    private long partsOf(String name, long rows, int cols) {
        TensorEntry part = file.tensors().get(name);
        if (part == null || part.shape().size() != 2 || part.cols() != cols) {
            return 0;
        }
        return rows % part.rows() == 0 ? rows / part.rows() : 0;
    }

    /** FeedForward's width: two thirds of four times the model's, scaled, rounded up. */
    private static int hidden(Settings params, int dim) {
        int multiple = params.integer("multiple_of", 256);
        double factor = params.realIfThere("ffn_dim_multiplier").map(MetaLlama::exact).orElse(1.0);
        double scaled = Math.floor(factor * Math.floor(2 * 4.0 * dim / 3));
        double hidden = multiple < 1 ? -1 : Math.ceil(scaled / multiple) * multiple;
        if (!(hidden >= 1 && hidden <= Integer.MAX_VALUE)) {
            throw new LoadException(
                    params.file(),
                    "dim %d, multiple_of %d and ffn_dim_multiplier %s make a width of %s"
                            .formatted(dim, multiple, factor, hidden),
                    "Expected a positive one; download the file again.");
        }
        return (int) hidden;
    }

    /** The decimal that a float stands for: 1.3 is not to become 1.2999999523. */
    private static double exact(float decimal) {
        return Double.parseDouble(Float.toString(decimal));
    }

    private static boolean scaled(Settings params) {
        return params.flag("use_scaled_rope", false);
    }

    private static Rope.Scaling scaling(Settings params, int dim) {
        if (!scaled(params)) {
            return new Rope.Scaling.None();
        }
        // Only Llama 3.2's text models are narrower than 4096; Meta's own code has 8 for all, and
        // Hugging Face's configurations of them have 32.
        float usual = dim < 4096 ? 32 : 8;
        return new Rope.Scaling.Llama3(
                params.real(FACTOR, usual), 1, params.real("rope_high_freq_factor", 4), 8192);
    }

    /**
     * Positions that the checkpoint was trained for, which no file tells: Llama 3.1 and later scale
     * the rotary frequencies; Code Llama and Llama 3 have a larger base; LLaMA 1 has another
     * epsilon, or is the 65B without grouped queries.
     */
    private static int contextLength(Settings params) {
        float theta = params.real("rope_theta", 10_000);
        if (scaled(params)) {
            return 131_072;
        }
        if (theta > 10_000) {
            return theta >= 1_000_000 ? 16_384 : 8192;
        }
        boolean first =
                params.real("norm_eps", 1e-5f) < 1e-5f
                        || (params.integer("dim") >= 8192 && !params.has("n_kv_heads"));
        return first ? 2048 : 4096;
    }

    private Map<String, TensorSource> tensors(Llama.Config config) {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        for (String name : file.tensors().keySet()) {
            if (name.equals(STRAY)) {
                continue;
            }
            TensorSource source = source(name, config.dim());
            boolean rotated = name.endsWith(".wq.weight") || name.endsWith(".wk.weight");
            if (rotated) {
                GgufLlama.checkHeads(
                        file.path(), name, source.shape().getFirst(), config.headSize());
                source = source.ordered(GgufLlama.halvesFromPairs(config.headSize()));
            }
            tensors.put(source.name(), source);
        }
        return tensors;
    }

    /** A tensor out of its parts. */
    private TensorSource source(String name, int dim) {
        List<TensorEntry> parts = file.parts(name);
        Part part = part(name);
        TensorEntry first = parts.getFirst();
        for (TensorEntry each : parts) {
            if (!each.shape().equals(first.shape()) || each.type() != first.type()) {
                throw new LoadException(
                        file.files().get(each.file()),
                        "tensor %s is %s %s, and in the first file %s %s"
                                .formatted(
                                        FormatException.quote(name),
                                        each.type(),
                                        each.shape(),
                                        first.type(),
                                        first.shape()),
                        "The parts are of different models: fetch all of them again.");
            }
        }
        int dimensions = part.role == Role.COPY ? 1 : 2;
        if (first.shape().size() != dimensions) {
            throw new LoadException(
                    file.path(),
                    "tensor %s is %s, expected %d dimensions"
                            .formatted(FormatException.quote(name), first.shape(), dimensions),
                    "This version runs dense LLaMA models.");
        }
        boolean below =
                switch (part.role) {
                    case ROWS -> true;
                    case COLUMNS -> false;
                    case EMBEDDING -> first.cols() == dim;
                    case COPY -> false;
                };
        String translated = part.name + ENDING;
        if (part.role == Role.COPY || parts.size() == 1) {
            return TensorSource.of(translated, first);
        }
        return below
                ? TensorSource.below(translated, parts)
                : TensorSource.beside(translated, parts);
    }

    private Part part(String name) {
        Part found = find(name);
        if (found == null) {
            throw new LoadException(
                    file.path(),
                    "tensor %s is no part of a LLaMA model".formatted(FormatException.quote(name)),
                    "This version runs dense LLaMA models without biases or adapters.");
        }
        return found;
    }

    /** What a tensor of Meta's name is, or null if a LLaMA model has no such tensor. */
    private static @Nullable Part find(String name) {
        if (!name.endsWith(ENDING)) {
            return null;
        }
        String[] words = name.substring(0, name.length() - ENDING.length()).split("\\.", 3);
        if (words.length == 3 && words[0].equals("layers")) {
            Part inLayer = LAYER_PARTS.get(words[2]);
            return inLayer == null
                    ? null
                    : new Part("model.layers." + words[1] + "." + inLayer.name, inLayer.role);
        }
        return words.length == 1 ? PARTS.get(words[0]) : null;
    }

    /** The Hugging Face name of a tensor, if it is a LLaMA model's. */
    static Optional<String> translated(String name) {
        Part part = find(name);
        return part == null ? Optional.empty() : Optional.of(part.name + ENDING);
    }

    private static Set<Integer> endTokens(Tokenizer tokenizer) {
        Set<Integer> ends = new LinkedHashSet<>();
        tokenizer.eos().ifPresent(ends::add);
        for (String end : END_TOKENS) {
            OptionalInt id = tokenizer.id(end);
            if (id.isPresent() && tokenizer.isSpecial(id.getAsInt())) {
                ends.add(id.getAsInt());
            }
        }
        return ends;
    }
}
