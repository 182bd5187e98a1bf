package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.INTS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.kernels.vector.Lanes.ORDER;
import static dev.flagship.kernels.vector.Lanes.PANEL_ROWS;
import static dev.flagship.kernels.vector.Lanes.PER_BAND;
import static dev.flagship.kernels.vector.Lanes.SHORTS;
import static dev.flagship.tensor.BandMatrix.BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Unpacks part of a matrix into a heap panel of floats {@code [column][PANEL_ROWS]}. A row vector
 * is {@code LENGTH} neighbouring rows; vector v of a matrix lies in band v / PER_BAND.
 */
final class Panels {
    /** An F16 shifted into an F32's place has an exponent 112 too small. */
    static final float HALF_REBIAS = 0x1p112f;

    /** Sign and the 15 low bits of a sign-extended F16 after a shift by 13. */
    static final int HALF_BITS = 0x8FFFE000;

    private Panels() {}

    /**
     * Columns [from, to) of the row vectors {@code vector} and {@code vector + 1}; absent rows
     * become 0.
     */
    static void numbers(BandMatrix w, int vector, int from, int to, boolean quants, float[] panel) {
        for (int i = 0; i < 2; i++) {
            if (vector + i >= w.bands() * PER_BAND) {
                clear(panel, i * LENGTH, to - from);
            } else if (w.type() == DType.Q8_0) {
                eightBit(w, vector + i, from, to, panel, i * LENGTH);
            } else if (w.type().quantized()) {
                float bias = w.type() == DType.Q4_0 ? 8f : 0f;
                fourBit(w, vector + i, from, to, bias, panel, i * LENGTH);
            } else if (w.type() == DType.F32) {
                plain32(w, vector + i, from, to, panel, i * LENGTH);
            } else {
                plain16(w, vector + i, from, to, panel, i * LENGTH);
            }
        }
        if (w.type().quantized() && !quants) {
            dequantize(w, vector, from, to, panel);
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

    /** Scales of the blocks of columns [from, to): {@code out[block][PANEL_ROWS]}. */
    static void scales(BandMatrix w, int vector, int from, int to, float[] out) {
        scalePlane(w, vector, from, to, 0, out);
    }

    /** Minima, laid out as {@link #scales}. */
    static void minima(BandMatrix w, int vector, int from, int to, float[] out) {
        scalePlane(w, vector, from, to, 32, out);
    }

    private static void scalePlane(
            BandMatrix w, int vector, int from, int to, int plane, float[] out) {
        long stride = w.type() == DType.Q4_1 ? 64 : 32;
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

    private static void dequantize(BandMatrix w, int vector, int from, int to, float[] panel) {
        long stride = w.type() == DType.Q4_1 ? 64 : 32;
        long bytes = BandMatrix.bandScaleBytes(w.type(), w.cols());
        boolean min = w.type() == DType.Q4_1;
        for (int i = 0; i < 2 && vector + i < w.bands() * PER_BAND; i++) {
            int v = vector + i;
            long base = v / PER_BAND * bytes + (long) (v % PER_BAND) * LENGTH * 2;
            for (int block = from / BLOCK; block < to / BLOCK; block++) {
                FloatVector scale = halves(w.scales(), base + block * stride);
                int at = (block * BLOCK - from) * PANEL_ROWS + i * LENGTH;
                if (min) {
                    FloatVector m = halves(w.scales(), base + block * stride + 32);
                    for (int k = 0; k < BLOCK; k++, at += PANEL_ROWS) {
                        FloatVector.fromArray(FLOATS, panel, at).fma(scale, m).intoArray(panel, at);
                    }
                } else {
                    for (int k = 0; k < BLOCK; k++, at += PANEL_ROWS) {
                        FloatVector.fromArray(FLOATS, panel, at).mul(scale).intoArray(panel, at);
                    }
                }
            }
        }
    }
}
