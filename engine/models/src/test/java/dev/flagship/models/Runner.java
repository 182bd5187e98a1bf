package dev.flagship.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.FormulaWeights;
import dev.flagship.testing.RecordingKernels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;

/**
 * A model with weights by the formula on one rung, and what is needed to run it. Where the machine
 * lacks the rung, the test is skipped with the obstacle in its report.
 */
final class Runner implements AutoCloseable {
    private static final String SCALAR = "scalar";

    private final Team team;
    private final FormulaWeights weights;
    private final RecordingKernels kernels;
    private final Llama model;
    private final PagedKvCache cache;
    private final Step step;

    /**
     * @param rung {@code scalar}, {@code vector} or {@code x86}
     */
    Runner(Llama.Config config, DType type, float scale, String rung, int threads, Numerics mode) {
        assumeRuns(rung);
        team = new SpinTeam(threads);
        kernels = new RecordingKernels(create(rung, team));
        weights = new FormulaWeights(type, scale);
        model = new Llama(config, weights);
        DType cached = mode == Numerics.EXACT ? DType.F32 : DType.F16;
        cache = new PagedKvCache(model.kvLayout(cached), 64);
        step = new Step(new Scratch(kernels, mode), cache);
    }

    private static void assumeRuns(String rung) {
        if (!rung.equals(SCALAR)) {
            var obstacle = provider(rung).obstacle();
            assumeTrue(obstacle.isEmpty(), () -> rung + ": " + obstacle.orElse(""));
        }
    }

    private static Kernels create(String rung, Team team) {
        return rung.equals(SCALAR) ? new ScalarKernels(team) : provider(rung).create(team, _ -> {});
    }

    private static KernelsProvider provider(String rung) {
        return ServiceLoader.load(KernelsProvider.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(p -> p.name().equals(rung))
                .findFirst()
                .orElseThrow();
    }

    RecordingKernels recorded() {
        return kernels;
    }

    PagedKvCache cache() {
        return cache;
    }

    Step step() {
        return step;
    }

    /** Adds tokens to the step; {@link #forward} runs it. */
    void add(PagedKvCache.Sequence sequence, int[] ids, Step.Wanted wanted) {
        assertThat(sequence.reserve(sequence.length() + ids.length)).isTrue();
        step.add(sequence, ids, 0, ids.length, wanted);
    }

    /** Runs the step's rows and forgets them; the caller advances the sequences. */
    List<float[]> forward() {
        List<float[]> rows = new ArrayList<>();
        try (var _ = step.frame()) {
            Tensor logits = model.forward(step);
            for (int row = 0; row < logits.rows(); row++) {
                rows.add(logits.row(row));
            }
        }
        step.clear();
        return rows;
    }

    /** Logits of all tokens, in one step for each chunk. */
    List<float[]> logits(PagedKvCache.Sequence sequence, int[] ids, int chunk) {
        List<float[]> rows = new ArrayList<>();
        for (int from = 0; from < ids.length; from += chunk) {
            int[] part = Arrays.copyOfRange(ids, from, Math.min(from + chunk, ids.length));
            add(sequence, part, Step.Wanted.ALL);
            rows.addAll(forward());
            sequence.advance(part.length);
        }
        return rows;
    }

    /** Logits of all tokens in a sequence of their own, in one step. */
    List<float[]> logits(int[] ids) {
        PagedKvCache.Sequence sequence = cache.sequence();
        List<float[]> rows = logits(sequence, ids, ids.length);
        sequence.close();
        return rows;
    }

    /** The most likely tokens after ids, one after another. */
    int[] greedy(int[] ids, int count) {
        PagedKvCache.Sequence sequence = cache.sequence();
        int[] chosen = new int[count];
        float[] last = logits(sequence, ids, ids.length).getLast();
        for (int i = 0; i < count; i++) {
            chosen[i] = best(last);
            last = logits(sequence, new int[] {chosen[i]}, 1).getLast();
        }
        sequence.close();
        return chosen;
    }

    static int best(float[] logits) {
        int best = 0;
        for (int i = 1; i < logits.length; i++) {
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    @Override
    public void close() {
        step.close();
        cache.close();
        weights.close();
        kernels.close();
        team.close();
    }
}
