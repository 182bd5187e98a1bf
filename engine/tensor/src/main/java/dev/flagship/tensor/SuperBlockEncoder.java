package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Rounds groups to super-blocks of Q4_K or Q6_K, 256 weights each: the block has a scale (and Q4_K
 * one for minima) in F16, each group whole multiples of them.
 *
 * <p>It begins with what ggml's reference quantiser chooses, group by group and by weighted errors.
 * From there squared errors only fall: groups move to multiples near the scale that fits them best,
 * the block's scale to what fits all its groups by least squares, and so on in turns.
 */
final class SuperBlockEncoder {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final int GROUP_4 = 32;
    private static final int GROUPS_4 = 8;
    private static final int GROUPS_6 = 16;

    /** Most that six bits hold. */
    private static final int MOST_SIX_BITS = 63;

    /** Turns of block and groups: a third would better the error by less than a thousandth. */
    private static final int TURNS = 2;

    private final GroupLanes lanes;
    private final float[] scale = new float[GroupLanes.MOST];
    private final float[] offset = new float[GroupLanes.MOST];
    private final float[] error = new float[GroupLanes.MOST];
    private final int[] multiple = new int[GroupLanes.MOST];
    private final int[] minimum = new int[GroupLanes.MOST];

    /** What the reference finds for a group alone, and its weighted error. */
    private final float[] referenceScale = new float[GroupLanes.MOST];

    private final float[] referenceOffset = new float[GroupLanes.MOST];
    private final float[] referenceError = new float[GroupLanes.MOST];

    /** What fits a group best by squared error, and that error less a constant of the group. */
    private final float[] ownScale = new float[GroupLanes.MOST];

    private final float[] ownOffset = new float[GroupLanes.MOST];
    private final double[] ownError = new double[GroupLanes.MOST];

    private final byte[] block = new byte[DType.Q6_K.blockBytes()];
    private final Choice chosen = new Choice();
    private final Choice trial = new Choice();

    /** Scales of blocks, which are the same in all lanes of a block, and of groups. */
    private static final class Choice {
        final float[] blockScale = new float[GroupLanes.MOST];
        final float[] blockMinimum = new float[GroupLanes.MOST];
        final int[] multiple = new int[GroupLanes.MOST];
        final int[] minimum = new int[GroupLanes.MOST]; // 0 in Q6_K
        final float[] scale = new float[GroupLanes.MOST];
        final float[] offset = new float[GroupLanes.MOST];
        final float[] error = new float[GroupLanes.MOST];

        void set(int lane, int newMultiple, int newMinimum) {
            multiple[lane] = newMultiple;
            minimum[lane] = newMinimum;
            scale[lane] = blockScale[lane] * newMultiple;
            offset[lane] = -(blockMinimum[lane] * newMinimum);
        }

        void take(Choice other, int from, int to) {
            System.arraycopy(other.blockScale, from, blockScale, from, to - from);
            System.arraycopy(other.blockMinimum, from, blockMinimum, from, to - from);
            System.arraycopy(other.multiple, from, multiple, from, to - from);
            System.arraycopy(other.minimum, from, minimum, from, to - from);
            System.arraycopy(other.scale, from, scale, from, to - from);
            System.arraycopy(other.offset, from, offset, from, to - from);
            System.arraycopy(other.error, from, error, from, to - from);
        }

        double error(int from, int to) {
            double sum = 0;
            for (int g = from; g < to; g++) {
                sum += error[g];
            }
            return sum;
        }
    }

    SuperBlockEncoder(GroupLanes lanes) {
        this.lanes = lanes;
    }

    /** Q4_K, of all lanes. */
    void fourBit(MemorySegment out, long at) {
        referenceLines();
        ownLines();
        for (int from = 0; from < lanes.count(); from += GROUPS_4) {
            beginLines(from, from + GROUPS_4);
        }
        lanes.errors(chosen.scale, chosen.offset, chosen.error);
        moveLines(chosen, ownScale, ownOffset);
        for (int turn = 0; turn < TURNS; turn++) {
            lanes.round(chosen.scale, chosen.offset);
            lanes.sumNumbers();
            lanes.sumProducts();
            for (int from = 0; from < lanes.count(); from += GROUPS_4) {
                refitLines(from, from + GROUPS_4);
            }
            lanes.errors(trial.scale, trial.offset, trial.error);
            moveLines(trial, chosen.scale, chosen.offset);
            keepBetter(GROUPS_4);
        }
        lanes.round(chosen.scale, chosen.offset);
        for (int from = 0; from < lanes.count(); from += GROUPS_4) {
            writeFourBit(from, out, at + (long) (from / GROUPS_4) * DType.Q4_K.blockBytes());
        }
    }

    /**
     * The reference's lines (ggml's {@code make_qkx2_quants} is their description): errors count by
     * the magnitude of the weight, offsets are at most 0, the numbers are spread in 21 ways from
     * the offset that was best so far to the largest weight, and least squares fit a line to each.
     */
    private void referenceLines() {
        int count = lanes.count();
        lanes.weighByMagnitude();
        for (int g = 0; g < count; g++) {
            referenceOffset[g] = Math.min(0, lanes.least[g]);
            referenceScale[g] = (lanes.most[g] - referenceOffset[g]) / 15;
        }
        lanes.round(referenceScale, referenceOffset);
        lanes.weightedErrors(referenceScale, referenceOffset, referenceError);
        for (int step = 0; step <= 20; step++) {
            for (int g = 0; g < count; g++) {
                scale[g] = (lanes.most[g] - referenceOffset[g]) / (14 + 0.1f * step);
            }
            lanes.roundAndSumWeighted(scale, referenceOffset);
            for (int g = 0; g < count; g++) {
                fitLine(g, lanes.sumW[g], lanes.sumWx[g]);
            }
            lanes.weightedErrors(scale, offset, error);
            for (int g = 0; g < count; g++) {
                if (error[g] < referenceError[g]) {
                    referenceError[g] = error[g];
                    referenceScale[g] = scale[g];
                    referenceOffset[g] = offset[g];
                }
            }
        }
    }

    /** Of a lane's sums; no number where there is no line, so that its error is none either. */
    private void fitLine(int g, float n, float x) {
        float q = lanes.sumQ[g];
        float qq = lanes.sumQq[g];
        float determinant = n * qq - q * q;
        scale[g] = determinant > 0 ? (n * lanes.sumXq[g] - x * q) / determinant : Float.NaN;
        offset[g] = (qq * x - q * lanes.sumXq[g]) / determinant;
        if (offset[g] > 0) {
            offset[g] = 0;
            scale[g] = lanes.sumXq[g] / qq;
        }
    }

    /** As the reference's, but all errors count alike, and wider: some spreads cut what is far. */
    private void ownLines() {
        int count = lanes.count();
        System.arraycopy(referenceScale, 0, ownScale, 0, count);
        System.arraycopy(referenceOffset, 0, ownOffset, 0, count);
        Arrays.fill(ownError, Double.POSITIVE_INFINITY);
        float[] least = error;
        for (int g = 0; g < count; g++) {
            least[g] = Math.min(0, lanes.least[g]);
        }
        for (int step = 0; step < 5; step++) {
            for (int g = 0; g < count; g++) {
                scale[g] = (lanes.most[g] - least[g]) / (12 + 1.1f * step);
            }
            lanes.round(scale, least);
            lanes.sumNumbers();
            lanes.sumProducts();
            for (int g = 0; g < count; g++) {
                fitLine(g, lanes.size(), lanes.sumX[g]);
                double s = scale[g];
                double o = offset[g];
                double now =
                        s * (s * lanes.sumQq[g] + 2 * (o * lanes.sumQ[g] - lanes.sumXq[g]))
                                + o * (o * lanes.size() - 2 * lanes.sumX[g]);
                if (s > 0 && now < ownError[g]) {
                    ownError[g] = now;
                    ownScale[g] = scale[g];
                    ownOffset[g] = offset[g];
                }
            }
        }
    }

    /** The reference's choice for a block. */
    private void beginLines(int from, int to) {
        float most = 0;
        float lowest = 0;
        for (int g = from; g < to; g++) {
            most = Math.max(most, referenceScale[g]);
            lowest = Math.max(lowest, -referenceOffset[g]);
        }
        for (int g = from; g < to; g++) {
            chosen.blockScale[g] = GroupLanes.half(most / MOST_SIX_BITS);
            chosen.blockMinimum[g] = GroupLanes.half(lowest / MOST_SIX_BITS);
            float multiples = most > 0 ? MOST_SIX_BITS / most * referenceScale[g] : 0;
            float minima = lowest > 0 ? MOST_SIX_BITS / lowest * -referenceOffset[g] : 0;
            chosen.set(g, sixBits(Math.rint(multiples)), sixBits(Math.rint(minima)));
        }
    }

    private static int sixBits(double value) {
        return Math.clamp((long) value, 0, MOST_SIX_BITS);
    }

    /** What fits a block's numbers as they are, for all its groups, as a trial. */
    private void refitLines(int from, int to) {
        double ss = 0;
        double sm = 0;
        double mm = 0;
        double xs = 0;
        double xm = 0;
        for (int g = from; g < to; g++) {
            double s = chosen.multiple[g];
            double m = chosen.minimum[g];
            ss += s * s * lanes.sumQq[g];
            sm += s * m * lanes.sumQ[g];
            mm += m * m * lanes.size();
            xs += s * lanes.sumXq[g];
            xm += m * lanes.sumX[g];
        }
        double determinant = ss * mm - sm * sm;
        float newScale = GroupLanes.half((float) ((xs * mm - sm * xm) / determinant));
        float newMinimum = GroupLanes.half((float) ((sm * xs - ss * xm) / determinant));
        boolean line = determinant > 1e-9 * ss * mm && newScale > 0 && newMinimum >= 0;
        for (int g = from; g < to; g++) {
            trial.blockScale[g] = line ? newScale : chosen.blockScale[g];
            trial.blockMinimum[g] = line ? newMinimum : chosen.blockMinimum[g];
            trial.set(g, chosen.multiple[g], chosen.minimum[g]);
        }
    }

    /** Moves groups to multiples and minima near a line, where that is better. */
    private void moveLines(Choice choice, float[] nearScale, float[] nearOffset) {
        int count = lanes.count();
        for (int step = 0; step < 2; step++) {
            for (int g = 0; g < count; g++) {
                double near = Math.floor(nearScale[g] / positive(choice.blockScale[g]));
                multiple[g] = sixBits(near + step);
                scale[g] = choice.blockScale[g] * multiple[g];
            }
            lanes.round(scale, nearOffset);
            lanes.sumNumbers();
            for (int g = 0; g < count; g++) {
                double best = (scale[g] * lanes.sumQ[g] - lanes.sumX[g]) / lanes.size();
                minimum[g] = sixBits(Math.rint(best / positive(choice.blockMinimum[g])));
            }
            for (int beside = -1; beside <= 1; beside++) {
                for (int g = 0; g < count; g++) {
                    offset[g] = -(choice.blockMinimum[g] * sixBits(minimum[g] + beside));
                }
                lanes.errors(scale, offset, error);
                for (int g = 0; g < count; g++) {
                    if (error[g] < choice.error[g]) {
                        choice.error[g] = error[g];
                        choice.set(g, multiple[g], sixBits(minimum[g] + beside));
                    }
                }
            }
        }
    }

    private void keepBetter(int groups) {
        for (int from = 0; from < lanes.count(); from += groups) {
            if (trial.error(from, from + groups) < chosen.error(from, from + groups)) {
                chosen.take(trial, from, from + groups);
            }
        }
    }

    /** A divisor: where all are 0, whatever is divided is 0 too. */
    private static float positive(float scale) {
        return scale > 0 ? scale : 1;
    }

    private void writeFourBit(int lane, MemorySegment out, long to) {
        byte[] bytes = block;
        Arrays.fill(bytes, 4, 16, (byte) 0);
        for (int g = 0; g < GROUPS_4; g++) {
            putSixBits(g, 0, chosen.multiple[lane + g]);
            putSixBits(g, 1, chosen.minimum[lane + g]);
        }
        for (int pair = 0; pair < GROUPS_4 / 2; pair++) {
            for (int i = 0; i < GROUP_4; i++) {
                int low = lanes.number(lane + 2 * pair, i);
                int high = lanes.number(lane + 2 * pair + 1, i);
                bytes[16 + pair * GROUP_4 + i] = (byte) (low | high << 4);
            }
        }
        MemorySegment.copy(bytes, 0, out, BYTE, to, DType.Q4_K.blockBytes());
        out.set(SHORT, to, Float.floatToFloat16(chosen.blockScale[lane]));
        out.set(SHORT, to + 2, Float.floatToFloat16(chosen.blockMinimum[lane]));
    }

    /** The other way round of what {@link BandPacker} reads. */
    private void putSixBits(int group, int which, int value) {
        if (group < 4) {
            block[4 + group + 4 * which] |= (byte) value;
            return;
        }
        block[8 + group] |= (byte) ((value & 15) << 4 * which);
        block[group + 4 * which] |= (byte) (value >>> 4 << 6);
    }

    /** Q6_K, of all lanes. */
    void sixBit(MemorySegment out, long at) {
        lanes.findLargest();
        Arrays.fill(offset, 0);
        referenceScales();
        for (int from = 0; from < lanes.count(); from += GROUPS_6) {
            beginScales(from, from + GROUPS_6);
        }
        lanes.errors(chosen.scale, offset, chosen.error);
        moveScales(chosen, referenceScale, 3);
        turnScales(1.06f, 7);
        turnScales(1, 1);
        lanes.round(chosen.scale, offset);
        for (int from = 0; from < lanes.count(); from += GROUPS_6) {
            writeSixBit(from, out, at + (long) (from / GROUPS_6) * DType.Q6_K.blockBytes());
        }
    }

    /**
     * Tries what fits all groups of a block by least squares.
     *
     * @param room above 1, so that groups of the largest multiple can move upwards, too
     */
    private void turnScales(float room, int reach) {
        lanes.round(chosen.scale, offset);
        lanes.sumProducts();
        for (int from = 0; from < lanes.count(); from += GROUPS_6) {
            refitScales(from, from + GROUPS_6, room);
        }
        lanes.errors(trial.scale, offset, trial.error);
        moveScales(trial, chosen.scale, reach);
        keepBetter(GROUPS_6);
    }

    /**
     * The reference's scales (ggml's {@code make_qx_quants} is their description): errors count by
     * the square of the weight, and the largest becomes one of 19 numbers around −32.
     */
    private void referenceScales() {
        lanes.weighBySquare();
        Arrays.fill(referenceScale, 0);
        Arrays.fill(referenceError, 0);
        tryReference(0);
        for (int step = -9; step <= 9; step++) {
            if (step != 0) {
                tryReference(step);
            }
        }
    }

    private void tryReference(int step) {
        lanes.largest(scale, -(32 + 0.1f * step));
        lanes.roundAndSumWeighted(scale, offset);
        for (int g = 0; g < lanes.count(); g++) {
            float explained = lanes.sumXq[g] * lanes.sumXq[g];
            if (lanes.sumQq[g] > 0 && explained > referenceError[g] * lanes.sumQq[g]) {
                referenceScale[g] = lanes.sumXq[g] / lanes.sumQq[g];
                referenceError[g] = referenceScale[g] * lanes.sumXq[g];
            }
        }
    }

    private void beginScales(int from, int to) {
        float largest = 0;
        for (int g = from; g < to; g++) {
            if (Math.abs(referenceScale[g]) > Math.abs(largest)) {
                largest = referenceScale[g];
            }
        }
        for (int g = from; g < to; g++) {
            chosen.blockScale[g] = GroupLanes.half(largest / -128);
            float multiples = largest == 0 ? 0 : -128 / largest * referenceScale[g];
            chosen.set(g, eightBits(Math.rint(multiples)), 0);
        }
    }

    private static int eightBits(double value) {
        return Math.clamp((long) value, -128, 127);
    }

    private void refitScales(int from, int to, float room) {
        double ss = 0;
        double xs = 0;
        for (int g = from; g < to; g++) {
            double s = chosen.multiple[g];
            ss += s * s * lanes.sumQq[g];
            xs += s * lanes.sumXq[g];
        }
        float fitted = GroupLanes.half((float) (room * xs / ss));
        for (int g = from; g < to; g++) {
            trial.blockScale[g] = Float.isFinite(fitted) ? fitted : chosen.blockScale[g];
            trial.set(g, chosen.multiple[g], 0);
        }
    }

    /**
     * Moves groups to multiples near a scale, where that is better. With 64 numbers the error goes
     * up and down with the scale: the more are tried, the better.
     */
    private void moveScales(Choice choice, float[] near, int reach) {
        int count = lanes.count();
        for (int step = -reach; step <= reach + 1; step++) {
            for (int g = 0; g < count; g++) {
                float divisor = choice.blockScale[g] == 0 ? 1 : choice.blockScale[g];
                multiple[g] = eightBits(Math.floor(near[g] / divisor) + step);
                scale[g] = choice.blockScale[g] * multiple[g];
            }
            lanes.errors(scale, offset, error);
            for (int g = 0; g < count; g++) {
                if (error[g] < choice.error[g]) {
                    choice.error[g] = error[g];
                    choice.set(g, multiple[g], 0);
                }
            }
        }
    }

    private void writeSixBit(int lane, MemorySegment out, long to) {
        byte[] bytes = block;
        for (int half = 0; half < 2; half++) {
            for (int i = 0; i < 32; i++) {
                int first = lane + half * 8 + i / 16;
                int a = lanes.number(first, i % 16) + 32;
                int b = lanes.number(first + 2, i % 16) + 32;
                int c = lanes.number(first + 4, i % 16) + 32;
                int d = lanes.number(first + 6, i % 16) + 32;
                bytes[half * 64 + i] = (byte) (a & 15 | (c & 15) << 4);
                bytes[half * 64 + i + 32] = (byte) (b & 15 | (d & 15) << 4);
                bytes[128 + half * 32 + i] =
                        (byte) (a >>> 4 | b >>> 4 << 2 | c >>> 4 << 4 | d >>> 4 << 6);
            }
        }
        for (int g = 0; g < GROUPS_6; g++) {
            bytes[192 + g] = (byte) chosen.multiple[lane + g];
        }
        MemorySegment.copy(bytes, 0, out, BYTE, to, DType.Q6_K.blockBytes());
        out.set(SHORT, to + 208, Float.floatToFloat16(chosen.blockScale[lane]));
    }
}
