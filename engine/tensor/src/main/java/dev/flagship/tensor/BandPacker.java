package dev.flagship.tensor;

import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
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

    private static final long LINE = 64;

    /** Lines that are made at a time; twice as many of F16, which has shorter ones. */
    private static final int TILE = 64;

    /** Fours of columns in 32. */
    private static final int FOURS = BLOCK / 4;

    private static final int NIBBLES = 0x0F0F0F0F;
    private static final int PAIRS = 0x03030303;
    private static final int BITS = 0x01010101;

    /** 12·2<sup>e − 128</sup> is finite. */
    private static final int LARGEST_EXPONENT = 252;

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
     * @param numbers plane of numbers from band {@code from} on, zeroed
     * @param scales plane of scales from band {@code from} on, zeroed
     * @throws NonFiniteWeightException if a scale, minimum or plain weight is not finite
     */
    public void pack(int from, int to, MemorySegment numbers, MemorySegment scales) {
        if (!type.quantized()) {
            plain(from, to, numbers);
            return;
        }
        long rowBytes = type.rowBytes(cols);
        long bandBytes = BandMatrix.bandBytes(type, cols);
        long bandScales = BandMatrix.bandScaleBytes(type, cols);
        for (int row = from * BAND; row < Math.min(rows, to * BAND); row++) {
            long in = rowOrder.applyAsInt(row) * rowBytes;
            int band = row / BAND - from;
            int lane = row % BAND;
            quants(in, numbers, band * bandBytes + lane * 4L);
            scales(row, in, scales, band * bandScales + lane * 2L, lane);
        }
    }

    // --- numbers of plain types

    /**
     * Plain numbers, 32 bits of a row at a time, which are one column of F32 or two of the others.
     * A tile of them is turned in arrays, since stores that lie apart in memory cost several times
     * more.
     */
    private void plain(int from, int to, MemorySegment numbers) {
        long rowBytes = type.rowBytes(cols);
        int words = Math.toIntExact((rowBytes + 3) / 4);
        long bandBytes = BandMatrix.bandBytes(type, cols);
        int[] row = new int[TILE];
        int[] ints = new int[TILE * BAND];
        short[] shorts = new short[2 * TILE * BAND];
        for (int band = from; band < to; band++) {
            long out = (band - from) * bandBytes;
            int lanes = Math.min(BAND, rows - band * BAND);
            if (lanes < BAND) { // what earlier bands left in the missing rows
                Arrays.fill(ints, 0);
                Arrays.fill(shorts, (short) 0);
            }
            for (int at = 0; at < words; at += TILE) {
                int count = Math.min(TILE, words - at);
                for (int lane = 0; lane < lanes; lane++) {
                    int index = band * BAND + lane;
                    words(rowOrder.applyAsInt(index) * rowBytes, at, count, row);
                    checkFinite(row, count, index, at);
                    if (type == DType.F16) {
                        for (int i = 0; i < count; i++) {
                            shorts[2 * i * BAND + lane] = (short) row[i];
                            shorts[(2 * i + 1) * BAND + lane] = (short) (row[i] >>> 16);
                        }
                    } else {
                        for (int i = 0; i < count; i++) {
                            ints[i * BAND + lane] = row[i];
                        }
                    }
                }
                if (type == DType.F16) {
                    int columns = Math.min(2 * count, cols - 2 * at);
                    MemorySegment.copy(shorts, 0, numbers, SHORT, out + at * LINE, columns * BAND);
                } else {
                    MemorySegment.copy(ints, 0, numbers, INT, out + at * LINE, count * BAND);
                }
            }
        }
    }

    /** 32 bits each of the source row at {@code in}; what the row does not fill is zero. */
    private void words(long in, int at, int count, int[] row) {
        boolean half = (at + count) * 4L > type.rowBytes(cols);
        int whole = half ? count - 1 : count;
        MemorySegment.copy(source, INT, in + at * 4L, row, 0, whole);
        if (half) {
            row[whole] = source.get(SHORT, in + (at + whole) * 4L) & 0xFFFF;
        }
    }

    /** An exponent of ones carries into the bit above it. */
    private void checkFinite(int[] row, int count, int index, int at) {
        int exponents =
                type == DType.F32 ? 0x7F800000 : type == DType.F16 ? 0x7C007C00 : 0x7F807F80;
        int lowest = type == DType.F32 ? 0x00800000 : type == DType.F16 ? 0x04000400 : 0x00800080;
        int above = type == DType.F32 ? 0x80000000 : 0x80008000;
        int bad = 0;
        for (int i = 0; i < count; i++) {
            bad |= (row[i] & exponents) + lowest;
        }
        if ((bad & above) == 0) {
            return;
        }
        for (int i = 0; i < count; i++) {
            int carried = (row[i] & exponents) + lowest & above;
            if (carried != 0) {
                int second = (carried & 0x8000) == 0 ? 1 : 0;
                int col = type == DType.F32 ? at + i : 2 * (at + i) + second;
                throw new NonFiniteWeightException(name, index, col);
            }
        }
    }

    // --- numbers of quantised types

    /** A row's numbers, 32 at a time, into lines as {@link BandMatrix} describes them. */
    private void quants(long in, MemorySegment numbers, long out) {
        int perBlock = type.blockElements() / BLOCK;
        long bytes = BandMatrix.bandBytes(type, BLOCK * perBlock) / perBlock;
        int[] fours = new int[FOURS];
        for (int at = 0; at < cols / BLOCK; at++, out += bytes) {
            read(in + at / perBlock * (long) type.blockBytes(), at % perBlock, fours);
            switch (type.bits()) {
                case 8 -> {
                    for (int i = 0; i < FOURS; i++) {
                        numbers.set(INT, out + i * LINE, fours[i]);
                    }
                }
                case 6 -> {
                    for (int i = 0; i < FOURS; i += 4) {
                        long group = out + i / 4 * (long) BandMatrix.GROUP_BYTES_6;
                        nibbles(fours, i, 4, numbers, group);
                        numbers.set(INT, group + 2 * LINE, pairs(fours, i, 4));
                    }
                }
                case 5 -> {
                    nibbles(fours, 0, FOURS, numbers, out);
                    numbers.set(INT, out + BandMatrix.HIGH_BITS_5, bits(fours, 4));
                }
                case 4 -> nibbles(fours, 0, FOURS, numbers, out);
                default -> {
                    numbers.set(INT, out, pairs(fours, 0, 0));
                    numbers.set(INT, out + LINE, pairs(fours, 4, 0));
                    if (type.bits() == 3) {
                        numbers.set(INT, out + BandMatrix.HIGH_BITS_3, bits(fours, 2));
                    }
                }
            }
        }
    }

    /** Lines of the low four bits of some fours. */
    private static void nibbles(int[] fours, int from, int count, MemorySegment numbers, long out) {
        for (int i = 0; i < count; i += 2) {
            int low = fours[from + i] & NIBBLES;
            int high = fours[from + i + 1] & NIBBLES;
            numbers.set(INT, out + i / 2 * LINE, low | high << 4);
        }
    }

    /** A line of two bits, from bit {@code shift} on, of four fours. */
    private static int pairs(int[] fours, int from, int shift) {
        int line = 0;
        for (int i = 0; i < 4; i++) {
            line |= (fours[from + i] >>> shift & PAIRS) << 2 * i;
        }
        return line;
    }

    /** A line of bit {@code shift} of eight fours. */
    private static int bits(int[] fours, int shift) {
        int line = 0;
        for (int i = 0; i < FOURS; i++) {
            line |= (fours[i] >>> shift & BITS) << i;
        }
        return line;
    }

    /**
     * Unsigned numbers of 32 columns, a byte each.
     *
     * @param part which 32 of the block's columns
     */
    private void read(long block, int part, int[] fours) {
        switch (type) {
            case Q8_0 -> {
                for (int i = 0; i < FOURS; i++) {
                    // Flipping the sign bit of each byte adds 128.
                    fours[i] = source.get(INT, block + 2 + i * 4L) ^ 0x80808080;
                }
            }
            case Q4_0, IQ4_NL -> halves(block + 2, fours);
            case Q4_1 -> halves(block + 4, fours);
            case MXFP4 -> halves(block + 1, fours);
            case IQ4_XS -> halves(block + 8 + part * 16L, fours);
            case Q5_0 -> {
                halves(block + 6, fours);
                spread(source.get(INT, block + 2), fours);
            }
            case Q5_1 -> {
                halves(block + 8, fours);
                spread(source.get(INT, block + 4), fours);
            }
            // Each 32 bytes hold 32 columns low and the next 32 high.
            case Q4_K -> shifted(block + 16 + part / 2 * 32L, part % 2 * 4, NIBBLES, fours);
            case Q5_K -> {
                shifted(block + 48 + part / 2 * 32L, part % 2 * 4, NIBBLES, fours);
                addHigh(block + 16, part, BITS, 4, fours);
            }
            // Of 128 columns, bytes 0–63 are columns 0–63 low and 64–127 high; a byte of pairs has
            // one column of each 32.
            case Q6_K -> {
                long nibbles = block + part / 4 * 64L + part % 2 * 32L;
                shifted(nibbles, part % 4 / 2 * 4, NIBBLES, fours);
                addHigh(block + 128 + part / 4 * 32L, part % 4 * 2, PAIRS, 4, fours);
            }
            case Q3_K -> {
                shifted(block + 32 + part / 4 * 32L, part % 4 * 2, PAIRS, fours);
                addHigh(block, part, BITS, 2, fours);
            }
            case Q2_K -> shifted(block + 16 + part / 4 * 32L, part % 4 * 2, PAIRS, fours);
            case IQ2_XXS, IQ2_XS, IQ2_S, IQ1_S, IQ1_M -> namedEights(block, part, fours);
            case IQ3_XXS, IQ3_S -> namedFours(block, part, fours);
            case F32, F16, BF16 -> throw new IllegalStateException(type + " has no quants");
        }
    }

    /** 16 bytes hold columns 0–15 low and 16–31 high. */
    private void halves(long at, int[] fours) {
        for (int i = 0; i < FOURS / 2; i++) {
            int both = source.get(INT, at + i * 4L);
            fours[i] = both & NIBBLES;
            fours[i + FOURS / 2] = both >>> 4 & NIBBLES;
        }
    }

    /** 32 bytes hold a column each, from bit {@code shift} on. */
    private void shifted(long at, int shift, int mask, int[] fours) {
        for (int i = 0; i < FOURS; i++) {
            fours[i] = source.get(INT, at + i * 4L) >>> shift & mask;
        }
    }

    /** So do these the bits of a column above its low ones. */
    private void addHigh(long at, int shift, int mask, int lowBits, int[] fours) {
        for (int i = 0; i < FOURS; i++) {
            fours[i] |= (source.get(INT, at + i * 4L) >>> shift & mask) << lowBits;
        }
    }

    /** Adds the fifth bits of 32 columns in a row. */
    private static void spread(int bits, int[] fours) {
        for (int i = 0; i < FOURS; i++) {
            fours[i] |= bytes(bits >>> 4 * i) << 4;
        }
    }

    /** The lowest four bits, a byte each. */
    private static int bytes(int bits) {
        int four = bits & 15;
        return (four | four << 7 | four << 14 | four << 21) & BITS;
    }

    // --- numbers that a codebook holds

    private void namedEights(long block, int part, int[] fours) {
        Codebook book = Codebook.of(type);
        for (int i = 0; i < FOURS / 2; i++) {
            int at = part * 4 + i; // of the block's eights
            int name;
            int signs;
            switch (type) {
                case IQ2_XXS -> {
                    name = source.get(BYTE, block + 2 + part * 8L + i) & 0xFF;
                    signs = even(source.get(INT, block + 6 + part * 8L) >>> 7 * i);
                }
                case IQ2_XS -> {
                    int both = source.get(SHORT, block + 2 + at * 2L);
                    name = both & 511;
                    signs = even(both >>> 9);
                }
                case IQ2_S -> {
                    int high = source.get(BYTE, block + 66 + part) >>> 2 * i & 3;
                    name = source.get(BYTE, block + 2 + at) & 0xFF | high << 8;
                    signs = source.get(BYTE, block + 34 + at);
                }
                case IQ1_S -> {
                    int rest = source.get(SHORT, block + 34 + part * 2L);
                    name = source.get(BYTE, block + 2 + at) & 0xFF | (rest >>> 3 * i & 7) << 8;
                    signs = rest < 0 ? -1 : 0;
                }
                default -> {
                    int rest = nibble(block + 32, at);
                    name = source.get(BYTE, block + at) & 0xFF | (rest & 7) << 8;
                    signs = rest > 7 ? -1 : 0;
                }
            }
            fours[2 * i] = book.four(2 * name) | bytes(signs) << 3;
            fours[2 * i + 1] = book.four(2 * name + 1) | bytes(signs >>> 4) << 3;
        }
    }

    private void namedFours(long block, int part, int[] fours) {
        Codebook book = Codebook.of(type);
        for (int i = 0; i < FOURS; i++) {
            int name = source.get(BYTE, block + 2 + part * 8L + i) & 0xFF;
            int signs;
            if (type == DType.IQ3_S) {
                name |= (source.get(BYTE, block + 66 + part) >>> i & 1) << 8;
                signs = source.get(BYTE, block + 74 + part * 4L + i / 2);
            } else {
                signs = even(source.get(INT, block + 66 + part * 4L) >>> 7 * (i / 2));
            }
            fours[i] = book.four(name) | bytes(signs >>> i % 2 * 4) << 3;
        }
    }

    /** Seven signs, and an eighth that makes the number of set ones even. */
    private static int even(int signs) {
        int seven = signs & 127;
        return seven | (Integer.bitCount(seven) & 1) << 7;
    }

    // --- scales

    /**
     * @param out where the band's halves of this row begin
     */
    private void scales(int row, long in, MemorySegment scales, long out, int lane) {
        int groups = type.blockElements() / type.groupElements();
        int stride = BandMatrix.groupScaleBytes(type);
        long step = BandMatrix.bandScaleBytes(type, type.blockElements());
        for (int block = 0; block < cols / type.blockElements(); block++, out += step) {
            long from = in + block * (long) type.blockBytes();
            int col = block * type.blockElements();
            if (type == DType.MXFP4) {
                scales.set(BYTE, out - lane, exponent(from, row, col));
                continue;
            }
            scales.set(SHORT, out, finite(blockScale(from), row, col));
            if (type.hasMinimum()) {
                short minimum = source.get(SHORT, from + scaleAt() + 2);
                scales.set(SHORT, out + 32, finite(minimum, row, col));
            }
            long own = out - lane + BandMatrix.groupScalesAt(type);
            for (int group = 0; type.superBlocks() && group < groups; group++, own += stride) {
                scales.set(BYTE, own, groupScale(from, group));
                if (stride > BAND) {
                    scales.set(BYTE, own + BAND, sixBits(from + 4, group, 1));
                }
            }
        }
    }

    /** Where a block has its F16 scale, and behind it a minimum. */
    private int scaleAt() {
        return switch (type) {
            case Q2_K -> 80;
            case Q3_K -> 108;
            case Q6_K -> 208;
            default -> 0;
        };
    }

    /** A block's F16 scale. */
    private short blockScale(long block) {
        if (type != DType.IQ1_M) {
            return source.get(SHORT, block + scaleAt());
        }
        int half = 0;
        for (int i = 3; i >= 0; i--) {
            half = half << 4 | source.get(SHORT, block + 48 + i * 2L) >>> 12 & 15;
        }
        return (short) half;
    }

    /** A group's own scale, of Q2_K with its minimum. */
    private byte groupScale(long block, int group) {
        return switch (type) {
            case Q4_K, Q5_K -> sixBits(block + 4, group, 0);
            case Q6_K -> source.get(BYTE, block + 192 + group);
            case Q2_K -> source.get(BYTE, block + group);
            case Q3_K -> {
                // Eight bytes of low four bits, those of groups 8–15 high; then four bytes of which
                // each has the high two of every fourth group.
                int low = source.get(BYTE, block + 96 + group % 8) >>> group / 8 * 4 & 15;
                int high = source.get(BYTE, block + 104 + group % 4) >>> group / 4 * 2 & 3;
                yield (byte) ((low | high << 4) - 32);
            }
            case IQ4_XS -> {
                int low = source.get(BYTE, block + 4 + group / 2) >>> group % 2 * 4 & 15;
                int high = source.get(SHORT, block + 2) >>> 2 * group & 3;
                yield (byte) ((low | high << 4) - 32);
            }
            case IQ2_XXS -> odd(source.get(INT, block + 6 + group * 8L) >>> 28);
            case IQ3_XXS -> odd(source.get(INT, block + 66 + group * 4L) >>> 28);
            case IQ2_XS -> odd(nibble(block + 66, group));
            case IQ2_S -> odd(nibble(block + 74, group));
            case IQ3_S -> odd(nibble(block + 106, group));
            case IQ1_S -> odd(source.get(SHORT, block + 34 + group * 2L) >>> 12 & 7);
            case IQ1_M -> odd(source.get(SHORT, block + 48 + group / 4 * 2L) >>> group % 4 * 3 & 7);
            default -> throw new IllegalStateException(type + " has no super-blocks");
        };
    }

    private static byte odd(int scale) {
        return (byte) (2 * scale + 1);
    }

    private int nibble(long at, int index) {
        return source.get(BYTE, at + index / 2) >>> index % 2 * 4 & 15;
    }

    /**
     * Scale (which = 0) or minimum (which = 1) of a group of Q4_K or Q5_K. Bytes 0–3 hold the
     * scales of groups 0–3, bytes 4–7 their minima; bytes 8–11 the low four bits of scale and
     * minimum of groups 4–7, whose high two are the top bits of bytes 0–3 and 4–7.
     */
    private byte sixBits(long at, int group, int which) {
        if (group < 4) {
            return (byte) (source.get(BYTE, at + group + 4L * which) & 63);
        }
        int low = source.get(BYTE, at + 4 + group) >>> 4 * which & 15;
        int high = source.get(BYTE, at + group - 4 + 4L * which) >>> 6 & 3;
        return (byte) (low | high << 4);
    }

    /** An exponent of MXFP4 with which the largest level is finite; 255 is NaN. */
    private byte exponent(long at, int row, int col) {
        byte e = source.get(BYTE, at);
        if ((e & 0xFF) > LARGEST_EXPONENT) {
            throw new NonFiniteWeightException(name, row, col);
        }
        return e;
    }

    private short finite(short bits, int row, int col) {
        if ((bits & 0x7C00) == 0x7C00) {
            throw new NonFiniteWeightException(name, row, col);
        }
        return bits;
    }
}
