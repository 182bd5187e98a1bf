package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TopKTest {

    @Test
    void equalsASortWhateverTheTiesAndNans() {
        Random random = new Random(11);
        for (int round = 0; round < 500; round++) {
            int n = 1 + random.nextInt(60);
            float[] x = new float[n];
            for (int i = 0; i < n; i++) {
                x[i] =
                        switch (random.nextInt(8)) {
                            case 0 -> Float.NaN;
                            case 1 -> Float.NEGATIVE_INFINITY;
                            case 2 -> Float.POSITIVE_INFINITY;
                            case 3 -> random.nextBoolean() ? 0f : -0f;
                            default -> random.nextInt(5);
                        };
            }
            int k = 1 + random.nextInt(n);
            int[] ids = new int[k];
            float[] values = new float[k];
            int size = 0;
            for (int i = 0; i < n; i++) {
                size = TopK.offer(ids, values, size, k, i, x[i]);
            }
            TopK.sort(ids, values, k);
            // Larger first, −0 like 0, NaN last; the sort is stable, so the lower index first.
            int[] expected =
                    IntStream.range(0, n)
                            .boxed()
                            .sorted(Comparator.comparingDouble((Integer i) -> 0.0 - x[i]))
                            .limit(k)
                            .mapToInt(i -> i)
                            .toArray();
            assertThat(ids).isEqualTo(expected);
            for (int i = 0; i < k; i++) {
                assertThat(Float.floatToRawIntBits(values[i]))
                        .isEqualTo(Float.floatToRawIntBits(x[ids[i]]));
            }
        }
    }
}
