package dev.flagship.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.FlagshipException;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.api.Chat;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Sampling;
import dev.flagship.testing.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tiny random model, as a program loads and asks it. */
final class FlagshipTest {
    @TempDir private Path folder = Path.of("");

    private Path model = Path.of("");

    @BeforeEach
    void prepare() throws IOException {
        model = Files.createDirectories(folder.resolve("tiny"));
        for (String file :
                List.of(
                        "config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "tokenizer_config.json")) {
            Golden.extract("llama/llama3/" + file, model);
        }
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{% for m in messages %}{{ m['content'] + '\\n' }}{% endfor %}");
    }

    @Test
    void chatsAndStreams() throws Exception {
        try (ChatModel tiny = Flagship.model(model).home(folder.resolve("home")).load()) {
            assertThat(tiny.info().id()).isEqualTo("tiny");
            var whole = new Chat(tiny, List.of(), r -> r.withSampling(Sampling.greedy()));
            var pieces = new Chat(tiny, List.of(), r -> r.withSampling(Sampling.greedy()));
            var text = new StringBuilder();
            pieces.say("abc", text::append);
            assertThat(whole.say("abc")).isEqualTo(text.toString()).isNotEmpty();
        }
    }

    @Test
    void takesOptionsAndTellsOfLoading() throws Exception {
        var stages = new TreeSet<String>();
        List<String> warnings = new ArrayList<>();
        LoadListener ears =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        stages.add(stage);
                    }

                    @Override
                    public void warning(String message) {
                        warnings.add(message);
                    }
                };
        Path home = folder.resolve("home");
        try (ChatModel tiny =
                Flagship.model(model.toString())
                        .home(home)
                        .options(o -> o.withContext(32).withKernels("scalar"))
                        .listener(ears)
                        .load()) {
            assertThat(tiny.info().contextLength()).isEqualTo(32);
            assertThat(tiny.info().rung()).isEqualTo("scalar");
        }
        assertThat(stages).isNotEmpty();
        assertThat(warnings).isEmpty();
        assertThat(home.resolve("packed")).isDirectory();
    }

    @Test
    void whatIsNotThereIsToldByItsName() {
        assertThatThrownBy(() -> Flagship.load("no-such-model"))
                .isInstanceOf(FlagshipException.class)
                .hasMessageContaining("no-such-model");
        assertThatThrownBy(() -> Flagship.load(folder.resolve("none.gguf")))
                .isInstanceOf(FlagshipException.class)
                .hasMessageContaining("none.gguf");
    }
}
