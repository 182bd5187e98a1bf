package dev.flagship.kernels.x86;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KernelsProvider;
import dev.flagship.tensor.Team;
import dev.flagship.testing.KernelsContract;
import java.util.ServiceLoader;

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
        Passing all = Passing.all(library);
        KernelsProvider vector =
                ServiceLoader.load(KernelsProvider.class).stream()
                        .map(ServiceLoader.Provider::get)
                        .filter(p -> p.name().equals("vector"))
                        .findFirst()
                        .orElseThrow();
        return new X86Kernels(
                library,
                new Int8Products(team, library, all.products()),
                new FloatProducts(team, library, all.floats()),
                new Attention(team, library, all.attention()),
                new Pointwise(team, library, all.pointwise()),
                vector.create(team, _ -> {}));
    }
}
