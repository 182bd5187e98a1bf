package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.nn.Step;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.Numerics;
import dev.flagship.tokenizers.ControlTokens;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Whether the comparison sees every kind of difference: a tiny model against its own figures. */
class GreedyParityTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final String TEXT = "a b c";
    private static final int COUNT = 6;

    @TempDir Path folder;
    private LoadedModel model;
    private final ByteArrayOutputStream told = new ByteArrayOutputStream();

    @BeforeEach
    void load() throws IOException {
        Path file = folder.resolve("tiny.gguf");
        try (InputStream in =
                GreedyParityTest.class.getResourceAsStream(
                        "/dev/flagship/testing/golden/llama/quantised-q8_0.gguf")) {
            Files.copy(Objects.requireNonNull(in), file);
        }
        LoadOptions options = LoadOptions.of("tiny").withThreads(1).withNumerics(Numerics.EXACT);
        model = LoadedModel.load(file, options, LoadListener.SILENT);
    }

    @AfterEach
    void close() {
        model.close();
    }

    private static JsonNode sources() {
        return JSON.valueToTree(List.of(Map.of("name", "one", "text", TEXT)));
    }

    /** What the tiny model gives, as the reference's figures are written. */
    private ObjectNode golden() {
        int[] ids = model.tokenizer().encode(TEXT, ControlTokens.AS_TEXT);
        ObjectNode prompt = JSON.createObjectNode();
        prompt.put("name", "one").put("rendered", TEXT);
        prompt.set("ids", JSON.valueToTree(ids));
        ArrayNode generated = prompt.putArray("generated");
        ArrayNode top = prompt.putArray("top_logit");
        ArrayNode gap = prompt.putArray("gap");
        try (TeacherForced runner = new TeacherForced(model, 64)) {
            int[] next = ids;
            for (int i = 0; i < COUNT; i++) {
                float[][] row = new float[1][];
                runner.run(next, 0, next.length, Step.Wanted.LAST, l -> row[0] = l.row(0));
                int best = argmax(row[0]);
                generated.add(best);
                top.add(row[0][best]);
                gap.add(0.5);
                if (i == 0) {
                    ObjectNode first = prompt.putObject("last_prompt_top10");
                    first.putArray("ids").add(best).add(0);
                    first.putArray("logits").add(row[0][best]).add(row[0][0]);
                }
                next = new int[] {best};
            }
        }
        ObjectNode golden = JSON.createObjectNode();
        golden.putArray("prompts").add(prompt);
        return golden;
    }

    private static int argmax(float[] row) {
        int best = 0;
        for (int i = 0; i < row.length; i++) {
            best = row[i] > row[best] ? i : best;
        }
        return best;
    }

    private boolean compare(JsonNode sources, JsonNode golden) {
        told.reset();
        var out = new PrintStream(told, true, StandardCharsets.UTF_8);
        return new GreedyParity(model, out).compare(sources, golden);
    }

    private static ObjectNode prompt(ObjectNode golden) {
        return (ObjectNode) golden.path("prompts").path(0);
    }

    @Test
    void ownFiguresAreEqual() {
        assertThat(compare(sources(), golden())).as(told.toString(StandardCharsets.UTF_8)).isTrue();
    }

    @Test
    void anotherTokenIsWrongUnlessTheReferenceWasUndecided() {
        ObjectNode golden = golden();
        ArrayNode generated = (ArrayNode) prompt(golden).path("generated");
        generated.set(3, JSON.valueToTree((generated.path(3).asInt() + 1) % 300));
        assertThat(compare(sources(), golden)).isFalse();
        assertThat(told.toString(StandardCharsets.UTF_8)).contains("at token 3", "WRONG");
        ((ArrayNode) prompt(golden).path("gap")).set(3, JSON.valueToTree(5e-4));
        assertThat(compare(sources(), golden)).isTrue();
    }

    @Test
    void anotherLogitIsWrong() {
        ObjectNode top = golden();
        ArrayNode logits = (ArrayNode) prompt(top).path("top_logit");
        logits.set(5, JSON.valueToTree(logits.path(5).asDouble() + 2e-3));
        assertThat(compare(sources(), top)).isFalse();
        ObjectNode first = golden();
        ArrayNode ten = (ArrayNode) prompt(first).path("last_prompt_top10").path("logits");
        ten.set(1, JSON.valueToTree(ten.path(1).asDouble() - 2e-3));
        assertThat(compare(sources(), first)).isFalse();
    }

    @Test
    void anotherTextOrOtherIdsAreWrong() {
        ObjectNode rendered = golden();
        prompt(rendered).put("rendered", TEXT + " ");
        assertThat(compare(sources(), rendered)).isFalse();
        assertThat(told.toString(StandardCharsets.UTF_8)).contains("prompt: one");
        ObjectNode ids = golden();
        int[] other = {1, 2, 3};
        assertThat(other).isNotEqualTo(model.tokenizer().encode(TEXT, ControlTokens.AS_TEXT));
        prompt(ids).set("ids", JSON.valueToTree(other));
        assertThat(compare(sources(), ids)).isFalse();
    }

    @Test
    void aPromptThatTheReferenceDidNotRunIsMissed() {
        JsonNode two =
                JSON.valueToTree(
                        List.of(
                                Map.of("name", "one", "text", TEXT),
                                Map.of("name", "two", "text", TEXT)));
        assertThat(compare(two, golden())).isFalse();
    }
}
