package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates against Jinja as transformers sets it up (tools/golden/tokenizer/templates.py). */
class ChatTemplateGoldenTest {
    static final LocalDateTime NOW = LocalDateTime.of(2026, 2, 5, 9, 7, 3);

    /** The published templates, which are not part of the project. */
    static final Path PUBLISHED =
            Path.of(
                    System.getProperty(
                            "flagship.chat-templates",
                            System.getProperty("flagship.root", ".")
                                    + "/../shared/data/chat-templates.json"));

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

    /**
     * Names are in the goldens, so that each case is counted, and seen skipped, without the file.
     */
    static Stream<Arguments> publishedCases() throws IOException {
        int conversations = conversations().size();
        assertThat(conversations).isGreaterThanOrEqualTo(12);
        return published().entries().keySet().stream()
                .flatMap(name ->
                        IntStream.range(0, conversations).mapToObj(i -> Arguments.of(name, i)));
    }

    private static TemplateValue.Mapping published() throws IOException {
        return (TemplateValue.Mapping)
                Goldens.field(Goldens.json(Goldens.open("published.golden.json.gz")), "outputs");
    }

    @ParameterizedTest(name = "{0}, conversation {1}")
    @MethodSource("publishedCases")
    void publishedTemplatesEqualTransformers(String name, int conversation) throws IOException {
        assumeTrue(
                Files.exists(PUBLISHED),
                () ->
                        "%s is not here (-Dflagship.chat-templates=FILE names another); our own templates are tested alone"
                                .formatted(PUBLISHED));
        TemplateValue template = Goldens.field(Goldens.json(Files.newInputStream(PUBLISHED)), name);
        SoftAssertions softly = new SoftAssertions();
        compare(
                softly,
                Goldens.field(template, "template").toString(),
                variables(
                        conversations().get(conversation),
                        Goldens.field(template, "bos_token").toString(),
                        Goldens.field(template, "eos_token").toString()),
                Goldens.item(Goldens.field(published(), name), conversation),
                name);
        softly.assertAll();
    }

    /** Compares a template of that name, from wherever it is, on all conversations. */
    static void compareAll(String name, String source, String bos, String eos) throws IOException {
        List<TemplateValue> conversations = conversations();
        assertThat(conversations).hasSizeGreaterThanOrEqualTo(12);
        SoftAssertions softly = new SoftAssertions();
        for (int i = 0; i < conversations.size(); i++) {
            compare(
                    softly,
                    source,
                    variables(conversations.get(i), bos, eos),
                    Goldens.item(Goldens.field(published(), name), i),
                    name + ", conversation " + i);
        }
        softly.assertAll();
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

    /** The layouts of the published models in our own words, which are here on every machine. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama2",
                "llama3",
                "llama3.1",
                "llama3.2",
                "zephyr",
                "mistral",
                "mistral-tools",
                "chatml"
            })
    void layoutsOfPublishedModelsEqualTransformers(String style) throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("own.golden.json.gz"));
        TemplateValue template = Goldens.field(Goldens.field(golden, "styles"), style);
        List<TemplateValue> conversations = conversations();
        SoftAssertions softly = new SoftAssertions();
        int laidOut = 0;
        for (int i = 0; i < conversations.size(); i++) {
            TemplateValue expected = Goldens.item(Goldens.field(template, "outputs"), i);
            laidOut += expected == TemplateValue.None.NONE ? 0 : 1;
            compare(
                    softly,
                    Goldens.field(template, "source").toString(),
                    variables(
                            conversations.get(i),
                            Goldens.field(template, "bos_token").toString(),
                            Goldens.field(template, "eos_token").toString()),
                    expected,
                    "conversation " + i);
        }
        softly.assertAll();
        assertThat(laidOut).isGreaterThanOrEqualTo(12);
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

    /**
     * Which templates are refused before they are rendered, where, and what is said (compiled.py).
     */
    @Test
    void templatesAreRefusedWhereJinjaDoesNotCompileThem() throws IOException {
        Pattern block =
                Pattern.compile(
                        ".*looking for(?: the following tags:)? (.*)\\. .*closed is '(.+)'\\.");
        Pattern word = Pattern.compile("'(\\w+)'");
        List<TemplateValue> templates =
                ((TemplateValue.Items)
                                Goldens.field(
                                        Goldens.json(Goldens.open("compiled.golden.json.gz")),
                                        "templates"))
                        .values();
        assertThat(templates).hasSizeGreaterThan(150);
        SoftAssertions softly = new SoftAssertions();
        for (TemplateValue template : templates) {
            String source = Goldens.field(template, "source").toString();
            TemplateValue refusal = Goldens.field(template, "refusal");
            Throwable thrown = catchThrowable(() -> ChatTemplate.parse(source));
            if (refusal == TemplateValue.None.NONE) {
                softly.assertThat(thrown).as(source).isNull();
                continue;
            }
            String message = Goldens.field(refusal, "message").toString();
            List<String> words = new ArrayList<>();
            long line = ((TemplateValue.Int) Goldens.field(refusal, "line")).value();
            words.add("chat template, line " + line + ":");
            Matcher open = block.matcher(message);
            if (open.matches()) {
                words.add("the " + open.group(2) + " of line");
                words.add("is still open");
                words.add(open.group(1).replace("'", ""));
            }
            Matcher name = word.matcher(message.replaceFirst(" Jinja .*", ""));
            while (name.find()) {
                words.add('"' + name.group(1) + '"');
            }
            softly.assertThat(thrown)
                    .as(source)
                    .isInstanceOf(TemplateException.class)
                    .hasMessageContainingAll(words.toArray(String[]::new));
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
