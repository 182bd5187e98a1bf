package dev.flagship.serving;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufHeader;
import dev.flagship.formats.GgufMetadata;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.tensor.DType;
import dev.flagship.tokenizers.BpeTokenizer;
import dev.flagship.tokenizers.GgufSpaces;
import dev.flagship.tokenizers.GgufTokens;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A model as the header of a GGUF file of the {@code llama} architecture: the other way round of
 * what {@link GgufLlama} reads. Of a GGUF file the metadata are kept as they are.
 *
 * @param tensors those of the source, in the order of the file
 */
record GgufDescription(GgufHeader header, List<Placed> tensors, Optional<List<Float>> divisors) {
    private static final int QUANTIZATION_VERSION = 2;

    /** What tells of another file's types, parts or making. */
    private static final List<String> OWN_KEYS =
            List.of("general.file_type", "general.quantization_version", "general.alignment");

    private static final List<String> OWN_PREFIXES = List.of("split.", "quantize.");

    /** A tensor and what it becomes. */
    record Placed(TensorSource source, DType type, String name) {}

    /**
     * Describes a model.
     *
     * @throws dev.flagship.base.FlagshipException if GGUF cannot express its tokenizer
     */
    static GgufDescription of(ModelSource source, QuantMix mix) {
        GgufHeader header = new GgufHeader();
        if (source.file() instanceof GgufFile gguf) {
            copy(gguf.metadata(), header);
        } else {
            architecture(source, header);
            tokenizer(source, header);
        }
        header.integer("general.file_type", mix.ggufNumber());
        header.integer("general.quantization_version", QUANTIZATION_VERSION);
        Optional<List<Float>> divisors = divisors(source);
        divisors.ifPresent(values ->
                header.tensor(
                        GgufLlama.ROPE_FREQUENCIES, DType.F32, List.of((long) values.size())));
        List<Placed> tensors = new ArrayList<>();
        for (TensorSource tensor : source.tensors().values()) {
            DType type = mix.type(tensor, source.config());
            tensors.add(new Placed(tensor, type, GgufLlama.ggufName(tensor.name())));
        }
        tensors.sort(
                Comparator.<Placed>comparingInt(placed -> layer(placed.name()))
                        .thenComparing(Placed::name));
        tensors.forEach(
                placed -> header.tensor(placed.name(), placed.type(), placed.source().shape()));
        return new GgufDescription(header, List.copyOf(tensors), divisors);
    }

    /** The embedding before all layers, what comes after them last. */
    private static int layer(String name) {
        if (name.startsWith("blk.")) {
            return Integer.parseInt(name.split("\\.", 3)[1]);
        }
        return name.startsWith("token_embd.") ? -1 : Integer.MAX_VALUE;
    }

    private static void copy(GgufMetadata from, GgufHeader header) {
        for (String key : from.keys()) {
            if (!OWN_KEYS.contains(key) && OWN_PREFIXES.stream().noneMatch(key::startsWith)) {
                header.copy(from, key);
            }
        }
    }

    private static void architecture(ModelSource source, GgufHeader header) {
        Llama.Config c = source.config();
        header.text("general.architecture", "llama");
        header.text("general.name", source.card().name().orElse(folderName(source.file().path())));
        source.card()
                .licence()
                .filter(licence -> !licence.startsWith("see "))
                .ifPresent(licence -> header.text("general.license", licence));
        header.integer("llama.context_length", source.contextLength());
        header.integer("llama.embedding_length", c.dim());
        header.integer("llama.block_count", c.layers());
        header.integer("llama.feed_forward_length", c.ffn());
        header.integer("llama.attention.head_count", c.heads());
        header.integer("llama.attention.head_count_kv", c.kvHeads());
        header.integer("llama.attention.key_length", c.headSize());
        header.integer("llama.attention.value_length", c.headSize());
        header.integer("llama.rope.dimension_count", c.headSize());
        header.real("llama.rope.freq_base", c.theta());
        header.real("llama.attention.layer_norm_rms_epsilon", c.eps());
        header.integer("llama.vocab_size", c.vocab());
        if (c.scaling() instanceof Rope.Scaling.Divisors(var values) && !values.isEmpty()) {
            header.text("llama.rope.scaling.type", "linear"); // a folder's divisors are all alike
            header.real("llama.rope.scaling.factor", values.getFirst());
        }
    }

    private static String folderName(Path path) {
        Path folder = ModelFolder.of(path).path().normalize();
        Path last = folder.getFileName();
        return last == null ? "llama" : last.toString();
    }

    private static void tokenizer(ModelSource source, GgufHeader header) {
        BpeTokenizer tokenizer = source.tokenizer();
        GgufTokens tokens = GgufTokens.of(tokenizer, source.config().vocab());
        String ggml = "tokenizer.ggml.";
        header.text(ggml + "model", tokens.model());
        tokens.pre().ifPresent(pre -> header.text(ggml + "pre", pre));
        header.texts(ggml + "tokens", tokens.tokens());
        header.integers(
                ggml + "token_type", tokens.types().stream().mapToInt(Integer::intValue).toArray());
        if (tokenizer.byteLevel()) {
            header.texts(ggml + "merges", tokens.merges());
        } else {
            float[] scores = new float[tokens.scores().size()];
            for (int id = 0; id < scores.length; id++) {
                scores[id] = tokens.scores().get(id);
            }
            header.reals(ggml + "scores", scores);
            tokens.spaces()
                    .ifPresent(spaces -> {
                        header.flag(ggml + "add_space_prefix", spaces.addsSpace());
                        spaces.words().ifPresent(words -> header.text(GgufSpaces.KEY, words));
                    });
        }
        id(header, ggml + "bos_token_id", tokenizer.bos());
        id(header, ggml + "eos_token_id", tokenizer.eos());
        id(header, ggml + "unknown_token_id", tokens.unknown());
        header.flag(ggml + "add_bos_token", tokenizer.addsBos());
        header.flag(ggml + "add_eos_token", tokenizer.addsEos());
        endTokens(source, header, ggml);
        source.template()
                .source()
                .ifPresent(template -> header.text("tokenizer.chat_template", template));
    }

    private static void id(GgufHeader header, String key, OptionalInt id) {
        id.ifPresent(value -> header.integer(key, value));
    }

    /** GGUF has places for three tokens that end an answer. */
    private static void endTokens(ModelSource source, GgufHeader header, String prefix) {
        BpeTokenizer tokenizer = source.tokenizer();
        Set<Integer> ends = new LinkedHashSet<>();
        source.endTokens().stream().sorted().forEach(ends::add);
        tokenizer.eos().ifPresent(ends::remove);
        OptionalInt message = tokenizer.id("<|eom_id|>");
        if (message.isPresent() && ends.remove(message.getAsInt())) {
            header.integer(prefix + "eom_token_id", message.getAsInt());
        }
        Optional<Integer> turn =
                ends.stream()
                        .filter(id -> id >= 0 && id < tokenizer.vocabularySize())
                        .max(
                                Comparator.comparing(id ->
                                        List.of("<|eot_id|>", "<|im_end|>")
                                                .contains(tokenizer.token(id))));
        turn.ifPresent(id -> header.integer(prefix + "eot_token_id", id));
    }

    /** What Llama 3.1 divides its rotary frequencies by, or the tensor of a GGUF file. */
    private static Optional<List<Float>> divisors(ModelSource source) {
        Llama.Config c = source.config();
        boolean own =
                source.file() instanceof GgufFile gguf
                        && gguf.tensors().containsKey(GgufLlama.ROPE_FREQUENCIES);
        return switch (c.scaling()) {
            case Rope.Scaling.None() -> Optional.empty();
            case Rope.Scaling.Llama3 llama3 ->
                    Optional.of(Rope.divisors(c.headSize(), c.theta(), llama3));
            case Rope.Scaling.Divisors(var values) -> own ? Optional.of(values) : Optional.empty();
        };
    }
}
