package dev.flagship.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.nn.Rope;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import dev.flagship.testing.Golden;
import java.io.IOException;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every module's output as transformers computes it, from weights that both make by the formula.
 */
class LlamaGoldenTest {
    static final Rope.Scaling NONE = new Rope.Scaling.None();
    static final Llama.Config LLAMA =
            new Llama.Config(48, 32, 64, 2, 4, 2, 8, 1e-5f, 1e4f, NONE, false);
    static final Llama.Config WIDE =
            new Llama.Config(512, 576, 1536, 2, 9, 3, 64, 1e-5f, 1e5f, NONE, true);

    private static Llama.Config config(String name) {
        return switch (name) {
            case "llama" -> LLAMA;
            case "llama1" -> new Llama.Config(48, 32, 88, 2, 4, 4, 8, 1e-6f, 1e4f, NONE, false);
            case "llama2" -> new Llama.Config(50, 64, 84, 2, 8, 2, 8, 1e-5f, 1e4f, NONE, false);
            case "llama3" -> new Llama.Config(48, 64, 96, 2, 4, 1, 16, 1e-5f, 5e5f, NONE, false);
            case "llama31" ->
                    new Llama.Config(
                            48,
                            64,
                            96,
                            2,
                            4,
                            2,
                            16,
                            1e-5f,
                            5e5f,
                            new Rope.Scaling.Llama3(8f, 1f, 4f, 64),
                            false);
            case "odd" -> new Llama.Config(48, 36, 52, 2, 3, 1, 20, 1e-5f, 1e5f, NONE, true);
            case "wide" -> WIDE;
            default -> throw new IllegalArgumentException(name);
        };
    }

    @ParameterizedTest
    @CsvSource({
        "llama, scalar",
        "llama1, scalar",
        "llama2, scalar",
        "llama3, scalar",
        "llama31, scalar",
        "odd, scalar",
        "wide, scalar",
        "llama, vector",
        "llama1, vector",
        "llama2, vector",
        "llama3, vector",
        "llama31, vector",
        "odd, vector",
        "wide, vector",
        "llama, x86",
        "llama1, x86",
        "llama2, x86",
        "llama3, x86",
        "llama31, x86",
        "odd, x86",
        "wide, x86"
    })
    void everyModuleGivesWhatTheReferenceGives(String name, String rung) throws IOException {
        Golden golden = Golden.read("llama/" + name + ".expected.safetensors");
        float scale = name.equals("wide") ? 0.25f : 1f;
        try (Runner runner = new Runner(config(name), DType.F32, scale, rung, 2, Numerics.EXACT)) {
            int[] ids = golden.ids("input_ids");
            runner.logits(ids);
            var outputs = runner.recorded().outputs();
            TreeSet<String> expected = new TreeSet<>(golden.names());
            expected.removeAll(List.of("input_ids", "greedy"));
            assertThat(outputs.keySet()).containsAll(expected);
            assertThat(expected).hasSize(name.equals("wide") ? 23 : 27);
            for (String module : expected) {
                assertThat(golden.distance(module, outputs.getOrDefault(module, List.of())))
                        .as("%s on %s: %s", name, rung, module)
                        .isLessThan(1e-4);
            }
            assertThat(runner.greedy(ids, 8)).isEqualTo(golden.ids("greedy"));
        }
    }

    /** The figures that the project's model facts publish. */
    @ParameterizedTest
    @ValueSource(strings = {"scalar", "vector", "x86"})
    void thePublishedFixtureHolds(String rung) {
        int[] ids = {1, 5, 9, 2, 30, 7, 11, 3};
        try (Runner runner = new Runner(LLAMA, DType.F32, 1, rung, 1, Numerics.EXACT)) {
            List<float[]> logits = runner.logits(ids);
            closeTo(
                    logits.get(0),
                    -1.354472f,
                    -0.097158f,
                    0.189985f,
                    0.160438f,
                    0.927996f,
                    -0.062345f);
            closeTo(
                    logits.get(7),
                    -0.123882f,
                    -1.038213f,
                    0.197207f,
                    0.198808f,
                    0.012215f,
                    -0.672564f);
            double sum = 0;
            for (float[] row : logits) {
                for (float x : row) {
                    sum += x;
                }
            }
            assertThat(sum).isCloseTo(27.5619, within(2e-4));
            assertThat(logits.stream().mapToInt(Runner::best))
                    .containsExactly(25, 28, 28, 11, 41, 33, 41, 28);
            assertThat(runner.greedy(ids, 8)).containsExactly(28, 32, 32, 32, 32, 32, 32, 32);
        }
    }

    private static void closeTo(float[] actual, float... expected) {
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).as("logit %d", i).isCloseTo(expected[i], within(1e-4f));
        }
    }
}
