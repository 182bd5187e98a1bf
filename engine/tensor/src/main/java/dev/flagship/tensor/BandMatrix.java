package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A weight matrix [rows, cols] in bands of 16 rows: the one layout that all rungs read.
 *
 * <p>Lane = row, so no product sums across lanes. Numbers and scales lie in separate planes,
 * little-endian, 64-byte aligned; rows are padded to 16 with zeros. Bands follow one another;
 * within a band:
 *
 * <ul>
 *   <li>Q8_0: per 32 columns 8 lines of 64 bytes, a line holding 16 rows × 4 columns as u8 = q +
 *       128
 *   <li>Q4_0, Q4_1, Q4_K: per 32 columns 4 lines, a line holding 16 rows × 8 columns: of a row's 4
 *       bytes the low nibbles are columns 0–3, the high nibbles columns 4–7, as u4 = the source's
 *       nibble
 *   <li>Q6_K: per 16 columns 3 lines: the low four bits of u6 = q + 32 as two such lines of 8
 *       columns, and a line of the high two bits, of a row's 4 bytes bits 0–1 being columns 0–3,
 *       bits 2–3 columns 4–7, and so on
 *   <li>F32, F16: per column 16 numbers; BF16: per pair of columns 16 rows × 2 numbers
 *   <li>scales: per 32 columns 16 F16; for Q4_1 followed by 16 F16 minima
 *   <li>scales of Q4_K: per 256 columns 16 F16 d, 16 F16 dmin, then for each 32 columns 16 u8
 *       scales and 16 u8 minima: 4.625 bits a weight where the source has 4.5, for six bits are
 *       kept in a byte
 *   <li>scales of Q6_K: per 256 columns 16 F16 d, then for each 16 columns 16 i8 scales
 * </ul>
 *
 * @param name for error messages
 * @param rows outputs of a product
 * @param cols inputs of a product; for quantised types a multiple of the source's block
 */
public record BandMatrix(
        String name, DType type, int rows, int cols, MemorySegment numbers, MemorySegment scales) {

    /** Rows in a band. */
    public static final int BAND = 16;

    /**
     * Columns of an activation that share a scale; of a weight, see {@link DType#groupElements}.
     */
    public static final int BLOCK = 32;

    /** Columns of a block of a type with {@link DType#superBlocks}. */
    public static final int SUPER_BLOCK = 256;

    /** Bytes of the scales of a band's super-block, and where those of its groups begin. */
    public static final int SUPER_SCALES_4 = 320;

    public static final int GROUP_SCALES_4 = 64;
    public static final int SUPER_SCALES_6 = 288;
    public static final int GROUP_SCALES_6 = 32;

    /** Bytes of a band's 16 columns of Q6_K. */
    public static final int GROUP_BYTES_6 = 192;

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    public BandMatrix {
        check(
                numbers.byteSize() == numberBytes(type, rows, cols)
                        && scales.byteSize() == scaleBytes(type, rows, cols),
                "matrix %s [%s, %s] %s: planes of %s and %s bytes, expected %s and %s",
                Quoted.of(name),
                rows,
                cols,
                type,
                numbers.byteSize(),
                scales.byteSize(),
                numberBytes(type, rows, cols),
                scaleBytes(type, rows, cols));
    }

    public static int bands(int rows) {
        return (rows + BAND - 1) / BAND;
    }

    public int bands() {
        return bands(rows);
    }

    /** Size of the plane of numbers. */
    public static long numberBytes(DType type, int rows, int cols) {
        return (long) bands(rows) * bandBytes(type, cols);
    }

    /** Size of the plane of scales; 0 for types without. */
    public static long scaleBytes(DType type, int rows, int cols) {
        return (long) bands(rows) * bandScaleBytes(type, cols);
    }

    /** Bytes of one band's numbers. */
    public static long bandBytes(DType type, int cols) {
        if (cols <= 0 || cols % type.blockElements() != 0) {
            throw new InvalidArgumentException(
                    "a row of %s columns is no multiple of %s's block of %s"
                            .formatted(cols, type, type.blockElements()));
        }
        return switch (type) {
            case F32 -> cols * 64L;
            case F16 -> cols * 32L;
            case BF16 -> (cols + 1) / 2 * 64L;
            case Q8_0 -> cols * 16L;
            case Q4_0, Q4_1, Q4_K -> cols * 8L;
            case Q6_K -> cols * 12L;
        };
    }

    /** Bytes of one band's scales. */
    public static long bandScaleBytes(DType type, int cols) {
        return switch (type) {
            case F32, F16, BF16 -> 0;
            case Q8_0, Q4_0 -> cols / BLOCK * 32L;
            case Q4_1 -> cols / BLOCK * 64L;
            case Q4_K -> cols / SUPER_BLOCK * (long) SUPER_SCALES_4;
            case Q6_K -> cols / SUPER_BLOCK * (long) SUPER_SCALES_6;
        };
    }

    /** Bytes of both planes. */
    public long byteSize() {
        return numbers.byteSize() + scales.byteSize();
    }

    /**
     * The number q of a quantised type, as its formula in {@link DType} multiplies it: signed for
     * Q8_0, Q4_0 and Q6_K.
     */
    public int quant(int row, int col) {
        long band = (row / BAND) * bandBytes(type, cols);
        int lane = row % BAND;
        return switch (type) {
            case Q8_0 ->
                    (numbers.get(
                                            ValueLayout.JAVA_BYTE,
                                            band + (col / 4) * 64L + lane * 4L + col % 4)
                                    & 0xFF)
                            - 128;
            case Q4_0 -> nibble(band, lane, col) - 8;
            case Q4_1, Q4_K -> nibble(band, lane, col);
            case Q6_K -> sixBits(band + (col / 16) * (long) GROUP_BYTES_6, lane, col % 16) - 32;
            case F32, F16, BF16 -> throw new IllegalStateException(type + " has no quants");
        };
    }

    private int nibble(long band, int lane, int col) {
        byte pair =
                numbers.get(ValueLayout.JAVA_BYTE, band + (col / 8) * 64L + lane * 4L + col % 4);
        return col % 8 < 4 ? pair & 15 : pair >>> 4 & 15;
    }

    private int sixBits(long group, int lane, int col) {
        byte pairs = numbers.get(ValueLayout.JAVA_BYTE, group + 2 * 64L + lane * 4L + col % 4);
        return nibble(group, lane, col) | (pairs >>> 2 * (col / 4) & 3) << 4;
    }

    /**
     * The scale of a row's group {@code group} of {@link DType#groupElements} columns. The product
     * of a super-block's scale and a group's is exact.
     */
    public float scale(int row, int group) {
        long band = (row / BAND) * bandScaleBytes(type, cols);
        int lane = row % BAND;
        return switch (type) {
            case Q8_0, Q4_0 -> half(band + group * 32L + lane * 2L);
            case Q4_1 -> half(band + group * 64L + lane * 2L);
            case Q4_K -> {
                long block = band + group / 8 * (long) SUPER_SCALES_4;
                long own = block + GROUP_SCALES_4 + group % 8 * 32L + lane;
                yield half(block + lane * 2L) * scales.get(ValueLayout.JAVA_BYTE, own);
            }
            case Q6_K -> {
                long block = band + group / 16 * (long) SUPER_SCALES_6;
                long own = block + GROUP_SCALES_6 + group % 16 * 16L + lane;
                yield half(block + lane * 2L) * scales.get(ValueLayout.JAVA_BYTE, own);
            }
            case F32, F16, BF16 -> throw new IllegalStateException(type + " has no scales");
        };
    }

    /**
     * What is added to each weight of a row's group, for types with {@link DType#hasMinimum}: for
     * Q4_K −(dmin·m), an exact product.
     */
    public float min(int row, int group) {
        long band = (row / BAND) * bandScaleBytes(type, cols);
        int lane = row % BAND;
        if (type == DType.Q4_1) {
            return half(band + group * 64L + 32 + lane * 2L);
        }
        check(type == DType.Q4_K, "%s has no minima", type);
        long block = band + group / 8 * (long) SUPER_SCALES_4;
        long own = block + GROUP_SCALES_4 + group % 8 * 32L + 16 + lane;
        return -(half(block + 32 + lane * 2L) * scales.get(ValueLayout.JAVA_BYTE, own));
    }

    private float half(long at) {
        return Float.float16ToFloat(scales.get(SHORT, at));
    }

    /** The weight at (row, col), widened to F32 exactly as the reference dequantises it. */
    public float weight(int row, int col) {
        long band = (row / BAND) * bandBytes(type, cols);
        int lane = row % BAND;
        return switch (type) {
            case F32 -> numbers.get(FLOAT, band + col * 64L + lane * 4L);
            case F16 -> Float.float16ToFloat(numbers.get(SHORT, band + col * 32L + lane * 2L));
            case BF16 ->
                    Float.intBitsToFloat(
                            numbers.get(SHORT, band + col / 2 * 64L + lane * 4L + col % 2 * 2L)
                                    << 16);
            case Q8_0, Q4_0 -> quant(row, col) * scale(row, col / BLOCK);
            case Q6_K -> quant(row, col) * scale(row, col / 16);
            case Q4_1, Q4_K ->
                    Math.fma(quant(row, col), scale(row, col / BLOCK), min(row, col / BLOCK));
        };
    }
}
