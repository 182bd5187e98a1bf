package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.hostile.TinyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Locale;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFilesTest {
    @TempDir Path folder;

    @Test
    void goesByTheContentNotTheName() throws IOException {
        Path gguf = Files.write(folder.resolve("a.safetensors"), TinyFiles.gguf(3));
        Path safetensors = Files.write(folder.resolve("b.gguf"), TinyFiles.safetensors());
        try (ModelFile file = ModelFiles.open(gguf)) {
            assertThat(file).isInstanceOf(GgufFile.class);
        }
        try (ModelFile file = ModelFiles.open(safetensors)) {
            assertThat(file).isInstanceOf(SafetensorsFile.class);
        }
        assertThatThrownBy(() -> GgufFile.open(safetensors))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("expected a GGUF file, found safetensors");
        assertThatThrownBy(() -> SafetensorsFile.open(gguf))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("found gguf");
    }

    @Test
    void whatIsNeitherIsJudgedByItsName() throws IOException {
        for (String name : new String[] {"text.gguf", "TEXT.GGUF"}) {
            Path text = Files.writeString(folder.resolve(name), "hello, this is text");
            assertThatThrownBy(() -> ModelFiles.open(text))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("expected a GGUF file");
        }
        Path tensors = Files.writeString(folder.resolve("text.safetensors"), "hello, this is text");
        assertThatThrownBy(() -> ModelFiles.open(tensors))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("expected a safetensors file");
        for (String name : new String[] {"text.bin", "text.pth", "text.pt"}) {
            Path text = Files.writeString(folder.resolve(name), "hello, this is text");
            assertThatThrownBy(() -> ModelFiles.open(text))
                    .isInstanceOf(FormatException.class)
                    .hasMessageContaining("expected a PyTorch file");
        }
        Path text = Files.writeString(folder.resolve("text.txt"), "hello, this is text");
        assertThatThrownBy(() -> ModelFiles.open(text))
                .isInstanceOf(FormatException.class)
                .hasMessageContaining("expected a GGUF, safetensors or PyTorch file");
    }

    @Test
    void opensTheOnlyGgufOfAFolder() throws IOException {
        Files.write(folder.resolve("a.gguf"), TinyFiles.gguf(3));
        try (ModelFile file = ModelFiles.open(folder)) {
            assertThat(file.path()).isEqualTo(folder.resolve("a.gguf"));
        }
        Files.write(folder.resolve("b.gguf"), TinyFiles.gguf(3));
        assertThatThrownBy(() -> ModelFiles.open(folder))
                .isInstanceOf(FormatException.class)
                .hasMessageContainingAll("\"a.gguf\", \"b.gguf\"", "Name one");
    }

    @Test
    void listsTheFirstOfManyGgufsInOrder() throws IOException {
        for (int i = 0; i < 10; i++) {
            Files.write(folder.resolve("m" + (9 - i) + ".gguf"), TinyFiles.gguf(3));
        }
        refuses(folder, "10 GGUF files: \"m0.gguf\", \"m1.gguf\"", "\"m7.gguf\" and 2 more.");
    }

    private static void refuses(Path model, String... words) {
        assertThatThrownBy(() -> ModelFiles.open(model))
                .isInstanceOf(FormatException.class)
                .hasMessageContainingAll(words)
                .hasMessageEndingWith(".");
    }

    private static void opens(Path model, Path expected) throws IOException {
        try (ModelFile file = ModelFiles.open(model)) {
            assertThat(file.path()).isEqualTo(expected);
        }
    }

    private Path snapshot(String revision) throws IOException {
        Path snapshot = Files.createDirectories(folder.resolve("snapshots").resolve(revision));
        Files.write(snapshot.resolve("model.safetensors"), TinyFiles.safetensors());
        return snapshot;
    }

    private void main(String revision) throws IOException {
        Path refs = Files.createDirectories(folder.resolve("refs"));
        Files.writeString(refs.resolve("main"), revision);
    }

    @Test
    void opensTheOnlySnapshotOfAHubsCache() throws IOException {
        Path only = snapshot("4a2f");
        opens(folder, only);
        opens(folder.resolve("snapshots"), only);
        main("another\n");
        opens(folder, only);
    }

    @Test
    void ofSeveralSnapshotsTheMainBranchsIsOpened() throws IOException {
        snapshot("1111");
        Path second = snapshot("2222");
        refuses(folder, "2 snapshots", "\"1111\", \"2222\"", "Name the folder of one");
        main("2222\n");
        opens(folder, second);
        for (String other : new String[] {"3333", "..", "../snapshots/2222", "", "x".repeat(300)}) {
            main(other);
            refuses(folder, "2 snapshots", folder.resolve("snapshots").toString());
        }
        Files.write(folder.resolve("refs/main"), new byte[] {(byte) 0xFF, (byte) 0xFE});
        refuses(folder, "2 snapshots");
    }

    @Test
    void aCacheWithoutAModelSaysSo() throws IOException {
        Files.createDirectories(folder.resolve("snapshots"));
        refuses(folder, "no snapshot", "fetch the model again");
        Path unfinished = Files.createDirectory(folder.resolve("snapshots/4a2f"));
        refuses(folder, unfinished.toString(), "it is empty");
        Files.writeString(unfinished.resolve("config.json"), "{}");
        refuses(folder, unfinished.toString(), "no model.safetensors");
    }

    @Test
    void aModelBesideSnapshotsIsTheModel() throws IOException {
        snapshot("1111");
        snapshot("2222");
        Path own = Files.write(folder.resolve("model.safetensors"), TinyFiles.safetensors());
        opens(folder, folder);
        Files.delete(own);
        opens(Files.write(folder.resolve("a.gguf"), TinyFiles.gguf(3)), folder.resolve("a.gguf"));
        opens(folder, folder.resolve("a.gguf"));
    }

    @Test
    void anAdapterIsCalledByItsName() throws IOException {
        Path weights =
                Files.write(folder.resolve("adapter_model.safetensors"), TinyFiles.safetensors());
        refuses(folder, folder.toString(), "adapter", "its base model by");
        refuses(weights, folder.toString(), "adapter");
        Path config = folder.resolve("adapter_config.json");
        Files.writeString(config, "{\"r\": [8], \"base_model_name_or_path\": \"owner/base\\n\"}");
        refuses(folder, "its base model \"owner/base\\u000a\" by PEFT's merge_and_unload");
        refuses(config, "owner/base");
        for (String bad :
                new String[] {
                    "", "[", "null", "{\"base_model_name_or_path\": null}", "[".repeat(99)
                }) {
            Files.writeString(config, bad);
            refuses(folder, "adapter", "its base model by");
        }
        Files.write(folder.resolve("model.safetensors"), TinyFiles.safetensors());
        opens(folder, folder);
    }

    @Test
    void shardsWithoutTheirIndexSayWhatIsMissing() throws IOException {
        Path shard =
                Files.write(
                        folder.resolve("model-00002-of-00003.safetensors"),
                        TinyFiles.safetensors());
        for (Path named : new Path[] {folder, shard}) {
            refuses(
                    named,
                    shard.toString(),
                    "model.safetensors.index.json, model-00001-of-00003.safetensors, model-00003-of-00003.safetensors are missing");
        }
        Path bin = Files.createDirectory(folder.resolve("bin"));
        for (int i = 1; i <= 2; i++) {
            Files.write(
                    bin.resolve("pytorch_model-0000" + i + "-of-00002.bin"), TinyFiles.archive());
        }
        refuses(bin, "pytorch_model.bin.index.json is missing");
        refuses(bin.resolve("pytorch_model-00001-of-00002.bin"), "index.json is missing");
    }

    @Test
    void missingShardsAreNamedShortly() throws IOException {
        Path shard = folder.resolve("model-00001-of-99999.safetensors");
        Files.write(shard, TinyFiles.safetensors());
        refuses(shard, "model-00002-of-99999.safetensors", "and 99991 more are missing");
        Files.writeString(
                folder.resolve("model.safetensors.index.json"),
                "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
        refuses(folder, "one.safetensors, two.safetensors are missing");
    }

    @Test
    void anOnlyShardNeedsNoIndex() throws IOException {
        Path shard = folder.resolve("model-00001-of-00001.safetensors");
        Files.write(shard, TinyFiles.safetensors());
        opens(shard, shard);
    }

    @Test
    void namesHaveTheirOwnDigitsInEveryLocale() throws IOException {
        Locale before = Locale.getDefault();
        Locale.setDefault(Locale.forLanguageTag("fa-IR"));
        try {
            Path shard = folder.resolve("model-00002-of-00003.safetensors");
            Files.write(shard, TinyFiles.safetensors());
            refuses(
                    shard,
                    "index.json, model-00001-of-00003.safetensors, model-00003-of-00003.safetensors are missing");
        } finally {
            Locale.setDefault(before);
        }
    }

    @Test
    void aShardThatItsIndexDoesNotNameIsRefused() throws IOException {
        Path index = folder.resolve("model.safetensors.index.json");
        Path shard = folder.resolve("model-00001-of-00001.safetensors");
        Files.write(shard, TinyFiles.safetensors());
        Files.copy(shard, folder.resolve("other.safetensors"));
        String tensor;
        try (ModelFile file = ModelFiles.open(folder.resolve("other.safetensors"))) {
            tensor = file.tensors().keySet().iterator().next();
        }
        Files.writeString(index, "{\"weight_map\": {\"" + tensor + "\": \"other.safetensors\"}}");
        refuses(shard, index.toString(), "does not name the shard \"model-00001-of-00001");
        opens(index, folder);
        opens(folder, folder);
    }

    @Test
    void whatIsNamedLikeAShardOnlyIsAFile() throws IOException {
        for (String name :
                new String[] {
                    "model-00003-of-00002.safetensors",
                    "model-00000-of-00002.safetensors",
                    "model-1-of-2.safetensors",
                    "-00001-of-00002.safetensors"
                }) {
            Path file = Files.write(folder.resolve(name), TinyFiles.safetensors());
            opens(file, file);
        }
        Path gguf = Files.write(folder.resolve("m-00001-of-00002.safetensors"), TinyFiles.gguf(3));
        opens(gguf, gguf);
    }

    @Test
    void letsTheDisksErrorsThrough() {
        for (String name : new String[] {"absent", "config.json", "adapter_config.json"}) {
            assertThatThrownBy(() -> ModelFiles.open(folder.resolve(name)))
                    .isInstanceOf(NoSuchFileException.class);
        }
    }

    /**
     * Agreement with Python's gguf package was checked once for the whole file; these figures stand
     * for it.
     */
    @Test
    void readsTheDefaultModelWhereItIsAtHand() throws IOException {
        String path = System.getenv("FLAGSHIP_TEST_SMOLLM2");
        Assumptions.assumeTrue(path != null, "FLAGSHIP_TEST_SMOLLM2 names no file");
        try (ModelFile file = ModelFiles.open(Path.of(String.valueOf(path)))) {
            GgufMetadata metadata = ((GgufFile) file).metadata();
            assertThat(file.tensors()).hasSize(272);
            assertThat(file.tensor("token_embd.weight").offset()).isEqualTo(1_785_664);
            assertThat(file.tensor("blk.0.ffn_down.weight").shape()).containsExactly(576L, 1536L);
            assertThat(metadata.strings("tokenizer.ggml.tokens")).hasSize(49_152);
            assertThat(metadata.strings("tokenizer.ggml.merges")).hasSize(48_900);
            assertThat(metadata.ints("tokenizer.ggml.token_type")).hasSize(49_152);
            assertThat(metadata.real("llama.rope.freq_base")).isEqualTo(100_000);
        }
    }
}
