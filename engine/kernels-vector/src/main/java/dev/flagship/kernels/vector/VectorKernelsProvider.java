package dev.flagship.kernels.vector;

import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.Team;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/** Offers the Vector API rung where the incubator module is present. */
public final class VectorKernelsProvider implements KernelsProvider {
    public VectorKernelsProvider() {}

    @Override
    public String name() {
        return "vector";
    }

    @Override
    public int preference() {
        return 100;
    }

    @Override
    public Optional<String> obstacle() {
        // Asked before any class that links to the module is touched.
        return ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent()
                ? Optional.empty()
                : Optional.of(
                        "the module jdk.incubator.vector is not loaded; start Java with --add-modules jdk.incubator.vector");
    }

    @Override
    public Optional<String> host() {
        return obstacle().isPresent()
                ? Optional.empty()
                : Optional.of(
                        "Java computes in vectors of %d bits"
                                .formatted(Lanes.FLOATS.vectorBitSize()));
    }

    @Override
    public Kernels create(Team team, Set<DType> types, Consumer<String> warnings) {
        return new VectorKernels(team);
    }

    @Override
    public List<PeakLoop> peakLoops() {
        return obstacle().isPresent() ? List.of() : List.of(new MultiplyAdds());
    }
}
