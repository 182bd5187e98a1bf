package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CounterRandomTest {
    private static final int BINS = 64;
    private static final int DRAWS = 64_000;

    /** 99.99 % of fair generators stay below this with 63 degrees of freedom. */
    private static final double CHI_SQUARE = 112;

    private interface Draw {
        double at(int i);
    }

    private static double chiSquare(Draw draw) {
        int[] counts = new int[BINS];
        for (int i = 0; i < DRAWS; i++) {
            double u = draw.at(i);
            assertThat(u).isGreaterThanOrEqualTo(0).isLessThan(1);
            counts[(int) (u * BINS)]++;
        }
        double expected = (double) DRAWS / BINS;
        double sum = 0;
        for (int count : counts) {
            sum += (count - expected) * (count - expected) / expected;
        }
        return sum;
    }

    @Test
    void isUniformOverPositionsSeedsAndChoices() {
        assertThat(chiSquare(i -> CounterRandom.uniform(0, 0, i))).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(i -> CounterRandom.uniform(-1, 0, i))).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(i -> CounterRandom.uniform(i, 0, 5))).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(i -> CounterRandom.uniform((long) i << 40, 0, 5)))
                .isLessThan(CHI_SQUARE);
        assertThat(chiSquare(i -> CounterRandom.uniform(3, i, 5))).isLessThan(CHI_SQUARE);
    }

    @Test
    void neighboursAreIndependent() {
        // Pairs fall evenly into an 8 × 8 grid.
        Draw positions =
                pairs(i -> CounterRandom.uniform(9, 0, i), i -> CounterRandom.uniform(9, 0, i + 1));
        Draw seeds =
                pairs(i -> CounterRandom.uniform(i, 0, 3), i -> CounterRandom.uniform(i + 1, 0, 3));
        Draw both = pairs(i -> CounterRandom.uniform(i, 0, 3), i -> CounterRandom.uniform(i, 0, 4));
        Draw swapped =
                pairs(i -> CounterRandom.uniform(1, i, 2), i -> CounterRandom.uniform(1, 2, i));
        assertThat(chiSquare(positions)).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(seeds)).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(both)).isLessThan(CHI_SQUARE);
        assertThat(chiSquare(swapped)).isLessThan(CHI_SQUARE);
    }

    private static Draw pairs(Draw a, Draw b) {
        return i -> {
            int row = (int) (a.at(i) * 8);
            int column = (int) (b.at(i) * 8);
            return (row * 8 + column + 0.5) / BINS;
        };
    }

    @Test
    void dependsOnItsThreeArgumentsAlone() {
        double u = CounterRandom.uniform(42, 1, 7);
        assertThat(CounterRandom.uniform(42, 1, 7)).isEqualTo(u);
        assertThat(CounterRandom.uniform(43, 1, 7)).isNotEqualTo(u);
        assertThat(CounterRandom.uniform(42, 2, 7)).isNotEqualTo(u);
        assertThat(CounterRandom.uniform(42, 1, 8)).isNotEqualTo(u);
    }
}
