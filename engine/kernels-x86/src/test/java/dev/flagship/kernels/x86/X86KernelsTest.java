package dev.flagship.kernels.x86;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.Team;
import dev.flagship.testing.KernelsContract;
import java.util.EnumSet;
import java.util.ServiceLoader;
import java.util.Set;

/** Over the vector rung, as it usually stands. */
@OnLinuxX86
class X86KernelsTest extends KernelsContract {
    @Override
    protected Kernels create(Team team) {
        KernelLibrary library = Libraries.load();
        KernelsProvider vector =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> p.name().equals("vector"))
                        .findFirst()
                        .orElseThrow();
        return new X86Kernels(
                library,
                new Int8Products(team, library, Libraries.ALL_TYPES),
                new Attention(team, library, Set.copyOf(AttentionSelfTest.TYPES)),
                new Pointwise(team, library, EnumSet.allOf(PointwiseKernel.class)),
                vector.create(team));
    }
}
