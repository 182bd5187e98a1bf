package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.testing.CommandsPage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** docs/commands.md and what each command says of itself are the same. */
final class CommandsPageTest {
    /** Programs of their own, whose modules compare them. */
    private static final List<String> ELSEWHERE = List.of("flagship bench", "flagship fuzz");

    private static final List<String> SCRIPTS = List.of("flagship test", "flagship dist");

    private final CommandsPage page = CommandsPage.here();

    /** All that are registered, as completion knows them. */
    static Stream<String> commands() {
        var arms = Pattern.compile("(?m)^    '(flagship[a-z ]*)'\\)$");
        return arms.matcher(out("completion", "bash"))
                .results()
                .map(found -> found.group(1))
                .distinct(); // an alias has an arm of its own
    }

    static Stream<String> programs() {
        return commands().filter(c -> !ELSEWHERE.contains(c) && !SCRIPTS.contains(c));
    }

    private static String out(String... words) {
        var out = new ByteArrayOutputStream();
        var streams =
                new Streams(
                        InputStream.nullInputStream(),
                        new PrintStream(out, false, StandardCharsets.UTF_8),
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        false,
                        false,
                        false);
        assertThat(Main.run(words, streams, Map.of())).isZero();
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void allCommandsAreSeen() {
        assertThat(commands()).contains("flagship", "flagship run", "flagship kernels dump");
        assertThat(commands()).containsAll(ELSEWHERE).containsAll(SCRIPTS);
    }

    @ParameterizedTest
    @MethodSource("programs")
    void thePageHasTheHelpOf(String command) {
        Stream<String> words = Arrays.stream(command.split(" ")).skip(1);
        page.tells(command, out(Stream.concat(words, Stream.of("--help")).toArray(String[]::new)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"test", "dist"})
    void thePageHasTheHelpOfWhatTheLauncherDoes(String word)
            throws IOException, InterruptedException {
        Path launcher =
                Path.of(Objects.requireNonNull(System.getProperty("flagship.root")), "flagship");
        Process process = new ProcessBuilder("sh", launcher.toString(), word, "--help").start();
        String help = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        page.tells("flagship " + word, help);
    }

    @Test
    void thePageHasNoOtherCommands() {
        if (!Boolean.getBoolean("commands.update")) {
            assertThat(page.commands()).containsExactlyInAnyOrderElementsOf(commands().toList());
        }
    }
}
