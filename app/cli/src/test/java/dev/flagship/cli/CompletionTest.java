package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.flagship.testing.CommandsPage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Completion as the shells themselves do it; a shell that is not here is not asked. */
final class CompletionTest {
    @TempDir private Path folder = Path.of("");

    private static String script(String shell) {
        var out = new ByteArrayOutputStream();
        var stream = new PrintStream(out, false, StandardCharsets.UTF_8);
        var streams =
                new Streams(InputStream.nullInputStream(), stream, stream, false, false, false);
        assertThat(Main.run(new String[] {"completion", shell}, streams, Map.of())).isZero();
        return out.toString(StandardCharsets.UTF_8);
    }

    /** A flagship that knows two models, and a folder with two files. */
    @BeforeEach
    void prepare() throws IOException {
        Path flagship = Files.createDirectories(folder.resolve("bin")).resolve("flagship");
        Files.writeString(
                flagship,
                "#!/bin/sh\n[ \"$FLAGSHIP_BUILDING $*\" != 'yes list --quiet' ] || printf 'smollm2\\nllama3.2:1b\\n'\n");
        Files.setPosixFilePermissions(flagship, PosixFilePermissions.fromString("rwxr-xr-x"));
        Path work = Files.createDirectories(folder.resolve("work"));
        Files.writeString(work.resolve("model.gguf"), "");
        Files.writeString(work.resolve("notes.txt"), "");
    }

    private List<String> run(String... command) throws IOException, InterruptedException {
        var builder =
                new ProcessBuilder(command)
                        .directory(folder.resolve("work").toFile())
                        .redirectErrorStream(true);
        builder.environment().merge("PATH", folder.resolve("bin") + ":", (old, bin) -> bin + old);
        builder.environment().put("HOME", folder.toString());
        Process process = builder.start();
        process.getOutputStream().close();
        List<String> lines = process.inputReader(StandardCharsets.UTF_8).lines().toList();
        assertThat(process.waitFor()).as(() -> String.join("\n", lines)).isZero();
        return lines;
    }

    private static boolean has(String shell) {
        return List.of(System.getenv().getOrDefault("PATH", "").split(":")).stream()
                .anyMatch(bin -> Files.isExecutable(Path.of(bin, shell)));
    }

    private static final String TABLE =
            """
            'flagship s', serve show
            'flagship run --num', --numerics
            'flagship run --numerics ', exact fast
            'flagship run --numerics=f', fast
            'flagship run ', llama3.2:1b model.gguf notes.txt smollm2
            'flagship run smollm2 ', ''
            'flagship run --temperature ', ''
            'flagship serve --model s', smollm2
            'flagship run --chat-template n', notes.txt
            'flagship quantize --to q4', q4_0 q4_k
            'flagship kernels ', dump
            'flagship help q', quantize
            'flagship completion ', bash fish zsh
            'flagship bench --against j', jlama
            """;

    @ParameterizedTest
    @CsvSource(textBlock = TABLE)
    void bashOffersWhatFits(String line, String offered) throws Exception {
        assumeThat(has("bash")).isTrue();
        assertThat(bash(line)).isEqualTo(words(offered));
    }

    @Test
    void bashKeepsWhatStandsBeforeTheColonOfAName() throws Exception {
        assumeThat(has("bash")).isTrue();
        assertThat(bash("flagship run llama3.2:")).containsExactly("1b");
    }

    private List<String> bash(String line) throws Exception {
        Path script = Files.writeString(folder.resolve("flagship.bash"), script("bash"));
        String asked =
                """
                . "$1"; COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=(flagship)
                _flagship
                printf '%s\\n' "${COMPREPLY[@]}"
                """;
        return sorted(
                run("bash", "--norc", "-c", asked, "bash", script.toString(), line).stream()
                        .filter(word -> !word.isEmpty())
                        .toList());
    }

    @ParameterizedTest
    @CsvSource(textBlock = TABLE)
    void fishOffersWhatFits(String line, String offered) throws Exception {
        assumeThat(has("fish")).isTrue();
        Path script = Files.writeString(folder.resolve("flagship.fish"), script("fish"));
        List<String> lines =
                run(
                        "fish",
                        "--no-config",
                        "-c",
                        "source $argv[1]; complete -C $argv[2]",
                        script.toString(),
                        line);
        String given = line.substring(line.lastIndexOf(' ') + 1);
        String kept = given.contains("=") ? given.substring(0, given.indexOf('=') + 1) : "";
        assertThat(
                        sorted(
                                lines.stream()
                                        .map(each -> each.split("\t", 2)[0])
                                        .map(each -> each.substring(kept.length()))
                                        .toList()))
                .isEqualTo(words(offered));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh", "fish"})
    void theShellReadsItsScript(String shell) throws Exception {
        assumeThat(has(shell)).isTrue();
        Path script = Files.writeString(folder.resolve("script"), script(shell));
        assertThat(run(shell, "-n", script.toString())).isEmpty();
    }

    private static List<String> sorted(List<String> words) {
        return words.stream().sorted().toList();
    }

    private static List<String> words(String text) {
        return text.isEmpty() ? List.of() : sorted(List.of(text.split(" ")));
    }

    /** They are programs of their own, and the page holds what they say of themselves. */
    @ParameterizedTest
    @ValueSource(strings = {"flagship bench", "flagship fuzz", "flagship test", "flagship dist"})
    void flagsOfTheLaunchersCommandsAreThoseThatTheyTell(String command) {
        String script = script("bash");
        int arm = script.indexOf("    '" + command + "')\n");
        int from = script.indexOf("options='", arm) + "options='".length();
        var offered =
                new ArrayList<>(
                        List.of(script.substring(from, script.indexOf('\'', from)).split(" ")));
        offered.removeIf(flag -> !flag.startsWith("--"));
        var told = new TreeSet<String>(List.of("--help"));
        Pattern.compile("(?m)^ +(?:-\\w, )?(--[\\w-]+)")
                .matcher(CommandsPage.here().help(command))
                .results()
                .forEach(flag -> told.add(flag.group(1)));
        assertThat(offered).containsExactlyInAnyOrderElementsOf(told);
    }

    @Test
    void anUnknownShellIsToldTheKnownOnes() {
        var err = new ByteArrayOutputStream();
        var stream = new PrintStream(err, true, StandardCharsets.UTF_8);
        var streams =
                new Streams(InputStream.nullInputStream(), stream, stream, false, false, false);
        assertThat(Main.run(new String[] {"completion", "csh"}, streams, Map.of())).isEqualTo(2);
        assertThat(err.toString(StandardCharsets.UTF_8)).contains("csh", "bash, zsh and fish");
    }
}
