package dev.flagship.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Numerics;
import dev.flagship.testing.FormulaWeights;
import dev.flagship.testing.LeakCheck;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** However rows are packed, cut, shared and spread over threads, their logits keep their bits. */
class LlamaTest {
    private static final int[] TOKENS = new Random(5).ints(90, 0, 48).toArray();

    /** Quantised types need rows of 32: four heads of 16 in a width of 64. */
    private static final Llama.Config SMALL =
            new Llama.Config(48, 64, 96, 2, 4, 2, 16, 1e-5f, 1e4f, LlamaGoldenTest.NONE, true);

    private static Runner runner(String rung, int threads, Numerics numerics) {
        DType type = numerics == Numerics.EXACT ? DType.F32 : DType.Q8_0;
        return new Runner(SMALL, type, 1, rung, threads, numerics);
    }

    private static void assertSameBits(List<float[]> actual, List<float[]> expected) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int row = 0; row < expected.size(); row++) {
            assertThat(Arrays.equals(actual.get(row), expected.get(row)))
                    .as("row %d", row)
                    .isTrue();
            assertThat(expected.get(row)).doesNotContain(Float.NaN);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "scalar, EXACT",
        "vector, EXACT",
        "x86, EXACT",
        "scalar, FAST",
        "vector, FAST",
        "x86, FAST"
    })
    void chunkedPrefillEqualsWhole(String rung, Numerics numerics) {
        try (Runner runner = runner(rung, 2, numerics)) {
            List<float[]> whole = runner.logits(TOKENS);
            for (int chunk : new int[] {1, 7, 16, 17, 64}) {
                PagedKvCache.Sequence sequence = runner.cache().sequence();
                assertSameBits(runner.logits(sequence, TOKENS, chunk), whole);
                sequence.close();
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"scalar, EXACT", "vector, EXACT", "x86, EXACT", "vector, FAST", "x86, FAST"})
    void aForkEqualsAFreshRun(String rung, Numerics numerics) {
        try (Runner runner = runner(rung, 2, numerics)) {
            List<float[]> fresh = runner.logits(TOKENS);
            for (int at : new int[] {1, 15, 16, 17, 40}) {
                PagedKvCache.Sequence parent = runner.cache().sequence();
                runner.logits(parent, Arrays.copyOf(TOKENS, at), at);
                PagedKvCache.Sequence child = parent.fork();
                runner.logits(parent, new int[] {40, 41, 42}, 3); // the parent goes elsewhere
                int[] rest = Arrays.copyOfRange(TOKENS, at, TOKENS.length);
                assertSameBits(
                        runner.logits(child, rest, rest.length), fresh.subList(at, fresh.size()));
                child.truncate(at - 1);
                int[] again = Arrays.copyOfRange(TOKENS, at - 1, TOKENS.length);
                assertSameBits(runner.logits(child, again, 9), fresh.subList(at - 1, fresh.size()));
                parent.close();
                child.close();
            }
            assertThat(runner.cache().freePages()).isEqualTo(runner.cache().pages());
        }
    }

    @ParameterizedTest
    @CsvSource({"scalar, EXACT", "vector, EXACT", "x86, EXACT", "vector, FAST", "x86, FAST"})
    void eightSequencesInAStepEqualTheirSoloRuns(String rung, Numerics numerics) {
        try (Runner runner = runner(rung, 2, numerics)) {
            List<PagedKvCache.Sequence> sequences = new ArrayList<>();
            List<int[]> texts = new ArrayList<>();
            List<List<float[]>> solo = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                texts.add(Arrays.copyOfRange(TOKENS, i, i + 20 + 7 * i));
                solo.add(runner.logits(texts.get(i)));
                sequences.add(runner.cache().sequence());
            }
            int[] done = new int[8];
            for (int round = 0; done[7] < texts.get(7).length; round++) {
                // Each round some sequences prefill a few tokens and the others decode one.
                List<float[]> expected = new ArrayList<>();
                int[] counts = new int[8];
                for (int i = 0; i < 8; i++) {
                    int left = texts.get(i).length - done[i];
                    counts[i] = Math.min(left, (i + round) % 3 == 0 ? 9 : 1);
                    int[] part = Arrays.copyOfRange(texts.get(i), done[i], done[i] + counts[i]);
                    if (counts[i] > 0) {
                        runner.add(sequences.get(i), part, Step.Wanted.LAST);
                        expected.add(solo.get(i).get(done[i] + counts[i] - 1));
                    }
                }
                assertSameBits(runner.forward(), expected);
                for (int i = 0; i < 8; i++) {
                    sequences.get(i).advance(counts[i]);
                    done[i] += counts[i];
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"EXACT", "FAST"})
    void rungsAndThreadCountsAgreeOnEveryBit(Numerics numerics) {
        List<float[]> expected;
        try (Runner runner = runner("scalar", 1, numerics)) {
            expected = runner.logits(TOKENS);
        }
        for (String rung : List.of("scalar", "vector")) {
            for (int threads = 1; threads <= 3; threads++) {
                try (Runner runner = runner(rung, threads, numerics)) {
                    assertSameBits(runner.logits(TOKENS), expected);
                }
            }
        }
    }

    @Test
    void rungsAgreeOnTheWideModelInFast() {
        int[] ids = Arrays.copyOf(TOKENS, 20);
        List<float[]> expected;
        Llama.Config wide = LlamaGoldenTest.WIDE;
        try (Runner r = new Runner(wide, DType.Q8_0, 0.25f, "scalar", 2, Numerics.FAST)) {
            expected = r.logits(ids);
        }
        for (int threads = 1; threads <= 2; threads++) {
            try (Runner r = new Runner(wide, DType.Q8_0, 0.25f, "vector", threads, Numerics.FAST)) {
                assertSameBits(r.logits(ids), expected);
                PagedKvCache.Sequence sequence = r.cache().sequence();
                assertSameBits(r.logits(sequence, ids, 1), expected);
            }
        }
    }

    @Test
    void nothingIsComputedForRowsThatNobodyWants() {
        try (Runner runner = runner("vector", 1, Numerics.EXACT)) {
            PagedKvCache.Sequence sequence = runner.cache().sequence();
            runner.add(sequence, Arrays.copyOf(TOKENS, 10), Step.Wanted.NONE);
            assertThat(runner.forward()).isEmpty();
            sequence.advance(10);
            assertRows(runner, "lm_head", 0);
            assertRows(runner, "model.layers.0.mlp.down_proj", 10);
            assertRows(runner, "model.layers.1.self_attn.k_proj", 10);
            assertRows(runner, "model.layers.1.self_attn.o_proj", 0);
            assertRows(runner, "model.layers.1.mlp.down_proj", 0);
            runner.add(sequence, Arrays.copyOfRange(TOKENS, 10, 13), Step.Wanted.LAST);
            List<float[]> last = runner.forward();
            assertRows(runner, "model.layers.0.mlp.down_proj", 13);
            assertRows(runner, "model.layers.1.mlp.down_proj", 1);
            assertSameBits(last, List.of(runner.logits(TOKENS).get(12)));
        }
    }

    /** Rows of a module in all steps so far. */
    private static void assertRows(Runner runner, String module, int rows) {
        assertThat(runner.recorded().outputs().get(module)).as(module).hasSize(rows);
    }

    @Test
    void aRunGivesAllMemoryBack() throws Exception {
        LeakCheck.around(() -> {
            try (Runner runner = runner("vector", 2, Numerics.FAST)) {
                runner.logits(TOKENS);
            }
        });
    }

    @Test
    void configurationsThatCannotBeAreRefused() {
        assertThatThrownBy(() ->
                        new Llama.Config(
                                48, 64, 96, 2, 4, 3, 16, 1e-5f, 1e4f, LlamaGoldenTest.NONE, true))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("4 heads")
                .hasMessageContaining("3 groups");
        assertThatThrownBy(() ->
                        new Llama.Config(
                                0, 64, 96, 2, 4, 2, 16, 1e-5f, 1e4f, LlamaGoldenTest.NONE, true))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void tellsWhatItNeedsOfACache() {
        try (FormulaWeights weights = new FormulaWeights(DType.F32, 1)) {
            Llama model = new Llama(SMALL, weights);
            assertThat(model.kvLayout(DType.F16)).isEqualTo(new KvLayout(2, 2, 16, DType.F16));
            assertThat(model.vocabularySize()).isEqualTo(48);
        }
    }
}
