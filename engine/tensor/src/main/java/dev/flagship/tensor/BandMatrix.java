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
 *   <li>Q4_0, Q4_1: per 32 columns 4 lines, a line holding 16 rows × 8 columns: of a row's 4 bytes
 *       the low nibbles are columns 0–3, the high nibbles columns 4–7, as u4 = the source's nibble
 *   <li>F32, F16: per column 16 numbers; BF16: per pair of columns 16 rows × 2 numbers
 *   <li>scales: per 32 columns 16 F16; for Q4_1 followed by 16 F16 minima
 * </ul>
 *
 * @param name for error messages
 * @param rows outputs of a product
 * @param cols inputs of a product; a multiple of 32 for quantised types
 */
public record BandMatrix(
        String name, DType type, int rows, int cols, MemorySegment numbers, MemorySegment scales) {

    /** Rows in a band. */
    public static final int BAND = 16;

    /** Columns that share a scale. */
    public static final int BLOCK = 32;

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
            case Q4_0, Q4_1 -> cols * 8L;
        };
    }

    /** Bytes of one band's scales. */
    public static long bandScaleBytes(DType type, int cols) {
        return switch (type) {
            case F32, F16, BF16 -> 0;
            case Q8_0, Q4_0 -> cols / BLOCK * 32L;
            case Q4_1 -> cols / BLOCK * 64L;
        };
    }

    /** Bytes of both planes. */
    public long byteSize() {
        return numbers.byteSize() + scales.byteSize();
    }

    /**
     * The number q of a quantised type, as its formula in {@link DType} takes it: signed for Q8_0
     * and Q4_0.
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
            case Q4_1 -> nibble(band, lane, col);
            case F32, F16, BF16 -> throw new IllegalStateException(type + " has no quants");
        };
    }

    private int nibble(long band, int lane, int col) {
        byte pair =
                numbers.get(ValueLayout.JAVA_BYTE, band + (col / 8) * 64L + lane * 4L + col % 4);
        return col % 8 < 4 ? pair & 15 : pair >>> 4 & 15;
    }

    /** The scale of block {@code block} of a row. */
    public float scale(int row, int block) {
        long stride = type == DType.Q4_1 ? 64 : 32;
        long at = (row / BAND) * bandScaleBytes(type, cols) + block * stride + row % BAND * 2L;
        return Float.float16ToFloat(scales.get(SHORT, at));
    }

    /** The minimum of block {@code block} of a row; only Q4_1 has one. */
    public float min(int row, int block) {
        long at = (row / BAND) * bandScaleBytes(type, cols) + block * 64L + 32 + row % BAND * 2L;
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
            case Q4_1 -> Math.fma(quant(row, col), scale(row, col / BLOCK), min(row, col / BLOCK));
        };
    }
}
