package dev.flagship.testing;

import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Team;

/**
 * The scalar rung under teams, company and walls; that its numbers are right is {@link
 * ScalarKernelsAccuracyTest}'s matter.
 */
class ScalarKernelsTest extends KernelsContract {
    @Override
    protected Kernels create(Team team) {
        return new ScalarKernels(team);
    }
}
