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
        JsonNode json = JsonMapper.shared().readTree(summary.json());
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

    @Test
    void scalingOfPositionsIsToldAndWhereItIsTakenForGranted() throws IOException {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        assertThat(ModelSummary.read(folder).rotary()).isEqualTo("base 10000");
        TinyModels.config(
                folder,
                "\"rope_scaling\": null",
                "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.5}");
        assertThat(ModelSummary.read(folder).rotary())
                .isEqualTo("base 10000, positions divided by 2.5");
        Path meta = TinyContainer.CONSOLIDATED.in(temp.resolve("meta"));
        Path params = meta.resolve("params.json");
        TinyModels.replace(params, "\"norm_eps\"", "\"use_scaled_rope\": true, \"norm_eps\"");
        assertThat(ModelSummary.read(meta).rotary())
                .contains("divided by 32", "8192 positions", "rope_scaling_factor");
        TinyModels.replace(params, "\"norm_eps\"", "\"rope_scaling_factor\": 8, \"norm_eps\"");
        assertThat(ModelSummary.read(meta).rotary()).contains("divided by 8,");
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
