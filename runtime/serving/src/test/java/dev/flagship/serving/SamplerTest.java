package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.serving.api.Sampling;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Seed;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SamplerTest {
    private static final int DRAWS = 10_000;
    private static final float NAN = Float.NaN;
    private static final float NEVER = Float.NEGATIVE_INFINITY;

    private final Kernels kernels = new ScalarKernels(new SerialTeam());
    private final OffHeap memory = OffHeap.allocate(1 << 20);

    @AfterEach
    void free() {
        memory.close();
        kernels.close();
    }

    private Tensor logits(float... values) {
        Tensor tensor =
                Tensor.of(
                        Shape.of(1, values.length),
                        memory.segment().asSlice(0, values.length * 4L));
        tensor.put(0, values);
        return tensor;
    }

    private static Sampling cut(float temperature, int topK, float topP, float minP, long seed) {
        return new Sampling(temperature, topK, topP, minP, 1, 0, 0, Map.of(), seed);
    }

    private int choose(Sampling sampling, int position, float... values) {
        return new Sampler(sampling, kernels, new int[0]).choose(logits(values), 0, position);
    }

    private int greedy(float... values) {
        return choose(Sampling.greedy(), 0, values);
    }

    /** How often each token is drawn, at as many positions. */
    private Map<Integer, Integer> counts(int draws, Sampling sampling, float... values) {
        Map<Integer, Integer> counts = new TreeMap<>();
        for (int position = 0; position < draws; position++) {
            counts.merge(choose(sampling, position, values), 1, Integer::sum);
        }
        return counts;
    }

    /** The exact distribution, straight from the definition, in the order of the steps. */
    private static double[] exact(Sampling s, float... logits) {
        int n = logits.length;
        double[] p = new double[n];
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Float.isNaN(logit) ? max : Math.max(max, logit);
        }
        for (int i = 0; i < n; i++) {
            p[i] = Float.isNaN(logits[i]) ? 0 : Math.exp((logits[i] - max) / s.temperature());
        }
        Integer[] order = new Integer[n];
        for (int i = 0; i < n; i++) {
            order[i] = i;
        }
        Arrays.sort(order, (a, b) -> p[a] == p[b] ? a - b : Double.compare(p[b], p[a]));
        if (s.topK() > 0) {
            for (int i = s.topK(); i < n; i++) {
                p[order[i]] = 0;
            }
        }
        normalize(p);
        double before = 0;
        for (int i = 0; i < n; i++) {
            double own = p[order[i]];
            if (before >= s.topP()) {
                p[order[i]] = 0;
            }
            before += own;
        }
        double best = p[order[0]];
        for (int i = 0; i < n; i++) {
            p[i] = p[i] < s.minP() * best ? 0 : p[i];
        }
        normalize(p);
        return p;
    }

    private static void normalize(double[] p) {
        double sum = Arrays.stream(p).sum();
        for (int i = 0; i < p.length; i++) {
            p[i] /= sum;
        }
    }

    /** Chi-square at a level of about 1 in 100,000: k + 5·√(2k) + 10 for k degrees of freedom. */
    private void assertDrawsFollow(Sampling sampling, float... logits) {
        double[] p = exact(sampling, logits);
        Map<Integer, Integer> counts = counts(DRAWS, sampling, logits);
        double sum = 0;
        int degrees = -1;
        for (int id = 0; id < p.length; id++) {
            int seen = counts.getOrDefault(id, 0);
            if (p[id] == 0) {
                assertThat(seen).as("token %s is cut", id).isZero();
            } else {
                double expected = p[id] * DRAWS;
                sum += (seen - expected) * (seen - expected) / expected;
                degrees++;
            }
        }
        assertThat(sum)
                .as("%s: %s", sampling, counts)
                .isLessThan(degrees + 5 * Math.sqrt(2.0 * degrees) + 10);
    }

    private static final float[] SEVEN = {0.5f, 2.0f, -1.0f, 1.5f, 0.0f, 2.0f, -0.5f};

    @Test
    void drawsFollowTheSoftmaxAtItsTemperature() {
        for (float temperature : new float[] {0.5f, 1, 2}) {
            assertDrawsFollow(cut(temperature, 0, 1, 0, 1), SEVEN);
        }
    }

    @Test
    void drawsFollowEachCutAndAllTogether() {
        assertDrawsFollow(cut(1, 3, 1, 0, 2), SEVEN);
        assertDrawsFollow(cut(1, 0, 0.8f, 0, 3), SEVEN);
        assertDrawsFollow(cut(1, 0, 1, 0.2f, 4), SEVEN);
        assertDrawsFollow(cut(1.5f, 5, 0.9f, 0.3f, 5), SEVEN);
        assertDrawsFollow(cut(1, 7, 1, 0, 6), SEVEN);
        assertDrawsFollow(cut(1, 100, 0.5f, 0, 7), SEVEN);
    }

    @Test
    void drawsFollowOverMoreTokensThanTheFirstCandidates() {
        Random random = Seed.given().random();
        float[] many = new float[700];
        for (int i = 0; i < many.length; i++) {
            many[i] = (float) random.nextGaussian() * 0.2f;
        }
        for (Sampling s :
                new Sampling[] {
                    cut(1, 0, 0.999f, 0, 1),
                    cut(1, 600, 1, 0, 1),
                    cut(1, 600, 0.5f, 0.7f, 1),
                    cut(1, 0, 1, 0.6f, 1),
                    cut(1, 0, 0.9f, 0.5f, 1)
                }) {
            double[] p = exact(s, many);
            counts(400, s, many)
                    .keySet()
                    .forEach(id -> assertThat(p[id]).as("token %s of %s", id, s).isPositive());
        }
    }

    /** Fewer, as many and more than the first candidates pass min-p, with top-p and without. */
    @Test
    void drawsFollowMinPAmongMany() {
        for (int alike : new int[] {3, 64, 70}) {
            float[] many = new float[300];
            Arrays.fill(many, -9);
            for (int i = 0; i < alike; i++) {
                many[299 - 4 * i] = i * 0.01f;
            }
            assertDrawsFollow(cut(1, 0, 1, 0.1f, 8), many);
            assertDrawsFollow(cut(1, 0, 0.99f, 0.1f, 9), many);
            assertDrawsFollow(cut(1, 0, 0.5f, 0.1f, 10), many);
        }
    }

    private Set<Integer> drawn(Sampling sampling, float... values) {
        return new TreeSet<>(counts(2_000, sampling, values).keySet());
    }

    @Test
    void tiesAtTheBorderGoToTheLowerId() {
        assertThat(greedy(1, 3, 3, 3)).isEqualTo(1);
        assertThat(drawn(cut(1, 2, 1, 0, 1), 1, 3, 3, 3)).containsExactly(1, 2);
        assertThat(drawn(cut(1, 1, 1, 0, 1), 3, 3, 3, 3)).containsExactly(0);
        assertThat(drawn(cut(1, 0, 0.5f, 0, 1), 2, 2, 2, 2)).containsExactly(0, 1);
        assertThat(drawn(cut(1, 0, 0.51f, 0, 1), 2, 2, 2, 2)).containsExactly(0, 1, 2);
    }

    @Test
    void topPKeepsTheTokenThatCrossesItAndAlwaysOne() {
        // Probabilities 0.5, 0.25, 0.125, 0.125.
        float ln2 = (float) Math.log(2);
        float[] halves = {2 * ln2, ln2, 0, 0};
        assertThat(drawn(cut(1, 0, 0.49f, 0, 1), halves)).containsExactly(0);
        assertThat(drawn(cut(1, 0, 0.6f, 0, 1), halves)).containsExactly(0, 1);
        assertThat(drawn(cut(1, 0, 0.8f, 0, 1), halves)).containsExactly(0, 1, 2);
        assertThat(drawn(cut(1, 0, 0.9f, 0, 1), halves)).containsExactly(0, 1, 2, 3);
        assertThat(drawn(cut(1, 0, 1e-9f, 0, 1), halves)).containsExactly(0);
    }

    @Test
    void topPCountsWhatTopKLeft() {
        // After top-k 2: 2/3 and 1/3, so 0.6 is reached by the first; of all four it is not.
        float ln2 = (float) Math.log(2);
        assertThat(drawn(cut(1, 2, 0.6f, 0, 1), 2 * ln2, ln2, 0, 0)).containsExactly(0);
    }

    @Test
    void minPComparesWithTheLikeliestAtTheTemperature() {
        float ln2 = (float) Math.log(2);
        float[] halves = {2 * ln2, ln2, 0, -ln2};
        assertThat(drawn(cut(1, 0, 1, 0.26f, 1), halves)).containsExactly(0, 1);
        assertThat(drawn(cut(1, 0, 1, 0.24f, 1), halves)).containsExactly(0, 1, 2);
        assertThat(drawn(cut(2, 0, 1, 0.36f, 1), halves)).containsExactly(0, 1, 2);
        assertThat(drawn(cut(1, 0, 1, 0.999f, 1), halves)).containsExactly(0);
    }

    @Test
    void numbersThatAreNoneAreNeverChosen() {
        assertThat(greedy(NAN, 1, NAN, 2)).isEqualTo(3);
        assertThat(drawn(cut(1, 0, 1, 0, 1), NAN, 1, NEVER, 1.5f, NAN)).containsExactly(1, 3);
        assertThat(drawn(cut(1, 4, 1, 0, 1), NAN, 1, NEVER, 1.5f, NAN)).containsExactly(1, 3);
        assertThat(drawn(cut(1, 0, 0.999f, 0, 1), NAN, 1, NEVER, 1.5f, NAN)).containsExactly(1, 3);
    }

    @Test
    void withoutAnyFiniteLogitItSaysSo() {
        for (Sampling sampling :
                new Sampling[] {Sampling.greedy(), Sampling.at(1, 0), cut(1, 2, 0.5f, 0.1f, 0)}) {
            assertThatThrownBy(() -> choose(sampling, 0, NAN, NAN, NAN))
                    .isInstanceOf(Sampler.NoLogitException.class)
                    .hasMessageContaining("NaN");
            assertThatThrownBy(() -> choose(sampling, 0, NEVER, NEVER, NAN))
                    .isInstanceOf(Sampler.NoLogitException.class);
            assertThatThrownBy(() -> choose(sampling, 0, 1, Float.POSITIVE_INFINITY))
                    .isInstanceOf(Sampler.NoLogitException.class);
        }
    }

    @Test
    void extremeTemperaturesStayInBounds() {
        assertThat(drawn(cut(Float.MIN_VALUE, 0, 1, 0, 1), 1, 2, 2.0001f)).containsExactly(2);
        assertThat(drawn(cut(1e-6f, 0, 0.9f, 0, 1), 1, 2, 2.1f)).containsExactly(2);
        assertDrawsFollow(cut(Sampling.MOST_TEMPERATURE, 0, 1, 0, 1), 1, 2, 3);
    }

    private static Sampling penalties(float repetition, float presence, float frequency) {
        return new Sampling(0, 0, 1, 0, repetition, presence, frequency, Map.of(), 0);
    }

    @Test
    void penaltiesAreThoseOfTheirPapers() {
        Sampler sampler = new Sampler(penalties(2, 0.5f, 0.25f), kernels, new int[] {0, 1, 1});
        // Seen are 0 and 1 by the prompt; nothing is generated yet.
        Tensor first = logits(4, -3, 1, 5);
        assertThat(sampler.choose(first, 0, 3)).isEqualTo(3);
        assertThat(first.row(0)).containsExactly(2, -6, 1, 5);
        // Now 3 is seen and generated once.
        Tensor second = logits(4, -3, 1, 5);
        assertThat(sampler.choose(second, 0, 4)).isEqualTo(0);
        assertThat(second.row(0)).containsExactly(2, -6, 1, 2.5f - 0.5f - 0.25f);
        // 0 too, and 3 twice after another time.
        Tensor third = logits(-9, -3, 1, 8);
        assertThat(sampler.choose(third, 0, 5)).isEqualTo(3);
        assertThat(third.row(0)).containsExactly(-18 - 0.75f, -6, 1, 4 - 0.75f);
        Tensor fourth = logits(0, 0, 9, 8);
        assertThat(sampler.choose(fourth, 0, 6)).isEqualTo(2);
        assertThat(fourth.row(0)).containsExactly(-0.75f, 0, 9, 4 - 0.5f - 2 * 0.25f);
    }

    @Test
    void negativePenaltiesReward() {
        Sampler sampler = new Sampler(penalties(1, -2, 0), kernels, new int[0]);
        assertThat(sampler.choose(logits(0, 1), 0, 0)).isEqualTo(1);
        assertThat(sampler.choose(logits(2.5f, 1), 0, 1)).isEqualTo(1);
    }

    @Test
    void presenceAndFrequencyLeaveThePromptAlone() {
        Sampler sampler = new Sampler(penalties(1, 2, 2), kernels, new int[] {1, 1, 1});
        assertThat(sampler.choose(logits(0, 1), 0, 3)).isEqualTo(1);
    }

    @Test
    void biasComesBeforePenaltiesAndCutsComeAfter() {
        var sampling = new Sampling(0, 0, 1, 0, 2, 0, 0, Map.of(1, 10f, 99, 50f), 0);
        Tensor row = logits(4, -3, 1);
        assertThat(new Sampler(sampling, kernels, new int[] {1}).choose(row, 0, 1)).isEqualTo(0);
        assertThat(row.row(0)).containsExactly(4, 3.5f, 1);
        var best = new Sampling(1, 1, 1, 0, 1, 0, 0, Map.of(2, 100f), 0);
        assertThat(new Sampler(best, kernels, new int[0]).choose(logits(4, 3, 1), 0, 0))
                .isEqualTo(2);
        var banned = new Sampling(1, 0, 1, 0, 1, 0, 0, Map.of(0, -100f), 0);
        assertThat(drawn(banned, 4, 3, 1)).containsExactly(1, 2);
    }

    @Test
    void oneSeedDrawsIndependentlyAtEachPosition() {
        Sampling sampling = Sampling.at(1, 77);
        int same = 0;
        for (int position = 0; position < DRAWS; position++) {
            int a = choose(sampling, position, 0, 0);
            assertThat(choose(sampling, position, 0, 0)).isEqualTo(a);
            same += a == choose(sampling, position + 1, 0, 0) ? 1 : 0;
        }
        assertThat((double) same / DRAWS).isCloseTo(0.5, Offset.offset(0.02));
    }
}
