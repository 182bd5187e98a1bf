package dev.flagship.tensor;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.junit.jupiter.api.Test;

class CanonicalMathTest {
    private static double ulps(float actual, double exact) {
        return Math.abs(actual - exact) / Math.ulp((float) exact);
    }

    @Test
    void expIsWithinTwoUlpOverItsWholeRange() {
        double worst = 0;
        for (float x = -87f; x <= 88f; x += 0.0007f) {
            worst = Math.max(worst, ulps(CanonicalMath.exp(x), StrictMath.exp(x)));
        }
        for (float x = 1e-30f; x < 1; x *= 1.001f) {
            worst = Math.max(worst, ulps(CanonicalMath.exp(x), StrictMath.exp(x)));
            worst = Math.max(worst, ulps(CanonicalMath.exp(-x), StrictMath.exp(-x)));
        }
        assertThat(worst).isLessThanOrEqualTo(2);
        assertThat(CanonicalMath.exp(0f)).isEqualTo(1f);
        assertThat(CanonicalMath.exp(-0f)).isEqualTo(1f);
    }

    @Test
    void expIsExactAtThePlacesWherePowersOfTwoChange() {
        for (int n = -125; n <= 126; n++) {
            float at = (float) ((n + 0.5) * StrictMath.log(2));
            for (float x : new float[] {Math.nextDown(at), at, Math.nextUp(at)}) {
                assertThat(ulps(CanonicalMath.exp(x), StrictMath.exp(x))).isLessThanOrEqualTo(2);
            }
        }
    }

    @Test
    void expClampsAndStaysFinite() {
        float low = CanonicalMath.exp(-87f);
        float high = CanonicalMath.exp(88f);
        assertThat(low).isPositive().isGreaterThanOrEqualTo(Float.MIN_NORMAL);
        assertThat(high).isFinite();
        assertThat(CanonicalMath.exp(Float.NEGATIVE_INFINITY)).isEqualTo(low);
        assertThat(CanonicalMath.exp(-1e30f)).isEqualTo(low);
        assertThat(CanonicalMath.exp(Float.POSITIVE_INFINITY)).isEqualTo(high);
        assertThat(CanonicalMath.exp(Float.MAX_VALUE)).isEqualTo(high);
    }

    @Test
    void nanStaysNanWhateverItsPayload() {
        for (int payload = 0; payload < 1 << 22; payload += 4093) {
            for (int sign : new int[] {0, 0x80000000}) {
                float nan = Float.intBitsToFloat(sign | 0x7FC00000 | payload);
                assertThat(CanonicalMath.exp(nan)).isNaN();
                assertThat(CanonicalMath.silu(nan)).isNaN();
            }
        }
    }

    @Test
    void siluIsXTimesSigmoid() {
        for (float x = -80f; x < 80; x += 0.013f) {
            double exact = x / (1 + StrictMath.exp(-x));
            assertThat(ulps(CanonicalMath.silu(x), exact)).isLessThanOrEqualTo(4);
        }
        assertThat(CanonicalMath.silu(0f)).isZero();
        assertThat(CanonicalMath.silu(-1e30f)).isLessThanOrEqualTo(0f).isGreaterThan(-1e-6f);
        assertThat(CanonicalMath.silu(1e30f)).isEqualTo(1e30f);
    }

    /**
     * erf by 2/√π · e^(−x²) · Σ (2x²)ⁿ·x / (1·3·…·(2n+1)), whose terms are all positive (Abramowitz
     * and Stegun 7.1.6).
     */
    private static double exactErf(double x) {
        double a = Math.abs(x);
        double term = a;
        double sum = a;
        for (int n = 1; term > sum * 1e-18; n++) {
            term *= 2 * a * a / (2 * n + 1);
            sum += term;
        }
        return Math.copySign(2 / Math.sqrt(Math.PI) * StrictMath.exp(-a * a) * sum, x);
    }

    @Test
    void erfIsWithinOnePointTwoUlp() {
        double worst = 0;
        int last = Float.floatToIntBits(4.5f);
        for (int bits = Float.floatToIntBits(1e-20f); bits < last; bits += 991) {
            float x = Float.intBitsToFloat(bits);
            worst = Math.max(worst, ulps(CanonicalMath.erf(x), exactErf(x)));
        }
        for (float x = 0.87f; x < 4; x += 0.00003f) { // where both formulas meet, and after it
            worst = Math.max(worst, ulps(CanonicalMath.erf(x), exactErf(x)));
        }
        assertThat(worst).isLessThanOrEqualTo(1.2);
    }

    @Test
    void erfIsOddAndEndsAtOne() {
        for (float x = 0.0013f; x < 5; x *= 1.01f) {
            assertThat(CanonicalMath.erf(-x)).isEqualTo(-CanonicalMath.erf(x));
        }
        for (float x : new float[] {4f, 1e30f, Float.MAX_VALUE, Float.POSITIVE_INFINITY}) {
            assertThat(CanonicalMath.erf(x)).isEqualTo(1f);
            assertThat(CanonicalMath.erf(-x)).isEqualTo(-1f);
        }
        assertThat(Float.floatToRawIntBits(CanonicalMath.erf(-0f))).isEqualTo(0x80000000);
        assertThat(CanonicalMath.erf(Float.NaN)).isNaN();
    }

    @Test
    void geluIsWithinAnUlpOfItsArgument() {
        double worst = 0;
        for (float x = -12f; x < 12; x += 0.0007f) {
            double exact = 0.5 * x * (1 + exactErf(x * Math.sqrt(0.5)));
            worst = Math.max(worst, Math.abs(CanonicalMath.gelu(x) - exact) / Math.ulp(x));
        }
        assertThat(worst).isLessThanOrEqualTo(1);
        assertThat(CanonicalMath.gelu(1e30f)).isEqualTo(1e30f);
        assertThat(CanonicalMath.gelu(-1e30f)).isZero();
        assertThat(CanonicalMath.gelu(Float.POSITIVE_INFINITY)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(CanonicalMath.gelu(Float.NaN)).isNaN();
    }

    @Test
    void reluKeepsWhatIsNotBelowZero() {
        assertThat(CanonicalMath.relu(2f)).isEqualTo(2f);
        assertThat(Float.floatToRawIntBits(CanonicalMath.relu(-2f))).isZero();
        assertThat(CanonicalMath.relu(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(Float.floatToRawIntBits(CanonicalMath.relu(-0f))).isEqualTo(0x80000000);
        assertThat(CanonicalMath.relu(Float.NaN)).isNaN();
    }

    @Test
    void maximumKeepsTheSecondUnlessTheFirstIsLarger() {
        assertThat(CanonicalMath.max(2f, 1f)).isEqualTo(2f);
        assertThat(CanonicalMath.max(1f, 2f)).isEqualTo(2f);
        assertThat(CanonicalMath.max(1f, Float.NaN)).isNaN();
        assertThat(CanonicalMath.max(Float.NaN, 1f)).isEqualTo(1f);
        assertThat(Float.floatToRawIntBits(CanonicalMath.max(0f, -0f))).isEqualTo(0x80000000);
        assertThat(Float.floatToRawIntBits(CanonicalMath.max(-0f, 0f))).isZero();
    }

    @Test
    void sumsFoldHalves() {
        // Where the order shows: 2²⁴ + 1 is no float, so a sum tells which numbers met first.
        float big = 0x1p24f;
        float[] p = new float[16];
        p[0] = big;
        p[8] = 1; // meets p[0] first and is lost
        p[1] = 1;
        p[9] = 1; // meet each other first, are 2, and survive
        assertThat(CanonicalMath.treeSum(p)).isEqualTo(big + 2);
        float[] q = new float[16];
        q[0] = big;
        q[4] = 1;
        q[12] = 1; // 12 meets 4 in the first fold, both meet 0 in the second
        assertThat(CanonicalMath.treeSum(q)).isEqualTo(big + 2);
        float[] r = new float[16];
        for (int i = 0; i < 16; i++) {
            r[i] = 1 << i;
        }
        assertThat(CanonicalMath.treeSum(r)).isEqualTo(65535f);
    }

    @Test
    void maximumFoldsHalves() {
        float[] p = new float[16];
        p[5] = 7;
        p[13] = 9;
        assertThat(CanonicalMath.treeMax(p)).isEqualTo(9f);
        float[] nan = new float[16];
        nan[15] = Float.NaN; // 15 is the second operand of its first three folds
        assertThat(CanonicalMath.treeMax(nan)).isNaN();
    }

    @Test
    void int8RoundsToNearestEven() {
        for (int i = -508; i <= 508; i++) {
            float x = i / 4f;
            int expected = new BigDecimal(x).setScale(0, RoundingMode.HALF_EVEN).intValueExact();
            assertThat(CanonicalMath.int8(x, 1f)).as("%s", x).isEqualTo(expected);
        }
    }

    @Test
    void int8NeverLeavesItsRange() {
        for (float x : new float[] {127.5f, 1e9f, Float.MAX_VALUE, Float.POSITIVE_INFINITY}) {
            assertThat(CanonicalMath.int8(x, 1f)).isEqualTo(127);
            assertThat(CanonicalMath.int8(-x, 1f)).isEqualTo(-127);
        }
        assertThat(CanonicalMath.int8(Float.NaN, 1f)).isZero();
        // A block of denormals has an infinite inverse.
        float inverse = CanonicalMath.int8Inverse(Float.MIN_VALUE);
        assertThat(inverse).isInfinite();
        assertThat(CanonicalMath.int8(Float.MIN_VALUE, inverse)).isEqualTo(127);
        assertThat(CanonicalMath.int8(0f, inverse)).isZero();
    }

    @Test
    void aBlocksScaleTellsWhatWentWrongInIt() {
        int bits = 0;
        for (float x : new float[] {3f, Float.NaN, Float.POSITIVE_INFINITY, -4f}) {
            bits = CanonicalMath.maxMagnitudeBits(bits, x);
        }
        assertThat(CanonicalMath.int8Scale(Float.intBitsToFloat(bits))).isNaN();
        assertThat(CanonicalMath.int8Scale(Float.POSITIVE_INFINITY)).isInfinite();
        assertThat(CanonicalMath.int8Scale(254f)).isEqualTo(2f);
        assertThat(CanonicalMath.int8Inverse(254f)).isEqualTo(0.5f);
        assertThat(CanonicalMath.int8Inverse(0f)).isZero();
        assertThat(CanonicalMath.int8Inverse(-0f)).isZero();
        assertThat(Float.intBitsToFloat(CanonicalMath.maxMagnitudeBits(0, -2f))).isEqualTo(2f);
    }

    @Test
    void inverseRmsIsOneOverTheRoot() {
        assertThat(CanonicalMath.inverseRms(16f, 4, 0f)).isEqualTo(0.5f);
        assertThat(CanonicalMath.inverseRms(0f, 4, 0.25f)).isEqualTo(2f);
        assertThat(CanonicalMath.inverseRms(0f, 4, 0f)).isInfinite();
    }

    private static float cacheScale(float amax) {
        return Float.float16ToFloat(CanonicalMath.cacheScale(amax));
    }

    /** 65,520·127 is where F16, rounding to nearest, would have no number but infinity. */
    @Test
    void aCachesScaleIsNeverInfinite() {
        assertThat(cacheScale(254f)).isEqualTo(2f);
        float last = 65_519f * 127;
        assertThat(cacheScale(last)).isEqualTo(65_504f);
        for (float amax : new float[] {65_520f * 127, 1e30f, Float.POSITIVE_INFINITY, Float.NaN}) {
            short scale = CanonicalMath.cacheScale(amax);
            assertThat(scale).as("%s", amax).isEqualTo((short) 0x7E00);
            float inverse = CanonicalMath.cacheInverse(scale);
            assertThat(CanonicalMath.int8(amax, inverse)).as("%s", amax).isZero();
            assertThat(CanonicalMath.int8(1f, inverse)).as("%s", amax).isZero();
        }
    }

    @Test
    void aCachesScaleOfLittleIsZeroAndSoIsItsBlock() {
        float least = 127 * 0x1p-25f; // a tie, and 0 is even
        assertThat(cacheScale(least)).isZero();
        assertThat(CanonicalMath.int8(least, CanonicalMath.cacheInverse((short) 0))).isZero();
        assertThat(cacheScale(Math.nextUp(least))).isEqualTo(0x1p-24f);
        assertThat(cacheScale(0f)).isZero();
    }

    /** Half a step, but where the largest lie a little above 127 steps of a rounded scale. */
    @Test
    void cachedNumbersComeBackWithinHalfAStep() {
        for (float amax = 1e-7f; amax < 8e6f; amax *= 1.0173f) {
            float scale = cacheScale(amax);
            float inverse = CanonicalMath.cacheInverse(CanonicalMath.cacheScale(amax));
            for (int i = -1000; i <= 1000; i++) {
                float x = amax * (i / 1000f);
                int quant = CanonicalMath.int8(x, inverse);
                assertThat(quant).isBetween(-127, 127);
                double most = Math.max(0.500001 * scale, Math.abs(x) - 127.0 * scale);
                assertThat(Math.abs(x - (double) quant * scale))
                        .as("%s of %s", x, amax)
                        .isLessThanOrEqualTo(most);
            }
            assertThat(amax - 127.0 * scale).isLessThanOrEqualTo(amax * 0x1p-11 + 127 * 0x1p-25);
        }
    }
}
