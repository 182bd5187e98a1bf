package dev.flagship.serving.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SamplingTest {
    private interface Make {
        Sampling of(float value);
    }

    private static void accepts(Make make, float... values) {
        for (float value : values) {
            assertThat(make.of(value)).isNotNull();
        }
    }

    private static void refuses(Make make, String name, float... values) {
        for (float value : values) {
            assertThatThrownBy(() -> make.of(value))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining(name)
                    .hasMessageContaining(Float.toString(value));
        }
    }

    private static final float NAN = Float.NaN;
    private static final float INFINITE = Float.POSITIVE_INFINITY;

    @Test
    void temperatureLiesInItsRange() {
        Make make = t -> Sampling.at(t, 0);
        accepts(make, 0, Float.MIN_VALUE, 1, 2);
        refuses(make, "temperature", -Float.MIN_VALUE, Math.nextUp(2f), NAN, INFINITE);
    }

    @Test
    void topPLiesInItsRange() {
        Make make = p -> new Sampling(1, 0, p, 0, 1, 0, 0, Map.of(), 0);
        accepts(make, Float.MIN_VALUE, 1);
        refuses(make, "top_p", 0, -1, Math.nextUp(1f), NAN, INFINITE);
    }

    @Test
    void minPLiesInItsRange() {
        Make make = p -> new Sampling(1, 0, 1, p, 1, 0, 0, Map.of(), 0);
        accepts(make, 0, Math.nextDown(1f));
        refuses(make, "min_p", -Float.MIN_VALUE, 1, NAN);
    }

    @Test
    void penaltiesLieInTheirRanges() {
        Make repetition = p -> new Sampling(1, 0, 1, 0, p, 0, 0, Map.of(), 0);
        accepts(repetition, Float.MIN_VALUE, 1, 100);
        refuses(repetition, "repetition_penalty", 0, -1, Math.nextUp(100f), NAN);
        Make presence = p -> new Sampling(1, 0, 1, 0, 1, p, 0, Map.of(), 0);
        accepts(presence, -2, 0, 2);
        refuses(presence, "presence_penalty", Math.nextDown(-2f), Math.nextUp(2f), NAN);
        Make frequency = p -> new Sampling(1, 0, 1, 0, 1, 0, p, Map.of(), 0);
        accepts(frequency, -2, 0, 2);
        refuses(frequency, "frequency_penalty", Math.nextDown(-2f), Math.nextUp(2f), NAN);
    }

    @Test
    void topKIsNotNegative() {
        assertThat(new Sampling(1, Integer.MAX_VALUE, 1, 0, 1, 0, 0, Map.of(), 0).topK())
                .isPositive();
        assertThatThrownBy(() -> new Sampling(1, -1, 1, 0, 1, 0, 0, Map.of(), 0))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("-1");
    }

    private static Sampling biased(Map<Integer, Float> bias) {
        return new Sampling(1, 0, 1, 0, 1, 0, 0, bias, 0);
    }

    @Test
    void logitBiasIsBoundedInNumberAndSize() {
        Map<Integer, Float> bias = new HashMap<>();
        for (int id = 0; id < 300; id++) {
            bias.put(id, id % 2 == 0 ? 100f : -100f);
        }
        assertThat(biased(bias).logitBias()).hasSize(300);
        bias.put(300, 0f);
        assertThatThrownBy(() -> biased(bias))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("301");
        for (Map<Integer, Float> bad :
                List.of(
                        Map.of(-1, 0f),
                        Map.of(1, Math.nextUp(100f)),
                        Map.of(1, Math.nextDown(-100f)),
                        Map.of(1, NAN))) {
            assertThatThrownBy(() -> biased(bad))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("logit_bias");
        }
    }

    @Test
    void laterChangesOfTheGivenMapAreNotSeen() {
        Map<Integer, Float> bias = new HashMap<>(Map.of(1, 1f));
        Sampling sampling = biased(bias);
        bias.put(2, 2f);
        assertThat(sampling.logitBias()).containsOnlyKeys(1);
        assertThatThrownBy(() -> sampling.logitBias().put(3, 3f))
                .isInstanceOf(UnsupportedOperationException.class);
    }
}
