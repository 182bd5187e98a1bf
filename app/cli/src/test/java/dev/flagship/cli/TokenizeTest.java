package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code flagship tokenize} on a vocabulary of letters and four merges: th, the, " a" and in. */
class TokenizeTest {
    private record Outcome(int code, String out, String err) {}

    @TempDir Path home;
    private String model;

    @BeforeEach
    void extract() throws Exception {
        model = TinyModel.in(home).toString();
    }

    private Outcome run(String input, String... words) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var streams =
                new Streams(
                        new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)),
                        new PrintStream(out, false, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        false,
                        false,
                        false);
        var all = new String[words.length + 1];
        all[0] = "tokenize";
        System.arraycopy(words, 0, all, 1, words.length);
        int code = Main.run(all, streams, Map.of("FLAGSHIP_HOME", home.toString()));
        streams.out().flush();
        return new Outcome(
                code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    private String out(String input, String... words) {
        var outcome = run(input, words);
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.code()).isZero();
        return outcome.out();
    }

    @Test
    void showsEachTokenAndHowManyThereAre() {
        assertThat(out("", model, "the in", "a"))
                .isEqualTo(
                        """
                              45  "the"
                              28  " "
                              47  "in"
                              46  " a"
                        4 tokens
                        """);
    }

    @Test
    void whatIsSpelledLikeAControlTokenIsText() {
        assertThat(out("", model, "a<|eos|>")).doesNotContain("  <|eos|>\n");
    }

    @Test
    void textIsPipedOrInAFileAndKeepsItsBlanks() throws Exception {
        assertThat(out("in a\n", "--ids", model)).isEqualTo("47 46\n");
        assertThat(out("in a\r\n", "--ids", model)).isEqualTo("47 46\n");
        assertThat(out(" in a \n\n", "--ids", model)).isEqualTo("28 47 46 28 29\n");
        assertThat(out("in a", "--ids", model, "-")).isEqualTo("47 46\n");
        Path file = Files.writeString(home.resolve("text"), "in a\n");
        assertThat(out("ignored", "--file", file.toString(), "--ids", model))
                .isEqualTo("47 46 29\n");
        assertThat(out("", "--ids", model)).isEqualTo("\n");
        assertThat(out("", model)).isEqualTo("0 tokens\n");
    }

    @Test
    void laysAChatOutByTheTemplate() {
        assertThat(out("", "--chat", "--ids", model, "the")).isEqualTo("45 29\n");
    }

    @Test
    void speaksJsonToPrograms() {
        assertThat(out("", "--json", model, "in a"))
                .isEqualTo(
                        "{\"count\":2,\"max_model_len\":8192,\"tokens\":[47,46],\"token_strs\":[\"in\",\"Ġa\"]}\n");
        assertThat(out("", "--json", "--decode", "47 46", model))
                .isEqualTo("{\"prompt\":\"in a\"}\n");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {"47 46", "[47, 46]", "47,46", "47;46"})
    void goesBackHoweverIdsAreWritten(String ids) {
        assertThat(out("", "--decode", ids, model)).isEqualTo("in a");
        assertThat(out(ids, "--decode", "-", model)).isEqualTo("in a");
    }

    @Test
    void spellsControlTokensOut() {
        assertThat(out("", "--decode", "0 2 1", model)).isEqualTo("<|bos|>a<|eos|>");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "2 | --ids --json MODEL x        | choose one",
                "2 | --file f MODEL x            | choose one",
                "2 | --decode 5 --chat MODEL     | --decode takes ids",
                "2 | --decode 5 MODEL x          | --decode takes ids",
                "2 | --decode x MODEL            | \"x\" is no token id",
                "2 | --decode -5 MODEL           | \"-5\" is no token id",
                "2 | --decode 9999999999 MODEL   | is no token id",
                "2 | --decode - MODEL            | --decode needs ids",
                "1 | --decode 48 MODEL           | Token id 48 is outside the vocabulary of 48",
                "1 | --file no-such MODEL        | there is no file no-such",
                "1 | ./no-such.gguf x            | no file or folder",
            })
    void refusesWhatItCannotDo(int code, String line, String message) {
        var outcome = run("", line.replace("MODEL", model).split(" +"));
        assertThat(outcome.err()).contains(message);
        assertThat(outcome.code()).isEqualTo(code);
        assertThat(outcome.out()).isEmpty();
    }

    @Test
    void refusesATextWhereAModelBelongs() {
        var outcome = run("", "How many tokens?");
        assertThat(outcome.code()).isEqualTo(2);
        assertThat(outcome.err()).contains("flagship tokenize smollm2 \"How many tokens?\"");
    }

    @Test
    void aModelWithoutTemplateTakesNoChat() throws Exception {
        Files.delete(Path.of(model).resolve("chat_template.jinja"));
        assertThat(out("", "--ids", model, "the")).isEqualTo("45\n");
        var outcome = run("", "--chat", model, "the");
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.err()).contains("brings no chat template");
    }
}
