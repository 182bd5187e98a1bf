package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class OutlookTest {
    private final ByteArrayOutputStream told = new ByteArrayOutputStream();
    private final Outlook outlook =
            new Outlook(new PrintStream(told, true, StandardCharsets.UTF_8));

    @Test
    void theTimeLeftIsThatOfWhatIsPlannedAsFarAsItIsKnown() {
        outlook.plan("prefill", 3);
        outlook.plan("decode", 2);
        assertThat(outlook.left()).isEqualTo("time left not known yet");
        outlook.expect("prefill", 25);
        assertThat(outlook.left()).isEqualTo("at least 75 s left");
        outlook.expect("decode", 50);
        assertThat(outlook.left()).isEqualTo("about 3 min left");
        outlook.drop("decode");
        assertThat(outlook.left()).isEqualTo("about 75 s left");
    }

    @Test
    void eachReadingIsAnnouncedAndCountsOnce() {
        outlook.plan("prefill", 2);
        outlook.expect("prefill", 25);
        assertThat(outlook.<Integer>read("Round 1 of 2", "prefill", () -> 7)).isEqualTo(7);
        outlook.expect("prefill", 20);
        outlook.read("Round 2 of 2", "prefill", () -> 7);
        assertThat(told.toString(StandardCharsets.UTF_8).lines())
                .containsExactly(
                        "Round 1 of 2: prefill (about 50 s left)",
                        "Round 2 of 2: prefill (about 20 s left)");
    }

    @Test
    void whatWasNotPlannedMakesNothingLonger() {
        outlook.plan("prefill", 1);
        outlook.expect("prefill", 25);
        outlook.read("Warm-up", "decode", () -> 7);
        assertThat(outlook.left()).isEqualTo("about 25 s left");
    }
}
