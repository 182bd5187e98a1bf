package dev.flagship.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class ProgressLineTest {
    private static final long SECOND = 1_000_000_000L;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final PrintStream err = new PrintStream(bytes, false, StandardCharsets.UTF_8);
    private long now = 5;

    private String said() {
        err.flush();
        return bytes.toString(StandardCharsets.UTF_8);
    }

    private ProgressLine line(boolean terminal) {
        return new ProgressLine(err, terminal, () -> now);
    }

    @Test
    void withoutATerminalAStageIsToldOnceAndThenEveryTenSeconds() {
        var line = line(false);
        for (int second = 0; second <= 25; second++) {
            line.progress("Packing", second * 40L, 1000);
            now += SECOND;
        }
        line.progress("Packing", 1000, 1000);
        line.close();
        assertThat(said().lines())
                .containsExactly(
                        "Packing (1000 B)", "Packing: 44 % of 1000 B", "Packing: 84 % of 1000 B");
    }

    @Test
    void whatIsOverInAMomentIsNotShown() {
        var line = line(false);
        line.progress("Packing", 0, 1000);
        now += SECOND / 10;
        line.progress("Packing", 1000, 1000);
        line.close();
        assertThat(said()).isEmpty();
    }

    @Test
    void whatTakesLongIsToldAsItBegins() {
        var line = line(false);
        line.progress("Packing", 0, 1 << 30);
        assertThat(said()).isEqualTo("Packing (1.0 GiB)\n");
        var bar = line(true);
        bar.progress("Reading", 0, 1 << 30);
        assertThat(said()).endsWith("]   0 %  0 B of 1.0 GiB, 0 B/s");
    }

    @Test
    void onATerminalTheBarKnowsItsRate() {
        var line = line(true);
        line.progress("Packing", 0, 4096);
        now += 2 * SECOND;
        line.progress("Packing", 2048, 4096);
        String bar = "[############------------]  50 %  2.0 KiB of 4.0 KiB, 1.0 KiB/s, 2 s left";
        assertThat(said()).isEqualTo("Packing\n\r" + bar);
        line.close();
        assertThat(said()).endsWith(bar + "\r" + " ".repeat(bar.length()) + "\r");
    }

    @Test
    void whatWasFetchedBeforeCountsForNoRate() {
        var line = line(true);
        line.stage("Fetching the rest");
        line.bytes(1_000_000, 2_000_000);
        now += SECOND;
        line.bytes(1_010_240, 2_000_000);
        assertThat(said()).endsWith("50 %  986.6 KiB of 1.9 MiB, 10.0 KiB/s, 97 s left");
        now += SECOND;
        line.bytes(1_010_242, 2_000_000);
        assertThat(said()).endsWith("5.0 KiB/s, 4 min left");
    }

    @Test
    void nothingFollowsTheLastWord() {
        var line = line(true);
        line.progress("Packing", 0, 4096);
        now += SECOND;
        line.progress("Packing", 2048, 4096);
        line.end("stopped");
        String last = said();
        assertThat(last).endsWith(" \rstopped\n");
        now += SECOND;
        line.progress("Packing", 4096, 4096);
        line.warning("late");
        line.close();
        assertThat(said()).isEqualTo(last);
    }
}
