package dev.flagship.base;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EditDistanceTest {
    @ParameterizedTest
    @CsvSource({
        "kitten, sitting, 3",
        "flaw, lawn, 2",
        "'', abc, 3",
        "abc, '', 3",
        "same, same, 0",
        "smolm2, smollm2, 1"
    })
    void countsWhatIsPutInTakenOutOrChanged(String a, String b, int distance) {
        assertThat(EditDistance.of(a, b)).isEqualTo(distance);
    }
}
