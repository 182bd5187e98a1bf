package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.FlagshipException;
import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.Numerics;
import dev.flagship.testing.Golden;
import dev.flagship.testing.LeakCheck;
import dev.flagship.testing.RecordingKernels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * One model as every container holds it, made by the writers of their formats
 * (tools/golden/llama/containers.py): the reference's outputs from each, and equal bits from all.
 */
class ContainersTest {
    private static final double TOLERANCE = 1e-4;

    @TempDir Path temp;

    static Stream<Arguments> onEveryRung() {
        return Stream.of("scalar", "vector", "x86")
                .flatMap(rung -> Stream.of(TinyContainer.values()).map(c -> Arguments.of(c, rung)));
    }

    @ParameterizedTest(name = "{0} on {1}")
    @MethodSource("onEveryRung")
    void everyModuleAgreesWithTheReference(TinyContainer container, String rung)
            throws IOException {
        Rung.assume(rung);
        Golden golden = Golden.read("llama/containers/expected.safetensors");
        try (LoadedModel model = load(container.in(temp), rung)) {
            Map<String, List<float[]>> outputs = record(model, golden.ids("input_ids"));
            for (String module : golden.names()) {
                if (!module.equals("input_ids") && !module.equals("greedy")) {
                    assertThat(golden.distance(module, outputs.getOrDefault(module, List.of())))
                            .as(module)
                            .isLessThanOrEqualTo(TOLERANCE);
                }
            }
            try (Passes passes = Passes.of(model)) {
                assertThat(passes.greedy(golden.ids("input_ids"), 8))
                        .isEqualTo(golden.ids("greedy"));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void givesTheBitsOfOneSafetensorsFile(TinyContainer container) throws IOException {
        int[] ids = Golden.read("llama/containers/expected.safetensors").ids("input_ids");
        Path one = TinyContainer.SAFETENSORS.in(temp.resolve("one"));
        try (LoadedModel expected = load(one, "vector");
                LoadedModel actual = load(container.in(temp.resolve("other")), "vector")) {
            Map<String, List<float[]>> rows = record(expected, ids);
            assertThat(rows.keySet()).hasSizeGreaterThan(20);
            assertEqualBits(record(actual, ids), rows);
            assertThat(actual.parameters()).isEqualTo(expected.parameters());
        }
    }

    @ParameterizedTest
    @EnumSource
    void packedWeightsAreThoseOfMemory(TinyContainer container) throws IOException {
        int[] ids = Golden.read("llama/containers/expected.safetensors").ids("input_ids");
        Path model = container.in(temp);
        LoadOptions options =
                LoadOptions.of("tiny").withNumerics(Numerics.EXACT).withKernels("scalar");
        try (LoadedModel memory = LoadedModel.load(model, options, LoadListener.SILENT);
                LoadedModel packed =
                        LoadedModel.load(
                                model,
                                options.withPackedFolder(temp.resolve("packed")),
                                LoadListener.SILENT)) {
            assertEqualBits(record(packed, ids), record(memory, ids));
        }
    }

    /** Packed weights are found by what all files hold, so that none may change unseen. */
    @ParameterizedTest
    @EnumSource(names = {"SAFETENSORS_SHARDS", "BIN_SHARDS", "CONSOLIDATED", "SPLIT_GGUF"})
    void anotherLastFileIsPackedAnew(TinyContainer container) throws IOException {
        Path model = container.in(temp);
        Path packed = temp.resolve("packed");
        LoadOptions options = LoadOptions.of("tiny").withKernels("scalar").withPackedFolder(packed);
        LoadedModel.load(model, options, LoadListener.SILENT).close();
        List<Path> before = bands(packed);
        Path last = container.lastFile(model);
        byte[] bytes = Files.readAllBytes(last);
        bytes[container.aByteToChange(bytes)] ^= 1;
        Files.write(last, bytes);
        LoadedModel.load(model, options, LoadListener.SILENT).close();
        assertThat(before).hasSize(1);
        assertThat(bands(packed)).hasSize(1).isNotEqualTo(before);
    }

    private static List<Path> bands(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".bands")).toList();
        }
    }

    @Test
    void anyPartOfAModelNamesTheWhole() throws IOException {
        int[] ids = Golden.read("llama/containers/expected.safetensors").ids("input_ids");
        Path meta = TinyContainer.CONSOLIDATED.in(temp.resolve("meta"));
        Path split = TinyContainer.SPLIT_GGUF.in(temp.resolve("split"));
        Path folder = split.resolveSibling("");
        try (LoadedModel a = load(meta.resolve("consolidated.01.pth"), "scalar");
                LoadedModel b = load(folder.resolve("split-00002-of-00003.gguf"), "scalar");
                LoadedModel c = load(folder, "scalar")) {
            assertEqualBits(record(a, ids), record(b, ids));
            assertEqualBits(record(c, ids), record(b, ids));
        }
    }

    @Test
    void scaledFrequenciesOfParamsAreThoseOfHuggingFace() throws IOException {
        int[] ids = {1, 5, 9, 2, 30, 7, 11, 3};
        Path meta = TinyContainer.CONSOLIDATED.in(temp.resolve("meta"));
        Path hugging = TinyContainer.SAFETENSORS.in(temp.resolve("hugging"));
        TinyModels.replace(
                meta.resolve("params.json"),
                "\"norm_eps\"",
                "\"rope_theta\": 500000.0, \"use_scaled_rope\": true, \"norm_eps\"");
        TinyModels.config(hugging, "\"rope_theta\": 10000.0", "\"rope_theta\": 500000.0");
        TinyModels.config(
                hugging,
                "\"rope_scaling\": null",
                "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}");
        try (LoadedModel a = load(meta, "scalar");
                LoadedModel b = load(hugging, "scalar")) {
            assertThat(a.contextLength()).isEqualTo(LoadedModel.DEFAULT_CONTEXT);
            assertEqualBits(record(a, ids), record(b, ids));
        }
    }

    @Test
    void metasNamesAreTranslatedAndNoOthers() {
        assertThat(MetaLlama.translated("layers.31.feed_forward.w2.weight"))
                .contains("model.layers.31.mlp.down_proj.weight");
        assertThat(MetaLlama.translated("output.weight")).contains("lm_head.weight");
        for (String name :
                List.of(
                        "",
                        ".weight",
                        "weight",
                        "layers.weight",
                        "layers.0.weight",
                        "layers.0..weight",
                        "layers.0.attention.wq.bias",
                        "layers.0.attention.wz.weight",
                        "norm.weight.weight",
                        "norm",
                        "rope.freqs")) {
            assertThat(MetaLlama.translated(name)).as(name).isEmpty();
        }
    }

    static Stream<Arguments> recipes() {
        String recipe = "{\"temperature\": 0.6, \"top_p\": 0.9, \"eos_token_id\": [1, 5]}";
        return Stream.of(
                Arguments.of("{}", Sampling.usual(0)),
                Arguments.of("{\"bos_token_id\": 1, \"temperature\": null}", Sampling.usual(0)),
                Arguments.of(recipe, new Sampling(0.6f, 0, 0.9f, 0, 1, 0, 0, Map.of(), 0)),
                Arguments.of(
                        "{\"do_sample\": true, \"top_k\": 20, \"repetition_penalty\": 1.05}",
                        new Sampling(1, 20, 1, 0, 1.05f, 0, 0, Map.of(), 0)),
                Arguments.of("{\"do_sample\": false, \"top_p\": 1}", Sampling.greedy()));
    }

    @ParameterizedTest
    @MethodSource("recipes")
    void takesTheMakersRecipe(String generation, Sampling expected) throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp);
        Files.writeString(folder.resolve("generation_config.json"), generation);
        try (LoadedModel model = load(folder, "scalar")) {
            assertThat(model.sampling()).isEqualTo(expected);
            assertThat(model.endTokens().contains(5)).isEqualTo(generation.contains("5]"));
        }
    }

    @Test
    void fusedMatricesAreTakenApart() throws IOException {
        int[] ids = {1, 5, 9, 2, 30, 7, 11, 3};
        Path apart = TinyContainer.SAFETENSORS.in(temp.resolve("apart"));
        Path fused = TinyContainer.SAFETENSORS.in(temp.resolve("fused"));
        Fused.rewrite(fused.resolve("model.safetensors"));
        try (LoadedModel a = load(apart, "scalar");
                LoadedModel b = load(fused, "scalar")) {
            assertEqualBits(record(b, ids), record(a, ids));
        }
        TinyModels.config(fused, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 1");
        assertThatThrownBy(() -> load(fused, "scalar"))
                .isInstanceOf(LoadException.class)
                .hasMessageContainingAll("qkv_proj.weight", "[64, 32]", "48 rows");
    }

    static Stream<Arguments> damages() {
        return Stream.of(
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> Files.delete(folder.resolve("consolidated.00.pth")),
                        "consolidated.00.pth is missing"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> Files.delete(folder.resolve("params.json")),
                        "params.json is missing"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> Files.delete(folder.resolve("tokenizer.json")),
                        "tokenizer"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder ->
                                Files.copy(
                                        folder.resolve("consolidated.01.pth"),
                                        folder.resolve("consolidated.03.pth")),
                        "consolidated.02.pth is missing"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder ->
                                Files.move(
                                        folder.resolve("consolidated.01.pth"),
                                        folder.resolve("consolidated.03.pth")),
                        "consolidated.01.pth, consolidated.02.pth are missing"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> Files.delete(folder.resolve("consolidated.01.pth")),
                        "consolidated.01.pth is missing, of 2 parts"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> {
                            Path params = folder.resolve("params.json");
                            TinyModels.replace(
                                    params, "\"n_heads\": 4", "\"n_heads\": 8, \"head_dim\": 8");
                            TinyModels.replace(params, "multiplier\": 0.5", "multiplier\": 1");
                        },
                        "consolidated.02.pth, consolidated.03.pth are missing, of 4 parts"),
                damage(
                        TinyContainer.CONSOLIDATED_3,
                        folder -> Files.delete(folder.resolve("consolidated.01.pth")),
                        "consolidated.01.pth is missing, of 2 parts"),
                damage(
                        TinyContainer.CONSOLIDATED,
                        folder -> {
                            Files.delete(folder.resolve("consolidated.01.pth"));
                            TinyModels.replace(
                                    folder.resolve("params.json"), "\"dim\": 32", "\"dim\": 64");
                        },
                        "wk.weight\" has 8 rows, no whole number of heads of 16"),
                params("\"dim\": 32", "\"dim\": 64", "[48, 64]"),
                params("\"dim\": 32", "\"dim\": \"32\"", "dim"),
                params("\"n_heads\": 4", "\"n_heads\": 0", "head size 0"),
                params("\"n_heads\": 4", "\"n_heads\": -4", "head size 0"),
                params("\"n_heads\": 4", "\"n_heads\": 3", "heads"),
                params("\"n_layers\": 2", "\"n_layers\": 3", "model.layers.2"),
                params("\"n_layers\": 2", "\"n_layers\": 1", "is no part"),
                params("\"multiple_of\": 16", "\"multiple_of\": 0", "multiple_of"),
                params("\"ffn_dim_multiplier\": 0.5", "\"ffn_dim_multiplier\": 1", "[96, 32]"),
                params("\"ffn_dim_multiplier\": 0.5", "\"ffn_dim_multiplier\": 1e30", "width"),
                params("\"vocab_size\": -1", "\"vocab_size\": 47", "[47, 32]"),
                params("\"vocab_size\": -1", "\"moe_args\": {\"num_experts\": 16}", "moe_args"),
                params("\"vocab_size\": -1", "\"quantization_args\": {}", "quantization_args"),
                damage(
                        TinyContainer.SPLIT_GGUF,
                        file -> Files.delete(file.resolveSibling("split-00002-of-00003.gguf")),
                        "split-00002-of-00003.gguf"),
                damage(
                        TinyContainer.SPLIT_GGUF,
                        file -> Files.delete(file),
                        "its part split-00001-of-00003.gguf is not in the folder"),
                damage(
                        TinyContainer.SPLIT_GGUF,
                        file -> {
                            Files.delete(file.resolveSibling("split-00002-of-00003.gguf"));
                            Files.delete(file.resolveSibling("split-00003-of-00003.gguf"));
                            Files.move(file, file.resolveSibling("other.gguf"));
                        },
                        "one of 3 parts, and not named so"),
                damage(
                        TinyContainer.SPLIT_GGUF,
                        file ->
                                Files.copy(
                                        file.resolveSibling("split-00002-of-00003.gguf"),
                                        file.resolveSibling("split-00003-of-00003.gguf"),
                                        StandardCopyOption.REPLACE_EXISTING),
                        "1 of 3, expected 2 of 3"),
                damage(
                        TinyContainer.BIN_SHARDS,
                        folder -> Files.delete(folder.resolve("pytorch_model-00002-of-00002.bin")),
                        "pytorch_model-00002-of-00002.bin is not in the folder"),
                damage(
                        TinyContainer.BIN,
                        folder -> TinyModels.truncate(folder.resolve("pytorch_model.bin"), 1),
                        "pytorch_model.bin"),
                damage(
                        TinyContainer.LEGACY,
                        folder -> TinyModels.truncate(folder.resolve("pytorch_model.bin"), 1),
                        "pytorch_model.bin"));
    }

    private static Arguments damage(
            TinyContainer container, LoadFailuresTest.Damage damage, String message) {
        return Arguments.of(container, message, damage);
    }

    private static Arguments params(String old, String replacement, String message) {
        return damage(
                TinyContainer.CONSOLIDATED,
                folder -> TinyModels.replace(folder.resolve("params.json"), old, replacement),
                message);
    }

    @ParameterizedTest(name = "{0}: {1}")
    @MethodSource("damages")
    void saysWhatIsWrong(TinyContainer container, String message, LoadFailuresTest.Damage damage)
            throws Exception {
        Path model = container.in(temp);
        damage.on(model);
        Path named = Files.exists(model) ? model : model.resolveSibling("");
        LeakCheck.around(() ->
                assertThatThrownBy(() -> load(named, "scalar"))
                        .isInstanceOf(FlagshipException.class)
                        .hasMessageContaining(message)
                        .hasMessageContaining(temp.toString())
                        .hasMessageEndingWith("."));
    }

    private static LoadedModel load(Path path, String rung) throws IOException {
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withNumerics(Numerics.EXACT)
                        .withKernels(rung)
                        .withThreads(1);
        return LoadedModel.load(path, options, LoadListener.SILENT);
    }

    @SuppressWarnings("resource") // the model closes its kernels
    private static Map<String, List<float[]>> record(LoadedModel model, int[] ids) {
        RecordingKernels recording = new RecordingKernels(model.kernels());
        try (Passes passes = new Passes(model.lm(), recording, Numerics.EXACT)) {
            passes.forward(ids);
        }
        return recording.outputs();
    }

    private static void assertEqualBits(
            Map<String, List<float[]>> actual, Map<String, List<float[]>> expected) {
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        expected.forEach((module, rows) ->
                assertThat(actual.getOrDefault(module, List.of()))
                        .as(module)
                        .usingElementComparator(Arrays::compare)
                        .isEqualTo(rows));
    }
}
