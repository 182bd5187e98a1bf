package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.FlagshipException;
import dev.flagship.testing.LeakCheck;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * By what name a model may be called, and what is called by its name because it is none: alike for
 * {@code show}, {@code run} and {@code quantize}.
 */
class NamedModelsTest {
    private static final String CONFIG = "\"model_type\": \"llama\"";

    @TempDir Path temp;

    /** What three commands do with a model, up to where they would compute. */
    private List<LeakCheck.Block> commands(Path named) {
        LoadOptions options = LoadOptions.of("tiny").withKernels("scalar").withThreads(1);
        return List.of(
                () -> ModelSummary.read(named),
                () -> LoadedModel.load(named, options, LoadListener.SILENT).close(),
                () ->
                        QuantizedFile.open(
                                        named,
                                        temp.resolve("out.gguf"),
                                        new QuantizedFile.Options(QuantMix.Q8_0, 1, false),
                                        LoadListener.SILENT)
                                .close());
    }

    private void refuses(Path named, String... words) throws Exception {
        for (LeakCheck.Block command : commands(named)) {
            LeakCheck.around(() ->
                    assertThatThrownBy(command::run)
                            .isInstanceOf(FlagshipException.class)
                            .hasMessageContaining(temp.toString())
                            .hasMessageContainingAll(words)
                            .hasMessageEndingWith("."));
        }
    }

    static Stream<Arguments> names() {
        return Stream.of(
                Arguments.of(TinyContainer.SAFETENSORS, "model.safetensors"),
                Arguments.of(TinyContainer.SAFETENSORS, "config.json"),
                Arguments.of(TinyContainer.SAFETENSORS_SHARDS, "config.json"),
                Arguments.of(TinyContainer.SAFETENSORS_SHARDS, "model.safetensors.index.json"),
                Arguments.of(TinyContainer.SAFETENSORS_SHARDS, "model-00001-of-00002.safetensors"),
                Arguments.of(TinyContainer.SAFETENSORS_SHARDS, "model-00002-of-00002.safetensors"),
                Arguments.of(TinyContainer.BIN, "pytorch_model.bin"),
                Arguments.of(TinyContainer.LEGACY, "pytorch_model.bin"),
                Arguments.of(TinyContainer.BIN_SHARDS, "pytorch_model.bin.index.json"),
                Arguments.of(TinyContainer.BIN_SHARDS, "pytorch_model-00001-of-00002.bin"),
                Arguments.of(TinyContainer.CONSOLIDATED, "consolidated.00.pth"),
                Arguments.of(TinyContainer.CONSOLIDATED, "consolidated.01.pth"),
                Arguments.of(TinyContainer.CONSOLIDATED, "params.json"));
    }

    @ParameterizedTest(name = "{0} by {1}")
    @MethodSource("names")
    void aFileOfAModelStandsForTheWhole(TinyContainer container, String name) throws Exception {
        Path folder = container.in(temp.resolve("model"));
        ModelSummary whole = ModelSummary.read(folder);
        ModelSummary named = ModelSummary.read(folder.resolve(name));
        assertThat(named.files()).isEqualTo(whole.files());
        assertThat(named.fileBytes()).isEqualTo(whole.fileBytes());
        assertThat(named.parameters()).isEqualTo(whole.parameters());
        for (LeakCheck.Block command : commands(folder.resolve(name))) {
            LeakCheck.around(command);
        }
    }

    /** One model has one file of packed weights, and one note of whose they are. */
    @Test
    void packedWeightsAreThoseOfTheFolder() throws IOException {
        Path folder = TinyContainer.SAFETENSORS_SHARDS.in(temp.resolve("model"));
        Path packed = temp.resolve("packed");
        LoadOptions options =
                LoadOptions.of("tiny")
                        .withKernels("scalar")
                        .withThreads(1)
                        .withPackedFolder(packed);
        for (String name : List.of("", "config.json", "model-00002-of-00002.safetensors")) {
            LoadedModel.load(folder.resolve(name), options, LoadListener.SILENT).close();
        }
        try (Stream<Path> notes = Files.list(packed.resolve("sources"))) {
            assertThat(notes).hasSize(1);
        }
    }

    @Test
    void whatIsMissingBesideANamedFileIsSaid() throws Exception {
        Path folder = TinyContainer.SAFETENSORS_SHARDS.in(temp.resolve("model"));
        Path first = folder.resolve("model-00001-of-00002.safetensors");
        Path second = folder.resolve("model-00002-of-00002.safetensors");
        Files.delete(second);
        for (Path named : List.of(folder, first, folder.resolve("config.json"))) {
            refuses(named, "model-00002-of-00002.safetensors is not in the folder", "fetch");
        }
        Files.delete(folder.resolve("model.safetensors.index.json"));
        for (Path named : List.of(folder, first, folder.resolve("config.json"))) {
            refuses(
                    named,
                    "model.safetensors.index.json, model-00002-of-00002.safetensors are missing");
        }
        Path meta = TinyContainer.CONSOLIDATED.in(temp.resolve("meta"));
        Files.delete(meta.resolve("consolidated.01.pth"));
        refuses(meta.resolve("consolidated.00.pth"), "consolidated.01.pth is missing, of 2 parts");
        Path lone = TinyContainer.BIN.in(temp.resolve("lone")).resolve("pytorch_model.bin");
        Files.delete(lone.resolveSibling("config.json"));
        refuses(lone, "config.json is missing");
    }

    @Test
    void aHubsCacheIsItsSnapshot() throws Exception {
        Path cache = Files.createDirectories(temp.resolve("models--owner--name"));
        Path snapshot = TinyContainer.SAFETENSORS.in(cache.resolve("snapshots/4a2f"));
        Path blobs = Files.createDirectories(cache.resolve("blobs"));
        for (String name : List.of("model.safetensors", "config.json")) {
            Path file = snapshot.resolve(name);
            Path blob = Files.move(file, blobs.resolve("b-" + name.length()));
            Files.createSymbolicLink(file, Path.of("../../blobs").resolve(blob.getFileName()));
        }
        for (Path named : List.of(cache, snapshot, snapshot.resolve("config.json"))) {
            for (LeakCheck.Block command : commands(named)) {
                LeakCheck.around(command);
            }
        }
        Files.createDirectories(cache.resolve("snapshots/77aa"));
        refuses(cache, "2 snapshots", "\"4a2f\", \"77aa\"", "Name the folder of one");
    }

    @Test
    void whatIsNoModelIsCalledByItsName() throws Exception {
        Path folder = Files.createDirectories(temp.resolve("adapter"));
        refuses(folder, folder + ": folder: it is empty", "Download a model into it");
        Path config = folder.resolve("adapter_config.json");
        Files.writeString(config, "{\"base_model_name_or_path\": \"owner/base\"}");
        refuses(folder, folder + ": folder: this is an adapter", "\"owner/base\"", "Merge it");
        refuses(config, folder + ": folder: this is an adapter");
        Path ggufs = Files.createDirectories(temp.resolve("ggufs"));
        TinyModels.gguf("llama", ggufs);
        TinyModels.gguf("odd", ggufs);
        refuses(ggufs, "2 GGUF files: \"llama.gguf\", \"odd.gguf\"", "Name one of them");
    }

    static Stream<Arguments> encodings() {
        return Stream.of(
                Arguments.of("{\"quant_method\": \"gptq\", \"bits\": 4}", "\"gptq\""),
                Arguments.of("{\"quant_method\": \"awq\"}", "\"awq\""),
                Arguments.of(
                        "{\"quant_method\": \"compressed-tensors\"}", "\"compressed-tensors\""),
                Arguments.of("{\"load_in_4bit\": true}", "\"bitsandbytes\""),
                Arguments.of("{\"bits\": 4}", "\"an unnamed method\""),
                Arguments.of("{\"quant_method\": 4}", "quantization_config.quant_method is"),
                Arguments.of("4", "quantization_config is"));
    }

    @ParameterizedTest
    @MethodSource("encodings")
    void weightsInAnothersEncodingAreNamed(String encoding, String words) throws Exception {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        TinyModels.config(folder, CONFIG, CONFIG + ", \"quantization_config\": " + encoding);
        // Plain weights stay what they are, whatever is said of them.
        for (LeakCheck.Block command : commands(folder)) {
            LeakCheck.around(command);
        }
        rename(folder, "q_proj.weight\"", "q_proj.scales\"");
        refuses(folder, words, folder.resolve("config.json").toString());
    }

    @Test
    void olderGptqIsKnownByItsTensors() throws Exception {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        rename(folder, "q_proj.weight\":{\"dtype\":\"F16\"", "q_proj.qweight\":{\"dtype\":\"I16\"");
        refuses(folder, folder.toString(), "quantised by \"gptq or awq\"", "GGUF");
    }

    @Test
    void weightsUnderTheirNameInAnotherTypeAreNamedToo() throws Exception {
        Path folder = TinyContainer.SAFETENSORS.in(temp.resolve("model"));
        rename(folder, "q_proj.weight\":{\"dtype\":\"F16\"", "q_proj.weight\":{\"dtype\":\"I16\"");
        refuses(folder, "q_proj.weight cannot be used: its type is \"I16\"");
        TinyModels.config(
                folder, CONFIG, CONFIG + ", \"quantization_config\": {\"load_in_8bit\": true}");
        refuses(folder, "quantised by \"bitsandbytes\"");
    }

    /** Changes the header of a safetensors file, keeping its length true. */
    private static void rename(Path folder, String old, String replacement) throws IOException {
        Path file = folder.resolve("model.safetensors");
        String text = Files.readString(file, StandardCharsets.ISO_8859_1);
        int length = 0;
        for (int i = 3; i >= 0; i--) {
            length = length << 8 | text.charAt(i);
        }
        String head = text.substring(8, 8 + length);
        String changed = head.replace(old, replacement);
        assertThat(changed.equals(head)).as(old).isFalse();
        StringBuilder size = new StringBuilder();
        for (int i = 0; i < 8; i++) {
            size.append((char) (i < 4 ? changed.length() >>> 8 * i & 0xFF : 0));
        }
        Files.writeString(
                file, size + changed + text.substring(8 + length), StandardCharsets.ISO_8859_1);
    }
}
