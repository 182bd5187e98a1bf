package dev.flagship.tensor;

/**
 * The scalar definition of every formula that all rungs must reproduce bit for bit. Vector code
 * follows the same operations in the same order; {@code Math.fma} rounds once, every other
 * operation rounds as written.
 */
public final class CanonicalMath {
    /** Partial results of a reduction: element i goes to partial i mod 16. */
    public static final int LANES = 16;

    /** 1.5·2²³: adding and subtracting it rounds to an integer, to nearest even. */
    public static final float ROUND_MAGIC = 0x1.8p23f;

    public static final int ROUND_MAGIC_BITS = 0x4B400000;
    public static final int ONE_BITS = 0x3F800000;
    public static final float EXP_LOW = -87f;
    public static final float EXP_HIGH = 88f;
    public static final float LOG2_E = 0x1.715476p0f;

    /** ln 2 = LN2_HIGH + LN2_LOW; the high part has few bits, so n·LN2_HIGH is exact. */
    public static final float LN2_HIGH = 0x1.63p-1f;

    public static final float LN2_LOW = -0x1.bd0106p-13f;

    // Minimax polynomial of (e^r − 1 − r) / r² on |r| ≤ ln2/2, highest power first (Cephes, expf).
    public static final float EXP_5 = 0x1.a0d2cep-13f;
    public static final float EXP_4 = 0x1.6e879cp-10f;
    public static final float EXP_3 = 0x1.11121p-7f;
    public static final float EXP_2 = 0x1.555382p-5f;
    public static final float EXP_1 = 0x1.555554p-3f;
    public static final float EXP_0 = 0x1.p-1f;

    /** Largest magnitude of an int8 activation; −128 is never used. */
    public static final int INT8_MAX = 127;

    private CanonicalMath() {}

    /** Maximum in fixed operand order, as {@code vmaxps} computes it. */
    public static float max(float a, float b) {
        return a > b ? a : b;
    }

    /** e^x with x clamped to [−87, 88]; NaN stays NaN. Within 2 ulp of the true value. */
    public static float exp(float x) {
        float c = x < EXP_LOW ? EXP_LOW : x;
        c = c > EXP_HIGH ? EXP_HIGH : c;
        float t = Math.fma(c, LOG2_E, ROUND_MAGIC);
        float n = t - ROUND_MAGIC;
        float r = Math.fma(-n, LN2_HIGH, c);
        r = Math.fma(-n, LN2_LOW, r);
        float p = Math.fma(EXP_5, r, EXP_4);
        p = Math.fma(p, r, EXP_3);
        p = Math.fma(p, r, EXP_2);
        p = Math.fma(p, r, EXP_1);
        p = Math.fma(p, r, EXP_0);
        float e = Math.fma(p, r * r, r) + 1f;
        // n sits in the low bits of t, and the magic's own bits leave by the top. A product,
        // because
        // adding n to the exponent of e would turn a NaN with a payload into a number.
        return e * Float.intBitsToFloat((Float.floatToRawIntBits(t) << 23) + ONE_BITS);
    }

    /** x·σ(x) as x / (1 + e⁻ˣ). */
    public static float silu(float x) {
        return x / (1f + exp(-x));
    }

    /**
     * Sum of 16 partials by the fixed tree: halves are folded, 8, 4, 2, 1. The partials are
     * overwritten.
     */
    public static float treeSum(float[] partial) {
        for (int half = LANES / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                partial[i] = partial[i] + partial[i + half];
            }
        }
        return partial[0];
    }

    /** Maximum of 16 partials by the same tree. */
    public static float treeMax(float[] partial) {
        for (int half = LANES / 2; half > 0; half /= 2) {
            for (int i = 0; i < half; i++) {
                partial[i] = max(partial[i], partial[i + half]);
            }
        }
        return partial[0];
    }

    /**
     * Largest magnitude so far, compared by bits: a NaN is above infinity, so it survives into the
     * scale in any order.
     *
     * @return bits of a non-negative float
     */
    public static int maxMagnitudeBits(int soFar, float x) {
        return Math.max(soFar, Float.floatToRawIntBits(x) & 0x7FFFFFFF);
    }

    /** Scale of an int8 block whose largest magnitude is {@code amax}. */
    public static float int8Scale(float amax) {
        return amax / INT8_MAX;
    }

    /** Factor that brings a block to ±127; 0 for a block of zeros. */
    public static float int8Inverse(float amax) {
        return amax == 0f ? 0f : INT8_MAX / amax;
    }

    /**
     * x·inverse rounded to nearest even and clamped to ±127; NaN gives 0, for the block's scale
     * tells it.
     */
    public static int int8(float x, float inverse) {
        float y = x * inverse;
        if (Float.isNaN(y)) {
            return 0;
        }
        int q = Float.floatToRawIntBits(y + ROUND_MAGIC) - ROUND_MAGIC_BITS;
        return Math.clamp(q, -INT8_MAX, INT8_MAX);
    }

    /** 1 / √(mean square + eps), from the sum of squares of n numbers. */
    public static float inverseRms(float sumOfSquares, int n, float eps) {
        return 1f / (float) Math.sqrt(sumOfSquares / n + eps);
    }
}
