package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class SharesTest {
    @Test
    void everyBandIsComputedOnceWhateverTheTeam() {
        for (int unit : new int[] {1, 2, 4}) {
            everyBandIsComputedOnce(unit);
        }
    }

    private static void everyBandIsComputedOnce(int unit) {
        var shares = new Shares(unit);
        int[][] operations = {
            {0}, {1}, {2}, {3}, {7}, {16}, {33}, {1000}, {36, 12, 12}, {5, 0, 3}, {1, 1, 1, 1, 1, 1}
        };
        for (int size = 1; size <= 5; size++) {
            try (Team team = new SpinTeam(size)) {
                for (int[] bands : operations) {
                    var times = new AtomicIntegerArray[bands.length];
                    shares.clear();
                    for (int i = 0; i < bands.length; i++) {
                        times[i] = new AtomicIntegerArray(bands[i]);
                        shares.add(bands[i]);
                    }
                    shares.start();
                    team.run((thread, threads) ->
                            shares.run(
                                    thread,
                                    threads,
                                    (_, matrix, from, to) -> {
                                        for (int band = from; band < to; band++) {
                                            times[matrix].incrementAndGet(band);
                                        }
                                    }));
                    for (int i = 0; i < bands.length; i++) {
                        int[] expected = new int[bands[i]];
                        Arrays.fill(expected, 1);
                        int[] actual = new int[bands[i]];
                        Arrays.setAll(actual, times[i]::get);
                        assertThat(actual)
                                .as(
                                        "%s bands by %d, %d threads",
                                        Arrays.toString(bands), unit, size)
                                .isEqualTo(expected);
                    }
                }
            }
        }
    }

    /**
     * 160 bands are 80 pairs, of which 70 are shared out and 10 are for whoever comes, the last 4
     * singly.
     */
    @Test
    void theTailGoesToWhoeverAsksInPartsThatCutNoPair() {
        var shares = new Shares(2);
        shares.clear();
        shares.add(160);
        shares.start();
        List<String> second = new ArrayList<>();
        shares.run(1, 2, (_, _, from, to) -> second.add(from + "-" + to));
        assertThat(second)
                .containsExactly(
                        "70-140", "140-144", "144-148", "148-152", "152-154", "154-156", "156-158",
                        "158-160");
        List<String> first = new ArrayList<>();
        shares.run(0, 2, (_, _, from, to) -> first.add(from + "-" + to));
        assertThat(first).containsExactly("0-70");
    }
}
