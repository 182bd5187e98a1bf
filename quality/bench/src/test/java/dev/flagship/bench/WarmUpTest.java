package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import org.junit.jupiter.api.Test;

class WarmUpTest {
    private final Outlook outlook =
            new Outlook(
                    new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8));

    /** A contender of these speeds, one after the other. */
    private static Contender speeds(double... speeds) {
        Iterator<Double> left = Arrays.stream(speeds).iterator();
        return _ -> Contender.Reading.speedOnly(left.next());
    }

    @Test
    void threeReadingsThatAreNoFasterEndIt() {
        Contender contender = speeds(1, 2, 3, 3.05, 2, 3.01, 3.1, 9);
        WarmUp warm = WarmUp.of(outlook, "it", contender, Figure.PREFILL);
        assertThat(warm.readings()).isEqualTo(6);
        assertThat(warm.tokensPerSecond()).isEqualTo(3.05);
    }

    @Test
    void whatBecomesFasterForeverIsStoppedAtLast() {
        Contender contender = speeds(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
        assertThat(WarmUp.of(outlook, "it", contender, Figure.PREFILL).readings()).isEqualTo(12);
    }

    @Test
    void whatIsWarmAtOnceIsReadOnce() {
        WarmUp warm = WarmUp.once(outlook, "it", speeds(5, 6), Figure.PREFILL);
        assertThat(warm).isEqualTo(new WarmUp(1, 5));
    }

    @Test
    void readingsOfTheRoundsStayPlanned() {
        outlook.plan("it", 1 + 5);
        WarmUp.of(outlook, "it", speeds(1, 1, 1, 1), Figure.PREFILL);
        outlook.expect("it", 2);
        assertThat(outlook.left()).isEqualTo("about 10 s left");
    }
}
