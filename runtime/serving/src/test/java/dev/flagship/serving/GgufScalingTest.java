package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.formats.GgufFile;
import dev.flagship.formats.GgufHeader;
import dev.flagship.formats.TensorEntry;
import dev.flagship.nn.Rope;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Positions of GGUF files by every key under which converters have written their scaling. */
class GgufScalingTest {
    private static final String TYPE = "llama.rope.scaling.type";
    private static final String FACTOR = "llama.rope.scaling.factor";

    @TempDir private Path temp;

    private Rope.Scaling scaling(Consumer<GgufHeader> keys) throws IOException {
        return scaling("quantised-q8_0", keys);
    }

    private Rope.Scaling scaling(String name, Consumer<GgufHeader> keys) throws IOException {
        Path folder = Files.createTempDirectory(temp, "scaled");
        Path made = folder.resolve("scaled.gguf");
        try (GgufFile plain = GgufFile.open(TinyModels.gguf(name, folder))) {
            GgufHeader header = new GgufHeader();
            plain.metadata().keys().stream()
                    .filter(key -> !key.startsWith("llama.rope.scal"))
                    .forEach(key -> header.copy(plain.metadata(), key));
            keys.accept(header);
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
        try (GgufFile read = GgufFile.open(made)) {
            return ModelSource.read(read).config().scaling();
        }
    }

    @Test
    void aFactorScalesUnderEachOfItsNames() throws IOException {
        List<Consumer<GgufHeader>> ways =
                List.of(
                        header -> {
                            header.text(TYPE, "linear");
                            header.real(FACTOR, 4);
                        },
                        header -> header.real(FACTOR, 4),
                        header -> header.real("llama.rope.scale_linear", 4));
        for (Consumer<GgufHeader> way : ways) {
            assertThat(scaling(way))
                    .isInstanceOfSatisfying(
                            Rope.Scaling.Divisors.class,
                            by -> assertThat(by.values()).isNotEmpty().containsOnly(4f));
        }
    }

    @Test
    void noneAndZeroScaleNothing() throws IOException {
        Rope.Scaling none = new Rope.Scaling.None();
        assertThat(scaling(_ -> {})).isEqualTo(none);
        assertThat(scaling(header -> header.real(FACTOR, 0))).isEqualTo(none);
        assertThat(
                        scaling(header -> {
                            header.text(TYPE, "none");
                            header.real(FACTOR, 4);
                        }))
                .isEqualTo(none);
    }

    /** llama.cpp hands its rotation both, and this divides each frequency by their product. */
    @Test
    void aFactorScalesWhatTheTensorDividesToo() throws IOException {
        List<Float> tensor = divisors(_ -> {});
        assertThat(tensor).hasSizeGreaterThan(2).contains(1f, 8f);
        assertThat(
                        divisors(header -> {
                            header.text(TYPE, "linear");
                            header.real(FACTOR, 4);
                        }))
                .isEqualTo(tensor.stream().map(divisor -> divisor * 4).toList());
        assertThat(
                        divisors(header -> {
                            header.text(TYPE, "none");
                            header.real(FACTOR, 4);
                        }))
                .isEqualTo(tensor);
        assertThatThrownBy(() -> divisors(header -> header.text(TYPE, "yarn")))
                .isInstanceOf(LoadException.class)
                .hasMessageContainingAll("rope scaling is \"yarn\"", "This version knows");
    }

    /** Those of a file whose rope_freqs.weight is as Llama 3.1's, and which has no keys. */
    private List<Float> divisors(Consumer<GgufHeader> keys) throws IOException {
        return ((Rope.Scaling.Divisors) scaling("llama31", keys)).values();
    }

    @Test
    void aFactorThatIsNoneIsRefused() {
        for (float factor : new float[] {-2, Float.POSITIVE_INFINITY}) {
            assertThatThrownBy(() -> scaling(header -> header.real(FACTOR, factor)))
                    .as("%s", factor)
                    .isInstanceOf(LoadException.class)
                    .hasMessageContaining("rope scaling factor");
        }
    }
}
