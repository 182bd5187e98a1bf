package dev.flagship.kernels.x86;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;
import dev.flagship.testing.KernelsContract;

/** Over the scalar rung, so that a wrong number can come from here only. */
@OnLinuxX86
class X86KernelsTest extends KernelsContract {
    @Override
    protected Kernels create(Team team) {
        KernelLibrary library = Libraries.load();
        return new X86Kernels(
                library,
                new Int8Products(team, library, Libraries.ALL_TYPES),
                new ScalarKernels(team));
    }
}
