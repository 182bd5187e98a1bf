package dev.flagship.serving;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import java.util.Optional;

/** A rung that a test can make fail; only chosen by its name. */
public final class FaultyKernelsProvider implements KernelsProvider {
    static final String NAME = "faulty";

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int preference() {
        return Integer.MIN_VALUE;
    }

    @Override
    public Optional<String> obstacle() {
        return Optional.empty();
    }

    @Override
    public Kernels create(Team team) {
        return new FaultyKernels(new ScalarKernels(team));
    }
}
