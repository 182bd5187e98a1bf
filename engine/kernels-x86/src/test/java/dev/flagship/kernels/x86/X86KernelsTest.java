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
    /** Subclasses test the other instruction sets. */
    Isa isa() {
        return Isa.AVX512_VNNI;
    }

    @Override
    protected Kernels create(Team team) {
        KernelLibrary library = Libraries.load(isa());
        KernelsProvider vector =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> p.name().equals("vector"))
                        .findFirst()
                        .orElseThrow();
        return new X86Kernels(
                library,
                new Int8Products(team, library, Libraries.types(isa())),
                new FloatProducts(team, library, isa().complete() ? FloatProducts.TYPES : Set.of()),
                new Attention(
                        team,
                        library,
                        isa().complete() ? Set.copyOf(AttentionSelfTest.TYPES) : Set.of()),
                new Pointwise(
                        team,
                        library,
                        isa().complete() ? EnumSet.allOf(PointwiseKernel.class) : Set.of()),
                vector.create(team, _ -> {}));
    }
}
