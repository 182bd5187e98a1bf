package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.testing.Seed;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {

    @Test
    void textWithoutStopsPassesAtOnce() {
        StopStrings stops = new StopStrings(List.of());
        assertThat(stops.accept("anything")).isEqualTo("anything");
        assertThat(stops.finish()).isEmpty();
    }

    @Test
    void aStopInPiecesIsNeverShown() {
        StopStrings stops = new StopStrings(List.of("STOP"));
        assertThat(stops.accept("a ST")).isEqualTo("a ");
        assertThat(stops.accept("O")).isEmpty();
        assertThat(stops.stopped()).isFalse();
        assertThat(stops.accept("P and more")).isEmpty();
        assertThat(stops.stopped()).isTrue();
        assertThat(stops.accept("nothing")).isEmpty();
        assertThat(stops.finish()).isEmpty();
    }

    @Test
    void aBeginningThatGoesOnOtherwiseIsShownAfterAll() {
        StopStrings stops = new StopStrings(List.of("STOP"));
        assertThat(stops.accept("STO")).isEmpty();
        assertThat(stops.accept("RE")).isEqualTo("STORE");
        assertThat(stops.accept("ST")).isEmpty();
        assertThat(stops.finish()).isEqualTo("ST");
    }

    @Test
    void aBeginningWithinABeginningIsKept() {
        StopStrings stops = new StopStrings(List.of("aab"));
        assertThat(stops.accept("aaa")).isEqualTo("a");
        assertThat(stops.accept("b")).isEmpty();
        assertThat(stops.stopped()).isTrue();
    }

    @Test
    void theFirstOfSeveralInTheTextDecides() {
        StopStrings stops = new StopStrings(List.of("two", "one"));
        assertThat(stops.accept("zero one two")).isEqualTo("zero ");
        assertThat(stops.stopped()).isTrue();
    }

    @Test
    void lettersOfTwoUnitsAreNotTornApart() {
        StopStrings stops = new StopStrings(List.of("\uD83D\uDE00!"));
        assertThat(stops.accept("\uD83D\uDE01")).isEqualTo("\uD83D\uDE01");
        assertThat(stops.accept("\uD83D\uDE00")).isEmpty();
        assertThat(stops.accept("\uD83D\uDE00")).isEqualTo("\uD83D\uDE00");
        assertThat(stops.accept("!")).isEmpty();
        assertThat(stops.stopped()).isTrue();
    }

    /** Against the definition: the text before the first that is complete, however it is cut. */
    @Test
    void whatIsShownIsTheTextBeforeTheFirstStop() {
        Seed seed = Seed.given();
        Random random = seed.random();
        for (int round = 0; round < 3000; round++) {
            List<String> stops = new ArrayList<>();
            for (int i = random.nextInt(3); i >= 0; i--) {
                stops.add(letters(random, 1 + random.nextInt(4)));
            }
            String text = letters(random, random.nextInt(30));
            int first = text.length();
            boolean stopped = false;
            for (int end = 1; end <= text.length() && !stopped; end++) {
                for (String stop : stops) {
                    if (text.startsWith(stop, end - stop.length())) {
                        first = Math.min(first, end - stop.length());
                        stopped = true;
                    }
                }
            }
            StopStrings filter = new StopStrings(stops);
            StringBuilder shown = new StringBuilder();
            for (int at = 0; at < text.length(); ) {
                int next = Math.min(text.length(), at + 1 + random.nextInt(5));
                shown.append(filter.accept(text.substring(at, next)));
                assertThat(text.substring(0, first)).startsWith(shown.toString());
                at = next;
            }
            shown.append(filter.finish());
            assertThat(shown.toString())
                    .as("%s: %s in %s", seed, stops, text)
                    .isEqualTo(text.substring(0, first));
            assertThat(filter.stopped()).isEqualTo(stopped);
        }
    }

    private static String letters(Random random, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append((char) ('a' + random.nextInt(2)));
        }
        return text.toString();
    }
}
