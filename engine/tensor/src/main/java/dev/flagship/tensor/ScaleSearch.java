package dev.flagship.tensor;

import java.util.Arrays;

/** Keeps for each group, of all scales and offsets proposed, those of the least squared error. */
final class ScaleSearch {
    private final GroupLanes lanes;
    private final float[] errors = new float[GroupLanes.MOST];
    private final float[] least = new float[GroupLanes.MOST];

    /** What is proposed, for each lane. */
    final float[] scale = new float[GroupLanes.MOST];

    final float[] offset = new float[GroupLanes.MOST];

    /** The best so far. */
    final float[] bestScale = new float[GroupLanes.MOST];

    final float[] bestOffset = new float[GroupLanes.MOST];

    ScaleSearch(GroupLanes lanes) {
        this.lanes = lanes;
    }

    /** Forgets what was found. */
    void clear() {
        Arrays.fill(least, Float.POSITIVE_INFINITY);
        Arrays.fill(offset, 0);
    }

    /** Measures what is proposed; of equals the first is kept. */
    void propose() {
        lanes.errors(scale, offset, errors);
        for (int g = 0; g < lanes.count(); g++) {
            if (errors[g] < least[g]) {
                least[g] = errors[g];
                bestScale[g] = scale[g];
                bestOffset[g] = offset[g];
            }
        }
    }

    /** Proposes what F16 has nearest to it. */
    void proposeHalves() {
        for (int g = 0; g < lanes.count(); g++) {
            scale[g] = GroupLanes.half(scale[g]);
            offset[g] = GroupLanes.half(offset[g]);
        }
        propose();
    }

    /** Replaces scales by those that fit best, by least squares, the numbers that they round to. */
    void fitScale() {
        lanes.round(scale, offset);
        lanes.sumProducts();
        for (int g = 0; g < lanes.count(); g++) {
            float fitted = lanes.sumXq[g] / lanes.sumQq[g];
            if (Float.isFinite(fitted)) {
                scale[g] = fitted;
            }
        }
    }

    /** Replaces scales and offsets likewise. */
    void fitLine() {
        lanes.round(scale, offset);
        lanes.sumNumbers();
        lanes.sumProducts();
        float n = lanes.size();
        for (int g = 0; g < lanes.count(); g++) {
            float q = lanes.sumQ[g];
            float qq = lanes.sumQq[g];
            float determinant = n * qq - q * q;
            float slope = (n * lanes.sumXq[g] - lanes.sumX[g] * q) / determinant;
            float start = (qq * lanes.sumX[g] - q * lanes.sumXq[g]) / determinant;
            if (determinant > 0 && Float.isFinite(slope) && Float.isFinite(start)) {
                scale[g] = slope;
                offset[g] = start;
            }
        }
    }
}
