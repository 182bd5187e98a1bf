package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Words of the command line: what each exits with and where it writes. */
class MainTest {
    private record Outcome(int code, String out, String err) {}

    @TempDir Path home;

    private Outcome run(String line) {
        return run(line, "", Map.of());
    }

    private Outcome run(String line, String input, Map<String, String> more) {
        return run(line, input.getBytes(StandardCharsets.UTF_8), more);
    }

    /** Words with blanks in them, or none. */
    private Outcome runWords(String... words) {
        return run(words, new byte[0], Map.of());
    }

    private Outcome run(String line, byte[] input, Map<String, String> more) {
        return run(line.isEmpty() ? new String[0] : line.split(" ", -1), input, more);
    }

    private Outcome run(String[] words, byte[] input, Map<String, String> more) {
        var out = new ByteArrayOutputStream();
        var err = new ByteArrayOutputStream();
        var streams =
                new Streams(
                        new ByteArrayInputStream(input),
                        new PrintStream(out, false, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        false,
                        false,
                        false);
        var environment = new HashMap<>(more);
        environment.put("FLAGSHIP_HOME", home.toString());
        int code = Main.run(words, streams, environment);
        streams.out().flush();
        return new Outcome(
                code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @ValueSource(strings = {"--version", "-V"})
    void tellsItsVersionOnStdout(String flag) {
        var outcome = run(flag);
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out()).matches("flagship \\d+\\.\\d+\\.\\d+\\S* \\(Java 25\\S*\\)\\R");
        assertThat(outcome.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--help",
                "-h",
                "run --help",
                "serve -h",
                "show -h",
                "tokenize -h",
                "quantize -h",
                "doctor -h",
                "kernels dump -h"
            })
    void helpFitsATerminalAndGoesToStdout(String line) {
        var outcome = run(line);
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out()).startsWith("Usage: flagship");
        assertThat(outcome.out().lines()).allMatch(text -> text.length() <= 80);
        assertThat(outcome.err()).isEmpty();
    }

    @Test
    void helpNamesAllCommands() {
        assertThat(run("--help").out())
                .contains(
                        "  run ",
                        "  serve ",
                        "  show ",
                        "  tokenize ",
                        "  quantize ",
                        "  bench ",
                        "  doctor ",
                        "  kernels ",
                        "  test ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "                              | which command",
                "rnu                           | no command \"rnu\"",
                "run --temprature 1            | Unknown option",
                "run --te 1                    | --temperature",
                "run m --temperature -1        | --temperature -1.0",
                "run m --temperature NaN       | --temperature NaN",
                "run m --top-p 0               | --top-p 0.0",
                "run m --min-p 1               | --min-p 1.0",
                "run m --top-k -1              | --top-k -1",
                "run m --seed x                | 'x' is not a whole number",
                "run m --repeat-penalty 0      | --repeat-penalty 0.0",
                "run m --max-tokens 9999999999 | the number is too large",
                "run m --temperature hot       | 'hot' is not a number",
                "run m --max-tokens 0          | --max-tokens 0",
                "run m --threads -1            | --threads -1 is not in [0, ",
                "run m --threads 9999          | --threads 9999 is not in [0, ",
                "serve --threads 9999          | --threads 9999 is not in [0, ",
                "run m --context 3             | --context 3 is below 16 tokens; left out, it is the model's",
                "serve --context 0             | --context 0 is below 16 tokens; left out, it is the model's",
                "serve --context 99999999999   | the number is too large, at most 2147483647 can be",
                "run m --numerics quick        | neither exact nor fast",
                "run m --kv-cache q4_0 hi      | \"q4_0\" is none of f16, q8_0 and f32",
                "serve --kv-cache F16          | \"F16\" is none of f16, q8_0 and f32",
                "run m --quantize q9 hi        | \"q9\" is none of q8_0, q4_0, q4_k",
                "quantize m --to q4 -o x.gguf  | \"q4\" is none of q8_0, q4_0, q4_k",
                "quantize m --to q4_k          | --output",
                "quantize m -o x.gguf          | --to",
                "quantize --to q4_k -o x.gguf  | SOURCE",
                "quantize m -o x --to q4_k --threads -1 | --threads -1",
                "show a b                      | 'b'",
                "run m --raw --system x hi     | --raw takes no --system",
                "run m --raw                   | --raw needs a prompt",
                "run m                         | no prompt",
                "run m -                       | no prompt",
                "run Name\tthree               | flagship run smollm2",
                "serve --port 65536            | 65536",
                "serve --port -1               | --port -1",
                "serve --threads x             | 'x'",
                "kernels                       | kernels dump",
                "doctor now                    | 'now'",
                "serve smollm2                 | flagship serve --model smollm2",
                "run --model smollm2 hi        | flagship run smollm2",
                "run m --kernels fast hi       | --kernels fast: there are auto, ",
                "serve --kernels fast          | --kernels fast: there are auto, ",
                "doctor --kernels fast         | --kernels fast: there are auto, ",
                "run m --temperature 3 hi      | temperature 3.0 is not between 0 and 2",
                "run m --presence-penalty 3 hi | --presence-penalty 3",
                "version                       | flagship --version",
                "help bench                    | flagship bench --help",
                "kernels frob                  | kernels has no command \"frob\"; it has dump",
                "serve --model                 | --model",
            })
    void wrongUsageExitsWith2AndSaysWhatAndWhereToLook(String line, String message) {
        var outcome = run(line == null ? "" : line);
        assertThat(outcome.code()).isEqualTo(2);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err()).contains(message).contains("--help'").doesNotContain("\tat ");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "run smolm2 hi                      | Did you mean \"smollm2\"?",
                "run ./no-such.gguf hi              | no file or folder",
                "serve --model ./no-such.gguf       | no file or folder",
                "show ./no-such.gguf                | no file or folder",
                "quantize ./no-such.gguf --to q8_0 -o x.gguf | no file or folder",
            })
    void errorsExitWith1AndOneMessage(String line, String message) {
        var outcome = run(line);
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err()).contains(message).startsWith("flagship: ");
        assertThat(outcome.err().lines()).hasSize(1);
    }

    @Test
    void helpTellsOfACommand() {
        var outcome = run("help run");
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out()).isEqualTo(run("run --help").out()).contains("PROMPT");
    }

    @Test
    void aModelWithoutTemplateIsRefusedAtOnceWithARemedy() throws Exception {
        Path model = TinyModel.in(home);
        Files.delete(model.resolve("chat_template.jinja"));
        var outcome = run("run " + model + " the cat --kernels scalar");
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err())
                .contains("no chat template", "flagship run --raw")
                .doesNotContain("weights in");
        String flags = " --kernels scalar --max-tokens 3 --raw the";
        assertThat(run("run " + model + flags).code()).isZero();
    }

    @Test
    void aTemplateThatCannotBeUsedKeepsNobodyFromTheRest() throws Exception {
        Path model = TinyModel.in(home);
        String template = "line\n\u001b[2J\n{% include 'x' %}\n" + "more\n".repeat(50);
        Files.writeString(model.resolve("chat_template.jinja"), template);
        String flags = " --kernels scalar --max-tokens 3 ";
        var refused = run("run " + model + flags + "the");
        assertThat(refused.code()).isEqualTo(1);
        assertThat(refused.out()).isEmpty();
        assertThat(refused.err())
                .contains("line 3", "include", "flagship run --raw", "--chat-template");
        var raw = run("run " + model + flags + "--raw the");
        assertThat(raw.code()).isZero();
        assertThat(raw.out()).isNotEmpty();
        assertThat(raw.err()).doesNotContain("include");

        var shown = run("show " + model);
        assertThat(shown.code()).isZero();
        assertThat(shown.out())
                .contains(
                        "below, cannot be used: chat template, line 3",
                        "  | line\n  | \\u001b[2J\n")
                .contains("flagship show --template")
                .doesNotContain("\u001b");
        assertThat(shown.out().lines().filter(l -> l.equals("  | more"))).hasSize(37);
        assertThat(run("show --template " + model).out()).isEqualTo(template);
        assertThat(run("show --json --template " + model).code()).isEqualTo(2);
        Files.writeString(model.resolve("chat_template.jinja"), "\n{{ messages[0].nosuch() }}");
        assertThat(run("show " + model).out())
                .contains("27 characters, below\n  warning      The model's chat template fails")
                .contains("line 2", "--chat-template FILE");
        assertThat(run("show --json " + model).out())
                .contains("\"chat_template_warning\" : \"The model's chat template fails");
        Files.delete(model.resolve("chat_template.jinja"));
        assertThat(run("show " + model).out())
                .contains("none: it can only continue text", "--chat-template FILE");
        assertThat(run("show --template " + model).err()).contains("brings no chat template");
    }

    @ParameterizedTest
    @ValueSource(strings = {"--chat-template", "--chat-template-file"})
    void aTemplateOfOnesOwnTakesThePlaceOfTheModels(String flag) throws Exception {
        Path model = TinyModel.in(home);
        Path own = home.resolve("own.jinja");
        Files.writeString(own, "the cat{{ messages[0].content }}");
        String flags = " --temperature 0 --max-tokens 8 --kernels scalar ";
        String expected = run("run " + model + flags + "--raw the cat sat").out();
        assertThat(run("run " + model + flags + flag + " " + own, " sat", Map.of()).out())
                .isEqualTo(expected)
                .isNotEqualTo(run("run " + model + flags, " sat", Map.of()).out());
        Files.delete(model.resolve("chat_template.jinja"));
        var without = run("run " + model + flags + flag + " " + own, " sat", Map.of());
        assertThat(without.out()).isEqualTo(expected);
        var raw = run("run " + model + flags + "--raw x " + flag + " " + own);
        assertThat(raw.code()).isEqualTo(2);
        assertThat(raw.err()).contains("--raw takes no --chat-template");
    }

    @Test
    void aTemplateOfOnesOwnIsRefusedWithPlaceAndRemedy() throws Exception {
        Path model = TinyModel.in(home);
        Path file = home.resolve("own.jinja");
        Map<String, byte[]> bad =
                Map.of(
                        "line 2",
                        "a\n{% include 'x' %}".getBytes(StandardCharsets.UTF_8),
                        "filter \"nosuch\"",
                        "{{ a|nosuch }}".getBytes(StandardCharsets.UTF_8),
                        "the for of line 1 is still open",
                        "{% for a in b %}{% endif %}".getBytes(StandardCharsets.UTF_8),
                        "not UTF-8",
                        new byte[] {'a', (byte) 0xFF},
                        "larger than 1 MiB",
                        new byte[(1 << 20) + 1],
                        "300000 characters",
                        "x".repeat(300_000).getBytes(StandardCharsets.UTF_8));
        for (var each : bad.entrySet()) {
            Files.write(file, each.getValue());
            for (String command :
                    List.of("run " + model + " the", "serve --port 0 --model " + model)) {
                var outcome = run(command + " --kernels scalar --chat-template " + file);
                assertThat(outcome.code()).as(each.getKey()).isEqualTo(1);
                assertThat(outcome.out()).isEmpty();
                assertThat(outcome.err())
                        .startsWith("flagship: Cannot load " + file)
                        .contains(each.getKey())
                        .doesNotContain("--chat-template FILE");
            }
        }
        Files.writeString(file, "{{ messages[0].content.nosuch() }}");
        assertThat(run("run " + model + " the --kernels scalar --chat-template " + file).err())
                .containsOnlyOnce("nosuch")
                .contains("flagship: chat template, line 1", "leave --chat-template out")
                .doesNotContain("--chat-template FILE");
        Files.writeString(file, "{{ raise_exception('No\\u001b[2J way') }}");
        assertThat(run("run " + model + " the --kernels scalar --chat-template " + file).err())
                .endsWith("flagship: The chat template says: \"No\\u001b[2J way\"\n");
        assertThat(run("run " + model + " the --chat-template " + home).err())
                .contains("it is a folder");
        assertThat(run("run " + model + " the --chat-template chatml").err())
                .contains("chatml: there is no such file", "not the template");
    }

    @Test
    void anAnswerThatCannotBeWrittenIsAFailureWithItsReason() throws Exception {
        Path model = TinyModel.in(home);
        for (String reason : List.of("No space left on device", "Broken pipe")) {
            var err = new ByteArrayOutputStream();
            var full =
                    new OutputStream() {
                        @Override
                        public void write(int b) throws IOException {
                            throw new IOException(reason);
                        }
                    };
            var streams =
                    new Streams(
                            new ByteArrayInputStream(new byte[0]),
                            Output.to(full),
                            new PrintStream(err, true, StandardCharsets.UTF_8),
                            false,
                            false,
                            false);
            String[] words = {"run", model.toString(), "the", "--max-tokens", "3"};
            int code = Main.run(words, streams, Map.of("FLAGSHIP_HOME", home.toString()));
            String said = err.toString(StandardCharsets.UTF_8);
            if (reason.equals("Broken pipe")) { // whoever reads has read enough
                assertThat(code).isEqualTo(141);
                assertThat(said).doesNotContain("written");
            } else {
                assertThat(code).isEqualTo(1);
                assertThat(said).contains("cannot write the output: " + reason);
            }
        }
    }

    @Test
    void whoTypesAPromptIsToldHowToEndIt() throws Exception {
        var err = new ByteArrayOutputStream();
        var streams =
                new Streams(
                        new ByteArrayInputStream("the cat".getBytes(StandardCharsets.UTF_8)),
                        new PrintStream(new ByteArrayOutputStream(), false, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        true,
                        false,
                        true);
        String[] words = {"run", TinyModel.in(home).toString(), "-", "--max-tokens", "3"};
        assertThat(Main.run(words, streams, Map.of("FLAGSHIP_HOME", home.toString()))).isZero();
        assertThat(err.toString(StandardCharsets.UTF_8))
                .containsOnlyOnce("Ctrl-D")
                .doesNotContain("Note: waiting");
    }

    @Test
    void tracesAreShownOnRequest() {
        assertThat(run("run smolm2 hi", "", Map.of("FLAGSHIP_DEBUG", "1")).err())
                .contains("\tat dev.flagship");
    }

    @Test
    void aFileThatIsNoModelIsAnErrorWithOneMessage() throws Exception {
        Path file = Files.writeString(home.resolve("bad.gguf"), "no model");
        var outcome = run("run " + file + " hi");
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.err()).startsWith("flagship: ").contains("bad.gguf");
        assertThat(outcome.err()).doesNotContain("\tat ", "internal error");
    }

    @Test
    void answersOnStdoutAndTellsTheRestOnStderr() throws Exception {
        Path model = TinyModel.in(home);
        var outcome = run("run " + model + " the cat --seed 4 --max-tokens 12 --kernels scalar");
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out()).endsWith("\n").doesNotContain("tiny");
        assertThat(outcome.err())
                .contains(
                        "tiny: ",
                        "exact",
                        "scalar",
                        "context 8192",
                        "KV pool",
                        "in f32: room for 4");
        assertThat(run("run " + model + " the cat --seed 4 --max-tokens 12 --kernels scalar").out())
                .isEqualTo(outcome.out());
    }

    @Test
    void standardInputIsThePromptOrItsEnd() throws Exception {
        Path model = TinyModel.in(home);
        String flags = " --temperature 0 --max-tokens 12 --kernels scalar --raw";
        String typed = run("run " + model + flags + " the cat").out();
        assertThat(run("run " + model + flags, "the cat\n", Map.of()).out()).isEqualTo(typed);
        // The joint, two line breaks, is in the vocabulary as two tokens.
        String both = run("run " + model + flags + " the", "cat", Map.of()).out();
        assertThat(both).isEqualTo(run("run " + model + flags, "the\n\ncat", Map.of()).out());
    }

    @Test
    void oneThreadIsNoThreads() throws Exception {
        Path model = TinyModel.in(home);
        String line = "run " + model + " the --max-tokens 1 --kernels scalar --threads ";
        assertThat(run(line + 1).err()).contains("kernels scalar, 1 thread; context");
        assertThat(run(line + 2).err()).contains("kernels scalar, 2 threads; context");
        assertThat(ModelFlags.counted(1, "chat")).isEqualTo("1 chat");
    }

    @Test
    void aDashStandsForStandardInput() throws Exception {
        Path model = TinyModel.in(home);
        String flags = " --temperature 0 --max-tokens 12 --kernels scalar --raw";
        String expected = run("run " + model + flags, "the\n\ncat\n\nsat", Map.of()).out();
        assertThat(run("run " + model + flags + " the - sat", "cat\n", Map.of()).out())
                .isEqualTo(expected);
        String alone = run("run " + model + flags, "cat", Map.of()).out();
        assertThat(run("run " + model + flags + " -", "cat", Map.of()).out()).isEqualTo(alone);
        assertThat(run("run " + model + flags + " - cat", "", Map.of()).out()).isEqualTo(alone);
    }

    @Test
    void showsWhatAModelIsAndWhatItTakes() throws Exception {
        Path model = TinyModel.in(home);
        var outcome = run("show " + model);
        assertThat(outcome.code()).isZero();
        assertThat(outcome.err()).isEmpty();
        assertThat(outcome.out())
                .contains("safetensors, ", " in 1 file\n", "llama: 2 layers", "attention", " F32 ")
                .contains(
                        "8192 tokens\n",
                        "template  60 characters, below\n",
                        "positions      base 500000\n",
                        "\n  | {% for m in",
                        "licence        not stated");
        var json = run("show --json " + model);
        assertThat(json.code()).isZero();
        assertThat(json.out())
                .startsWith("{")
                .contains("\"trained_context\" : 8192", "\"theta\" : 500000.0")
                .contains(
                        "\"trained_context_assumed\" : false", "\"chat_template_warning\" : null");
        Path config = model.resolve("config.json");
        String told = Files.readString(config);
        Files.writeString(config, told.replace("max_position_embeddings", "unknown"));
        assertThat(run("show " + model).out()).contains("2048 tokens (assumed: no file tells)\n");
        assertThat(run("show --json " + model).out())
                .contains("\"trained_context_assumed\" : true");
    }

    /** The model is not looked for, so that nobody waits for it. */
    @Test
    void quantizeRefusesAPlaceThatCannotBeBeforeItFetches() {
        Map<String, String> refused =
                Map.of(
                        "-",
                        "-o - is no file",
                        "",
                        "-o names no file",
                        "a\nb.gguf",
                        "-o \"a\\u000ab.gguf\" has characters that steer terminals",
                        "a\u001b[2J.gguf",
                        "-o \"a\\u001b[2J.gguf\" has characters",
                        home.toString(),
                        home + ": it is a folder",
                        home.resolve("no/x.gguf").toString(),
                        "its folder does not exist");
        refused.forEach((name, words) -> {
            var outcome = runWords("quantize", "no-such-model", "--to", "q8_0", "-o", name);
            assertThat(outcome.code()).as(words).isNotZero();
            assertThat(outcome.out()).isEmpty();
            assertThat(outcome.err()).contains(words).doesNotContain("\u001b", "no-such-model");
        });
        Path small = home.resolve("small.gguf");
        Map.of("", "--perplexity names no file", home.toString(), home + " is a folder")
                .forEach((text, words) ->
                        assertThat(
                                        runWords(
                                                        "quantize",
                                                        "no-such-model",
                                                        "--to",
                                                        "q8_0",
                                                        "-o",
                                                        small.toString(),
                                                        "--perplexity",
                                                        text)
                                                .err())
                                .contains(words));
        assertThat(runWords("show", "no\u001b[2J.gguf").err()).doesNotContain("\u001b");
    }

    @Test
    void quantisesToAFileThatRuns() throws Exception {
        Path model = TinyModel.in(home);
        Path small = home.resolve("small.gguf");
        Path text =
                Files.writeString(home.resolve("text.txt"), "the cat sat on the mat ".repeat(9));
        String line = "quantize " + model + " --to q8_0 -o " + small;
        Path nothing = Files.writeString(home.resolve("nothing.txt"), "");
        assertThat(run(line + " --perplexity " + nothing).err())
                .contains(nothing + " has 0 tokens for this model", "needs 32 at least");
        Path word = Files.writeString(home.resolve("word.txt"), "the");
        var tooShort = run(line + " --perplexity " + word);
        assertThat(tooShort.code()).isEqualTo(1);
        assertThat(tooShort.err()).contains(word + " has ", " tokens for this model");
        assertThat(small).doesNotExist();
        var outcome = run(line + " --perplexity " + text);
        assertThat(outcome.code()).isZero();
        assertThat(outcome.out())
                .contains("small.gguf: ", " bits a weight; ", "× Q8_0", "Perplexity over ", " %")
                .containsPattern("\\d before \\(exact numerics\\), [0-9.]+ now \\(fast\\): ");
        var again = run(line);
        assertThat(again.code()).isEqualTo(1);
        assertThat(again.err()).contains("there already", "--force");
        assertThat(run(line.replace("q8_0", "Q8_0") + " --force").code()).isZero();
        String flags = " the cat --seed 4 --max-tokens 6 --kernels scalar";
        String fromFile = run("run " + small + flags).out();
        assertThat(fromFile).isNotEmpty();
        assertThat(run("run " + model + " --quantize q8_0" + flags).out()).isEqualTo(fromFile);
    }

    @Test
    void aPromptThatDoesNotFitIsAnError() throws Exception {
        Path model = TinyModel.in(home);
        var outcome =
                run("run " + model + " --context 16 --kernels scalar", "b".repeat(100), Map.of());
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err()).contains("--context");
    }

    @Test
    void inputThatIsNoTextIsAnError() {
        var outcome = run("run", new byte[] {'a', (byte) 0xFF, 'b'}, Map.of());
        assertThat(outcome.code()).isEqualTo(1);
        assertThat(outcome.err()).contains("UTF-8");
    }
}
