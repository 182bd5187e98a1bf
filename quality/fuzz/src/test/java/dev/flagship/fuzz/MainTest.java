package dev.flagship.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
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
}
