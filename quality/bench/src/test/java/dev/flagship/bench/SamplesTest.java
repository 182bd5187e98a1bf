package dev.flagship.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class SamplesTest {
    private static Samples of(double... values) {
        Samples samples = new Samples();
        for (double value : values) {
            samples.add(value);
        }
        return samples;
    }

    @Test
    void theMedianIsTheMiddleOneWhateverTheOrder() {
        assertThat(of(9, 1, 5, 100, 2).median()).isEqualTo(5);
        assertThat(of(7).median()).isEqualTo(7);
    }

    @Test
    void theMedianOfAnEvenNumberIsTheMeanOfTheMiddleTwo() {
        assertThat(of(4, 1, 3, 10).median()).isEqualTo(3.5);
    }

    @Test
    void theExtremesAreKept() {
        Samples samples = of(3, -1, 8, 2);
        assertThat(samples.min()).isEqualTo(-1);
        assertThat(samples.max()).isEqualTo(8);
    }
}
