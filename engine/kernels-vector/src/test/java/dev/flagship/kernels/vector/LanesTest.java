package dev.flagship.kernels.vector;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.SerialTeam;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class LanesTest {
    /** The build asks for shorter vectors than the machine's in some of its runs. */
    private static final int ASKED = Integer.getInteger("tests.vector.bits", 512);

    @Test
    void takesTheLengthThatTheJvmPrefers() {
        int preferred = FloatVector.SPECIES_PREFERRED.vectorBitSize();
        assertThat(Lanes.FLOATS.vectorBitSize())
                .isEqualTo(Math.min(preferred, 512))
                .isLessThanOrEqualTo(ASKED);
    }

    @Test
    void aBandIsAWholeNumberOfVectors() {
        assertThat(Lanes.PER_BAND * Lanes.LENGTH).isEqualTo(BandMatrix.BAND);
        assertThat(Lanes.INTS.length()).isEqualTo(Lanes.LENGTH);
        assertThat(Lanes.SHORTS.length()).isEqualTo(Lanes.LENGTH);
    }

    @Test
    void theRungsNameTellsTheLength() {
        try (var kernels = new VectorKernels(new SerialTeam())) {
            assertThat(kernels.rung()).isEqualTo("vector-" + 32 * Lanes.LENGTH);
        }
    }
}
