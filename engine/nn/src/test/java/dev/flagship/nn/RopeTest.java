package dev.flagship.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.base.InvalidArgumentException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class RopeTest {
    private static final String NUMBER = "([-0-9.e+]+)";

    /** One case of the golden file, which transformers made. */
    private record Case(
            String name, int headSize, float theta, Rope.Scaling scaling, List<Float> expected) {}

    private static String golden() throws IOException {
        // This module is below the one that has the goldens, so they are not on its class path.
        Path root = Path.of(System.getProperty("flagship.root", "../.."));
        return Files.readString(
                root.resolve(
                        "quality/testing/src/main/resources/dev/flagship/testing/golden/llama/rope.json"));
    }

    private static List<Case> cases() throws IOException {
        List<Case> cases = new ArrayList<>();
        for (String text : golden().split("\"name\": ", -1)) {
            if (text.contains("inv_freq")) {
                cases.add(read(text));
            }
        }
        return cases;
    }

    private static float number(String text, String field) {
        Matcher m = Pattern.compile("\"" + field + "\": " + NUMBER).matcher(text);
        assertThat(m.find()).as(field).isTrue();
        return Float.parseFloat(m.group(1));
    }

    private static Case read(String text) {
        Rope.Scaling scaling =
                text.contains("\"rope_scaling\": null")
                        ? new Rope.Scaling.None()
                        : new Rope.Scaling.Llama3(
                                number(text, "factor"),
                                number(text, "low_freq_factor"),
                                number(text, "high_freq_factor"),
                                (int) number(text, "original_max_position_embeddings"));
        String list = text.substring(text.indexOf("\"inv_freq\": [") + 13);
        String[] numbers = list.substring(0, list.indexOf(']')).split(",", -1);
        List<Float> expected =
                Arrays.stream(numbers).map(n -> Float.parseFloat(n.strip())).toList();
        return new Case(
                text.substring(1, text.indexOf('"', 1)),
                (int) number(text, "head_dim"),
                number(text, "rope_theta"),
                scaling,
                expected);
    }

    @Test
    void frequenciesAreThoseOfTheReference() throws IOException {
        List<Case> cases = cases();
        assertThat(cases).hasSizeGreaterThanOrEqualTo(7);
        assertThat(cases.stream().filter(c -> c.scaling instanceof Rope.Scaling.Llama3)).hasSize(3);
        for (Case c : cases) {
            float[] actual = Rope.inverseFrequencies(c.headSize, c.theta, c.scaling);
            assertThat(actual).hasSize(c.expected.size());
            for (int i = 0; i < actual.length; i++) {
                assertThat(actual[i] / c.expected.get(i))
                        .as("%s, pair %d", c.name, i)
                        .isCloseTo(1f, within(1e-6f));
            }
        }
    }

    @Test
    void divisorsDivideEachFrequency() {
        float[] plain = Rope.inverseFrequencies(6, 1e4f, new Rope.Scaling.None());
        float[] divided =
                Rope.inverseFrequencies(6, 1e4f, new Rope.Scaling.Divisors(List.of(1f, 2f, 8f)));
        assertThat(divided).containsExactly(plain[0], plain[1] / 2, plain[2] / 8);
        assertThatThrownBy(() -> new Rope(6, 1e4f, new Rope.Scaling.Divisors(List.of(1f, 2f))))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("2 divisors for 3 pairs");
    }

    /** What the reference's scaled frequencies are less than its plain ones. */
    @Test
    void divisorsAreThoseOfTheReference() throws IOException {
        int scaled = 0;
        for (Case c : cases()) {
            List<Float> divisors = Rope.divisors(c.headSize, c.theta, c.scaling);
            assertThat(divisors).hasSize(c.headSize / 2);
            for (int i = 0; i < divisors.size(); i++) {
                double plain = Math.pow(c.theta, -2.0 * i / c.headSize);
                assertThat(divisors.get(i) * c.expected.get(i) / plain)
                        .as("%s, pair %d", c.name, i)
                        .isCloseTo(1, within(1e-6));
                scaled += divisors.get(i) > 1 ? 1 : 0;
            }
        }
        assertThat(scaled).isPositive();
        List<Float> given = List.of(1f, 2.3f, 7.7f);
        assertThat(Rope.divisors(6, 1e4f, new Rope.Scaling.Divisors(given))).isEqualTo(given);
        assertThatThrownBy(() -> Rope.divisors(8, 1e4f, new Rope.Scaling.Divisors(given)))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void equalBoundsOfScalingHaveNoMiddle() {
        float[] scaled =
                Rope.inverseFrequencies(64, 5e5f, new Rope.Scaling.Llama3(8f, 2f, 2f, 8192));
        float[] plain = Rope.inverseFrequencies(64, 5e5f, new Rope.Scaling.None());
        for (int i = 0; i < plain.length; i++) {
            assertThat(scaled[i]).isIn(plain[i], plain[i] / 8);
        }
        assertThat(scaled[0]).isEqualTo(plain[0]);
        assertThat(scaled[31]).isEqualTo(plain[31] / 8);
    }

    @Test
    void valuesThatMeanNothingAreRefused() {
        assertThatThrownBy(() -> new Rope(7, 1e4f, new Rope.Scaling.None()))
                .isInstanceOf(InvalidArgumentException.class);
        for (float[] bad :
                new float[][] {
                    {0.5f, 1, 4, 64},
                    {8, 0, 4, 64},
                    {8, 4, 1, 64},
                    {8, 1, 4, 0},
                    {Float.POSITIVE_INFINITY, 1, 4, 64},
                    {Float.NaN, 1, 4, 64},
                    {8, 1, Float.POSITIVE_INFINITY, 64},
                    {8, Float.NaN, 4, 64}
                }) {
            assertThatThrownBy(() -> new Rope.Scaling.Llama3(bad[0], bad[1], bad[2], (int) bad[3]))
                    .as(Arrays.toString(bad))
                    .isInstanceOf(InvalidArgumentException.class);
        }
        for (float theta :
                new float[] {0, -1, 0.5f, Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE}) {
            assertThatThrownBy(() -> new Rope(8, theta, new Rope.Scaling.None()))
                    .as("theta %s", theta)
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("theta");
        }
        for (float divisor :
                new float[] {0, -0f, -1, Float.NaN, Float.POSITIVE_INFINITY, Float.MIN_VALUE}) {
            List<Float> divisors = List.of(1f, 2f, 3f, divisor);
            assertThatThrownBy(() -> new Rope(8, 1e4f, new Rope.Scaling.Divisors(divisors)))
                    .as("divisor %s", divisor)
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("rope");
        }
    }

    /** A wavelength that is exactly the only bound would be blended by 0/0. */
    @Test
    void aFrequencyThatIsNoNumberIsRefused() {
        float wavelength = (float) (2 * Math.PI);
        int context = 1;
        while (context / (context / wavelength) != wavelength) {
            context++;
        }
        float bound = context / wavelength;
        Rope.Scaling scaling = new Rope.Scaling.Llama3(8, bound, bound, context);
        assertThatThrownBy(() -> new Rope(64, 5e5f, scaling))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("pair 0 of 32 the frequency NaN");
    }

    /** The blend between two equal or nearly equal bounds divides by their difference. */
    @Test
    void scalingGivesFiniteFrequenciesOnEverySideOfItsBounds() {
        for (float high : new float[] {1, Math.nextUp(1f), 1.000001f, 2, 1e30f}) {
            for (int context : new int[] {1, 7, 8192, Integer.MAX_VALUE}) {
                float[] scaled =
                        Rope.inverseFrequencies(
                                64, 5e5f, new Rope.Scaling.Llama3(8, 1, high, context));
                float[] plain = Rope.inverseFrequencies(64, 5e5f, new Rope.Scaling.None());
                for (int i = 0; i < scaled.length; i++) {
                    assertThat(scaled[i])
                            .as("high %s, context %s, pair %s", high, context, i)
                            .isBetween(plain[i] / 8 * 0.999f, plain[i] * 1.001f);
                }
            }
        }
    }
}
