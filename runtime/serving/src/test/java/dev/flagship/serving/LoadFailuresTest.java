package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.flagship.base.Bytes;
import dev.flagship.base.FlagshipException;
import dev.flagship.formats.FormatException;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every way in which a load fails: a typed error that names the cause, and nothing stays open. */
class LoadFailuresTest {
    @TempDir Path temp;

    /** Makes a model that must not load. */
    interface Damage {
        void on(Path model) throws IOException;
    }

    interface Choice {
        LoadOptions of(LoadOptions options);
    }

    private static Arguments config(String old, String replacement, String message) {
        return folder(
                old + " → " + replacement,
                folder -> TinyModels.config(folder, old, replacement),
                message);
    }

    private static Arguments configText(String name, byte[] text, String message) {
        return folder(name, folder -> Files.write(folder.resolve("config.json"), text), message);
    }

    private static Arguments folder(String name, Damage damage, String message) {
        return Arguments.of(name, true, damage, (Choice) o -> o, message);
    }

    private static Arguments gguf(String mark, String old, String replacement, String message) {
        return Arguments.of(
                mark
                        + ": "
                        + FormatException.quote(old)
                        + " → "
                        + FormatException.quote(replacement),
                false,
                (Damage) file -> TinyModels.patch(file, mark, old, replacement),
                (Choice) o -> o,
                message);
    }

    private static Arguments gguf(String name, Damage damage, String message) {
        return Arguments.of(name, false, damage, (Choice) o -> o, message);
    }

    private static Arguments chosen(String name, Choice choice, String message) {
        return Arguments.of(name, true, (Damage) _ -> {}, choice, message);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String int32(int value) {
        return "\u0004\0\0\0" + (char) value + "\0\0\0";
    }

    private static String float32(float value) {
        int bits = Float.floatToRawIntBits(value);
        StringBuilder text = new StringBuilder("\u0006\0\0\0");
        for (int i = 0; i < 4; i++) {
            text.append((char) (bits >>> 8 * i & 0xFF));
        }
        return text.toString();
    }

    static Stream<Arguments> failures() {
        return Stream.of(weights(), descriptions(), files(), ggufs(), choices()).flatMap(s -> s);
    }

    private static Stream<Arguments> weights() {
        String weights = "model.safetensors";
        return Stream.of(
                folder(
                        "a tensor under another name",
                        f -> TinyModels.patch(f.resolve(weights), "", "model.norm.", "model.nrom."),
                        "model.norm.weight is missing"),
                folder(
                        "a weight of whole numbers",
                        f ->
                                TinyModels.patch(
                                        f.resolve(weights), "model.norm.", "\"F32\"", "\"I32\""),
                        "model.norm.weight cannot be used: its type is \"I32\""),
                folder("NaN", f -> TinyModels.endWithNaN(f.resolve(weights)), "NaN"),
                folder(
                        "truncated",
                        f -> TinyModels.truncate(f.resolve(weights), 1),
                        "model.safetensors"),
                config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", "model.layers.2"),
                config(
                        "\"num_hidden_layers\": 2",
                        "\"num_hidden_layers\": 1",
                        "\"model.layers.1.input_layernorm.weight\" is no part"),
                config("\"intermediate_size\": 64", "\"intermediate_size\": 66", "[66, 32]"),
                config("\"vocab_size\": 48", "\"vocab_size\": 47", "[47, 32]"),
                config("\"head_dim\": 8", "\"head_dim\": 16", "[64, 32]"),
                config("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1", "[8, 32]"));
    }

    private static Stream<Arguments> descriptions() {
        String size = "\"hidden_size\": 32";
        String eps = "\"rms_norm_eps\": 1e-05";
        String theta = "\"rope_theta\": 10000.0";
        String scaling = "\"rope_scaling\": null";
        String heads = "\"num_attention_heads\": 4";
        String context = "\"max_position_embeddings\": 256";
        return Stream.of(
                config("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "mamba"),
                config("\"model_type\": \"llama\"", "\"model_type\": 7", "model_type"),
                config("\"model_type\": \"llama\"", "\"kind\": 7", "model_type is missing"),
                config(
                        "\"model_type\": \"llama\"",
                        "\"model_type\": \"mistral\", \"sliding_window\": 255",
                        "sliding_window is 255, less than its 256 positions. This version has no"),
                folder(
                        "a Mistral that does not speak of its window",
                        f -> {
                            TinyModels.config(f, context, "\"max_position_embeddings\": 8192");
                            TinyModels.config(
                                    f, "\"model_type\": \"llama\"", "\"model_type\": \"mistral\"");
                        },
                        "no sliding_window, which transformers takes for 4096, less than its 8192"),
                config("\"attention_bias\": false", "\"attention_bias\": true", "attention_bias"),
                config("\"mlp_bias\": false", "\"mlp_bias\": \"perhaps\"", "mlp_bias"),
                config(
                        scaling,
                        scaling + ", \"partial_rotary_factor\": 0.5",
                        "partial_rotary_factor is \"0.5\""),
                config(
                        scaling,
                        scaling + ", \"partial_rotary_factor\": \"1\"",
                        "partial_rotary_factor"),
                config(
                        scaling,
                        "\"rope_parameters\": {\"rope_theta\": 1e4, \"partial_rotary_factor\": 0.25}",
                        "partial_rotary_factor is \"0.25\""),
                config("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "gelu"),
                config(size, "\"hidden_size\": \"32\"", "hidden_size"),
                config(size, "\"hidden_size\": 32.5", "hidden_size"),
                config(size, "\"hidden_size\": 1e20", "hidden_size"),
                config(size, "\"hidden_size\": 100000000000000000000000", "hidden_size"),
                config(size, "\"hidden_size\": -32", "dim"),
                config(size, "\"hidden_size\": 0", "dim"),
                config(size, "\"hidden_size\": null", "hidden_size"),
                config(heads, "\"num_attention_heads\": 0", "heads"),
                config(heads, "\"num_attention_heads\": -4", "heads"),
                config("\"head_dim\": 8", "\"head_dim\": 1e20", "head_dim"),
                config("\"head_dim\": 8", "\"head_dim\": 0", "head size"),
                config("\"head_dim\": 8", "\"head_dim\": -8", "head size"),
                config("\"head_dim\": 8", "\"head_dim\": 7", "even head size, not 7"),
                config("\"head_dim\": 8", "\"head_dim\": 2000000000", "at most 4096"),
                config(eps, "\"rms_norm_eps\": \"tiny\"", "rms_norm_eps"),
                config(eps, "\"rms_norm_eps\": 1e400", "rms_norm_eps"),
                config(eps, "\"rms_norm_eps\": -1", "epsilon"),
                config(theta, "\"rope_theta\": 0", "rotary"),
                config(theta, "\"rope_theta\": 1e300", "rope_theta"),
                config(theta, "\"rope_theta\": " + "9".repeat(900), "rope_theta"),
                config(context, "\"max_position_embeddings\": 0", "positions"),
                config(context, "\"max_position_embeddings\": -1", "positions"),
                config(scaling, "\"rope_scaling\": {\"type\": \"yarn\"}", "yarn"),
                config(scaling, "\"rope_scaling\": {\"type\": \"dynamic\"}", "dynamic"),
                config(scaling, "\"rope_scaling\": {\"type\": \"longrope\"}", "longrope"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 0.5, \"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 64}",
                        "factor 0.5"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8}",
                        "rope_scaling.low_freq_factor is missing"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"type\": \"linear\"}",
                        "rope_scaling.factor is missing"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": \"8\"}",
                        "factor"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}",
                        "divisor 0.0"),
                config(
                        scaling,
                        "\"rope_scaling\": {\"type\": \"linear\", \"factor\": -2}",
                        "divisor -2.0"),
                configText(
                        "no JSON",
                        utf8("{\n\"a\": \n"),
                        "not JSON: line 3, column 1: found the end, expected a comma or }"),
                configText("nothing", new byte[0], "config.json"),
                configText("null", utf8("null"), "model_type"),
                configText("a list", utf8("[1, 2]"), "model_type"),
                configText("depth", utf8("[".repeat(100_000)), "not JSON"),
                configText("no UTF-8", new byte[] {'{', '"', (byte) 0xFF, '"'}, "UTF-8"),
                configText("large", new byte[(16 << 20) + 1], "16 MiB"));
    }

    private static Stream<Arguments> files() {
        return Stream.concat(
                Stream.of("config.json", "tokenizer.json", "model.safetensors")
                        .map(name ->
                                folder(
                                        "no " + name,
                                        f -> Files.delete(f.resolve(name)),
                                        name.equals("model.safetensors") ? "model" : name)),
                Stream.of(
                        folder(
                                "half of a tokenizer",
                                f ->
                                        Files.move(
                                                f.resolve("tokenizer.json"),
                                                f.resolve("vocab.json")),
                                "vocab.json is there, and merges.txt, its other half, is missing"),
                        folder(
                                "the other half",
                                f ->
                                        Files.move(
                                                f.resolve("tokenizer.json"),
                                                f.resolve("merges.txt")),
                                "merges.txt is there, and vocab.json, its other half, is missing"),
                        folder(
                                "damaged tokenizer",
                                f -> TinyModels.truncate(f.resolve("tokenizer.json"), 20),
                                ""),
                        folder(
                                "tokenizer of another kind",
                                f ->
                                        TinyModels.patch(
                                                f.resolve("tokenizer.json"),
                                                "",
                                                "\"BPE\"",
                                                "\"WordPiece\""),
                                "WordPiece"),
                        folder(
                                "generation_config that is none",
                                f -> Files.writeString(f.resolve("generation_config.json"), "]"),
                                "generation_config.json: it is not JSON: line 1, column 1: found"),
                        folder(
                                "generation_config of a fever",
                                f ->
                                        Files.writeString(
                                                f.resolve("generation_config.json"),
                                                "{\"temperature\": 5}"),
                                "generation_config.json: temperature 5.0"),
                        folder(
                                "generation_config of words",
                                f ->
                                        Files.writeString(
                                                f.resolve("generation_config.json"),
                                                "{\"top_k\": \"many\"}"),
                                "generation_config.json: top_k is"),
                        folder(
                                "PyTorch's file that is none",
                                f -> {
                                    Files.delete(f.resolve("model.safetensors"));
                                    Files.writeString(f.resolve("pytorch_model.bin"), "hello");
                                },
                                "expected a PyTorch file")));
    }

    private static Stream<Arguments> ggufs() {
        String arch = "general.architecture";
        String eps = "llama.attention.layer_norm_rms_epsilon";
        return Stream.of(
                gguf(arch, "llama", "lmama", "lmama"),
                gguf("tokenizer.ggml.model", "gpt2", "gpt3", "gpt3"),
                gguf("tokenizer.ggml.pre", "gpt-2", "gpt-9", "gpt-9"),
                gguf("", "output_norm.weight", "output_nrom.weight", "output_nrom"),
                gguf(
                        "",
                        "blk.0.ffn_up.weight",
                        "blk.9.ffn_up.weight",
                        "model.layers.0.mlp.up_proj"),
                gguf("", "blk.0.ffn_up.weight", "blk.0.ffn_up.weighs", "ffn_up.weighs"),
                gguf("llama.block_count", int32(2), int32(1), "model.layers.1"),
                gguf("llama.block_count", int32(2), int32(0), "layers 0"),
                gguf("llama.attention.key_length", int32(8), int32(6), "rope.dimension_count"),
                gguf("llama.attention.value_length", int32(8), int32(4), "value_length"),
                gguf(
                        "heads that are no whole number of rows",
                        file -> headSize(file, 6),
                        "no whole number of heads of 6"),
                gguf("odd heads", file -> headSize(file, 7), "no whole number of heads of 7"),
                gguf("heads of one", file -> headSize(file, 1), "no whole number of heads of 1"),
                gguf("heads of none", file -> headSize(file, 0), "head size 0"),
                gguf("llama.attention.head_count\u0004", int32(4), int32(0), "heads"),
                gguf("llama.context_length", "\0\u0001\0\0", "\0\0\0\0", "positions"),
                gguf(eps, float32(1e-5f), float32(Float.NaN), "epsilon"),
                gguf("llama.rope.freq_base", float32(10_000), float32(-1), "rotary"),
                gguf("cut in the data", file -> TinyModels.truncate(file, 1), ""),
                gguf("cut in the head", file -> TinyModels.truncate(file, 88_000), ""),
                gguf("of text", file -> Files.writeString(file, "hello, this is text"), ""),
                gguf("empty", file -> Files.write(file, new byte[0]), ""));
    }

    private static void headSize(Path file, int size) throws IOException {
        for (String key : List.of("attention.key_length", "attention.value_length")) {
            TinyModels.patch(file, "llama." + key, int32(8), int32(size));
        }
        TinyModels.patch(file, "llama.rope.dimension_count", int32(8), int32(size));
    }

    private static Stream<Arguments> choices() {
        return Stream.of(chosen("context too large", o -> o.withContext(257), "--context 257"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("failures")
    void saysWhyAndLeavesNothingOpen(
            String name, boolean inFolder, Damage damage, Choice choice, String message)
            throws Exception {
        Path model =
                inFolder ? TinyModels.huggingFace("llama", temp) : TinyModels.gguf("llama", temp);
        damage.on(model);
        LoadOptions options =
                choice.of(LoadOptions.of("tiny").withKernels("scalar").withThreads(2));
        Path packed = temp.resolve("packed");
        for (LoadOptions each : List.of(options, options.withPackedFolder(packed))) {
            LeakCheck.around(() -> {
                Throwable thrown =
                        catchThrowable(
                                () -> TextModel.open(model, each, LoadListener.SILENT).close());
                assertThat(thrown)
                        .as(name)
                        .isInstanceOf(FlagshipException.class)
                        .hasMessageContaining(message)
                        .hasMessageContaining(temp.toString());
                assertThat(thrown.getMessage()).endsWith(".");
            });
            assertThat(ModelThreads.alive()).isEmpty();
        }
        if (Files.exists(packed)) {
            try (var left = Files.newDirectoryStream(packed, "*.{bands,part}")) {
                assertThat(left).isEmpty();
            }
        }
    }

    /** Hears the stages of loading. */
    private static final class Stages implements LoadListener {
        private final Set<String> heard = new TreeSet<>();

        @Override
        public void progress(String stage, long done, long total) {
            heard.add(stage);
        }

        @Override
        public void warning(String message) {
            throw new AssertionError(message);
        }
    }

    @Test
    void aWrongShapeIsFoundBeforeAnythingIsPacked() throws Exception {
        Path model = TinyModels.huggingFace("llama", temp);
        TinyModels.config(model, "\"intermediate_size\": 64", "\"intermediate_size\": 66");
        LoadOptions options = LoadOptions.of("tiny").withKernels("scalar").withThreads(1);
        for (LoadOptions each : List.of(options, options.withPackedFolder(temp.resolve("p")))) {
            Stages stages = new Stages();
            assertThat(catchThrowable(() -> LoadedModel.load(model, each, stages)))
                    .isInstanceOf(LoadException.class)
                    .hasMessageContaining("[66, 32]");
            assertThat(stages.heard).isEmpty();
        }
        TinyModels.config(model, "\"intermediate_size\": 66", "\"intermediate_size\": 64");
        Stages stages = new Stages();
        LoadedModel.load(model, options, stages).close();
        assertThat(stages.heard).containsExactly("Packing weights");
    }

    @Test
    void aHeapThatIsTooSmallIsALoadError() throws Exception {
        Path model = TinyModels.gguf("llama", temp);
        LoadListener exhausting =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        if (stage.startsWith("Packing weights")) {
                            throw new OutOfMemoryError("Java heap space");
                        }
                    }

                    @Override
                    public void warning(String message) {
                        throw new AssertionError(message);
                    }
                };
        LoadOptions options = LoadOptions.of("tiny").withKernels("scalar").withThreads(2);
        for (LoadOptions each : List.of(options, options.withPackedFolder(temp.resolve("p")))) {
            LeakCheck.around(() ->
                    assertThat(catchThrowable(() -> LoadedModel.load(model, each, exhausting)))
                            .isInstanceOf(LoadException.class)
                            .hasMessageContainingAll(
                                    model.toString(), "Java heap space", "iB", "-Xmx")
                            .hasCauseInstanceOf(OutOfMemoryError.class));
        }
    }

    /** A machine with so much memory, all of it in use. */
    private record Full(long total) implements Memory {
        @Override
        public long free() {
            return total;
        }

        @Override
        public OffHeap allocate(long bytes) {
            throw new OutOfMemoryError("no room");
        }
    }

    /** A model on a machine with so much memory, and what it needs there. */
    private record Wanting(Path model, LoadOptions options, long weights, long pool) {
        static Wanting of(Path model) throws IOException {
            LoadOptions options =
                    LoadOptions.of("tiny").withKernels("scalar").withThreads(2).withContext(40);
            try (LoadedModel loaded = LoadedModel.load(model, options, LoadListener.SILENT)) {
                return new Wanting(
                        model, options, loaded.weightBytes(), 3 * loaded.kvLayout().pageBytes());
            }
        }

        LoadedModel load(long total, LoadListener listener) throws IOException {
            var machine = new Machine(new Full(total), FreeSpace.OF_THIS_MACHINE);
            return LoadedModel.load(model, options, listener, machine);
        }

        Wanting withPackedFolder(Path folder) {
            return new Wanting(model, options.withPackedFolder(folder), weights, pool);
        }
    }

    @Test
    void weightsInMemoryNeedRoomBesideThePoolBeforeTheyArePacked() throws Exception {
        Wanting wanting = Wanting.of(TinyModels.gguf("llama", temp));
        long both = wanting.weights() + wanting.pool();
        for (long total : new long[] {both - 1, both}) {
            LeakCheck.around(() -> {
                Stages stages = new Stages();
                Throwable thrown = catchThrowable(() -> wanting.load(total, stages));
                assertThat(thrown)
                        .isInstanceOf(LoadException.class)
                        .hasMessageContainingAll(
                                wanting.model().toString(),
                                Bytes.human(wanting.weights()),
                                "40 tokens",
                                Bytes.human(wanting.pool()),
                                Bytes.human(total),
                                "FLAGSHIP_HOME",
                                "--context");
                // Only what is there in principle is asked for.
                assertThat(thrown.getCause() instanceof OutOfMemoryError).isEqualTo(total == both);
                assertThat(stages.heard).isEmpty();
            });
        }
    }

    @Test
    void aPoolNeedsRoomThoughWeightsAreMapped() throws Exception {
        Path packed = temp.resolve("packed");
        Wanting wanting = Wanting.of(TinyModels.gguf("llama", temp)).withPackedFolder(packed);
        LeakCheck.around(() -> {
            Stages stages = new Stages();
            assertThat(catchThrowable(() -> wanting.load(wanting.pool() - 1, stages)))
                    .isInstanceOf(LoadException.class)
                    .hasMessageContainingAll(
                            wanting.model().toString(),
                            "40 tokens",
                            Bytes.human(wanting.pool()),
                            Bytes.human(wanting.pool() - 1),
                            "smaller --context");
            assertThat(stages.heard).isEmpty();
            assertThat(packed).doesNotExist();
            try (LoadedModel fits = wanting.load(wanting.pool(), LoadListener.SILENT);
                    PagedKvCache pool = fits.pool()) {
                assertThat(pool.bytes()).isEqualTo(wanting.pool());
            }
        });
    }

    /** 2^31 positions of any size overflow what a machine can have, but not the arithmetic. */
    @Test
    void aPoolBeyondAllNumbersIsRefused() {
        var room =
                new Room(
                        new Full(1L << 40),
                        temp,
                        new KvLayout(1 << 20, 1 << 6, 1 << 12, DType.F32),
                        Integer.MAX_VALUE);
        try (SerialTeam team = new SerialTeam();
                ScalarKernels kernels = new ScalarKernels(team)) {
            assertThat(catchThrowable(() -> room.pool(kernels)))
                    .isInstanceOf(LoadException.class)
                    .hasMessageContaining("--context");
        }
        assertThat(catchThrowable(() -> room.weights(Long.MAX_VALUE)))
                .isInstanceOf(LoadException.class);
    }

    @Test
    void weightsFitWhereThePoolFitsBesideThem() {
        var layout = new KvLayout(2, 2, 16, DType.F32);
        long pool = 3 * layout.pageBytes();
        var room = new Room(new Full(pool + 1000), temp, layout, 33);
        assertThat(room.holds(1000)).isTrue();
        assertThat(room.holds(1001)).isFalse();
        assertThat(room.holds(pool + 1001)).isFalse();
        assertThat(room.holds(Long.MAX_VALUE)).isFalse();
    }

    @Test
    void anUnknownRungIsRefusedWithThoseThatAreKnown() throws Exception {
        Path model = TinyModels.gguf("llama", temp);
        LoadOptions options = LoadOptions.of("tiny").withKernels("abacus").withThreads(2);
        LeakCheck.around(() ->
                assertThat(
                                catchThrowable(
                                        () -> TextModel.open(model, options, LoadListener.SILENT)))
                        .isInstanceOf(LoadException.class)
                        .hasMessageContainingAll("abacus", "auto", "vector", "scalar"));
        assertThat(ModelThreads.alive()).isEmpty();
    }

    @Test
    void aFileThatIsNotThereIsAnIoError() throws Exception {
        LeakCheck.around(() ->
                assertThat(
                                catchThrowable(() ->
                                        TextModel.open(
                                                temp.resolve("nowhere.gguf"),
                                                LoadOptions.of("tiny"),
                                                LoadListener.SILENT)))
                        .isInstanceOf(IOException.class));
    }
}
