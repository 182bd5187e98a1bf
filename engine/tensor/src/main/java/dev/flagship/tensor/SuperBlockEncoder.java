package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Rounds 256 weights to a super-block of Q4_K or Q6_K: a scale for each group first, then the scale
 * of the block, then each group's own small scale anew, among the neighbours of what it should be,
 * because the scale of the block was rounded.
 */
final class SuperBlockEncoder {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final int SIZE = 256;
    private static final int GROUP_4 = 32;
    private static final int GROUPS_4 = SIZE / GROUP_4;
    private static final int GROUP_6 = 16;
    private static final int GROUPS_6 = SIZE / GROUP_6;

    /** Most that six bits hold. */
    private static final int MOST_SIX_BITS = 63;

    private final ScaleSearch search;
    private final float[] weights = new float[SIZE];
    private final float[] importance = new float[SIZE];
    private final float[] scales = new float[GROUPS_6];
    private final float[] minima = new float[GROUPS_4];
    private final int[] numbers = new int[SIZE];

    SuperBlockEncoder(ScaleSearch search) {
        this.search = search;
    }

    /**
     * Q4_K. As in ggml's quantiser the error of a weight counts the more, the larger it is: those
     * move the products most.
     */
    void fourBit(float[] from, int at, MemorySegment out, long to) {
        System.arraycopy(from, at, weights, 0, SIZE);
        for (int g = 0; g < GROUPS_4; g++) {
            weigh(g * GROUP_4);
            line(g);
        }
        float scale = ScaleSearch.half(most(scales, GROUPS_4) / MOST_SIX_BITS);
        float minimum = ScaleSearch.half(most(minima, GROUPS_4) / MOST_SIX_BITS);
        out.set(SHORT, to, Float.floatToFloat16(scale));
        out.set(SHORT, to + 2, Float.floatToFloat16(minimum));
        out.asSlice(to + 4, 12).fill((byte) 0);
        for (int g = 0; g < GROUPS_4; g++) {
            int chosen = smallScales(g, scale, minimum);
            int own = Math.round(search.scale(chosen) / positive(scale));
            int ownMinimum = Math.round(-search.offset(chosen) / positive(minimum));
            putSixBits(out, to + 4, g, 0, own);
            putSixBits(out, to + 4, g, 1, ownMinimum);
            for (int i = 0; i < GROUP_4; i++) {
                numbers[g * GROUP_4 + i] =
                        search.quant(
                                weights[g * GROUP_4 + i],
                                search.scale(chosen),
                                search.offset(chosen));
            }
        }
        for (int pair = 0; pair < GROUPS_4 / 2; pair++) {
            for (int i = 0; i < GROUP_4; i++) {
                int low = numbers[2 * pair * GROUP_4 + i];
                int high = numbers[(2 * pair + 1) * GROUP_4 + i];
                out.set(BYTE, to + 16 + (long) pair * GROUP_4 + i, (byte) (low | high << 4));
            }
        }
    }

    /** Importance of a group's weights: their magnitude, and the mean one. */
    private void weigh(int from) {
        float squares = 0;
        for (int i = from; i < from + GROUP_4; i++) {
            squares += weights[i] * weights[i];
        }
        float mean = (float) Math.sqrt(squares / GROUP_4);
        for (int i = from; i < from + GROUP_4; i++) {
            importance[i] = squares > 0 ? mean + Math.abs(weights[i]) : 1;
        }
    }

    /** The best scale and minimum of a group, whatever the others have. */
    private void line(int group) {
        int from = group * GROUP_4;
        float least = 0; // nothing is subtracted but a minimum below 0
        float most = weights[from];
        for (int i = from; i < from + GROUP_4; i++) {
            least = Math.min(least, weights[i]);
            most = Math.max(most, weights[i]);
        }
        search.clear();
        for (int i = 0; i < 32; i++) {
            search.add((most - least) / (12.9f + 0.1f * i), least);
        }
        search.fit(weights, importance, from, GROUP_4, true);
        search.keepOffsetsNegative();
        search.add((most - least) / 15, least);
        int best = search.best(weights, importance, from, GROUP_4);
        scales[group] = Math.max(0, search.scale(best));
        minima[group] = Math.max(0, -search.offset(best));
    }

    /** The best small scale and minimum of a group, as a candidate. */
    private int smallScales(int group, float scale, float minimum) {
        int own = (int) (scales[group] / positive(scale));
        int ownMinimum = (int) (minima[group] / positive(minimum));
        search.clear();
        for (int s = own - 2; s <= own + 3; s++) {
            for (int m = ownMinimum - 2; m <= ownMinimum + 3; m++) {
                search.add(
                        scale * Math.clamp(s, 0, MOST_SIX_BITS),
                        -(minimum * Math.clamp(m, 0, MOST_SIX_BITS)));
            }
        }
        return search.best(weights, importance, group * GROUP_4, GROUP_4);
    }

    /** A divisor: where all are 0, whatever is divided is 0 too. */
    private static float positive(float scale) {
        return scale > 0 ? scale : 1;
    }

    private static float most(float[] values, int count) {
        float most = 0;
        for (int i = 0; i < count; i++) {
            most = Math.max(most, values[i]);
        }
        return most;
    }

    /** The other way round of what {@link BandPacker} reads. */
    private static void putSixBits(MemorySegment out, long at, int group, int which, int value) {
        if (group < 4) {
            or(out, at + group + 4L * which, value);
            return;
        }
        or(out, at + 4 + group, (value & 15) << 4 * which);
        or(out, at + group - 4 + 4L * which, value >>> 4 << 6);
    }

    private static void or(MemorySegment out, long at, int bits) {
        out.set(BYTE, at, (byte) (out.get(BYTE, at) | bits));
    }

    /** Q6_K. */
    void sixBit(float[] from, int at, MemorySegment out, long to) {
        System.arraycopy(from, at, weights, 0, SIZE);
        Arrays.fill(importance, 1);
        for (int g = 0; g < GROUPS_6; g++) {
            symmetric(g);
        }
        float scale = ScaleSearch.half(BlockEncoder.largest(scales, 0, GROUPS_6) / -128);
        out.set(SHORT, to + 208, Float.floatToFloat16(scale));
        for (int g = 0; g < GROUPS_6; g++) {
            float divisor = scale == 0 ? 1 : scale;
            int own = (int) Math.floor(scales[g] / divisor);
            search.clear();
            for (int s = own - 3; s <= own + 4; s++) {
                search.add(scale * Math.clamp(s, -128, 127), 0);
            }
            int best = search.best(weights, importance, g * GROUP_6, GROUP_6);
            out.set(BYTE, to + 192 + g, (byte) Math.clamp(own - 3L + best, -128, 127));
            for (int i = 0; i < GROUP_6; i++) {
                numbers[g * GROUP_6 + i] =
                        search.quant(weights[g * GROUP_6 + i], search.scale(best), 0) + 32;
            }
        }
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 32; i++) {
                int first = half * 128 + i;
                int a = numbers[first];
                int b = numbers[first + 32];
                int c = numbers[first + 64];
                int d = numbers[first + 96];
                long low = to + half * 64L + i;
                out.set(BYTE, low, (byte) (a & 15 | (c & 15) << 4));
                out.set(BYTE, low + 32, (byte) (b & 15 | (d & 15) << 4));
                int pairs = a >>> 4 | b >>> 4 << 2 | c >>> 4 << 4 | d >>> 4 << 6;
                out.set(BYTE, to + 128 + half * 32L + i, (byte) pairs);
            }
        }
    }

    /** The best scale of a group of Q6_K, whatever the others have. */
    private void symmetric(int group) {
        int from = group * GROUP_6;
        float largest = BlockEncoder.largest(weights, from, GROUP_6);
        search.clear();
        for (int i = 0; i < 16; i++) {
            search.add(largest / -(31.2f + 0.1f * i), 0);
            search.add(largest / (30.2f + 0.1f * i), 0);
        }
        search.fit(weights, importance, from, GROUP_6, false);
        search.add(largest / -32, 0);
        scales[group] = search.scale(search.best(weights, importance, from, GROUP_6));
    }
}
