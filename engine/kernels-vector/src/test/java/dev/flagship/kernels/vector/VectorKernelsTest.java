package dev.flagship.kernels.vector;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Team;
import dev.flagship.testing.KernelsContract;

/** Runs at the machine's own vector length and, by the build, at 256 and 128 bits. */
class VectorKernelsTest extends KernelsContract {
    @Override
    protected Kernels create(Team team) {
        return new VectorKernels(team);
    }
}
