package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.Numerics;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class PerplexityTest {
    @TempDir Path temp;

    /** One window takes minutes of a large model. */
    @Test
    void tellsHowFarItIsWithinAWindowAndInWhichNumericsItComputed() throws IOException {
        Path model = TinyModels.roomy(temp);
        List<Long> told = new ArrayList<>();
        var listener =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        if (stage.contains("perplexity")) {
                            assertThat(done).isBetween(0L, total);
                            told.add(done);
                        }
                    }

                    @Override
                    public void warning(String message) {}
                };
        for (Numerics numerics : Numerics.values()) {
            told.clear();
            var options =
                    LoadOptions.of("tiny")
                            .withKernels("scalar")
                            .withThreads(1)
                            .withNumerics(numerics);
            Perplexity perplexity = Perplexity.of(model, "ab".repeat(400), options, listener);
            assertThat(perplexity.tokens()).as("one window").isBetween(300, 1023);
            assertThat(perplexity.numerics()).isEqualTo(numerics);
            assertThat(told).isSorted().doesNotHaveDuplicates().hasSizeGreaterThan(3);
            assertThat(told.getLast()).isEqualTo(800);
        }
    }
}
