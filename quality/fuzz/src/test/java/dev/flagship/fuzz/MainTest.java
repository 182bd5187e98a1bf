package dev.flagship.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class MainTest {
    @Test
    void aSeedIsWhereTheFirstRoundBegins() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StringWriter errors = new StringWriter();
        Main main = new Main(new PrintStream(out, true, StandardCharsets.UTF_8));
        int exit =
                new CommandLine(main)
                        .setErr(new PrintWriter(errors, true))
                        .execute("--target", "template", "--seed", "-42", "--minutes", "0.00001");
        assertThat(errors.toString()).isEmpty();
        assertThat(exit).isZero();
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains(" 1 models")
                .endsWith("seed -42" + System.lineSeparator());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            textBlock =
                    """
                    --target nonsense          | --target nonsense is no parser; there are gguf,
                    --seed x                   | '--seed': 'x' is not a whole number
                    --seed 99999999999999999999 | the number is too large
                    --minutes 0                | --minutes 0.0 is not above 0 and at most 10080, a week
                    --minutes soon             | 'soon' is not a number
                    --nonsense                 | '--nonsense'
                    now                        | 'now'
                    """)
    void aWrongFlagIsOneLineAndWhereHelpIs(String line, String told) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int exit =
                Main.commandLine(
                                new PrintStream(out, true, StandardCharsets.UTF_8),
                                new PrintStream(err, true, StandardCharsets.UTF_8))
                        .execute(line.split(" "));
        assertThat(exit).isEqualTo(2);
        assertThat(out.toString(StandardCharsets.UTF_8)).isEmpty();
        assertThat(err.toString(StandardCharsets.UTF_8).lines())
                .hasSize(2)
                .first()
                .asString()
                .startsWith("flagship: ")
                .contains(told);
        assertThat(err.toString(StandardCharsets.UTF_8))
                .endsWith("Try 'flagship fuzz --help'." + System.lineSeparator());
    }
}
