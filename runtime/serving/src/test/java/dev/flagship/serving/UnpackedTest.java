package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.base.Bytes;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Types that take more memory than in the file. */
class UnpackedTest {
    @TempDir private Path temp;

    private static List<String> warnings(Path path) throws IOException {
        List<String> heard = new ArrayList<>();
        LoadListener listener =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {}

                    @Override
                    public void warning(String message) {
                        heard.add(message);
                    }
                };
        LoadedModel.load(path, LoadOptions.of("tiny").withKernels("scalar"), listener).close();
        return heard;
    }

    @Test
    void theLargerSizeIsAnnounced() throws IOException {
        Path path = TinyModels.gguf("quantised-iq2_xxs", temp);
        ModelSummary summary = ModelSummary.read(path);
        List<ModelSummary.Group> groups =
                summary.groups().stream().filter(g -> g.type().equals("IQ2_XXS")).toList();
        assertThat(groups).isNotEmpty();
        long weights = groups.stream().mapToLong(ModelSummary.Group::weights).sum();
        // 256 weights take 66 bytes in the file; here half a byte each, 2 for d and 8 scales.
        String inFile = Bytes.human(weights / 256 * 66);
        String inMemory = Bytes.human(weights / 256 * (128 + 2 + 8));
        assertThat(warnings(path))
                .singleElement()
                .asString()
                .contains("IQ2_XXS", inFile + " in the file", inMemory);
        assertThat(summary.weightBytes()).isGreaterThan(weights / 256 * (128 + 2 + 8));
    }

    @Test
    void typesAtTheirOwnWidthAreNot() throws IOException {
        assertThat(warnings(TinyModels.gguf("quantised-iq4_xs", temp))).isEmpty();
    }
}
