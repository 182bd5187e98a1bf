package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.Numerics;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels compute with packed weights alone: who cuts a model's own file short harms nobody. */
@EnabledOnOs(OS.LINUX) // the system tells there what is mapped
class ForeignMappingsTest {
    private static final int[] IDS = {1, 5, 9, 2};

    @TempDir Path temp;

    private Path packed() {
        return temp.resolve("packed");
    }

    private LoadOptions options(String rung) {
        return LoadOptions.of("tiny").withNumerics(Numerics.FAST).withKernels(rung).withThreads(2);
    }

    private static float[] logits(LoadedModel model) {
        try (Passes passes = Passes.of(model)) {
            return passes.forward(IDS).getLast();
        }
    }

    /** Files below a folder that this process has mapped. */
    private static List<Path> mapped(Path folder) throws IOException {
        Path real = folder.toRealPath();
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(" " + real + "/"))
                    .map(line -> Path.of(line.substring(line.indexOf(" /") + 1)))
                    .distinct()
                    .toList();
        }
    }

    @ParameterizedTest(name = "{0} on {1}, kept {2}")
    @CsvSource({
        "gguf, scalar, true",
        "gguf, vector, true",
        "gguf, x86, true",
        "gguf, x86, false",
        "safetensors, x86, true",
        "safetensors, vector, false"
    })
    void kernelsNeverSeeTheModelsOwnFile(String container, String rung, boolean kept)
            throws IOException {
        Rung.assume(rung);
        Path own = Files.createDirectory(temp.resolve("own"));
        Path model =
                container.equals("gguf")
                        ? TinyModels.gguf("quantised-q4_1", own)
                        : TinyModels.huggingFace("llama", own);
        LoadOptions options = kept ? options(rung).withPackedFolder(packed()) : options(rung);
        try (LoadedModel loaded = LoadedModel.load(model, options, LoadListener.SILENT)) {
            float[] whole = logits(loaded);
            assertThat(mapped(own)).isEmpty();
            if (kept) {
                assertThat(mapped(packed())).hasSize(1);
            }
            for (Path file : files(own)) {
                cutShort(file);
            }
            assertThat(logits(loaded)).isEqualTo(whole);
        }
    }

    private static List<Path> files(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(Files::isRegularFile).toList();
        }
    }

    private static void cutShort(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(0);
        }
    }

    /** Another process may find the file damaged, and make it again, while this one computes. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "vector", "x86"})
    void packedWeightsThatAreMadeAgainLeaveOlderMappingsWhole(String rung) throws IOException {
        Rung.assume(rung);
        Path model = TinyModels.gguf("quantised-q4_1", temp);
        LoadOptions options = options(rung).withPackedFolder(packed());
        try (LoadedModel first = LoadedModel.load(model, options, LoadListener.SILENT)) {
            float[] whole = logits(first);
            Path file = mapped(packed()).getFirst();
            Path damaged = Files.writeString(temp.resolve("damaged"), "short");
            Files.move(damaged, file, StandardCopyOption.REPLACE_EXISTING);
            List<String> warnings = new ArrayList<>();
            LoadListener listener =
                    new LoadListener() {
                        @Override
                        public void progress(String stage, long done, long total) {}

                        @Override
                        public void warning(String message) {
                            warnings.add(message);
                        }
                    };
            try (LoadedModel second = LoadedModel.load(model, options, listener)) {
                assertThat(warnings).singleElement().asString().contains("are made again");
                assertThat(logits(second)).isEqualTo(whole);
            }
            assertThat(logits(first)).isEqualTo(whole);
        }
    }
}
