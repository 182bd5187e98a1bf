package dev.flagship.tensor;

/**
 * How numbers lie in a source file. A block of {@code blockElements} consecutive elements of one
 * row takes {@code blockBytes}. Block layouts are those of ggml (github.com/ggml-org/ggml,
 * ggml-common.h), little-endian.
 */
public enum DType {
    /** IEEE binary32. */
    F32(1, 4),
    /** IEEE binary16. */
    F16(1, 2),
    /** The upper half of a binary32. */
    BF16(1, 2),
    /** F16 scale d, 32 × int8 q: value = d·q. */
    Q8_0(32, 34),
    /**
     * F16 scale d, 16 bytes: low nibbles are elements 0–15, high nibbles 16–31: value = d·(q − 8).
     */
    Q4_0(32, 18),
    /** F16 scale d, F16 minimum m, 16 bytes of nibbles as in Q4_0: value = d·q + m. */
    Q4_1(32, 20),
    /**
     * F16 scale d, F16 dmin, 12 bytes of 6-bit scales s and minima m of eight groups of 32, 128
     * bytes of nibbles q, of which each 32 hold one group low and the next one high: value =
     * (d·s)·q − dmin·m.
     */
    Q4_K(256, 144),
    /**
     * 128 bytes with the low four and 64 bytes with the high two bits of 6-bit q, 16 × int8 scale s
     * of groups of 16, F16 scale d: value = (d·s)·(q − 32).
     */
    Q6_K(256, 210);

    private final int blockElements;
    private final int blockBytes;

    DType(int blockElements, int blockBytes) {
        this.blockElements = blockElements;
        this.blockBytes = blockBytes;
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

    /** Consecutive elements that share a scale; 1 for plain types. */
    public int groupElements() {
        return switch (this) {
            case F32, F16, BF16 -> 1;
            case Q8_0, Q4_0, Q4_1, Q4_K -> 32;
            case Q6_K -> 16;
        };
    }

    /** Whether a group has a minimum beside its scale. */
    public boolean hasMinimum() {
        return this == Q4_1 || this == Q4_K;
    }

    /** Whether the scale of a group is the product of its own small one and one of its block. */
    public boolean superBlocks() {
        return this == Q4_K || this == Q6_K;
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
