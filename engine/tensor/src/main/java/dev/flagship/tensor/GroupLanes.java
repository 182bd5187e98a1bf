package dev.flagship.tensor;

import java.util.Arrays;

/**
 * Groups of weights side by side, to find for each the scale and offset with which rounding costs
 * least: a weight x becomes offset + scale·q with the nearest whole q of a range. A lane is a
 * group, so that no sum crosses lanes; every candidate is tried for all groups at once.
 *
 * <p>C2 makes vectors of a loop over lanes that stores to one array and reads arrays at one index,
 * which is why the loops below are many and short, and why the weights lie in one array for each
 * place in a group: 0.5 to 1 ns for a candidate and weight on AVX2, against 2 to 3 ns otherwise.
 */
final class GroupLanes {
    /** Groups at once; from here on more lanes are no faster. */
    static final int MOST = 128;

    /** Adding it and taking it away again rounds a small number to a whole one, half to even. */
    private static final float ROUNDS = 0x1.8p23f;

    /** Numbers beyond are cut before they are brought into range, where F32 still tells halves. */
    private static final float LARGEST = 0x1p20f;

    private final int size;
    private final float lowest;
    private final float highest;

    /** Weights, numbers, importance and its product with the weights: [place in group][lane]. */
    private final float[][] x;

    private final float[][] q;
    private final float[][] w;
    private final float[][] wx;
    private final float[] inverse = new float[MOST];
    private int count;

    /** The least and the largest weight of each group. */
    final float[] least = new float[MOST];

    final float[] most = new float[MOST];

    /** The one of the largest magnitude, with its sign; of equals the first. */
    private final float[] largest = new float[MOST];

    /** The sum of its weights, and of their squares. */
    final float[] sumX = new float[MOST];

    final float[] sumXx = new float[MOST];

    /** Of importance alone, and times weights. */
    final float[] sumW = new float[MOST];

    final float[] sumWx = new float[MOST];

    /** By the last call of a method that says so: sums over q, q² and x·q. */
    final float[] sumQ = new float[MOST];

    final float[] sumQq = new float[MOST];
    final float[] sumXq = new float[MOST];

    /**
     * @param size weights of a group
     * @param lowest of q
     * @param highest of q
     */
    GroupLanes(int size, int lowest, int highest) {
        this.size = size;
        this.lowest = lowest;
        this.highest = highest;
        this.x = new float[size][MOST];
        this.q = new float[size][MOST];
        this.w = new float[size][MOST];
        this.wx = new float[size][MOST];
    }

    int size() {
        return size;
    }

    /** Groups that are loaded. */
    int count() {
        return count;
    }

    /**
     * Takes groups that lie one behind the other.
     *
     * @param groups at most {@link #MOST}
     */
    void load(float[] weights, int from, int groups) {
        count = groups;
        for (int i = 0; i < size; i++) {
            float[] lanes = x[i];
            for (int g = 0; g < groups; g++) {
                lanes[g] = weights[from + g * size + i];
            }
        }
        System.arraycopy(x[0], 0, least, 0, groups);
        System.arraycopy(x[0], 0, most, 0, groups);
        Arrays.fill(sumX, 0, groups, 0);
        Arrays.fill(sumXx, 0, groups, 0);
        for (float[] lanes : x) {
            lower(lanes, least, groups);
            higher(lanes, most, groups);
            add(lanes, sumX, groups);
            addProducts(lanes, lanes, sumXx, groups);
        }
    }

    /** Finds each group's weight of largest magnitude, for {@link #largest}. */
    void findLargest() {
        Arrays.fill(largest, 0, count, 0);
        for (float[] lanes : x) {
            for (int g = 0; g < count; g++) {
                if (Math.abs(lanes[g]) > Math.abs(largest[g])) {
                    largest[g] = lanes[g];
                }
            }
        }
    }

    /** Divides by {@code divisor} each group's weight of largest magnitude; of equals the first. */
    void largest(float[] scale, float divisor) {
        for (int g = 0; g < count; g++) {
            scale[g] = largest[g] / divisor;
        }
    }

    /** Lets errors count by the magnitude of the weight, and the mean one of its group. */
    void weighByMagnitude() {
        for (int g = 0; g < count; g++) {
            inverse[g] = (float) Math.sqrt(sumXx[g] / size);
        }
        for (int i = 0; i < size; i++) {
            addMagnitudes(x[i], inverse, w[i], count);
        }
        weighed();
    }

    /** Lets errors count by the square of the weight. */
    void weighBySquare() {
        for (int i = 0; i < size; i++) {
            multiply(x[i], x[i], w[i], count);
        }
        weighed();
    }

    private void weighed() {
        Arrays.fill(sumW, 0, count, 0);
        Arrays.fill(sumWx, 0, count, 0);
        for (int i = 0; i < size; i++) {
            multiply(w[i], x[i], wx[i], count);
            add(w[i], sumW, count);
            add(wx[i], sumWx, count);
        }
    }

    /** Rounds with a scale and an offset for each group; the numbers stay until the next call. */
    void round(float[] scale, float[] offset) {
        for (int g = 0; g < count; g++) {
            inverse[g] = inverse(g, scale[g], offset[g]);
        }
        for (int i = 0; i < size; i++) {
            numbers(x[i], offset, inverse, q[i], count, lowest, highest);
        }
    }

    /** What the last rounding made of a weight. */
    int number(int lane, int place) {
        return (int) q[place][lane];
    }

    private float inverse(int lane, float scale, float offset) {
        float inverse = 1 / scale;
        if (!Float.isFinite(inverse)) {
            return 0; // a scale of nothing rounds all to nothing
        }
        float farthest = Math.max(most[lane] - offset, offset - least[lane]);
        return farthest * Math.abs(inverse) > LARGEST
                ? Math.copySign(LARGEST / farthest, scale)
                : inverse;
    }

    /** Squared errors of the last rounding, were its numbers multiplied by these scales. */
    void weightedErrors(float[] scale, float[] offset, float[] errors) {
        Arrays.fill(errors, 0, count, 0);
        for (int i = 0; i < size; i++) {
            addWeightedErrors(x[i], q[i], w[i], scale, offset, errors, count);
        }
    }

    /** Squared errors of rounding with these scales and offsets. */
    void errors(float[] scale, float[] offset, float[] errors) {
        for (int g = 0; g < count; g++) {
            inverse[g] = inverse(g, scale[g], offset[g]);
        }
        Arrays.fill(errors, 0, count, 0);
        for (float[] lanes : x) {
            addErrors(lanes, scale, offset, inverse, errors, count, lowest, highest);
        }
    }

    /** Sums q of the last rounding. */
    void sumNumbers() {
        Arrays.fill(sumQ, 0, count, 0);
        for (float[] lanes : q) {
            add(lanes, sumQ, count);
        }
    }

    /** Sums q² and x·q of the last rounding. */
    void sumProducts() {
        Arrays.fill(sumQq, 0, count, 0);
        Arrays.fill(sumXq, 0, count, 0);
        for (int i = 0; i < size; i++) {
            addProducts(q[i], q[i], sumQq, count);
            addProducts(x[i], q[i], sumXq, count);
        }
    }

    /**
     * Rounds, and sums q, q² and x·q, each by its importance: both at once, so that what was
     * rounded is still near.
     */
    void roundAndSumWeighted(float[] scale, float[] offset) {
        for (int g = 0; g < count; g++) {
            inverse[g] = inverse(g, scale[g], offset[g]);
        }
        Arrays.fill(sumQ, 0, count, 0);
        Arrays.fill(sumQq, 0, count, 0);
        Arrays.fill(sumXq, 0, count, 0);
        for (int i = 0; i < size; i++) {
            numbers(x[i], offset, inverse, q[i], count, lowest, highest);
            addProducts(w[i], q[i], sumQ, count);
            addWeightedSquares(w[i], q[i], sumQq, count);
            addProducts(wx[i], q[i], sumXq, count);
        }
    }

    /**
     * q of each lane. The halves of the difference of distances to both ends are what a minimum and
     * a maximum would give, which take C2 five instructions each on AVX2.
     */
    private static void numbers(
            float[] x,
            float[] offset,
            float[] inverse,
            float[] q,
            int count,
            float low,
            float high) {
        float middle = (low + high) / 2;
        for (int g = 0; g < count; g++) {
            float t = (x[g] - offset[g]) * inverse[g];
            float cut = (Math.abs(t - low) - Math.abs(t - high)) * 0.5f + middle;
            q[g] = cut + ROUNDS - ROUNDS;
        }
    }

    private static void addErrors(
            float[] x,
            float[] scale,
            float[] offset,
            float[] inverse,
            float[] errors,
            int count,
            float low,
            float high) {
        float middle = (low + high) / 2;
        for (int g = 0; g < count; g++) {
            float rest = x[g] - offset[g];
            float t = rest * inverse[g];
            float cut = (Math.abs(t - low) - Math.abs(t - high)) * 0.5f + middle;
            float miss = rest - scale[g] * (cut + ROUNDS - ROUNDS);
            errors[g] += miss * miss;
        }
    }

    private static void addWeightedErrors(
            float[] x,
            float[] q,
            float[] w,
            float[] scale,
            float[] offset,
            float[] errors,
            int count) {
        for (int g = 0; g < count; g++) {
            float miss = scale[g] * q[g] + offset[g] - x[g];
            errors[g] += w[g] * miss * miss;
        }
    }

    private static void lower(float[] x, float[] least, int count) {
        for (int g = 0; g < count; g++) {
            least[g] = Math.min(least[g], x[g]);
        }
    }

    private static void higher(float[] x, float[] most, int count) {
        for (int g = 0; g < count; g++) {
            most[g] = Math.max(most[g], x[g]);
        }
    }

    private static void addMagnitudes(float[] x, float[] to, float[] sum, int count) {
        for (int g = 0; g < count; g++) {
            sum[g] = to[g] + Math.abs(x[g]);
        }
    }

    private static void add(float[] x, float[] sum, int count) {
        for (int g = 0; g < count; g++) {
            sum[g] += x[g];
        }
    }

    private static void multiply(float[] a, float[] b, float[] product, int count) {
        for (int g = 0; g < count; g++) {
            product[g] = a[g] * b[g];
        }
    }

    private static void addProducts(float[] a, float[] b, float[] sum, int count) {
        for (int g = 0; g < count; g++) {
            sum[g] += a[g] * b[g];
        }
    }

    private static void addWeightedSquares(float[] w, float[] q, float[] sum, int count) {
        for (int g = 0; g < count; g++) {
            sum[g] += w[g] * q[g] * q[g];
        }
    }

    /** The nearest that F16 has. */
    static float half(float value) {
        return Float.float16ToFloat(Float.floatToFloat16(value));
    }
}
