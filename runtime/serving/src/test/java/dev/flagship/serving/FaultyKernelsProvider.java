package dev.flagship.serving;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.Team;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** A rung that a test can make fail, over the scalar one; only chosen by its name. */
public class FaultyKernelsProvider implements KernelsProvider {
    static final String NAME = "faulty";
    static final String OVER_VECTOR = "faulty-vector";

    private final String name;
    private final String over;

    public FaultyKernelsProvider() {
        this(NAME, "scalar");
    }

    FaultyKernelsProvider(String name, String over) {
        this.name = name;
        this.over = over;
    }

    /** The same over the vector rung. */
    public static final class OverVector extends FaultyKernelsProvider {
        public OverVector() {
            super(OVER_VECTOR, "vector");
        }
    }

    @Override
    public String name() {
        return name;
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
    public Kernels create(Team team, Set<DType> types, Consumer<String> warnings) {
        return new FaultyKernels(Rungs.create(over, team, types, warnings));
    }
}
