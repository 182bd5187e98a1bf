package dev.flagship.bench;

import dev.flagship.testing.CommandsPage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** docs/commands.md and what this command says of itself are the same. */
final class CommandsPageTest {
    @Test
    void thePageHasTheHelp() {
        var bytes = new ByteArrayOutputStream();
        var out = new PrintStream(bytes, true, StandardCharsets.UTF_8);
        Main.execute(out, out, "--help");
        CommandsPage.here().tells("flagship bench", bytes.toString(StandardCharsets.UTF_8));
    }
}
