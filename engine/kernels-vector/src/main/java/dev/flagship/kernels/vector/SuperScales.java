package dev.flagship.kernels.vector;

import static dev.flagship.kernels.vector.Lanes.FLOATS;
import static dev.flagship.kernels.vector.Lanes.LENGTH;
import static dev.flagship.tensor.BandMatrix.BAND;
import static dev.flagship.tensor.BandMatrix.SUPER_BLOCK;

import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;

/**
 * Scales of super-blocks, multiplied out: {@code [group][16]}, for Q4_K {@code [group][scales,
 * minima][16]}. Bytes and halves are converted by plain loops over small heap arrays, which C2
 * vectorises where it would not do so over a segment.
 */
final class SuperScales {
    /** Numbers of a band's super-block: 8 groups with minima, or 16 groups. */
    static final int NUMBERS = 256;

    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final byte[] own = new byte[NUMBERS];
    private final short[] halves = new short[2 * BAND];
    private final float[] common = new float[2 * BAND];

    /** Widens one super-block of a band into {@code out[at …]}. */
    void widen(BandMatrix w, int band, int block, float[] out, int at) {
        boolean minima = w.type() == DType.Q4_K;
        long size = minima ? BandMatrix.SUPER_SCALES_4 : BandMatrix.SUPER_SCALES_6;
        long from = (band * (long) (w.cols() / SUPER_BLOCK) + block) * size;
        long ownAt = from + (minima ? BandMatrix.GROUP_SCALES_4 : BandMatrix.GROUP_SCALES_6);
        int width = minima ? 2 * BAND : BAND;
        MemorySegment.copy(w.scales(), F16, from, halves, 0, width);
        MemorySegment.copy(w.scales(), ValueLayout.JAVA_BYTE, ownAt, own, 0, NUMBERS);
        for (int i = 0; i < width; i++) {
            common[i] = Float.float16ToFloat(halves[i]);
        }
        for (int i = BAND; i < width; i++) {
            common[i] = -common[i]; // minima are subtracted
        }
        toFloats(own, out, at);
        for (int i = 0; i < width; i += LENGTH) {
            FloatVector factor = FloatVector.fromArray(FLOATS, common, i);
            for (int j = at + i; j < at + NUMBERS; j += width) {
                FloatVector.fromArray(FLOATS, out, j).mul(factor).intoArray(out, j);
            }
        }
    }

    /** A loop long enough, and alone in its method, for C2 to make vectors of it. */
    private static void toFloats(byte[] bytes, float[] out, int at) {
        for (int i = 0; i < NUMBERS; i++) {
            out[at + i] = bytes[i];
        }
    }

    /** Widens all super-blocks of the bands that {@code count} row vectors lie in. */
    void widenBands(BandMatrix w, int vector, int count, float[] planes) {
        int blocks = w.cols() / SUPER_BLOCK;
        int first = vector / Lanes.PER_BAND;
        int last = Math.min((vector + count - 1) / Lanes.PER_BAND, w.bands() - 1);
        for (int band = first, at = 0; band <= last; band++) {
            for (int block = 0; block < blocks; block++, at += NUMBERS) {
                widen(w, band, block, planes, at);
            }
        }
    }
}
