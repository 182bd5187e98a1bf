package dev.flagship.kernels.x86;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ProductKernelTest {
    private static final int BLOCKS = 64;
    private static final int BLOCK_BYTES = 1024; // of two bands of 8 bits

    /** Two lines are asked for in each block, and no more than two may lie between. */
    @Test
    void theNextGroupIsAskedForWholeAndWithoutGaps() {
        long bytes = (long) BLOCKS * BLOCK_BYTES;
        for (int rows : new int[] {48, 64, 255, 256, 1000}) {
            long step = ProductKernel.nextStep(bytes, BLOCKS, 6, rows);
            assertThat(step).isBetween(1L, 128L);
            assertThat(step * BLOCKS * Math.ceilDiv(rows, 6)).isGreaterThanOrEqualTo(bytes);
        }
        assertThat(ProductKernel.nextStep(bytes, BLOCKS, 6, 24)).isEqualTo(128);
    }
}
