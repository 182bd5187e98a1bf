package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.RunningLoop.Answer;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import dev.flagship.testing.LeakCheck;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LeakTest {
    private static final ChatRequest REQUEST =
            new ChatRequest(
                    new Prompt.Tokens(List.of(5, 6, 7)),
                    Sampling.at(1, 3),
                    OptionalInt.of(20),
                    List.of(),
                    OptionalInt.empty());

    @TempDir Path temp;

    @ParameterizedTest
    @ValueSource(strings = {"vector", "x86"})
    void aHundredLoadsAndUnloadsGiveEverythingBack(String rung) throws Exception {
        Rung.assume(rung);
        Path gguf = TinyModels.gguf("quantised-q4_1", temp);
        Path folder = TinyModels.huggingFace("llama31", temp);
        LoadOptions fresh = LoadOptions.of("tiny").withKernels(rung).withThreads(2);
        LoadOptions kept = fresh.withPackedFolder(temp.resolve("packed"));
        LeakCheck.around(() -> {
            for (int i = 0; i < 100; i++) {
                Path path = i % 2 == 0 ? gguf : folder;
                try (TextModel model =
                        TextModel.open(path, i % 4 < 2 ? fresh : kept, LoadListener.SILENT)) {
                    var generation = model.generate(REQUEST);
                    if (i % 5 == 0) {
                        generation.next(); // and is closed while it runs
                    } else {
                        Answer.of(generation);
                    }
                }
            }
        });
        assertThat(ModelThreads.alive()).isEmpty();
    }
}
