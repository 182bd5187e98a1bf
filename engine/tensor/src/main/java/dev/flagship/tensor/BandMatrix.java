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
 *   <li>4 bits: per 32 columns 4 lines, a line holding 16 rows × 8 columns: of a row's 4 bytes the
 *       low nibbles are columns 0–3, the high nibbles columns 4–7, as u4 = the source's nibble
 *   <li>5 bits: per 32 columns 4 lines of the low four bits and a line of the fifth: of a row's 4
 *       bytes bit 0 is columns 0–3, bit 1 columns 4–7, and so on
 *   <li>6 bits: per 16 columns 3 lines: the low four bits as two such lines of 8 columns, and a
 *       line of the high two bits, of a row's 4 bytes bits 0–1 being columns 0–3, bits 2–3 columns
 *       4–7, and so on
 *   <li>2 bits: per 16 columns such a line of pairs; 3 bits: per 32 columns two, and a line of
 *       third bits as those of 5 bits
 *   <li>F32, F16: per column 16 numbers; BF16: per pair of columns 16 rows × 2 numbers
 *   <li>scales: per 32 columns 16 F16, with minima followed by 16 F16 minima; for MXFP4 16 bytes e
 *   <li>scales of super-blocks: per 256 columns 16 F16 d, with minima 16 F16 dmin; then for each
 *       group 16 i8 scales, with minima followed by 16 minima: for Q4_K 4.625 bits a weight where
 *       the source has 4.5, as six bits are kept in a byte. For Q2_K a scale and a minimum are the
 *       low and the high nibble of one byte
 *   <li>Types with a {@link Codebook} lie as IQ4_XS, with groups of 16 or 32: 4.3 or 4.6 bits a
 *       weight where the file has 1.6 to 3.4
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

    /** Bytes of a band's 16 columns of 6 bits. */
    public static final int GROUP_BYTES_6 = 192;

    /** Bytes of a band's 32 columns of 5 bits, and where the line of fifth bits begins. */
    public static final int BLOCK_BYTES_5 = 320;

    public static final int HIGH_BITS_5 = 256;

    /** Bytes of a band's 32 columns of 3 bits, and where the line of third bits begins. */
    public static final int BLOCK_BYTES_3 = 192;

    public static final int HIGH_BITS_3 = 128;

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
        return type == DType.BF16 ? (cols + 1) / 2 * 64L : cols * 2L * type.bits();
    }

    /** Bytes of one band's scales. */
    public static long bandScaleBytes(DType type, int cols) {
        if (!type.quantized()) {
            return 0;
        }
        return type.superBlocks()
                ? cols / SUPER_BLOCK * (long) superScaleBytes(type)
                : cols / BLOCK * (long) groupScaleBytes(type);
    }

    /** Bytes of the scales of a band's super-block. */
    public static int superScaleBytes(DType type) {
        return groupScalesAt(type) + SUPER_BLOCK / type.groupElements() * groupScaleBytes(type);
    }

    /** Where in the scales of a band's super-block those of its groups begin. */
    public static int groupScalesAt(DType type) {
        return type.hasMinimum() ? 64 : 32;
    }

    /** Bytes of a band's scales and minima of one group, without its super-block's own. */
    public static int groupScaleBytes(DType type) {
        return switch (type) {
            case Q4_1, Q5_1 -> 64;
            case Q8_0, Q4_0, Q5_0, IQ4_NL, Q4_K, Q5_K -> 32;
            default -> 16;
            case F32, F16, BF16 -> 0;
        };
    }

    /** Bytes of both planes. */
    public long byteSize() {
        return numbers.byteSize() + scales.byteSize();
    }

    /**
     * The number q of a quantised type, as its formula in {@link DType} multiplies it: signed where
     * the type has an {@link DType#offset} or levels.
     */
    public int quant(int row, int col) {
        int number = number((row / BAND) * bandBytes(type, cols) + row % BAND * 4L, col);
        return type.coded() ? type.level(number) : number - type.offset();
    }

    /** The unsigned number of a column. */
    private int number(long at, int col) {
        return switch (type.bits()) {
            case 8 -> lineByte(at + (col / 4) * 64L, col);
            case 6 -> {
                long group = at + (col / 16) * (long) GROUP_BYTES_6;
                yield nibble(group, col % 16) | pair(group + 128, col) << 4;
            }
            case 5 -> {
                long block = at + (col / BLOCK) * (long) BLOCK_BYTES_5;
                yield nibble(block, col % BLOCK) | bit(block + HIGH_BITS_5, col) << 4;
            }
            case 4 -> nibble(at, col);
            case 3 -> {
                long block = at + (col / BLOCK) * (long) BLOCK_BYTES_3;
                yield pair(block + col % BLOCK / 16 * 64L, col)
                        | bit(block + HIGH_BITS_3, col) << 2;
            }
            case 2 -> pair(at + (col / 16) * 64L, col);
            default -> throw new IllegalStateException(type + " has no quants");
        };
    }

    private int lineByte(long line, int col) {
        return numbers.get(ValueLayout.JAVA_BYTE, line + col % 4) & 0xFF;
    }

    private int nibble(long lines, int col) {
        return lineByte(lines + (col / 8) * 64L, col) >>> col % 8 / 4 * 4 & 15;
    }

    private int pair(long line, int col) {
        return lineByte(line, col) >>> col % 16 / 4 * 2 & 3;
    }

    private int bit(long line, int col) {
        return lineByte(line, col) >>> col % BLOCK / 4 & 1;
    }

    /**
     * The scale of a row's group {@code group} of {@link DType#groupElements} columns. The product
     * of a super-block's scale and a group's is exact.
     */
    public float scale(int row, int group) {
        long band = (row / BAND) * bandScaleBytes(type, cols);
        int lane = row % BAND;
        if (type == DType.MXFP4) {
            return exponentScale(scales.get(ValueLayout.JAVA_BYTE, band + group * 16L + lane));
        }
        if (!type.superBlocks()) {
            present(type.quantized(), "scales");
            return half(band + group * (long) groupScaleBytes(type) + lane * 2L);
        }
        int own = groupByte(band, group, lane);
        float common = half(superScales(band, group) + lane * 2L) * type.scaleUnit();
        return common * (type == DType.Q2_K ? own & 15 : own);
    }

    /**
     * What is added to each weight of a row's group, for types with {@link DType#hasMinimum}: for
     * super-blocks −(dmin·m), an exact product.
     */
    public float min(int row, int group) {
        present(type.hasMinimum(), "minima");
        long band = (row / BAND) * bandScaleBytes(type, cols);
        int lane = row % BAND;
        if (!type.superBlocks()) {
            return half(band + group * (long) groupScaleBytes(type) + 32 + lane * 2L);
        }
        int own =
                type == DType.Q2_K
                        ? groupByte(band, group, lane) >>> 4 & 15
                        : groupByte(band, group, lane + 16);
        return -(half(superScales(band, group) + 32 + lane * 2L) * own);
    }

    /** As {@code check}, but without an array for what a message would name: each weight asks. */
    private void present(boolean has, String what) {
        if (!has) {
            throw new InvalidArgumentException(type + " has no " + what);
        }
    }

    /** Where the scales of a group's super-block begin. */
    private long superScales(long band, int group) {
        int groups = SUPER_BLOCK / type.groupElements();
        return band + group / groups * (long) superScaleBytes(type);
    }

    private int groupByte(long band, int group, int at) {
        int groups = SUPER_BLOCK / type.groupElements();
        long own = groupScalesAt(type) + group % groups * (long) groupScaleBytes(type) + at;
        return scales.get(ValueLayout.JAVA_BYTE, superScales(band, group) + own);
    }

    /** MXFP4's 2<sup>e − 128</sup>. */
    public static float exponentScale(byte e) {
        int exponent = e & 0xFF;
        // The two smallest are denormal.
        return Float.intBitsToFloat(exponent < 2 ? 0x200000 << exponent : exponent - 1 << 23);
    }

    private float half(long at) {
        return Float.float16ToFloat(scales.get(SHORT, at));
    }

    /** The weight at (row, col), widened to F32 exactly as the reference dequantises it. */
    public float weight(int row, int col) {
        if (type.quantized()) {
            int group = col / type.groupElements();
            int q = quant(row, col);
            float scale = scale(row, group);
            return type.hasMinimum() ? Math.fma(q, scale, min(row, group)) : q * scale;
        }
        long band = (row / BAND) * bandBytes(type, cols);
        int lane = row % BAND;
        if (type == DType.F32) {
            return numbers.get(FLOAT, band + col * 64L + lane * 4L);
        }
        if (type == DType.F16) {
            return Float.float16ToFloat(numbers.get(SHORT, band + col * 32L + lane * 2L));
        }
        long at = band + col / 2 * 64L + lane * 4L + col % 2 * 2L;
        return Float.intBitsToFloat(numbers.get(SHORT, at) << 16);
    }
}
