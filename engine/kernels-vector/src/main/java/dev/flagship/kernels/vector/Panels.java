package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.kernels.vector.Lanes.SHORTS;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import org.jspecify.annotations.Nullable;

/**
 * Unpacks part of a matrix into a heap panel of floats {@code [column][PANEL_ROWS]}. A row vector
 * is {@code LENGTH} neighbouring rows; vector v of a matrix lies in band v / PER_BAND.
 */
final class Panels {
    /** An F16 shifted into an F32's place has an exponent 112 too small. */
    static final float HALF_REBIAS = 0x1p112f;

    /** Sign and the 15 low bits of a sign-extended F16 after a shift by 13. */
    static final int HALF_BITS = 0x8FFFE000;

    private static final int CODES = 16;

    private static final Map<DType, int[]> LEVELS = levels();

    private Panels() {}

    /**
     * Columns [from, to) of the row vectors {@code vector} and {@code vector + 1}; absent rows
     * become 0.
     */
    static void numbers(BandMatrix w, int vector, int from, int to, float[] panel) {
        for (int i = 0; i < 2; i++) {
            if (vector + i >= w.bands() * PER_BAND) {
                clear(panel, i * LENGTH, to - from);
            } else if (w.type().quantized()) {
                quants(w, vector + i, from, to, panel, i * LENGTH);
            } else if (w.type() == DType.F32) {
                plain32(w, vector + i, from, to, panel, i * LENGTH);
            } else {
                plain16(w, vector + i, from, to, panel, i * LENGTH);
            }
        }
    }

    private static void quants(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        float bias = w.type().offset();
        if (w.type().coded()) {
            coded(w, vector, from, to, Objects.requireNonNull(LEVELS.get(w.type())), panel, offset);
            return;
        }
        switch (w.type().bits()) {
            case 8 -> eightBit(w, vector, from, to, panel, offset);
            case 6 -> sixBit(w, vector, from, to, panel, offset);
            case 5 -> fiveBit(w, vector, from, to, bias, panel, offset);
            case 4 -> fourBit(w, vector, from, to, bias, panel, offset);
            case 3 -> threeBit(w, vector, from, to, bias, panel, offset);
            default -> twoBit(w, vector, from, to, panel, offset);
        }
    }

    private static void clear(float[] panel, int offset, int columns) {
        for (int k = 0; k < columns; k++) {
            Arrays.fill(panel, k * PANEL_ROWS + offset, k * PANEL_ROWS + offset + LENGTH, 0f);
        }
    }

    private static MemorySegment band(BandMatrix w, int vector) {
        long bytes = BandMatrix.bandBytes(w.type(), w.cols());
        return w.numbers().asSlice((long) (vector / PER_BAND) * bytes, bytes);
    }

    private static void eightBit(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += 4) {
            IntVector line = IntVector.fromMemorySegment(INTS, band, k * 16L + lane, ORDER);
            int at = (k - from) * PANEL_ROWS + offset;
            floats(line.and(0xFF)).sub(128f).intoArray(panel, at);
            floats(line.lanewise(VectorOperators.LSHR, 8).and(0xFF))
                    .sub(128f)
                    .intoArray(panel, at + PANEL_ROWS);
            floats(line.lanewise(VectorOperators.LSHR, 16).and(0xFF))
                    .sub(128f)
                    .intoArray(panel, at + 2 * PANEL_ROWS);
            floats(line.lanewise(VectorOperators.LSHR, 24))
                    .sub(128f)
                    .intoArray(panel, at + 3 * PANEL_ROWS);
        }
    }

    private static void fourBit(
            BandMatrix w, int vector, int from, int to, float bias, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += 8) {
            IntVector line = IntVector.fromMemorySegment(INTS, band, k * 8L + lane, ORDER);
            int at = (k - from) * PANEL_ROWS + offset;
            for (int j = 0; j < 4; j++) {
                IntVector pair = line.lanewise(VectorOperators.LSHR, 8 * j);
                floats(pair.and(15)).sub(bias).intoArray(panel, at + j * PANEL_ROWS);
                floats(pair.lanewise(VectorOperators.LSHR, 4).and(15))
                        .sub(bias)
                        .intoArray(panel, at + (j + 4) * PANEL_ROWS);
            }
        }
    }

    private static void coded(
            BandMatrix w, int vector, int from, int to, int[] levels, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += 8) {
            IntVector line = IntVector.fromMemorySegment(INTS, band, k * 8L + lane, ORDER);
            int at = (k - from) * PANEL_ROWS + offset;
            for (int j = 0; j < 8; j++) {
                IntVector code = line.lanewise(VectorOperators.LSHR, 8 * (j % 4) + j / 4 * 4);
                IntVector index = code.and(15);
                IntVector level = index.selectFrom(IntVector.fromArray(INTS, levels, 0));
                for (int part = LENGTH; part < CODES; part += LENGTH) {
                    IntVector other = index.selectFrom(IntVector.fromArray(INTS, levels, part));
                    level = level.blend(other, index.compare(VectorOperators.GE, part));
                }
                floats(level).intoArray(panel, at + j * PANEL_ROWS);
            }
        }
    }

    private static Map<DType, int[]> levels() {
        Map<DType, int[]> all = new EnumMap<>(DType.class);
        for (DType type : DType.values()) {
            if (type.coded()) {
                int[] levels = new int[CODES];
                Arrays.setAll(levels, type::level);
                all.put(type, levels);
            }
        }
        return Collections.unmodifiableMap(all);
    }

    private static void fiveBit(
            BandMatrix w, int vector, int from, int to, float bias, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += BLOCK) {
            long at = k * 10L + lane;
            IntVector bits =
                    IntVector.fromMemorySegment(INTS, band, at + BandMatrix.HIGH_BITS_5, ORDER);
            for (int line = 0; line < 4; line++) {
                IntVector nibbles = IntVector.fromMemorySegment(INTS, band, at + line * 64L, ORDER);
                int out = (k - from + line * 8) * PANEL_ROWS + offset;
                for (int j = 0; j < 4; j++) {
                    IntVector low = nibbles.lanewise(VectorOperators.LSHR, 8 * j);
                    IntVector high = bits.lanewise(VectorOperators.LSHR, 8 * j + 2 * line);
                    floats(low.and(15).or(high.and(1).lanewise(VectorOperators.LSHL, 4)))
                            .sub(bias)
                            .intoArray(panel, out + j * PANEL_ROWS);
                    floats(
                                    low.lanewise(VectorOperators.LSHR, 4)
                                            .and(15)
                                            .or(high.and(2).lanewise(VectorOperators.LSHL, 3)))
                            .sub(bias)
                            .intoArray(panel, out + (j + 4) * PANEL_ROWS);
                }
            }
        }
    }

    private static void threeBit(
            BandMatrix w, int vector, int from, int to, float bias, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += BLOCK) {
            long at = k * 6L + lane;
            IntVector bits =
                    IntVector.fromMemorySegment(INTS, band, at + BandMatrix.HIGH_BITS_3, ORDER);
            for (int four = 0; four < 8; four++) {
                IntVector pairs =
                        IntVector.fromMemorySegment(INTS, band, at + four / 4 * 64L, ORDER);
                int out = (k - from + four * 4) * PANEL_ROWS + offset;
                for (int j = 0; j < 4; j++) {
                    IntVector low = pairs.lanewise(VectorOperators.LSHR, 8 * j + four % 4 * 2);
                    IntVector high = bits.lanewise(VectorOperators.LSHR, 8 * j + four);
                    floats(low.and(3).or(high.and(1).lanewise(VectorOperators.LSHL, 2)))
                            .sub(bias)
                            .intoArray(panel, out + j * PANEL_ROWS);
                }
            }
        }
    }

    private static void twoBit(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += 16) {
            IntVector pairs = IntVector.fromMemorySegment(INTS, band, k * 4L + lane, ORDER);
            int at = (k - from) * PANEL_ROWS + offset;
            for (int i = 0; i < 16; i++) {
                floats(pairs.lanewise(VectorOperators.LSHR, i % 4 * 8 + i / 4 * 2).and(3))
                        .intoArray(panel, at + i * PANEL_ROWS);
            }
        }
    }

    private static void sixBit(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        long lane = (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k += 16) {
            long at = k * 12L + lane;
            IntVector pairs = IntVector.fromMemorySegment(INTS, band, at + 128, ORDER);
            for (int line = 0; line < 2; line++) {
                IntVector nibbles = IntVector.fromMemorySegment(INTS, band, at + line * 64L, ORDER);
                int out = (k - from + line * 8) * PANEL_ROWS + offset;
                for (int j = 0; j < 4; j++) {
                    IntVector low = nibbles.lanewise(VectorOperators.LSHR, 8 * j);
                    IntVector high = pairs.lanewise(VectorOperators.LSHR, 8 * j + 4 * line);
                    floats(low.and(15).or(high.and(3).lanewise(VectorOperators.LSHL, 4)))
                            .sub(32f)
                            .intoArray(panel, out + j * PANEL_ROWS);
                    floats(
                                    low.lanewise(VectorOperators.LSHR, 4)
                                            .and(15)
                                            .or(high.and(12).lanewise(VectorOperators.LSHL, 2)))
                            .sub(32f)
                            .intoArray(panel, out + (j + 4) * PANEL_ROWS);
                }
            }
        }
    }

    private static void plain32(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        // No slice of the band: here C2 has been seen to allocate it.
        MemorySegment numbers = w.numbers();
        long at = (long) (vector / PER_BAND) * BandMatrix.bandBytes(w.type(), w.cols());
        long lane = at + (long) (vector % PER_BAND) * LENGTH * 4;
        for (int k = from; k < to; k++) {
            FloatVector.fromMemorySegment(FLOATS, numbers, k * 64L + lane, ORDER)
                    .intoArray(panel, (k - from) * PANEL_ROWS + offset);
        }
    }

    private static void plain16(
            BandMatrix w, int vector, int from, int to, float[] panel, int offset) {
        MemorySegment band = band(w, vector);
        int lane = vector % PER_BAND * LENGTH;
        if (w.type() == DType.F16) {
            for (int k = from; k < to; k++) {
                halves(band, k * 32L + lane * 2L)
                        .intoArray(panel, (k - from) * PANEL_ROWS + offset);
            }
        } else {
            for (int k = from; k < to; k++) {
                int upper = k % 2 == 0 ? 16 : 0;
                IntVector.fromMemorySegment(INTS, band, k / 2 * 64L + lane * 4L, ORDER)
                        .lanewise(VectorOperators.LSHL, upper)
                        .and(0xFFFF0000)
                        .reinterpretAsFloats()
                        .intoArray(panel, (k - from) * PANEL_ROWS + offset);
            }
        }
    }

    /** Finite F16 numbers, widened. */
    private static FloatVector halves(MemorySegment memory, long offset) {
        return ((IntVector)
                        ShortVector.fromMemorySegment(SHORTS, memory, offset, ORDER)
                                .convertShape(VectorOperators.S2I, INTS, 0))
                .lanewise(VectorOperators.LSHL, 13)
                .and(HALF_BITS)
                .reinterpretAsFloats()
                .mul(HALF_REBIAS);
    }

    private static FloatVector floats(IntVector v) {
        return (FloatVector) v.convert(VectorOperators.I2F, 0);
    }

    /** Scales of the groups of columns [from, to): {@code out[group][PANEL_ROWS]}. */
    static void scales(BandMatrix w, int vector, int from, int to, float[] out) {
        if (w.type() == DType.MXFP4) {
            exponents(w, vector, from, to, out);
        } else {
            scalePlane(w, vector, from, to, 0, out);
        }
    }

    /** Minima, laid out as {@link #scales}. */
    static void minima(BandMatrix w, int vector, int from, int to, float[] out) {
        scalePlane(w, vector, from, to, 32, out);
    }

    private static void exponents(BandMatrix w, int vector, int from, int to, float[] out) {
        int rows = w.bands() * BAND;
        for (int block = from / BLOCK; block < to / BLOCK; block++) {
            int at = (block - from / BLOCK) * PANEL_ROWS;
            for (int i = 0; i < PANEL_ROWS; i++) {
                int row = vector * LENGTH + i;
                out[at + i] = row < rows ? w.scale(row, block) : 0f;
            }
        }
    }

    private static void scalePlane(
            BandMatrix w, int vector, int from, int to, int plane, float[] out) {
        long stride = BandMatrix.groupScaleBytes(w.type());
        long bytes = BandMatrix.bandScaleBytes(w.type(), w.cols());
        for (int i = 0; i < 2; i++) {
            int v = vector + i;
            boolean present = v < w.bands() * PER_BAND;
            for (int block = from / BLOCK; block < to / BLOCK; block++) {
                int at = (block - from / BLOCK) * PANEL_ROWS + i * LENGTH;
                if (present) {
                    long lane = (long) (v % PER_BAND) * LENGTH * 2;
                    halves(w.scales(), v / PER_BAND * bytes + block * stride + plane + lane)
                            .intoArray(out, at);
                } else {
                    Arrays.fill(out, at, at + LENGTH, 0f);
                }
            }
        }
    }

    /**
     * Scales and minima of the super-block that begins at column {@code from}, laid out as {@link
     * #scales}.
     *
     * @param numbers room for {@link SuperScales#numbers}
     */
    static void superScales(
            BandMatrix w,
            int vector,
            int from,
            SuperScales widened,
            float[] numbers,
            float[] scales,
            float[] minima) {
        int groups = BandMatrix.SUPER_BLOCK / w.type().groupElements();
        int width = w.type().hasMinimum() ? 2 * BAND : BAND;
        for (int i = 0; i < 2; i++) {
            int v = vector + i;
            if (v >= w.bands() * PER_BAND) {
                Arrays.fill(numbers, 0f);
            } else if (i == 0 || v % PER_BAND == 0) {
                widened.widen(w, v / PER_BAND, from / BandMatrix.SUPER_BLOCK, numbers, 0);
            }
            for (int group = 0; group < groups; group++) {
                int at = group * width + v % PER_BAND * LENGTH;
                int to = group * PANEL_ROWS + i * LENGTH;
                System.arraycopy(numbers, at, scales, to, LENGTH);
                if (width > BAND) {
                    System.arraycopy(numbers, at + BAND, minima, to, LENGTH);
                }
            }
        }
    }

    /**
     * Turns a panel of quants into weights, as {@link BandMatrix#weight} does.
     *
     * @param size columns of a group
     */
    static void dequantize(
            float[] panel, int columns, int size, float[] scales, float @Nullable [] minima) {
        for (int group = 0; group < columns / size; group++) {
            for (int i = 0; i < PANEL_ROWS; i += LENGTH) {
                FloatVector scale = FloatVector.fromArray(FLOATS, scales, group * PANEL_ROWS + i);
                int at = group * size * PANEL_ROWS + i;
                if (minima != null) {
                    FloatVector m = FloatVector.fromArray(FLOATS, minima, group * PANEL_ROWS + i);
                    for (int k = 0; k < size; k++, at += PANEL_ROWS) {
                        FloatVector.fromArray(FLOATS, panel, at).fma(scale, m).intoArray(panel, at);
                    }
                } else {
                    for (int k = 0; k < size; k++, at += PANEL_ROWS) {
                        FloatVector.fromArray(FLOATS, panel, at).mul(scale).intoArray(panel, at);
                    }
                }
            }
        }
    }
}
