package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A template that cannot be used is said, and refuses conversations alone. */
@Timeout(60)
class ModelTemplateTest {
    private static final String FILE = "chat_template.jinja";

    @TempDir Path temp;

    private static final class Warnings implements LoadListener {
        private final List<String> heard = new ArrayList<>();
        private final List<String> stages = new ArrayList<>();

        @Override
        public void progress(String stage, long done, long total) {
            if (done == 0) {
                stages.add(stage);
            }
        }

        @Override
        public void warning(String message) {
            heard.add(message);
        }
    }

    static Stream<Arguments> unusable() {
        return Stream.of(
                Arguments.of("a\n{% include 'x' %}", "line 2", "include"),
                Arguments.of("\n\n{% if %}", "line 3", ""),
                Arguments.of("{{ a", "line 1", ""),
                Arguments.of("\n{{ a|nosuch }}", "line 2", "filter \"nosuch\""),
                Arguments.of("{% for a in b %}\n{% endif %}", "line 2", "for of line 1"),
                Arguments.of("x".repeat(300_000), "line 1", "300000 characters"));
    }

    private Path folder(String template) throws IOException {
        Path folder = TinyModels.roomy(temp);
        Files.writeString(folder.resolve(FILE), template);
        return folder;
    }

    private static LoadOptions options() {
        return LoadOptions.of("tiny").withKernels("scalar").withThreads(1).withContext(64);
    }

    private static Prompt hi() {
        return new Prompt.Conversation(List.of(Message.user("ab")));
    }

    @ParameterizedTest
    @MethodSource("unusable")
    void isAWarningAtLoadAndARefusalAtUse(String template, String line, String construct)
            throws IOException {
        refusesChats(folder(template), template, line, construct);
    }

    /** As most folders bring it. */
    @ParameterizedTest
    @MethodSource("unusable")
    void isSoInTokenizerConfigToo(String template, String line, String construct)
            throws IOException {
        Path folder = TinyModels.roomy(temp);
        Path config = folder.resolve("tokenizer_config.json");
        JsonNode json = JsonMapper.shared().readTree(Files.readString(config));
        ((ObjectNode) json).put("chat_template", template);
        Files.writeString(config, json.toString());
        refusesChats(folder, template, line, construct);
    }

    private static void refusesChats(Path folder, String template, String line, String construct)
            throws IOException {
        var warnings = new Warnings();
        try (TextModel model = TextModel.open(folder, options(), warnings)) {
            assertThat(warnings.heard).isEmpty();
            assertThat(model.chatRefusal()).get().asString().contains(line, construct);
            assertThat(model.ids(new Prompt.Raw("ab"))).isNotEmpty();
            assertThatThrownBy(() -> model.ids(hi()))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll(
                            "Model tiny", line, construct, "run --raw", "--chat-template FILE")
                    .extracting(e -> ((RequestException) e).code())
                    .isEqualTo("invalid_prompt");
        }
        LoadOptions forChats = options().withTemplate(ModelTemplate.Own.REQUIRED);
        assertThatThrownBy(() -> TextModel.open(folder, forChats, warnings))
                .isInstanceOf(LoadException.class)
                .hasMessageContainingAll(
                        folder.toString(), line, construct, "--raw", "--chat-template FILE");
        assertThat(warnings.stages).as("packed once, for text").containsExactly("Packing weights");

        ModelSummary shown = ModelSummary.read(folder);
        assertThat(shown.templateSource()).hasValue(template);
        JsonNode json = JsonMapper.shared().readTree(shown.json(shown.templateWarning()));
        assertThat(json.get("chat_template").asString()).isEqualTo(template);
        assertThat(json.get("chat_template_error").asString()).contains(line, construct);
    }

    @Test
    void isKeptByQuantising() throws IOException {
        String template = "{% include 'x' %}";
        Path made = temp.resolve("made.gguf");
        var warnings = new Warnings();
        try (var file =
                QuantizedFile.open(
                        folder(template),
                        made,
                        new QuantizedFile.Options(QuantMix.Q8_0, 1, false),
                        warnings)) {
            file.write();
        }
        assertThat(ModelSummary.read(made).templateSource()).hasValue(template);
        try (TextModel model = TextModel.open(made, options(), warnings)) {
            assertThat(model.chatRefusal()).get().asString().contains("line 1", "include");
        }
    }

    @Test
    void anEmptyFileOrNoneIsNoTemplate() throws IOException {
        Path file = temp.resolve("empty.jinja");
        Files.writeString(file, " \n");
        assertThatThrownBy(() -> ModelTemplate.read(file))
                .isInstanceOf(LoadException.class)
                .hasMessageContainingAll("empty.jinja", "lay out nothing", "show --template");
        assertThatThrownBy(() -> ModelTemplate.read(Path.of("")))
                .isInstanceOf(LoadException.class)
                .hasMessageContaining("names no file");
    }

    /** Jinja compiles these too, and fails when they are rendered. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "\n{{ messages|center }}",
                "{% for m in messages %}\n{{ m.content.nosuch() }}{% endfor %}",
                "{% for m in messages %}{% if m.role == 'system' %}\n{{ m|nosuch }}{% endif %}{% endfor %}",
            })
    void thatFailsOnOrdinaryConversationsIsAWarningToo(String template) throws IOException {
        var conversation =
                new Prompt.Conversation(List.of(new Message("system", "ab"), Message.user("ab")));
        Path folder = folder(template);
        var warnings = new Warnings();
        try (TextModel model = TextModel.open(folder, options(), warnings)) {
            assertThat(warnings.heard)
                    .singleElement()
                    .asString()
                    .contains("The model's chat template fails", "line 2", "--chat-template FILE");
            assertThatThrownBy(() -> model.ids(conversation))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("line 2", "run --raw", "--chat-template FILE");
        }
        Path file = temp.resolve("given.jinja");
        Files.writeString(file, template);
        warnings.heard.clear();
        LoadOptions options = options().withTemplate(ModelTemplate.read(file));
        try (TextModel model = TextModel.open(folder, options, warnings)) {
            assertThat(warnings.heard)
                    .singleElement()
                    .asString()
                    .contains("chat template " + file + " fails", "line 2", "Correct it")
                    .doesNotContain("--chat-template FILE");
            assertThatThrownBy(() -> model.ids(conversation))
                    .isInstanceOf(RequestException.class)
                    .hasMessageContainingAll("line 2", "--chat-template gave", "Correct it")
                    .hasMessageNotContainingAny("--chat-template FILE", temp.toString());
        }
    }

    /** Clients see it as well as terminals; some templates refuse every system message. */
    @Test
    void thatRefusesIsNoWarningAndItsWordsSteerNoTerminal() throws IOException {
        var warnings = new Warnings();
        Path folder = folder("{{ raise_exception('No\\u001b[2J\\n way' ~ '!' * 5000) }}");
        try (TextModel model = TextModel.open(folder, options(), warnings)) {
            assertThat(warnings.heard).isEmpty();
            assertThatThrownBy(() -> model.ids(hi()))
                    .isInstanceOf(RequestException.class)
                    .message()
                    .startsWith("The model's chat template says: \"No\\u001b[2J\\n way!!!")
                    .hasSizeLessThan(1050);
        }
    }

    @Test
    void givesWayToOneThatIsGiven() throws IOException {
        Path file = temp.resolve("other.jinja");
        Files.writeString(file, "{% for m in messages %}{{ m.content }}z{% endfor %}");
        ModelTemplate.Usable other = ModelTemplate.read(file);
        Path folder = folder("");
        for (String own : List.of("{% include 'x' %}", "own", "")) {
            Files.writeString(folder.resolve(FILE), own);
            if (own.isEmpty()) {
                Files.delete(folder.resolve(FILE));
            }
            var warnings = new Warnings();
            LoadOptions options = options().withTemplate(other).withThreads(1);
            try (TextModel model = TextModel.open(folder, options, warnings)) {
                assertThat(warnings.heard).isEmpty();
                assertThat(model.chatRefusal()).isEmpty();
                assertThat(model.ids(hi()))
                        .isEqualTo(new int[] {id(model, "a"), id(model, "b"), id(model, "z")});
            }
        }
    }

    private static int id(TextModel model, String token) {
        return model.tokenizer().id(token).orElseThrow();
    }
}
