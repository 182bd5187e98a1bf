package dev.flagship.tensor;

import java.util.Arrays;

/**
 * Finds, among several scales and offsets for one group of weights, those with which rounding costs
 * least: each weight x becomes offset + scale·q with the nearest whole q of a range. Weights are
 * visited one by one and all candidates at each, so that no sum crosses lanes.
 */
final class ScaleSearch {
    private static final int MOST = 40;

    /** Adding it and taking it away again rounds a small number to a whole one, half to even. */
    private static final float ROUNDS = 0x1.8p23f;

    private final float lowest;
    private final float highest;
    private final float[] scales = new float[MOST];
    private final float[] offsets = new float[MOST];
    private final float[] inverses = new float[MOST];
    private final float[] errors = new float[MOST];
    private final float[] sumQ = new float[MOST];
    private final float[] sumQq = new float[MOST];
    private final float[] sumXq = new float[MOST];
    private int count;

    /**
     * @param lowest of q
     * @param highest of q
     */
    ScaleSearch(int lowest, int highest) {
        this.lowest = lowest;
        this.highest = highest;
    }

    void clear() {
        count = 0;
    }

    void add(float scale, float offset) {
        scales[count] = scale;
        offsets[count] = offset;
        inverses[count] = inverse(scale);
        count++;
    }

    int count() {
        return count;
    }

    float scale(int candidate) {
        return scales[candidate];
    }

    float offset(int candidate) {
        return offsets[candidate];
    }

    private static float inverse(float scale) {
        float inverse = 1 / scale;
        return Float.isFinite(inverse) ? inverse : 0; // a scale of nothing rounds all to nothing
    }

    /**
     * The number that a weight becomes.
     *
     * @param scale 0 makes it 0, or the nearest in range
     */
    int quant(float x, float scale, float offset) {
        return (int) rounded((x - offset) * inverse(scale), lowest, highest);
    }

    private static float rounded(float t, float lowest, float highest) {
        return Math.max(lowest, Math.min(highest, t)) + ROUNDS - ROUNDS;
    }

    /** The candidate of the least error; of equals the first. */
    int best(float[] x, float[] importance, int from, int size) {
        measure(x, importance, from, size, count);
        int best = 0;
        for (int c = 1; c < count; c++) {
            if (errors[c] < errors[best]) {
                best = c;
            }
        }
        return best;
    }

    private void measure(float[] x, float[] importance, int from, int size, int candidates) {
        float[] s = scales;
        float[] o = offsets;
        float[] inv = inverses;
        float[] e = errors;
        float low = lowest;
        float high = highest;
        Arrays.fill(e, 0, candidates, 0);
        for (int i = from; i < from + size; i++) {
            float v = x[i];
            float w = importance[i];
            for (int c = 0; c < candidates; c++) {
                float rest = v - o[c];
                float q = Math.max(low, Math.min(high, rest * inv[c])) + ROUNDS - ROUNDS;
                float miss = rest - s[c] * q;
                e[c] += w * miss * miss;
            }
        }
    }

    /**
     * Replaces each candidate by the scale and offset that fit best, by least squares, the numbers
     * that it rounds to.
     *
     * @param withOffset whether offsets are free; else they are and stay 0
     */
    void fit(float[] x, float[] importance, int from, int size, boolean withOffset) {
        Arrays.fill(sumQ, 0, count, 0);
        Arrays.fill(sumQq, 0, count, 0);
        Arrays.fill(sumXq, 0, count, 0);
        sums(x, importance, from, size, count);
        float sumW = 0;
        float sumX = 0;
        for (int i = from; i < from + size; i++) {
            sumW += importance[i];
            sumX += importance[i] * x[i];
        }
        for (int c = 0; c < count; c++) {
            if (withOffset) {
                fitLine(c, sumW, sumX);
            } else if (sumQq[c] > 0) {
                replace(c, sumXq[c] / sumQq[c], 0);
            }
        }
    }

    private void sums(float[] x, float[] importance, int from, int size, int candidates) {
        float[] o = offsets;
        float[] inv = inverses;
        float[] q1 = sumQ;
        float[] q2 = sumQq;
        float[] xq = sumXq;
        float low = lowest;
        float high = highest;
        for (int i = from; i < from + size; i++) {
            float v = x[i];
            float w = importance[i];
            for (int c = 0; c < candidates; c++) {
                float q = Math.max(low, Math.min(high, (v - o[c]) * inv[c])) + ROUNDS - ROUNDS;
                float wq = w * q;
                q1[c] += wq;
                q2[c] += wq * q;
                xq[c] += wq * v;
            }
        }
    }

    private void fitLine(int c, float sumW, float sumX) {
        float determinant = sumW * sumQq[c] - sumQ[c] * sumQ[c];
        if (determinant > 0) {
            float scale = (sumW * sumXq[c] - sumX * sumQ[c]) / determinant;
            float offset = (sumQq[c] * sumX - sumQ[c] * sumXq[c]) / determinant;
            replace(c, scale, offset);
        }
    }

    /** Keeps a candidate's offsets at or below 0, fitting the scale alone where they are not. */
    void keepOffsetsNegative() {
        for (int c = 0; c < count; c++) {
            if (offsets[c] > 0 && sumQq[c] > 0) {
                replace(c, sumXq[c] / sumQq[c], 0);
            }
        }
    }

    private void replace(int c, float scale, float offset) {
        if (Float.isFinite(scale) && Float.isFinite(offset)) {
            scales[c] = scale;
            offsets[c] = offset;
            inverses[c] = inverse(scale);
        }
    }

    /** Replaces scales and offsets by the nearest that F16 has. */
    void roundToHalf() {
        for (int c = 0; c < count; c++) {
            scales[c] = half(scales[c]);
            offsets[c] = half(offsets[c]);
            inverses[c] = inverse(scales[c]);
        }
    }

    static float half(float value) {
        return Float.float16ToFloat(Float.floatToFloat16(value));
    }
}
