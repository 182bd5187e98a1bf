package dev.flagship.tensor;

/**
 * How numbers lie in a source file. A block of {@code blockElements} consecutive elements of one
 * row takes {@code blockBytes}. Block layouts are those of ggml (github.com/ggml-org/ggml,
 * ggml-common.h), little-endian.
 */
public enum DType {
    /** IEEE binary32. */
    F32(1, 4, 32),
    /** IEEE binary16. */
    F16(1, 2, 16),
    /** The upper half of a binary32. */
    BF16(1, 2, 16),
    /** F16 scale d, 32 × int8 q: value = d·q. */
    Q8_0(32, 34, 8),
    /**
     * F16 scale d, 16 bytes: low nibbles are elements 0–15, high nibbles 16–31: value = d·(q − 8).
     */
    Q4_0(32, 18, 4),
    /** F16 scale d, F16 minimum m, 16 bytes of nibbles as in Q4_0: value = d·q + m. */
    Q4_1(32, 20, 4),
    /**
     * F16 scale d, 4 bytes with the fifth bits of elements 0–31, 16 bytes of nibbles as in Q4_0:
     * value = d·(q − 16).
     */
    Q5_0(32, 22, 5),
    /** F16 scale d, F16 minimum m, bits and nibbles as in Q5_0: value = d·q + m. */
    Q5_1(32, 24, 5),
    /** F16 scale d, 16 bytes of nibbles as in Q4_0: value = d·{@link #level}(q). */
    IQ4_NL(32, 18, 4),
    /**
     * A byte e, 16 bytes of nibbles as in Q4_0: value = 2<sup>e − 128</sup>·{@link #level}(q). The
     * levels are the doubled numbers of E2M1 (OCP Microscaling Formats 1.0, section 5.3.3).
     */
    MXFP4(32, 17, 4),
    /**
     * 16 bytes of a 4-bit scale s low and a 4-bit minimum m high of groups of 16, 64 bytes of bit
     * pairs q as in Q6_K, F16 scale d, F16 dmin: value = (d·s)·q − dmin·m.
     */
    Q2_K(256, 84, 2),
    /**
     * 32 bytes with the third bits, of which each byte has one element of each 32, 64 bytes of bit
     * pairs as in Q6_K, 12 bytes of 6-bit scales s of groups of 16, F16 scale d: value = (d·(s −
     * 32))·(q − 4).
     */
    Q3_K(256, 110, 3),
    /**
     * F16 scale d, F16 dmin, 12 bytes of 6-bit scales s and minima m of eight groups of 32, 128
     * bytes of nibbles q, of which each 32 hold one group low and the next one high: value =
     * (d·s)·q − dmin·m.
     */
    Q4_K(256, 144, 4),
    /**
     * Scales as in Q4_K, 32 bytes with the fifth bits, of which each byte has one element of each
     * group, nibbles as in Q4_K: value = (d·s)·q − dmin·m.
     */
    Q5_K(256, 176, 5),
    /**
     * 128 bytes with the low four and 64 bytes with the high two bits of 6-bit q, 16 × int8 scale s
     * of groups of 16, F16 scale d: value = (d·s)·(q − 32).
     */
    Q6_K(256, 210, 6),
    /**
     * F16 scale d, 2 bytes with the high two and 4 bytes with the low four bits of 6-bit scales s
     * of eight groups of 32, for each group 16 bytes of nibbles as in Q4_0: value = (d·(s −
     * 32))·{@link #level}(q).
     */
    IQ4_XS(256, 136, 4),
    /**
     * F16 scale d, for each 32 elements 4 bytes that name four eights of a {@link Codebook} and 4
     * bytes of four times seven signs and a 4-bit scale s; the eighth sign makes them even: value =
     * (d·(2·s + 1)/8)·{@link #level}(q).
     */
    IQ2_XXS(256, 66, 4),
    /**
     * F16 scale d, 32 × 2 bytes that name an eight of a {@link Codebook} in nine bits and seven
     * signs as in IQ2_XXS, 8 bytes of 4-bit scales s of groups of 16: value = (d·(2·s +
     * 1)/8)·{@link #level}(q).
     */
    IQ2_XS(256, 74, 4),
    /**
     * F16 scale d, 32 bytes that name an eight of a {@link Codebook}, 32 bytes of signs, 8 bytes
     * with the ninth and tenth bits of the names, 8 bytes of 4-bit scales s of groups of 16: value
     * = (d·(2·s + 1)/8)·{@link #level}(q).
     */
    IQ2_S(256, 82, 4),
    /**
     * F16 scale d, 64 bytes that name a four of a {@link Codebook}, for each 32 elements 4 bytes of
     * signs and scale as in IQ2_XXS: value = (d·(2·s + 1)/4)·{@link #level}(q).
     */
    IQ3_XXS(256, 98, 4),
    /**
     * F16 scale d, 64 bytes that name a four of a {@link Codebook}, 8 bytes with the ninth bits of
     * the names, 32 bytes of signs, 4 bytes of 4-bit scales s of groups of 32: value = (d·(2·s +
     * 1))·{@link #level}(q).
     */
    IQ3_S(256, 110, 4),
    /**
     * F16 scale d, 32 bytes that name an eight of a {@link Codebook} of −1, 0 and 1, for each 32
     * elements 2 bytes of four times three further bits of the names, a 3-bit scale s and a sign:
     * value = (d·(2·s + 1))·(c ± 1/8), which is (d·(2·s + 1)/8)·{@link #level}(q).
     */
    IQ1_S(256, 50, 4),
    /**
     * 32 bytes that name an eight of IQ1_S's {@link Codebook}, 16 bytes of nibbles of three further
     * bits and a sign for each eight, 4 × 2 bytes of four 3-bit scales s of groups of 16 and above
     * them a quarter of the F16 scale d: value as in IQ1_S.
     */
    IQ1_M(256, 56, 4);

    private static final byte[] NON_LINEAR = {
        -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113
    };

    // Magnitudes of the codebooks, and the same with a sign.

    private static final byte[] TWO_BITS = {8, 25, 43, 0, 0, 0, 0, 0, -8, -25, -43, 0, 0, 0, 0, 0};

    private static final byte[] THREE_BITS = {
        4, 12, 20, 28, 36, 44, 52, 62, -4, -12, -20, -28, -36, -44, -52, -62
    };

    private static final byte[] THREE_BITS_ODD = {
        1, 3, 5, 7, 9, 11, 13, 15, -1, -3, -5, -7, -9, -11, -13, -15
    };

    /** −8, 0 and 8, and one more or less. */
    private static final byte[] SHIFTED = {-7, 1, 9, 0, 0, 0, 0, 0, -9, -1, 7, 0, 0, 0, 0, 0};

    private static final byte[] E2M1_DOUBLED = {
        0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12
    };

    private final int blockElements;
    private final int blockBytes;
    private final int bits;

    DType(int blockElements, int blockBytes, int bits) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
        this.bits = bits;
    }

    public int blockElements() {
        return blockElements;
    }

    public int blockBytes() {
        return blockBytes;
    }

    /** Whether several elements share a scale. */
    public boolean quantized() {
        return blockElements > 1;
    }

    /**
     * Bits of a number in a band, without its share of scales. Those of the types with a {@link
     * Codebook} are more than in the file.
     */
    public int bits() {
        return bits;
    }

    /** Whether a number of a quantised type stands for a level. */
    public boolean coded() {
        return this == IQ4_NL || this == IQ4_XS || this == MXFP4 || named();
    }

    /** Whether the file names groups of numbers that a {@link Codebook} holds. */
    public boolean named() {
        return switch (this) {
            case IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M -> true;
            default -> false;
        };
    }

    /**
     * What the scale of a type with {@link #coded} is multiplied by.
     *
     * @param code 0 to 15; of types with a codebook 8 is the sign
     */
    public int level(int code) {
        return levels()[code];
    }

    private byte[] levels() {
        return switch (this) {
            case IQ4_NL, IQ4_XS -> NON_LINEAR;
            case MXFP4 -> E2M1_DOUBLED;
            case IQ2_XXS, IQ2_XS, IQ2_S -> TWO_BITS;
            case IQ3_XXS -> THREE_BITS;
            case IQ3_S -> THREE_BITS_ODD;
            case IQ1_S, IQ1_M -> SHIFTED;
            default -> throw new IllegalStateException(this + " has no levels");
        };
    }

    /**
     * What the product of a super-block's scale and a group's is multiplied by: a power of two, so
     * that the order is free.
     */
    public float scaleUnit() {
        return switch (this) {
            case IQ2_XXS, IQ2_XS, IQ2_S, IQ1_S, IQ1_M -> 0.125f;
            case IQ3_XXS -> 0.25f;
            default -> 1;
        };
    }

    /** What a band's unsigned number has more than the formula's; 0 for types with levels. */
    public int offset() {
        return switch (this) {
            case Q8_0 -> 128;
            case Q6_K -> 32;
            case Q5_0 -> 16;
            case Q4_0 -> 8;
            case Q3_K -> 4;
            default -> 0;
        };
    }

    /** Consecutive elements that share a scale; 1 for plain types. */
    public int groupElements() {
        return switch (this) {
            case F32, F16, BF16 -> 1;
            default -> 32;
            case Q2_K, Q3_K, Q6_K, IQ2_XS, IQ2_S, IQ1_M -> 16;
        };
    }

    /** Whether a group has a minimum beside its scale. */
    public boolean hasMinimum() {
        return switch (this) {
            case Q4_1, Q5_1, Q2_K, Q4_K, Q5_K -> true;
            default -> false;
        };
    }

    /** Whether the scale of a group is the product of its own small one and one of its block. */
    public boolean superBlocks() {
        return blockElements > 32;
    }

    /**
     * Bytes of one row.
     *
     * @throws ArithmeticException if the row's bytes overflow a long
     */
    public long rowBytes(long elements) {
        return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    }
}
