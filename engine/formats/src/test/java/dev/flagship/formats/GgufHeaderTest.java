package dev.flagship.formats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.hostile.TinyFiles;
import dev.flagship.tensor.DType;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GgufHeaderTest {
    @TempDir private Path temp;

    private Path file(byte[] bytes) throws IOException {
        return Files.write(temp.resolve("model.gguf"), bytes);
    }

    @Test
    void copiesPairsOfEveryTypeAsTheyAre() throws IOException {
        byte[] source = TinyFiles.gguf(3);
        GgufHeader header = new GgufHeader();
        try (GgufFile read = GgufFile.open(file(source))) {
            read.metadata().keys().forEach(key -> header.copy(read.metadata(), key));
        }
        // Keys and values, from behind the counts to the first tensor's name.
        String text = new String(source, StandardCharsets.ISO_8859_1);
        byte[] pairs = Arrays.copyOfRange(source, 24, text.indexOf("matrix") - 8);
        byte[] copied = header.bytes();
        assertThat(Arrays.copyOfRange(copied, 24, 24 + pairs.length)).isEqualTo(pairs);
        assertThat(header.has("nested")).isTrue();
        assertThat(copied.length).isLessThan(24 + pairs.length + 32);
    }

    @Test
    void readsBackWhatWasWritten() throws IOException {
        GgufHeader header = new GgufHeader();
        header.text("general.architecture", "llama");
        header.integer("n", 7);
        header.real("x", 1.5f);
        header.flag("yes", true);
        header.texts("words", List.of("a", "", "\u4f60"));
        header.integers("ids", new int[] {-1, 2});
        header.reals("scores", new float[] {-0.5f, 3});
        header.tensor("m", DType.Q4_0, List.of(3L, 64L));
        header.tensor("v", DType.F32, List.of(5L));
        byte[] bytes = Arrays.copyOf(header.bytes(), Math.toIntExact(header.fileBytes()));
        try (GgufFile read = GgufFile.open(file(bytes))) {
            GgufMetadata meta = read.metadata();
            assertThat(meta.string("general.architecture")).isEqualTo("llama");
            assertThat(meta.int32("n")).isEqualTo(7);
            assertThat(meta.real("x")).isEqualTo(1.5);
            assertThat(meta.bool("yes")).isTrue();
            assertThat(meta.strings("words")).containsExactly("a", "", "\u4f60");
            assertThat(meta.ints("ids")).containsExactly(-1, 2);
            assertThat(meta.floats("scores")).containsExactly(-0.5f, 3);
            assertThat(read.tensors().values()).containsExactlyElementsOf(header.entries());
        }
    }

    @Test
    void aKeyComesOnce() {
        GgufHeader header = new GgufHeader();
        header.integer("n", 7);
        assertThatThrownBy(() -> header.text("n", "seven"))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("\"n\"");
    }
}
