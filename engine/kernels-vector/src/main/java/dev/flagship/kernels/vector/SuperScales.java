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
 * Scales of super-blocks, multiplied out: {@code [group][16]}, with minima {@code [group][scales,
 * minima][16]}. Bytes and halves are converted by plain loops over small heap arrays, which C2
 * vectorises where it would not do so over a segment.
 */
final class SuperScales {
    /** Numbers of a band's super-block of 16 groups with minima. */
    static final int MOST = 512;

    private static final ValueLayout.OfShort F16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final byte[] own = new byte[MOST];
    private final short[] halves = new short[2 * BAND];
    private final float[] common = new float[2 * BAND];

    /** Numbers of a band's super-block. */
    static int numbers(DType type) {
        return SUPER_BLOCK / type.groupElements() * width(type);
    }

    private static int width(DType type) {
        return type.hasMinimum() ? 2 * BAND : BAND;
    }

    /** Widens one super-block of a band into {@code out[at …]}. */
    void widen(BandMatrix w, int band, int block, float[] out, int at) {
        DType type = w.type();
        int numbers = numbers(type);
        int width = width(type);
        int size = BandMatrix.superScaleBytes(type);
        long from = (band * (long) (w.cols() / SUPER_BLOCK) + block) * size;
        int before = BandMatrix.groupScalesAt(type);
        MemorySegment.copy(w.scales(), F16, from, halves, 0, width);
        MemorySegment.copy(w.scales(), ValueLayout.JAVA_BYTE, from + before, own, 0, size - before);
        if (type == DType.Q2_K) {
            split();
        }
        for (int i = 0; i < width; i++) {
            common[i] = Float.float16ToFloat(halves[i]) * type.scaleUnit();
        }
        for (int i = BAND; i < width; i++) {
            common[i] = -common[i]; // minima are subtracted
        }
        toFloats(own, numbers, out, at);
        for (int i = 0; i < width; i += LENGTH) {
            FloatVector factor = FloatVector.fromArray(FLOATS, common, i);
            for (int j = at + i; j < at + numbers; j += width) {
                FloatVector.fromArray(FLOATS, out, j).mul(factor).intoArray(out, j);
            }
        }
    }

    /** A byte of Q2_K, scale and minimum, becomes two; from the last, as they lie in their way. */
    private void split() {
        for (int i = MOST / 2 - 1; i >= 0; i--) {
            byte both = own[i];
            int at = i / BAND * 2 * BAND + i % BAND;
            own[at] = (byte) (both & 15);
            own[at + BAND] = (byte) (both >>> 4 & 15);
        }
    }

    /** A loop long enough, and alone in its method, for C2 to make vectors of it. */
    private static void toFloats(byte[] bytes, int count, float[] out, int at) {
        for (int i = 0; i < count; i++) {
            out[at + i] = bytes[i];
        }
    }

    /** Widens all super-blocks of the bands that {@code count} row vectors lie in. */
    void widenBands(BandMatrix w, int vector, int count, float[] planes) {
        int blocks = w.cols() / SUPER_BLOCK;
        int numbers = numbers(w.type());
        int first = vector / Lanes.PER_BAND;
        int last = Math.min((vector + count - 1) / Lanes.PER_BAND, w.bands() - 1);
        for (int band = first, at = 0; band <= last; band++) {
            for (int block = 0; block < blocks; block++, at += numbers) {
                widen(w, band, block, planes, at);
            }
        }
    }
}
