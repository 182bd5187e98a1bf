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
    Q4_1(32, 20);

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

    /**
     * Bytes of one row.
     *
     * @throws ArithmeticException if the row's bytes overflow a long
     */
    public long rowBytes(long elements) {
        return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    }
}
