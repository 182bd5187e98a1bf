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

    /** √½, by which GELU scales its argument. */
    public static final float SQRT_HALF = 0x1.6a09e6p-1f;

    /** Magnitude from which erf is 1 − e^q(|x|), and below which x + x·p(x²). */
    public static final float ERF_SPLIT = 0.875f;

    /** From here on erf is ±1. */
    public static final float ERF_END = 4f;

    // p: (erf x − x) / x by powers of x² on |x| ≤ 0.875. A minimax polynomial of the relative error
    // of erf, 9·10⁻⁹ (Remez exchange at 30 digits, then rounded to F32).
    public static final float ERF_LOW_0 = 0x1.06eba6p-3f;
    public static final float ERF_LOW_1 = -0x1.81270cp-2f;
    public static final float ERF_LOW_2 = 0x1.ce211ep-4f;
    public static final float ERF_LOW_3 = -0x1.b6f38cp-6f;
    public static final float ERF_LOW_4 = 0x1.49cap-8f;
    public static final float ERF_LOW_5 = -0x1.453ab2p-11f;

    // q: ln(1 − erf a) by powers of a on 0.875 ≤ a ≤ 4, likewise; 2·10⁻⁹ of erf.
    public static final float ERF_HIGH_0 = -0x1.1820dcp-13f;
    public static final float ERF_HIGH_1 = -0x1.20c06cp0f;
    public static final float ERF_HIGH_2 = -0x1.46026cp-1f;
    public static final float ERF_HIGH_3 = -0x1.ab5348p-4f;
    public static final float ERF_HIGH_4 = 0x1.6f551ap-6f;
    public static final float ERF_HIGH_5 = -0x1.954fcep-9f;
    public static final float ERF_HIGH_6 = 0x1.a5846p-13f;

    /** Largest magnitude of an int8 activation; −128 is never used. */
    public static final int INT8_MAX = 127;

    /** All ones in F16's infinities and NaN alone. */
    private static final int HALF_EXPONENT = 0x7C00;

    private static final short HALF_NAN = 0x7E00;

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

    /** The error function, within 1.2 ulp of the true value; NaN stays NaN. */
    public static float erf(float x) {
        float a = Math.abs(x);
        if (a < ERF_SPLIT) {
            float s = x * x;
            float p = Math.fma(ERF_LOW_5, s, ERF_LOW_4);
            p = Math.fma(p, s, ERF_LOW_3);
            p = Math.fma(p, s, ERF_LOW_2);
            p = Math.fma(p, s, ERF_LOW_1);
            p = Math.fma(p, s, ERF_LOW_0);
            return Math.fma(p, x, x);
        }
        float c = ERF_END < a ? ERF_END : a;
        float q = Math.fma(ERF_HIGH_6, c, ERF_HIGH_5);
        q = Math.fma(q, c, ERF_HIGH_4);
        q = Math.fma(q, c, ERF_HIGH_3);
        q = Math.fma(q, c, ERF_HIGH_2);
        q = Math.fma(q, c, ERF_HIGH_1);
        q = Math.fma(q, c, ERF_HIGH_0);
        float magnitude = 1f - exp(q);
        int sign = Float.floatToRawIntBits(x) & 0x80000000;
        return Float.intBitsToFloat(Float.floatToRawIntBits(magnitude) | sign);
    }

    /**
     * x·Φ(x) with the exact error function (arXiv:1606.08415), as x/2 + x/2·erf(x·√½): within 1 ulp
     * of x. NaN stays NaN, and −∞ gives NaN.
     */
    public static float gelu(float x) {
        float half = 0.5f * x;
        return Math.fma(erf(x * SQRT_HALF), half, half);
    }

    /** The larger of 0 and x; −0 and NaN stay what they are. */
    public static float relu(float x) {
        return max(0f, x);
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

    /**
     * Scale of a block of the KV cache whose largest magnitude is {@code amax}: {@link #int8Scale}
     * rounded to F16, to nearest even. NaN where F16 has no finite number for it, that is for a
     * NaN, an infinity, and from 65,520·127 (8.3 million) on: an infinite scale would make
     * infinities of finite numbers. Below 127·2⁻²⁵ (4·10⁻⁶) it is 0, and so is the whole block.
     *
     * @return bits of a non-negative F16, or those of one NaN
     */
    public static short cacheScale(float amax) {
        short scale = Float.floatToFloat16(int8Scale(amax));
        return (scale & HALF_EXPONENT) == HALF_EXPONENT ? HALF_NAN : scale;
    }

    /**
     * Factor of {@link #int8} for a block of the KV cache: the reciprocal of the scale as it is
     * kept (0 of 0), not of what was rounded to it. So a number comes back within half a step also
     * where the scale is a denormal and has few bits. NaN for NaN, so that the block is one of
     * zeros.
     */
    public static float cacheInverse(short scale) {
        return scale == 0 ? 0f : 1f / Float.float16ToFloat(scale);
    }

    /** 1 / √(mean square + eps), from the sum of squares of n numbers. */
    public static float inverseRms(float sumOfSquares, int n, float eps) {
        return 1f / (float) Math.sqrt(sumOfSquares / n + eps);
    }
}
