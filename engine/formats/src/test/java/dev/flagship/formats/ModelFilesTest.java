package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.hostile.TinyFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
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
    void letsTheDisksErrorsThrough() {
        assertThatThrownBy(() -> ModelFiles.open(folder.resolve("absent")))
                .isInstanceOf(NoSuchFileException.class);
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
