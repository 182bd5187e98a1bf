package dev.flagship.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FormulaWeightsTest {

    @Test
    void thePublishedChecksHold() {
        assertThat(FormulaWeights.hash("x")).isEqualTo(0xFD0C5087);
        assertThat(FormulaWeights.hash("img")).isEqualTo(0x84E72504);
        assertThat(FormulaWeights.hash("model.norm.weight")).isEqualTo(0xBE0496C4);
        double[] v = FormulaWeights.stream("x", 3);
        assertThat(v[0]).isCloseTo(-0.629976, within(1e-6));
        assertThat(v[1]).isCloseTo(0.759853, within(1e-6));
        assertThat(v[2]).isCloseTo(-0.511932, within(1e-6));
        try (FormulaWeights weights = new FormulaWeights(DType.F32, 1)) {
            Tensor norm = weights.at("model").vector("norm", 3);
            assertThat(norm.name()).isEqualTo("model.norm.weight");
            assertThat(norm.get(0, 0)).isCloseTo(0.762282f, within(1e-6f));
            assertThat(norm.get(0, 1)).isCloseTo(0.853219f, within(1e-6f));
            assertThat(norm.get(0, 2)).isCloseTo(1.173341f, within(1e-6f));
        }
    }

    @ParameterizedTest
    @EnumSource(value = DType.class, mode = EnumSource.Mode.MATCH_NONE, names = "IQ[123]_.*")
    void everyTypeHoldsTheFormulaAsFarAsItsBitsReach(DType type) {
        double step =
                switch (type) {
                    case F32 -> 1e-7;
                    case F16 -> 0x1p-11;
                    case BF16 -> 0x1p-8;
                    case Q8_0 -> 0.51 / 127;
                    case Q4_0 -> 1.01 / 8; // the side without the largest number is cut
                    case Q4_1 -> 1.01 / 15;
                    case Q4_K -> 1.3 / 15; // scale and minimum are rounded too
                    case Q5_0 -> 1.01 / 16;
                    case Q5_1 -> 1.01 / 31;
                    case Q5_K -> 2.0 / 31;
                    case Q6_K -> 1.3 / 62;
                    case Q3_K -> 1.2 / 4;
                    case Q2_K -> 1.5 / 3;
                    case IQ4_NL -> 14.1 / 127; // levels end at 113 on one side
                    case IQ4_XS -> 18.0 / 127;
                    case MXFP4 -> 2.0 / 8; // 6 of 8 is the largest
                    case IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M ->
                            throw new IllegalArgumentException(type + " is not encoded");
                };
        try (FormulaWeights weights = new FormulaWeights(type, 0.5f)) {
            BandMatrix w = weights.at("a.b").matrix("c", 20, 256);
            assertThat(w.name()).isEqualTo("a.b.c.weight");
            double[] v = FormulaWeights.stream("a.b.c.weight", 20 * 256);
            for (int i = 0; i < v.length; i++) {
                assertThat((double) w.weight(i / 256, i % 256))
                        .isCloseTo(0.125 * v[i], within(0.125 * step));
            }
        }
    }

    @Test
    void closeFreesWhatWasAskedForDeeperInTheTree() throws Exception {
        LeakCheck.around(() -> {
            try (FormulaWeights weights = new FormulaWeights(DType.Q4_1, 1)) {
                weights.at("a").at("b").matrix("c", 3, 32);
                weights.at("a").vector("d", 3);
            }
        });
    }
}
