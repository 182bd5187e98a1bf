package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class RopeTableTest {

    @Test
    void growthKeepsWhatWasThereAndAddsTheRest() {
        float[] frequencies = {1f, 0.25f, 0.001f};
        RopeTable grown = new RopeTable(frequencies);
        for (int count : new int[] {1, 3, 64, 65, 200, 3000}) {
            grown.ensure(count);
            assertThat(grown.cos().length).isGreaterThanOrEqualTo(count * 3);
        }
        RopeTable atOnce = new RopeTable(frequencies);
        atOnce.ensure(3000);
        for (int i = 0; i < 3000 * 3; i++) {
            assertThat(grown.cos()[i]).isEqualTo(atOnce.cos()[i]);
            assertThat(grown.sin()[i]).isEqualTo(atOnce.sin()[i]);
        }
    }

    @Test
    void aPairTurnsByPositionTimesFrequency() {
        RopeTable table = new RopeTable(new float[] {0.5f});
        table.ensure(2000);
        for (int position : new int[] {0, 1, 7, 1999}) {
            assertThat(table.cos()[position])
                    .isCloseTo((float) Math.cos(position * 0.5), within(1e-7f));
            assertThat(table.sin()[position])
                    .isCloseTo((float) Math.sin(position * 0.5), within(1e-7f));
        }
    }

    @Test
    void doesNotSeeLaterChangesOfItsFrequencies() {
        float[] frequencies = {1f};
        RopeTable table = new RopeTable(frequencies);
        frequencies[0] = 2f;
        table.ensure(2);
        assertThat(table.cos()[1]).isEqualTo((float) StrictMath.cos(1));
    }
}
