package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Templates against Jinja as transformers sets it up (tools/golden/tokenizer/templates.py). */
class ChatTemplateGoldenTest {
    static final LocalDateTime NOW = LocalDateTime.of(2026, 2, 5, 9, 7, 3);

    /** The published templates, which are not part of the project. */
    static final Path PUBLISHED =
            Path.of(System.getProperty("flagship.root", "."), "../shared/data/chat-templates.json");

    static Map<String, TemplateValue> variables(
            TemplateValue conversation, String bos, String eos) {
        Map<String, TemplateValue> variables = new LinkedHashMap<>();
        variables.put("tools", TemplateValue.none());
        variables.put("documents", TemplateValue.none());
        variables.put("bos_token", TemplateValue.trusted(bos));
        variables.put("eos_token", TemplateValue.trusted(eos));
        variables.putAll(((TemplateValue.Mapping) conversation).entries());
        return variables;
    }

    private static List<TemplateValue> conversations() throws IOException {
        return ((TemplateValue.Items) Goldens.json(Goldens.open("conversations.json.gz"))).values();
    }

    private static void compare(
            SoftAssertions softly,
            String source,
            Map<String, TemplateValue> variables,
            TemplateValue expected,
            String what) {
        if (expected == TemplateValue.None.NONE) {
            softly.assertThatThrownBy(
                            () -> ChatTemplate.parse(source).render(variables, NOW, 100_000).text())
                    .as(what)
                    .isInstanceOf(TemplateException.class);
            return;
        }
        try {
            RenderedPrompt prompt = ChatTemplate.parse(source).render(variables, NOW, 100_000);
            softly.assertThat(prompt.text()).as(what).isEqualTo(expected.toString());
        } catch (TemplateException e) {
            softly.fail(what + ": " + e.getMessage());
        }
    }

    @TestFactory
    Stream<DynamicTest> publishedTemplatesEqualTransformers() throws IOException {
        assumeTrue(
                Files.exists(PUBLISHED),
                "shared/data/chat-templates.json is not here; our own templates are tested alone");
        TemplateValue templates = Goldens.json(Files.newInputStream(PUBLISHED));
        TemplateValue outputs =
                Goldens.field(Goldens.json(Goldens.open("published.golden.json.gz")), "outputs");
        List<TemplateValue> conversations = conversations();
        return ((TemplateValue.Mapping) outputs)
                .entries().entrySet().stream()
                        .map(entry ->
                                DynamicTest.dynamicTest(
                                        entry.getKey(),
                                        () -> {
                                            TemplateValue template =
                                                    Goldens.field(templates, entry.getKey());
                                            String bos =
                                                    Goldens.field(template, "bos_token").toString();
                                            String eos =
                                                    Goldens.field(template, "eos_token").toString();
                                            String source =
                                                    Goldens.field(template, "template").toString();
                                            assertThat(conversations)
                                                    .hasSizeGreaterThanOrEqualTo(12);
                                            SoftAssertions softly = new SoftAssertions();
                                            for (int i = 0; i < conversations.size(); i++) {
                                                compare(
                                                        softly,
                                                        source,
                                                        variables(conversations.get(i), bos, eos),
                                                        Goldens.item(entry.getValue(), i),
                                                        "conversation " + i);
                                            }
                                            softly.assertAll();
                                        }));
    }

    @Test
    void ownTemplatesEqualTransformers() throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("own.golden.json.gz"));
        List<TemplateValue> conversations = conversations();
        SoftAssertions softly = new SoftAssertions();
        for (TemplateValue template :
                ((TemplateValue.Items) Goldens.field(golden, "templates")).values()) {
            String source = Goldens.field(template, "source").toString();
            for (int i = 0; i < conversations.size(); i++) {
                TemplateValue expected = Goldens.item(Goldens.field(template, "outputs"), i);
                compare(
                        softly,
                        source,
                        variables(conversations.get(i), "<s>", "</s>"),
                        expected,
                        "conversation " + i);
            }
        }
        softly.assertAll();
    }

    @Test
    void expressionsEqualJinja() throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("own.golden.json.gz"));
        Map<String, TemplateValue> variables = variables(conversations().get(13), "<s>", "</s>");
        SoftAssertions softly = new SoftAssertions();
        for (TemplateValue expression :
                ((TemplateValue.Items) Goldens.field(golden, "expressions")).values()) {
            String source = Goldens.field(expression, "source").toString();
            compare(softly, source, variables, Goldens.field(expression, "output"), source);
        }
        softly.assertAll();
    }

    @Test
    void refusalsOfTheTemplateAreForTheClient() {
        ChatTemplate template = ChatTemplate.parse("{{ raise_exception('roles must alternate') }}");

        assertThatThrownBy(() -> template.render(Map.of(), NOW, 100))
                .isInstanceOfSatisfying(
                        TemplateException.class,
                        e -> {
                            assertThat(e.clientSafe()).isTrue();
                            assertThat(e.code()).isEqualTo("template_refused");
                            assertThat(e).hasMessage("roles must alternate");
                        });
    }
}
