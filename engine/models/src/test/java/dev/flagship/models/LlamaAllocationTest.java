package dev.flagship.models;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.testing.AllocationCheck;
import dev.flagship.testing.FormulaWeights;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/** A token costs no garbage: what a pass needs is kept from the last one. */
class LlamaAllocationTest {
    private static final Llama.Config CONFIG =
            new Llama.Config(64, 64, 96, 2, 4, 2, 16, 1e-5f, 1e4f, LlamaGoldenTest.NONE, true);

    @Test
    void aTokenAllocatesNothing() {
        try (SerialTeam team = new SerialTeam();
                var kernels =
                        ServiceLoader.load(KernelsProvider.class).stream()
                                .map(ServiceLoader.Provider::get)
                                .filter(p -> p.name().equals("vector"))
                                .findFirst()
                                .orElseThrow()
                                .create(team, _ -> {});
                FormulaWeights weights = new FormulaWeights(DType.Q4_1, 1)) {
            Llama model = new Llama(CONFIG, weights);
            try (PagedKvCache cache = new PagedKvCache(model.kvLayout(DType.F16), 8);
                    Step step = new Step(new Scratch(kernels, Numerics.FAST), cache)) {
                PagedKvCache.Sequence sequence = cache.sequence();
                sequence.reserve(64);
                sequence.advance(40);
                int[] token = {7};
                AllocationCheck.allocatesNothing(
                        "a token",
                        () -> {
                            step.clear();
                            step.add(sequence, token, 0, 1, Step.Wanted.LAST);
                            try (var _ = step.frame()) {
                                model.forward(step);
                            }
                        });
            }
        }
    }
}
