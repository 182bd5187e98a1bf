package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufHeader;
import dev.flagship.formats.TensorEntry;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ModelSummaryTest {
    @TempDir Path temp;

    /** The sizes are those that tools/golden/llama/containers.py writes. */
    @ParameterizedTest
    @EnumSource
    void everyContainerTellsTheSameModel(TinyContainer container) throws IOException {
        long arenas = MemoryLedger.arenas();
        ModelSummary summary = ModelSummary.read(container.in(temp.resolve("model")));
        assertThat(MemoryLedger.arenas()).isEqualTo(arenas);
        assertThat(summary.parameters()).isEqualTo(18_592);
        assertThat(summary.architecture())
                .isEqualTo(new ModelSummary.Architecture("llama", 2, 32, 48, 4, 2, 8, 48, false));
        assertThat(summary.groups().stream().mapToLong(ModelSummary.Group::weights).sum())
                .isEqualTo(18_592);
        assertThat(summary.groups().stream().mapToLong(ModelSummary.Group::tensors).sum())
                .isEqualTo(21);
        assertThat(summary.tokenizer().vocabularySize()).isEqualTo(48);
        assertThat(summary.bytesPerToken()).containsEntry("f16", 2L * 2 * 2 * 8 * 2);
    }

    @Test
    void jsonHoldsWhatWasRead() throws IOException {
        ModelSummary summary =
                ModelSummary.read(TinyContainer.SPLIT_GGUF.in(temp.resolve("model")));
        JsonNode json = JsonMapper.shared().readTree(summary.json(Optional.empty()));
        assertThat(json.get("container").asString()).isEqualTo("GGUF");
        assertThat(json.get("files").asInt()).isEqualTo(3);
        assertThat(json.get("parameters").asLong()).isEqualTo(18_592);
        assertThat(json.get("tensors").size()).isEqualTo(summary.groups().size());
        assertThat(json.get("tokenizer").get("tokens").asInt()).isEqualTo(48);
        assertThat(json.get("chat_template").isNull()).isTrue();
        assertThat(json.get("memory").get("bytes_per_token").get("f16").asLong()).isEqualTo(128);
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            textBlock =
                    """
                    license: apache-2.0                      | apache-2.0
                    license: "llama3.2"                      | llama3.2
                    license: 'llama3.2'                      | llama3.2
                    license: other;license_name: llama3      | llama3
                    license: other                           | other
                    base_model: x;license_link: y            |
                    """,
            delimiter = '|')
    void theLicenceIsTheOneOfTheFrontMatter(String yaml, String licence) throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        String text = "---\n" + yaml.replace(';', '\n') + "\n---\nlicense: of the text\n";
        Files.writeString(folder.resolve("README.md"), text);
        assertThat(ModelSummary.read(folder).licence().orElse(null)).isEqualTo(licence);
    }

    @Test
    void aLicenceOfItsOwnFileIsPointedTo() throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        assertThat(ModelSummary.read(folder).licence()).isEmpty();
        Files.writeString(folder.resolve("LICENSE"), "Do what you like.");
        assertThat(ModelSummary.read(folder).licence()).contains("see LICENSE");
    }

    private static final String LLAMA3 =
            "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, \"low_freq_factor\": 1.0,"
                    + " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}";

    /** Its frequencies are kept, kept, kept, and the last divided by 7.7309: by llama_gguf.py. */
    private static final String TOLD = "base 10000, frequencies divided by 1 to 7.7309";

    private Path gguf(Path model) throws IOException {
        Path made = temp.resolve("made.gguf");
        var options = new QuantizedFile.Options(QuantMix.Q4_K, 1, true);
        try (var file = QuantizedFile.open(model, made, options, LoadListener.SILENT)) {
            file.write();
        }
        return made;
    }

    private static String rotaryJson(ModelSummary summary) {
        return JsonMapper.shared()
                .readTree(summary.json(Optional.empty()))
                .get("rotary")
                .toString();
    }

    /** The same scaling by the keys of Hugging Face and of Meta, and by GGUF's divisors. */
    @ParameterizedTest
    @EnumSource(mode = EnumSource.Mode.MATCH_NONE, names = ".*GGUF")
    void positionsAreToldAlikeForAFolderAndTheGgufMadeFromIt(TinyContainer container)
            throws IOException {
        Path folder = container.in(temp.resolve("model"));
        if (Files.exists(folder.resolve("params.json"))) {
            TinyModels.replace(
                    folder.resolve("params.json"),
                    "\"norm_eps\"",
                    "\"use_scaled_rope\": true, \"rope_scaling_factor\": 32, \"norm_eps\"");
        } else {
            TinyModels.config(folder, "\"rope_scaling\": null", LLAMA3);
        }
        ModelSummary before = ModelSummary.read(folder);
        ModelSummary after = ModelSummary.read(gguf(folder));
        assertThat(before.rotary().text()).isEqualTo(TOLD);
        assertThat(after.rotary().text()).isEqualTo(TOLD);
        assertThat(rotaryJson(before))
                .isEqualTo(
                        "{\"theta\":10000.0,\"least_divisor\":1.0,\"greatest_divisor\":7.7309,\"assumed\":false}");
        assertThat(rotaryJson(after)).isEqualTo(rotaryJson(before));
    }

    /** Files of which none was made from the other by this code: see tools/golden/llama. */
    @ParameterizedTest
    @CsvSource(
            textBlock =
                    """
                    llama,   'base 10000'
                    odd,     'base 100000'
                    llama31, 'base 500000, frequencies divided by 1 to 8'
                    """)
    void positionsAreToldAlikeForAFolderAndAForeignGguf(String name, String told)
            throws IOException {
        ModelSummary folder = ModelSummary.read(TinyModels.huggingFace(name, temp));
        ModelSummary gguf = ModelSummary.read(TinyModels.gguf(name, temp));
        assertThat(folder.rotary().text()).isEqualTo(told);
        assertThat(gguf.rotary()).isEqualTo(folder.rotary());
    }

    @Test
    void positionsThatAreAllDividedAlikeAreToldSo() throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        String linear = "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}";
        TinyModels.config(folder, "\"rope_scaling\": null", linear);
        ModelSummary summary = ModelSummary.read(folder);
        assertThat(summary.rotary()).isEqualTo(new Rotary(10_000, 2.5f, 2.5f, false));
        assertThat(summary.rotary().text()).isEqualTo("base 10000, positions divided by 2.5");
        assertThat(ModelSummary.read(gguf(folder)).rotary()).isEqualTo(summary.rotary());
        TinyModels.config(folder, "2.5", "1");
        assertThat(ModelSummary.read(folder).rotary().text()).isEqualTo("base 10000");
    }

    @Test
    void aFactorThatNoFileTellsIsSaidToBeAssumed() throws IOException {
        Path meta = TinyContainer.CONSOLIDATED.in(temp.resolve("meta"));
        Path params = meta.resolve("params.json");
        assertThat(ModelSummary.read(meta).rotary().assumed()).isFalse();
        assertThat(ModelSummary.read(meta).trainedAssumed()).isTrue();
        assertThat(ModelSummary.read(TinyModels.gguf("llama3", temp)).trainedAssumed()).isFalse();
        TinyModels.replace(params, "\"norm_eps\"", "\"use_scaled_rope\": true, \"norm_eps\"");
        ModelSummary assumed = ModelSummary.read(meta);
        assertThat(assumed.rotary().text()).startsWith(TOLD).contains("rope_scaling_factor");
        assertThat(rotaryJson(assumed)).contains("\"assumed\":true");
        TinyModels.replace(params, "\"norm_eps\"", "\"rope_scaling_factor\": 8, \"norm_eps\"");
        assertThat(ModelSummary.read(meta).rotary().text())
                .isEqualTo("base 10000, frequencies divided by 1 to 4.6815");
    }

    /** Attention is the largest row, and less than the three rows of the MLP together. */
    @Test
    void rowsOfOnePurposeStayTogetherAndTheLargestPurposeComesFirst() throws IOException {
        Map<String, DType> types =
                Map.of(
                        "blk.0.ffn_gate.weight", DType.F32,
                        "blk.0.ffn_up.weight", DType.F16,
                        "blk.0.ffn_down.weight", DType.F16);
        Path made = temp.resolve("types.gguf");
        try (GgufFile plain = GgufFile.open(TinyModels.gguf("llama3", temp))) {
            GgufHeader header = new GgufHeader();
            plain.metadata().keys().forEach(key -> header.copy(plain.metadata(), key));
            for (TensorEntry tensor : plain.tensors().values()) {
                DType otherwise = tensor.shape().size() == 1 ? DType.F32 : DType.BF16;
                DType type = types.getOrDefault(tensor.name(), otherwise);
                header.tensor(tensor.name(), type, tensor.shape());
            }
            Files.write(made, Arrays.copyOf(header.bytes(), (int) header.fileBytes()));
        }
        assertThat(ModelSummary.read(made).groups())
                .extracting(
                        group -> "%s %s %d".formatted(group.name(), group.type(), group.weights()))
                .containsExactly(
                        "mlp BF16 18432",
                        "mlp F16 12288",
                        "mlp F32 6144",
                        "attention BF16 20480",
                        "embedding BF16 3072",
                        "head BF16 3072",
                        "norms F32 320");
    }
}
