package dev.flagship.testing;

import static dev.flagship.testing.AllocationCheck.allocatesNothing;

import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.ScalarKernels;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.SerialTeam;
import org.junit.jupiter.api.Test;

/** Here and not beside Scratch, whose module cannot see the JVM's own measurements. */
class ScratchAllocationTest {

    @Test
    void aStepThatRepeatsItsShapesAllocatesNothing() {
        int[] widths = {64, 32, 32};
        int[] head = {500};
        try (Scratch scratch = new Scratch(new ScalarKernels(new SerialTeam()), Numerics.EXACT)) {
            allocatesNothing(
                    "a step of scratch",
                    () -> {
                        try (var _ = scratch.frame()) {
                            scratch.take(3, 64);
                            for (int layer = 0; layer < 4; layer++) {
                                try (var _ = scratch.frame()) {
                                    scratch.takeAll(3, widths).get(0).split(4, 16).join();
                                    scratch.take(3, 64);
                                }
                            }
                            // The head comes to the places that a layer has used, with other
                            // shapes.
                            scratch.takeAll(1, widths);
                            scratch.takeAll(1, head);
                        }
                    });
        }
    }
}
