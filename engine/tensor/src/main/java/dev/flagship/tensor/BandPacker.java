package dev.flagship.tensor;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;
import static dev.flagship.tensor.BandMatrix.SUPER_BLOCK;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntUnaryOperator;

/**
 * Writes row-major source blocks (see {@link DType}) into bands. Lossless: only the places of the
 * bits change.
 *
 * @param name for error messages, as the file spells it
 * @param rowOrder the source row of each row of the matrix; families differ in how they pair rotary
 *     rows
 */
public record BandPacker(
        String name,
        DType type,
        int rows,
        int cols,
        MemorySegment source,
        IntUnaryOperator rowOrder) {

    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

    /** A weight that is not a finite number. */
    public static final class NonFiniteWeightException extends FlagshipException {
        @Serial private static final long serialVersionUID = 1L;

        public NonFiniteWeightException(String tensor, int row, int col) {
            super(
                    "non_finite_weight",
                    "Tensor %s has a weight or scale at [%d, %d] that is NaN or infinite; the file is damaged or was converted wrongly. Fetch or convert it again."
                            .formatted(Quoted.of(tensor), row, col),
                    false,
                    null);
        }
    }

    /**
     * Packs bands [from, to). Different ranges may be packed by different threads.
     *
     * @param numbers whole plane of numbers, zeroed
     * @param scales whole plane of scales, zeroed
     * @throws NonFiniteWeightException if a scale, minimum or plain weight is not finite
     */
    public void pack(int from, int to, MemorySegment numbers, MemorySegment scales) {
        long rowBytes = type.rowBytes(cols);
        long bandBytes = BandMatrix.bandBytes(type, cols);
        long bandScales = BandMatrix.bandScaleBytes(type, cols);
        for (int row = from * BAND; row < Math.min(rows, to * BAND); row++) {
            long in = rowOrder.applyAsInt(row) * rowBytes;
            long out = row / BAND * bandBytes;
            long scaleOut = row / BAND * bandScales;
            int lane = row % BAND;
            switch (type) {
                case F32 -> plain32(row, lane, in, numbers, out);
                case F16 -> plain16(row, lane, in, numbers, out, 32, 0, 0x7C00);
                case BF16 -> plain16(row, lane, in, numbers, out, 64, 1, 0x7F80);
                case Q8_0 -> eightBit(row, lane, in, numbers, out, scales, scaleOut);
                case Q4_0 -> fourBit(row, lane, in, numbers, out, scales, scaleOut, false);
                case Q4_1 -> fourBit(row, lane, in, numbers, out, scales, scaleOut, true);
                case Q4_K -> fourBitSuper(row, lane, in, numbers, out, scales, scaleOut);
                case Q6_K -> sixBitSuper(row, lane, in, numbers, out, scales, scaleOut);
            }
        }
    }

    private void plain32(int row, int lane, long in, MemorySegment numbers, long out) {
        for (int k = 0; k < cols; k++) {
            int bits = source.get(INT, in + k * 4L);
            if ((bits & 0x7F800000) == 0x7F800000) {
                throw new NonFiniteWeightException(name, row, k);
            }
            numbers.set(INT, out + k * 64L + lane * 4L, bits);
        }
    }

    /** F16: a line of 32 bytes a column. BF16: a line of 64 bytes for each pair of columns. */
    private void plain16(
            int row,
            int lane,
            long in,
            MemorySegment numbers,
            long out,
            int line,
            int pairShift,
            int exponentMask) {
        for (int k = 0; k < cols; k++) {
            short bits = source.get(SHORT, in + k * 2L);
            if ((bits & exponentMask) == exponentMask) {
                throw new NonFiniteWeightException(name, row, k);
            }
            long at =
                    out
                            + (long) (k >> pairShift) * line
                            + ((long) lane << (1 + pairShift))
                            + (k & pairShift) * 2L;
            numbers.set(SHORT, at, bits);
        }
    }

    private void eightBit(
            int row,
            int lane,
            long in,
            MemorySegment numbers,
            long out,
            MemorySegment scales,
            long scaleOut) {
        for (int block = 0; block < cols / BLOCK; block++) {
            long from = in + block * 34L;
            scales.set(SHORT, scaleOut + block * 32L + lane * 2L, finite(from, row, block * BLOCK));
            for (int line = 0; line < 8; line++) {
                // Flipping the sign bit of each byte adds 128.
                int four = source.get(INT, from + 2 + line * 4L) ^ 0x80808080;
                numbers.set(INT, out + (block * 8L + line) * 64 + lane * 4L, four);
            }
        }
    }

    private void fourBit(
            int row,
            int lane,
            long in,
            MemorySegment numbers,
            long out,
            MemorySegment scales,
            long scaleOut,
            boolean hasMin) {
        int blockBytes = type.blockBytes();
        long scaleStride = hasMin ? 64 : 32;
        for (int block = 0; block < cols / BLOCK; block++) {
            long from = in + (long) block * blockBytes;
            long scaleAt = scaleOut + block * scaleStride + lane * 2L;
            scales.set(SHORT, scaleAt, finite(from, row, block * BLOCK));
            if (hasMin) {
                scales.set(SHORT, scaleAt + 32, finite(from + 2, row, block * BLOCK));
            }
            long nibbles = from + blockBytes - 16;
            for (int line = 0; line < 4; line++) {
                // Source bytes 0–15 hold columns 0–15 low and 16–31 high; a line wants 8
                // neighbouring columns.
                int shift = line < 2 ? 0 : 4;
                int first = source.get(INT, nibbles + (line & 1) * 8L) >>> shift & 0x0F0F0F0F;
                int second = source.get(INT, nibbles + (line & 1) * 8L + 4) >>> shift & 0x0F0F0F0F;
                numbers.set(INT, out + (block * 4L + line) * 64 + lane * 4L, first | second << 4);
            }
        }
    }

    /** Source: d, dmin, 12 bytes of scales and minima, 128 bytes of nibbles. */
    private void fourBitSuper(
            int row,
            int lane,
            long in,
            MemorySegment numbers,
            long out,
            MemorySegment scales,
            long scaleOut) {
        for (int block = 0; block < cols / SUPER_BLOCK; block++) {
            long from = in + block * 144L;
            long scaleAt = scaleOut + (long) block * BandMatrix.SUPER_SCALES_4;
            scales.set(SHORT, scaleAt + lane * 2L, finite(from, row, block * SUPER_BLOCK));
            scales.set(SHORT, scaleAt + 32 + lane * 2L, finite(from + 2, row, block * SUPER_BLOCK));
            for (int group = 0; group < 8; group++) {
                long own = scaleAt + BandMatrix.GROUP_SCALES_4 + group * 32L + lane;
                scales.set(BYTE, own, (byte) sixBits(from + 4, group, 0));
                scales.set(BYTE, own + 16, (byte) sixBits(from + 4, group, 1));
                long nibbles = from + 16 + (group / 2) * 32L;
                int shift = group % 2 * 4;
                for (int line = 0; line < 4; line++) {
                    int first = source.get(INT, nibbles + line * 8L) >>> shift & 0x0F0F0F0F;
                    int second = source.get(INT, nibbles + line * 8L + 4) >>> shift & 0x0F0F0F0F;
                    long at = out + ((block * 8L + group) * 4L + line) * 64L + lane * 4L;
                    numbers.set(INT, at, first | second << 4);
                }
            }
        }
    }

    /**
     * Scale (which = 0) or minimum (which = 1) of a group of Q4_K. Bytes 0–3 hold the scales of
     * groups 0–3, bytes 4–7 their minima; bytes 8–11 the low four bits of scale and minimum of
     * groups 4–7, whose high two are the top bits of bytes 0–3 and 4–7.
     */
    private int sixBits(long at, int group, int which) {
        if (group < 4) {
            return source.get(BYTE, at + group + 4L * which) & 63;
        }
        int low = source.get(BYTE, at + 4 + group) >>> 4 * which & 15;
        int high = source.get(BYTE, at + group - 4 + 4L * which) >>> 6 & 3;
        return low | high << 4;
    }

    /**
     * Source: 128 bytes of nibbles, 64 bytes of bit pairs, 16 scales, d. Of 128 elements, nibble
     * bytes 0–63 are elements 0–63 low and 64–127 high; a byte of pairs has one element of each 32.
     */
    private void sixBitSuper(
            int row,
            int lane,
            long in,
            MemorySegment numbers,
            long out,
            MemorySegment scales,
            long scaleOut) {
        for (int block = 0; block < cols / SUPER_BLOCK; block++) {
            long from = in + block * 210L;
            long scaleAt = scaleOut + (long) block * BandMatrix.SUPER_SCALES_6;
            scales.set(SHORT, scaleAt + lane * 2L, finite(from + 208, row, block * SUPER_BLOCK));
            for (int group = 0; group < 16; group++) {
                byte scale = source.get(BYTE, from + 192 + group);
                scales.set(BYTE, scaleAt + BandMatrix.GROUP_SCALES_6 + group * 16L + lane, scale);
                int half = group / 8;
                int quarter = group % 8 / 2;
                long within = group % 2 * 16L;
                long nibbles = from + half * 64L + quarter % 2 * 32L + within;
                long pairs = from + 128 + half * 32L + within;
                long at = out + (block * 16L + group) * BandMatrix.GROUP_BYTES_6 + lane * 4L;
                int high = 0;
                for (int four = 0; four < 4; four++) {
                    int low = source.get(INT, nibbles + four * 4L) >>> quarter / 2 * 4 & 0x0F0F0F0F;
                    long line = at + four / 2 * 64L;
                    numbers.set(INT, line, four % 2 == 0 ? low : numbers.get(INT, line) | low << 4);
                    int two = source.get(INT, pairs + four * 4L) >>> quarter * 2 & 0x03030303;
                    high |= two << 2 * four;
                }
                numbers.set(INT, at + 2 * 64L, high);
            }
        }
    }

    private short finite(long at, int row, int col) {
        short bits = source.get(SHORT, at);
        if ((bits & 0x7C00) == 0x7C00) {
            throw new NonFiniteWeightException(name, row, col);
        }
        return bits;
    }
}
