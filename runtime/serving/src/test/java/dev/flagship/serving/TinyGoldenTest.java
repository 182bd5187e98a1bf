package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufHeader;
import dev.flagship.formats.ModelFile;
import dev.flagship.formats.SafetensorsFile;
import dev.flagship.formats.TensorEntry;
import dev.flagship.models.Llama;
import dev.flagship.nn.Rope;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.testing.FormulaWeights;
import dev.flagship.testing.Golden;
import dev.flagship.testing.RecordingKernels;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole way from a file to logits, against the reference implementation. */
class TinyGoldenTest {
    private static final double TOLERANCE = 1e-4;

    /** What a wrong order of rows must at least cost, or the golden proves nothing. */
    private static final double CLEARLY_WRONG = 1e-2;

    private static final String LINEAR = "llama/llama.linear-rope.safetensors";
    private static final String LOGITS = "lm_head";

    @TempDir Path temp;

    static Stream<Arguments> checkpoints() {
        return Stream.of("scalar", "vector", "x86")
                .flatMap(rung ->
                        Stream.of(
                                        TinyModels.IN_BOTH.stream()
                                                .map(n -> Arguments.of(n, "gguf", rung)),
                                        TinyModels.GGUF_ONLY.stream()
                                                .map(n -> Arguments.of(n, "gguf", rung)),
                                        TinyModels.IN_BOTH.stream()
                                                .map(n -> Arguments.of(n, "safetensors", rung)))
                                .flatMap(s -> s));
    }

    @ParameterizedTest(name = "{0} as {1} on {2}")
    @MethodSource("checkpoints")
    void everyModuleAgreesWithTheReference(String name, String container, String rung)
            throws IOException {
        Rung.assume(rung);
        Golden golden = Golden.read("llama/" + name + ".expected.safetensors");
        try (LoadedModel model = load(path(name, container), rung)) {
            assertThat(model.kernels().rung()).startsWith(rung);
            Map<String, List<float[]>> outputs = record(model, golden.ids("input_ids"));
            for (String module : golden.names()) {
                if (!module.equals("input_ids") && !module.equals("greedy")) {
                    assertThat(outputs).containsKey(module);
                    assertThat(golden.distance(module, outputs.getOrDefault(module, List.of())))
                            .as(module)
                            .isLessThanOrEqualTo(TOLERANCE);
                }
            }
        }
    }

    @ParameterizedTest(name = "{0} as {1} on {2}")
    @MethodSource("checkpoints")
    void choosesTheReferencesTokens(String name, String container, String rung) throws IOException {
        Rung.assume(rung);
        Golden golden = Golden.read("llama/" + name + ".expected.safetensors");
        int[] expected = golden.ids("greedy");
        assertThat(expected).hasSize(8);
        try (LoadedModel model = load(path(name, container), rung);
                Passes passes = Passes.of(model)) {
            assertThat(passes.greedy(golden.ids("input_ids"), 8)).isEqualTo(expected);
        }
    }

    /**
     * Fills several blocks, bands and tiles; its weights are made again, being too large to keep.
     */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "vector", "x86"})
    void theWideModelAgreesWithTheReference(String rung) throws IOException {
        Rung.assume(rung);
        Golden golden = Golden.read("llama/wide.expected.safetensors");
        var config =
                new Llama.Config(
                        512, 576, 1536, 2, 9, 3, 64, 1e-5f, 100_000, new Rope.Scaling.None(), true);
        try (var weights = new FormulaWeights(DType.F32, 0.25f);
                var recording =
                        new RecordingKernels(Rungs.create(rung, new SerialTeam(), _ -> {}));
                var passes = new Passes(new Llama(config, weights), recording, Numerics.EXACT)) {
            assertThat(passes.greedy(golden.ids("input_ids"), 8)).isEqualTo(golden.ids("greedy"));
            for (String module : golden.names()) {
                if (!module.equals("input_ids") && !module.equals("greedy")) {
                    int inputs = golden.rows(module).size(); // without those of later steps
                    List<float[]> all = recording.outputs().getOrDefault(module, List.of());
                    assertThat(all).as(module).hasSizeGreaterThanOrEqualTo(inputs);
                    assertThat(golden.distance(module, all.subList(0, inputs)))
                            .as(module)
                            .isLessThanOrEqualTo(TOLERANCE);
                }
            }
        }
    }

    static Stream<String> withoutStoredDivisors() {
        return TinyModels.IN_BOTH.stream().filter(name -> !name.equals("llama31"));
    }

    @ParameterizedTest
    @MethodSource("withoutStoredDivisors")
    void bothContainersGiveEqualBits(String name) throws IOException {
        int[] ids = Golden.read("llama/" + name + ".expected.safetensors").ids("input_ids");
        try (LoadedModel gguf = load(TinyModels.gguf(name, temp), "vector");
                LoadedModel safetensors = load(TinyModels.huggingFace(name, temp), "vector")) {
            assertEqualBits(record(gguf, ids), record(safetensors, ids));
        }
    }

    /** Without a window that positions leave behind, Mistral is LLaMA. */
    @ParameterizedTest
    @ValueSource(strings = {"null", "256"})
    void mistralGivesTheBitsOfLlama(String window) throws IOException {
        int[] ids = Golden.read("llama/llama.expected.safetensors").ids("input_ids");
        Path llama = TinyModels.huggingFace("llama", Files.createDirectory(temp.resolve("l")));
        Path mistral = TinyModels.huggingFace("llama", Files.createDirectory(temp.resolve("m")));
        TinyModels.config(
                mistral,
                "\"model_type\": \"llama\"",
                "\"sliding_window\": " + window + ", \"model_type\": \"mistral\"");
        try (LoadedModel expected = load(llama, "vector");
                LoadedModel found = load(mistral, "vector")) {
            assertThat(found.contextLength()).isEqualTo(256);
            assertEqualBits(record(expected, ids), record(found, ids));
        }
        Path made = temp.resolve("made.gguf");
        try (var file =
                QuantizedFile.open(
                        mistral,
                        made,
                        new QuantizedFile.Options(QuantMix.Q8_0, 1, false),
                        LoadListener.SILENT)) {
            file.write();
        }
        try (GgufFile gguf = GgufFile.open(made)) {
            assertThat(gguf.metadata().string("general.architecture")).isEqualTo("llama");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "quantised-q4_1"})
    void anyNumberOfThreadsGivesEqualBits(String name) throws IOException {
        int[] ids = Golden.read("llama/" + name + ".expected.safetensors").ids("input_ids");
        Path path = TinyModels.gguf(name, temp);
        try (LoadedModel one = load(path, "vector", 1)) {
            Map<String, List<float[]>> expected = record(one, ids);
            for (int threads : new int[] {2, 3}) {
                try (LoadedModel several = load(path, "vector", threads)) {
                    assertThat(several.threads()).isEqualTo(threads);
                    assertEqualBits(record(several, ids), expected);
                }
            }
        }
    }

    /**
     * GGUF stores by what frequencies are divided, rounded to F32, and not how that is computed.
     */
    @Test
    void storedDivisorsCostNoMoreThanTheirRounding() throws IOException {
        Golden golden = Golden.read("llama/llama31.expected.safetensors");
        int[] ids = golden.ids("input_ids");
        try (LoadedModel gguf = load(TinyModels.gguf("llama31", temp), "vector");
                LoadedModel safetensors = load(TinyModels.huggingFace("llama31", temp), "vector")) {
            List<float[]> a = logits(gguf, ids);
            List<float[]> b = logits(safetensors, ids);
            for (int row = 0; row < a.size(); row++) {
                assertThat(a.get(row))
                        .usingComparatorWithPrecision(1e-5f)
                        .containsExactly(b.get(row));
            }
        }
    }

    @Test
    void ggufRowsLeftInPairsAreSeen() throws IOException {
        try (ModelFile file = GgufFile.open(TinyModels.gguf("llama", temp))) {
            ModelSource right = GgufLlama.read((GgufFile) file);
            assertWrongRowsAreSeen(
                    right, _ -> IntUnaryOperator.identity(), "gguf_rows_as_halved_pairs");
        }
    }

    @Test
    void safetensorsRowsTakenAsPairsAreSeen() throws IOException {
        try (ModelFile file = SafetensorsFile.open(TinyModels.huggingFace("llama", temp))) {
            ModelSource right = HuggingFaceLlama.read((SafetensorsFile) file);
            assertWrongRowsAreSeen(
                    right,
                    name ->
                            name.endsWith("q_proj.weight") || name.endsWith("k_proj.weight")
                                    ? GgufLlama.halvesFromPairs(right.config().headSize())
                                    : IntUnaryOperator.identity(),
                    "safetensors_rows_as_adjacent_pairs");
        }
    }

    private interface RowOrder {
        IntUnaryOperator of(String tensor);
    }

    private static void assertWrongRowsAreSeen(ModelSource source, RowOrder order, String mistake)
            throws IOException {
        Golden right = Golden.read("llama/llama.expected.safetensors");
        Golden wrong = Golden.read("llama/llama.wrong-rope.safetensors");
        Map<String, TensorSource> tensors = new LinkedHashMap<>();
        source.tensors().forEach((name, t) -> tensors.put(name, t.ordered(order.of(name))));
        PackPlan plan = PackPlan.of(source.file().path(), tensors.values());
        OffHeap memory = OffHeap.allocate(plan.bytes());
        var team = new SerialTeam();
        Packer packer = new Packer(source, team);
        plan.entries()
                .forEach(e ->
                        packer.pack(
                                e,
                                memory.segment().asSlice(e.numbersAt(), e.numberBytes()),
                                memory.segment().asSlice(e.scalesAt(), e.scaleBytes())));
        try (var weights = new PackedWeights(memory, 0, plan);
                var kernels = new ScalarKernels(team);
                var passes =
                        new Passes(new Llama(source.config(), weights), kernels, Numerics.EXACT)) {
            List<float[]> logits = passes.forward(right.ids("input_ids"));
            assertThat(right.distance(LOGITS, logits)).isGreaterThan(CLEARLY_WRONG);
            assertThat(wrong.distance(mistake, logits)).isLessThanOrEqualTo(TOLERANCE);
        }
    }

    @Test
    void scaledRotaryFrequenciesAreReadUnderEitherKey() throws IOException {
        int[] ids = Golden.read("llama/llama31.expected.safetensors").ids("input_ids");
        Path classic = TinyModels.huggingFace("llama31", temp.resolve("classic"));
        Path gathered = TinyModels.huggingFace("llama31", temp.resolve("gathered"));
        TinyModels.config(gathered, "\"rope_theta\": 500000.0,", "\"rope_theta\": 7.0,");
        TinyModels.config(
                gathered, "\"rope_scaling\": {", "\"rope_parameters\": {\"rope_theta\": 500000.0,");
        Path unscaled = TinyModels.huggingFace("llama31", temp.resolve("unscaled"));
        TinyModels.config(unscaled, "\"llama3\"", "\"default\"");
        Path nothing = TinyModels.huggingFace("llama31", temp.resolve("nothing"));
        TinyModels.config(
                nothing, "\"rope_scaling\"", "\"rope_parameters\": null, \"rope_scaling\"");
        try (LoadedModel a = load(classic, "scalar");
                LoadedModel b = load(gathered, "scalar");
                LoadedModel c = load(unscaled, "scalar");
                LoadedModel d = load(nothing, "scalar")) {
            assertEqualBits(record(b, ids), record(a, ids));
            assertEqualBits(record(d, ids), record(a, ids));
            assertThat(logits(c, ids).getLast()).isNotEqualTo(logits(a, ids).getLast());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"safetensors", "gguf"})
    void linearScalingGivesTheReferencesLogits(String container) throws IOException {
        Golden golden = Golden.read(LINEAR);
        try (LoadedModel model = load(linear(container), "scalar")) {
            List<float[]> logits = logits(model, golden.ids("input_ids"));
            assertThat(golden.distance(LOGITS, logits)).isLessThanOrEqualTo(TOLERANCE);
            assertThat(golden.distance("factor_2", logits)).isGreaterThan(CLEARLY_WRONG);
        }
    }

    /** A wrong factor is off by 1.2. */
    @ParameterizedTest
    @ValueSource(strings = {"safetensors", "gguf"})
    void linearScalingOutlivesQuantising(String container) throws IOException {
        Path target = temp.resolve("small.gguf");
        var options = new QuantizedFile.Options(QuantMix.Q8_0, 1, false);
        try (var file =
                QuantizedFile.open(linear(container), target, options, LoadListener.SILENT)) {
            file.write();
        }
        Golden golden = Golden.read(LINEAR);
        try (LoadedModel model = load(target, "scalar")) {
            List<float[]> logits = logits(model, golden.ids("input_ids"));
            assertThat(golden.distance(LOGITS, logits)).isLessThan(0.1);
            assertThat(golden.distance("factor_2", logits)).isGreaterThan(1);
        }
    }

    /** The model {@code llama} with positions divided by 2.5. */
    private Path linear(String container) throws IOException {
        if (container.equals("safetensors")) {
            Path folder = TinyModels.huggingFace("llama", temp);
            TinyModels.config(
                    folder,
                    "\"rope_scaling\": null",
                    "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}");
            return folder;
        }
        Path made = temp.resolve("linear.gguf");
        try (GgufFile plain = GgufFile.open(TinyModels.gguf("llama", temp))) {
            GgufHeader header = new GgufHeader();
            plain.metadata().keys().stream()
                    .filter(key -> !key.startsWith("llama.rope.scaling"))
                    .forEach(key -> header.copy(plain.metadata(), key));
            header.text("llama.rope.scaling.type", "linear");
            header.real("llama.rope.scaling.factor", 2.5f);
            for (TensorEntry tensor : plain.tensors().values()) {
                header.tensor(tensor.name(), tensor.type(), tensor.shape());
            }
            byte[] bytes = Arrays.copyOf(header.bytes(), (int) header.fileBytes());
            for (TensorEntry placed : header.entries()) {
                byte[] data =
                        plain.data(plain.tensor(placed.name())).toArray(ValueLayout.JAVA_BYTE);
                System.arraycopy(data, 0, bytes, (int) placed.offset(), data.length);
            }
            Files.write(made, bytes);
        }
        return made;
    }

    private Path path(String name, String container) throws IOException {
        return container.equals("gguf")
                ? TinyModels.gguf(name, temp)
                : TinyModels.huggingFace(name, temp);
    }

    private static LoadedModel load(Path path, String rung) throws IOException {
        return load(path, rung, 1);
    }

    private static LoadedModel load(Path path, String rung, int threads) throws IOException {
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withNumerics(Numerics.EXACT)
                        .withKernels(rung)
                        .withThreads(threads);
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

    private static List<float[]> logits(LoadedModel model, int[] ids) {
        return record(model, ids).getOrDefault(LOGITS, List.of());
    }

    private static void assertEqualBits(
            Map<String, List<float[]>> actual, Map<String, List<float[]>> expected) {
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        expected.forEach((module, rows) -> {
            for (int row = 0; row < rows.size(); row++) {
                assertThat(actual.getOrDefault(module, List.of()).get(row))
                        .as(module)
                        .isEqualTo(rows.get(row));
            }
        });
    }
}
