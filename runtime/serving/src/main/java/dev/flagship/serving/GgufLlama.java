package dev.flagship.serving;

import dev.flagship.formats.FormatException;
import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufMetadata;
import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.serving.ModelSource.Assumed;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.DType;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.GgufSpaces;
import dev.flagship.tokenizers.Tokenizer;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.IntUnaryOperator;

/**
 * Translates GGUF files of the {@code llama} architecture: key names, tensor names, and the order
 * of the rows of q and k, which GGUF stores so that rotated pairs are neighbours.
 */
final class GgufLlama {
    private static final Map<String, String> LAYER_NAMES =
            Map.of(
                    "attn_norm", "input_layernorm",
                    "attn_q", "self_attn.q_proj",
                    "attn_k", "self_attn.k_proj",
                    "attn_v", "self_attn.v_proj",
                    "attn_output", "self_attn.o_proj",
                    "ffn_norm", "post_attention_layernorm",
                    "ffn_gate", "mlp.gate_proj",
                    "ffn_up", "mlp.up_proj",
                    "ffn_down", "mlp.down_proj");
    private static final Map<String, String> NAMES =
            Map.of(
                    "token_embd.weight", "model.embed_tokens.weight",
                    "output_norm.weight", "model.norm.weight",
                    "output.weight", "lm_head.weight");

    static final String ROPE_FREQUENCIES = "rope_freqs.weight";

    private final GgufFile file;
    private final GgufMetadata meta;

    private GgufLlama(GgufFile file) {
        this.file = file;
        this.meta = file.metadata();
    }

    /**
     * Reads everything but the weights.
     *
     * @throws LoadException if the architecture or a part of it is not supported
     * @throws FormatException if metadata is missing or of the wrong type
     */
    static ModelSource read(GgufFile file) {
        return new GgufLlama(file).read();
    }

    private ModelSource read() {
        String architecture = meta.string("general.architecture");
        if (!architecture.equals("llama")) {
            throw new LoadException(
                    file.path(),
                    "its architecture is %s".formatted(FormatException.quote(architecture)),
                    "This version runs the llama architecture.");
        }
        Llama.Config config = config();
        BpeTokenizer tokenizer = tokenizer();
        OptionalInt context = meta.findInt32("llama.context_length");
        return new ModelSource(
                file,
                config,
                context.isPresent() ? Set.of() : Set.of(Assumed.CONTEXT),
                tensors(config),
                context.orElse(2048),
                tokenizer,
                ModelTemplate.of(meta.findString("tokenizer.chat_template")),
                endTokens(tokenizer),
                Sampling.usual(0),
                ModelCard.of(meta),
                List.of("gguf"));
    }

    private Llama.Config config() {
        int dim = meta.int32("llama.embedding_length");
        int heads = meta.int32("llama.attention.head_count");
        int headSize =
                meta.findInt32("llama.attention.key_length")
                        .orElseGet(() ->
                                meta.findInt32("llama.rope.dimension_count")
                                        .orElse(heads > 0 ? dim / heads : 0));
        ModelSource.headSize(file.path(), headSize);
        checkWholeHeads(headSize);
        TensorEntry embedding = file.tensor("token_embd.weight");
        if (embedding.rows() > Integer.MAX_VALUE) {
            throw new LoadException(
                    file.path(),
                    "its vocabulary has %d tokens".formatted(embedding.rows()),
                    "No model has so many; fetch or convert it again.");
        }
        return new Llama.Config(
                (int) embedding.rows(),
                dim,
                meta.int32("llama.feed_forward_length"),
                meta.int32("llama.block_count"),
                heads,
                meta.findInt32("llama.attention.head_count_kv").orElse(heads),
                headSize,
                (float) meta.real("llama.attention.layer_norm_rms_epsilon"),
                (float) meta.findReal("llama.rope.freq_base").orElse(10_000),
                scaling(headSize),
                !file.tensors().containsKey("output.weight"));
    }

    /** Rotations of a part of each head, or values of another size, are other models. */
    private void checkWholeHeads(int headSize) {
        for (String key : List.of("llama.rope.dimension_count", "llama.attention.value_length")) {
            int size = meta.findInt32(key).orElse(headSize);
            if (size != headSize) {
                throw new LoadException(
                        file.path(),
                        "%s is %d and a head has %d numbers".formatted(key, size, headSize),
                        "This version runs LLaMA models where both are equal.");
            }
        }
    }

    private Rope.Scaling scaling(int headSize) {
        if (file.tensors().containsKey(ROPE_FREQUENCIES)) {
            TensorEntry entry = file.tensor(ROPE_FREQUENCIES);
            if (entry.type() != DType.F32 || entry.elements() != headSize / 2) {
                throw new LoadException(
                        file.path(),
                        "%s is %s %s, expected F32 [%d]"
                                .formatted(
                                        ROPE_FREQUENCIES,
                                        entry.type(),
                                        entry.shape(),
                                        headSize / 2),
                        "Convert the model again.");
            }
            MemorySegment data = file.data(entry);
            List<Float> divisors = new ArrayList<>();
            for (long i = 0; i < entry.elements(); i++) {
                float divisor = data.get(ValueLayout.JAVA_FLOAT_UNALIGNED, i * 4);
                if (!Float.isFinite(divisor) || divisor <= 0) {
                    throw new LoadException(
                            file.path(),
                            "%s[%d] is %s, expected a positive number"
                                    .formatted(ROPE_FREQUENCIES, i, divisor),
                            "Convert the model again.");
                }
                divisors.add(divisor);
            }
            return divided(divisors, factor());
        }
        float factor = factor();
        return factor == 1
                ? new Rope.Scaling.None()
                : divided(Collections.nCopies(Math.max(0, headSize / 2), 1f), factor);
    }

    /** As llama.cpp does: what the keys say scales all positions, whatever the tensor divides. */
    private static Rope.Scaling divided(List<Float> divisors, float factor) {
        return new Rope.Scaling.Divisors(
                divisors.stream().map(divisor -> divisor * factor).toList());
    }

    /** By what the keys say that all positions are divided; 1: nothing. */
    private float factor() {
        // As llama.cpp reads them: files of 2023 have a factor alone, under its older name.
        String type = meta.findString("llama.rope.scaling.type").orElse("linear");
        double factor =
                meta.findReal("llama.rope.scaling.factor")
                        .orElseGet(() -> meta.findReal("llama.rope.scale_linear").orElse(1));
        return switch (type) {
            case "none" -> 1;
            case "linear" -> factor == 0 ? 1 : checked((float) factor);
            default ->
                    throw new LoadException(
                            file.path(),
                            "its rope scaling is %s".formatted(FormatException.quote(type)),
                            "This version knows none, linear and the rope_freqs tensor of Llama 3.1.");
        };
    }

    private float checked(float factor) {
        if (!(factor > 0) || Float.isInfinite(factor)) {
            throw new LoadException(
                    file.path(),
                    "its rope scaling factor is %s, expected a positive number".formatted(factor),
                    "Convert the model again.");
        }
        return factor;
    }

    private Map<String, TensorSource> tensors(Llama.Config config) {
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        for (TensorEntry entry : file.tensors().values()) {
            if (entry.name().equals(ROPE_FREQUENCIES)) {
                continue;
            }
            String name = name(entry.name());
            boolean rotated = name.endsWith("q_proj.weight") || name.endsWith("k_proj.weight");
            TensorSource source = TensorSource.of(name, entry);
            if (rotated) {
                checkHeads(file.path(), entry.name(), entry.rows(), config.headSize());
                source = source.ordered(halvesFromPairs(config.headSize()));
            }
            tensors.put(name, source);
        }
        return tensors;
    }

    /** Rows can be put in order only if heads are whole and have two halves. */
    static void checkHeads(Path file, String tensor, long rows, int headSize) {
        if (headSize < 2 || headSize % 2 != 0 || rows % headSize != 0) {
            throw new LoadException(
                    file,
                    "tensor %s has %d rows, no whole number of heads of %d"
                            .formatted(FormatException.quote(tensor), rows, headSize),
                    "The file contradicts itself; fetch or convert it again.");
        }
    }

    private String name(String gguf) {
        String whole = NAMES.get(gguf);
        if (whole != null) {
            return whole;
        }
        String[] parts = gguf.split("\\.", -1);
        String part =
                parts.length == 4 && parts[0].equals("blk") && parts[3].equals("weight")
                        ? LAYER_NAMES.get(parts[2])
                        : null;
        if (part == null) {
            throw new LoadException(
                    file.path(),
                    "tensor %s is no part of a llama model".formatted(FormatException.quote(gguf)),
                    "This version runs dense LLaMA models without biases or adapters.");
        }
        return "model.layers." + parts[1] + "." + part + ".weight";
    }

    /** GGUF's name for a tensor of Hugging Face's; the other way round of what is read. */
    static String ggufName(String name) {
        for (Map.Entry<String, String> whole : NAMES.entrySet()) {
            if (whole.getValue().equals(name)) {
                return whole.getKey();
            }
        }
        String[] parts = name.split("\\.", 4); // model.layers.3.mlp.gate_proj.weight
        for (Map.Entry<String, String> part : LAYER_NAMES.entrySet()) {
            if (parts.length == 4 && parts[3].equals(part.getValue() + ".weight")) {
                return "blk." + parts[2] + "." + part.getKey() + ".weight";
            }
        }
        throw new IllegalStateException("the shape check lets no %s pass".formatted(name));
    }

    /** Row r of a file with pairs as neighbours is the model's row, halves first. */
    static IntUnaryOperator pairsFromHalves(int headSize) {
        int half = headSize / 2;
        return row -> {
            int inHead = row % headSize;
            return row - inHead + inHead % 2 * half + inHead / 2;
        };
    }

    /** Row r of a head, halves first, is the file's row with pairs as neighbours. */
    static IntUnaryOperator halvesFromPairs(int headSize) {
        int half = headSize / 2;
        return row -> {
            int inHead = row % headSize;
            return row - inHead + inHead % half * 2 + inHead / half;
        };
    }

    private BpeTokenizer tokenizer() {
        String model = meta.string("tokenizer.ggml.model");
        return switch (model) {
            case "gpt2" -> byteLevel();
            case "llama" -> sentencePiece();
            default ->
                    throw new LoadException(
                            file.path(),
                            "its tokenizer is %s".formatted(FormatException.quote(model)),
                            "This version reads byte-level BPE (gpt2) and SentencePiece's BPE (llama).");
        };
    }

    private BpeTokenizer byteLevel() {
        String pre =
                meta.findString("tokenizer.ggml.pre")
                        .orElseThrow(() ->
                                new LoadException(
                                        file.path(),
                                        "it does not say how its tokenizer cuts text (tokenizer.ggml.pre)",
                                        "Convert the model again with a newer converter, or use its tokenizer.json."));
        OptionalInt bos = meta.findInt32("tokenizer.ggml.bos_token_id");
        var ends =
                new BpeTokenizer.TextEnds(
                        bos,
                        meta.findInt32("tokenizer.ggml.eos_token_id"),
                        meta.findBool("tokenizer.ggml.add_bos_token")
                                .orElse(bos.isPresent() && BpeTokenizer.beginsTexts(pre)),
                        meta.findBool("tokenizer.ggml.add_eos_token").orElse(false));
        return BpeTokenizer.fromGguf(
                meta.strings("tokenizer.ggml.tokens").toArray(String[]::new),
                meta.ints("tokenizer.ggml.token_type"),
                meta.strings("tokenizer.ggml.merges").toArray(String[]::new),
                pre,
                ends);
    }

    /** What the file leaves open is as in LLaMA 1 and 2, and in llama.cpp. */
    private BpeTokenizer sentencePiece() {
        var ends =
                new BpeTokenizer.TextEnds(
                        OptionalInt.of(meta.findInt32("tokenizer.ggml.bos_token_id").orElse(1)),
                        OptionalInt.of(meta.findInt32("tokenizer.ggml.eos_token_id").orElse(2)),
                        meta.findBool("tokenizer.ggml.add_bos_token").orElse(true),
                        meta.findBool("tokenizer.ggml.add_eos_token").orElse(false));
        return BpeTokenizer.fromGgufScores(
                meta.strings("tokenizer.ggml.tokens").toArray(String[]::new),
                meta.floats("tokenizer.ggml.scores"),
                meta.ints("tokenizer.ggml.token_type"),
                spaces(),
                ends);
    }

    private GgufSpaces spaces() {
        boolean added = meta.findBool("tokenizer.ggml.add_space_prefix").orElse(true);
        return meta.findString(GgufSpaces.KEY)
                .map(words -> GgufSpaces.of(added, words))
                .orElseGet(() -> GgufSpaces.ofPrefix(added));
    }

    private Set<Integer> endTokens(Tokenizer tokenizer) {
        Set<Integer> ends = new LinkedHashSet<>();
        tokenizer.eos().ifPresent(ends::add);
        for (String key : List.of("eot_token_id", "eom_token_id")) {
            OptionalInt id = meta.findInt32("tokenizer.ggml." + key);
            id.ifPresent(ends::add);
        }
        // Ends of turns, of Llama 3 and of ChatML; converters do not always write their keys.
        for (String end : List.of("<|eot_id|>", "<|im_end|>")) {
            OptionalInt id = tokenizer.id(end);
            if (id.isPresent() && tokenizer.isSpecial(id.getAsInt())) {
                ends.add(id.getAsInt());
            }
        }
        return ends;
    }
}
