package dev.flagship.fuzz;

import dev.flagship.testing.CommandsPage;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** docs/commands.md and what this command says of itself are the same. */
final class CommandsPageTest {
    @Test
    void thePageHasTheHelp() {
        var out = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
        CommandsPage.here().tells("flagship fuzz", Main.commandLine(out, out).getUsageMessage());
    }
}
