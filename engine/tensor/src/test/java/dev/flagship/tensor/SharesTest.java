package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;

class SharesTest {
    @Test
    void everyUnitIsComputedOnceWhateverTheTeam() {
        var shares = new Shares();
        for (int size = 1; size <= 5; size++) {
            try (Team team = new SpinTeam(size)) {
                for (int units : new int[] {0, 1, 2, 7, 8, 9, 16, 63, 1000}) {
                    var times = new AtomicIntegerArray(units);
                    shares.start(units);
                    team.run((thread, threads) -> {
                        for (int u = shares.from(thread, threads);
                                u < shares.to(thread, threads);
                                u++) {
                            times.incrementAndGet(u);
                        }
                        for (int p = shares.takePart(); p >= 0; p = shares.takePart()) {
                            for (int u = p; u < shares.partEnd(p); u++) {
                                times.incrementAndGet(u);
                            }
                        }
                    });
                    int[] expected = new int[units];
                    Arrays.fill(expected, 1);
                    int[] actual = new int[units];
                    Arrays.setAll(actual, times::get);
                    assertThat(actual).as("%d units, %d threads", units, size).isEqualTo(expected);
                }
            }
        }
    }

    @Test
    void theTailGoesToWhoeverAsks() {
        var shares = new Shares();
        shares.start(80);
        assertThat(shares.from(1, 2)).isEqualTo(35);
        assertThat(shares.to(1, 2)).isEqualTo(70);
        assertThat(shares.takePart()).isEqualTo(70);
        assertThat(shares.partEnd(70)).isEqualTo(72);
        assertThat(shares.takePart()).isEqualTo(72);
    }
}
