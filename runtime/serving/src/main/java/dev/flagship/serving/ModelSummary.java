package dev.flagship.serving;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.ModelFiles;
import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TorchFile;
import dev.flagship.models.Llama;
import dev.flagship.nn.CausalLm;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tokenizers.BpeTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a model's headers tell, and what running it takes. Weights are not looked at, so that the
 * size of a file does not matter.
 *
 * @param container format of the weights
 * @param fileBytes of all weight files
 * @param name what its makers call it, if they say
 * @param licence as its makers state it
 * @param parameters weights, tied ones counted once
 * @param trained positions that it was made for
 * @param trainedAssumed whether no file tells them
 * @param groups those of one purpose together, the largest first
 * @param template what lays out conversations
 * @param weightBytes memory of the packed weights
 * @param context tokens of a conversation where nothing is said
 * @param kvCache type of keys and values where nothing is said
 * @param bytesPerToken what a token of context costs by type of keys and values, of those that the
 *     model's heads fit
 */
public record ModelSummary(
        Path path,
        String container,
        int files,
        long fileBytes,
        Optional<String> name,
        Optional<String> licence,
        Architecture architecture,
        long parameters,
        int trained,
        boolean trainedAssumed,
        Rotary rotary,
        List<Group> groups,
        BpeTokenizer tokenizer,
        ModelTemplate template,
        long weightBytes,
        int context,
        String kvCache,
        Map<String, Long> bytesPerToken) {

    public ModelSummary {
        groups = List.copyOf(groups);
        bytesPerToken = new LinkedHashMap<>(bytesPerToken); // in the order of types
    }

    /** Sizes of a decoder. */
    public record Architecture(
            String family,
            int layers,
            int width,
            int mlpWidth,
            int heads,
            int kvHeads,
            int headSize,
            int vocabulary,
            boolean tiedHead) {}

    /**
     * Tensors of one purpose and one type.
     *
     * @param bytes in the file
     */
    public record Group(String name, String type, int tensors, long weights, long bytes) {}

    /**
     * Reads a GGUF, safetensors or PyTorch file, or a folder, as loading does, up to the weights:
     * what this refuses is refused there. Nothing stays open.
     *
     * @throws LoadException or a {@link dev.flagship.formats.FormatException} that says what is
     *     wrong with the model
     * @throws IOException if a file cannot be read
     */
    public static ModelSummary read(Path path) throws IOException {
        return LoadedModel.told(
                path,
                () -> {
                    try (ModelFile file = ModelFiles.open(path)) {
                        ModelSource source = LoadedModel.source(path, file);
                        PackPlan plan = PackPlan.of(path, source.tensors().values());
                        return of(path, source, plan, LoadedModel.shape(path, source, plan));
                    }
                });
    }

    private static ModelSummary of(Path path, ModelSource source, PackPlan plan, CausalLm shape)
            throws IOException {
        List<Path> files = source.file().files();
        long fileBytes = 0;
        for (Path file : files) {
            fileBytes += Files.size(file);
        }
        return new ModelSummary(
                path,
                container(source.file()),
                files.size(),
                fileBytes,
                source.card().name(),
                source.card().licence(),
                architecture(source.config()),
                source.parameters(),
                source.contextLength(),
                source.assumed().contains(ModelSource.Assumed.CONTEXT),
                Rotary.of(source),
                groups(source),
                source.tokenizer(),
                source.template(),
                plan.bytes(),
                Math.min(source.contextLength(), LoadedModel.DEFAULT_CONTEXT),
                LoadOptions.nameOf(LoadedModel.usualKvCache(LoadedModel.usualNumerics(plan))),
                bytesPerToken(source.config().headSize(), shape));
    }

    private static String container(ModelFile file) {
        return switch (file) {
            case GgufFile _ -> "GGUF";
            case SafetensorsFile _ -> "safetensors";
            case TorchFile torch -> torch.consolidated() ? "PyTorch, Meta's parts" : "PyTorch";
        };
    }

    private static Architecture architecture(Llama.Config c) {
        return new Architecture(
                "llama",
                c.layers(),
                c.dim(),
                c.ffn(),
                c.heads(),
                c.kvHeads(),
                c.headSize(),
                c.vocab(),
                c.tiedHead());
    }

    private static Map<String, Long> bytesPerToken(int headSize, CausalLm shape) {
        Map<String, Long> bytes = new LinkedHashMap<>();
        for (DType type : KvLayout.TYPES) {
            if (KvLayout.takes(headSize, type)) {
                bytes.put(LoadOptions.nameOf(type), shape.kvLayout(type).bytesPerToken());
            }
        }
        return bytes;
    }

    private static List<Group> groups(ModelSource source) {
        Map<String, Map<DType, List<TensorSource>>> sorted = new TreeMap<>();
        for (TensorSource tensor : source.tensors().values()) {
            sorted.computeIfAbsent(purpose(tensor), _ -> new TreeMap<>())
                    .computeIfAbsent(tensor.type(), _ -> new ArrayList<>())
                    .add(tensor);
        }
        List<List<Group>> purposes = new ArrayList<>();
        sorted.forEach((name, types) -> {
            List<Group> purpose = new ArrayList<>();
            types.forEach((type, tensors) -> purpose.add(group(name, type, tensors)));
            purpose.sort(Comparator.comparingLong(Group::weights).reversed());
            purposes.add(purpose);
        });
        purposes.sort(Comparator.comparingLong(ModelSummary::weights).reversed());
        return purposes.stream().flatMap(List::stream).toList();
    }

    private static long weights(List<Group> groups) {
        return groups.stream().mapToLong(Group::weights).sum();
    }

    private static Group group(String name, DType type, List<TensorSource> tensors) {
        return new Group(
                name,
                type.toString(),
                tensors.size(),
                tensors.stream().mapToLong(TensorSource::elements).sum(),
                tensors.stream().mapToLong(TensorSource::bytes).sum());
    }

    private static String purpose(TensorSource tensor) {
        String name = tensor.name();
        if (tensor.vector()) {
            return "norms";
        }
        if (name.contains(".self_attn.")) {
            return "attention";
        }
        if (name.contains(".mlp.")) {
            return "mlp";
        }
        return name.startsWith("lm_head.") ? "head" : "embedding";
    }

    /** Memory that keys and values take where nothing is said. */
    public long contextBytes() {
        return context * Objects.requireNonNull(bytesPerToken.get(kvCache));
    }

    /** How the tokenizer cuts text, for people. */
    public String tokenizerKind() {
        return tokenizer.byteLevel() ? "byte-level BPE" : "SentencePiece BPE";
    }

    /** Tokens that the tokenizer knows. */
    public int vocabulary() {
        return tokenizer.vocabularySize();
    }

    /** The chat template as its makers wrote it. */
    public Optional<String> templateSource() {
        return template.source();
    }

    /**
     * What an ordinary conversation fails with, as loading warns of it; empty if it is laid out.
     */
    public Optional<String> templateWarning() {
        return template instanceof ModelTemplate.Usable usable
                ? usable.warning(tokenizer)
                : Optional.empty();
    }

    /**
     * All of it as one JSON object, for programs.
     *
     * @param templateWarning of {@link #templateWarning()}, which runs the template
     */
    public String json(Optional<String> templateWarning) {
        ObjectNode root = JsonMapper.shared().createObjectNode();
        root.put("path", path.toString());
        root.put("container", container);
        root.put("files", files);
        root.put("file_bytes", fileBytes);
        root.put("name", name.orElse(null));
        root.put("licence", licence.orElse(null));
        ObjectNode sizes = root.putObject("architecture");
        sizes.put("family", architecture.family());
        sizes.put("layers", architecture.layers());
        sizes.put("width", architecture.width());
        sizes.put("mlp_width", architecture.mlpWidth());
        sizes.put("heads", architecture.heads());
        sizes.put("kv_heads", architecture.kvHeads());
        sizes.put("head_size", architecture.headSize());
        sizes.put("vocabulary", architecture.vocabulary());
        sizes.put("tied_head", architecture.tiedHead());
        root.put("parameters", parameters);
        root.put("trained_context", trained);
        root.put("trained_context_assumed", trainedAssumed);
        root.putObject("rotary")
                .put("theta", rotary.theta())
                .put("least_divisor", rotary.leastDivisor())
                .put("greatest_divisor", rotary.greatestDivisor())
                .put("assumed", rotary.assumed());
        var all = root.putArray("tensors");
        for (Group group : groups) {
            all.addObject()
                    .put("group", group.name())
                    .put("type", group.type())
                    .put("tensors", group.tensors())
                    .put("weights", group.weights())
                    .put("bytes", group.bytes());
        }
        root.putObject("tokenizer").put("kind", tokenizerKind()).put("tokens", vocabulary());
        root.put("chat_template", templateSource().orElse(null));
        root.put(
                "chat_template_error",
                template instanceof ModelTemplate.Unusable(_, var why) ? why.getMessage() : null);
        root.put("chat_template_warning", templateWarning.orElse(null));
        ObjectNode memory = root.putObject("memory");
        memory.put("weight_bytes", weightBytes);
        memory.put("context", context);
        memory.put("kv_cache", kvCache);
        memory.put("context_bytes", contextBytes());
        ObjectNode perToken = memory.putObject("bytes_per_token");
        bytesPerToken.forEach((type, bytes) -> perToken.put(type, bytes));
        return root.toPrettyString();
    }
}
