package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.IntUnaryOperator;

/**
 * Rounds rows of weights to the blocks of a quantised {@link DType}. Of each group it tries several
 * scales, at the precision at which they are stored, and keeps the one of the least squared error.
 * What ggml's reference quantiser would choose is tried too, so that a tensor's error is smaller
 * than with the reference's. A single block is no worse either, but in Q4_K, where the reference's
 * search hangs on the last bits of its sums: there up to about 0.04 % of the blocks of real weights
 * are. One thread; the same weights give the same blocks, whatever lies beside them.
 */
public final class BlockEncoder {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final int BLOCK = 32;

    /** Largest number of F16: no minimum, and no scale, can be larger. */
    private static final float LARGEST_HALF = 65504;

    private final String name;
    private final DType type;
    private final int cols;
    private final GroupLanes lanes;
    private final ScaleSearch search;
    private final SuperBlockEncoder superBlocks;

    /** A weight that blocks of a type cannot hold. */
    public static final class TooLargeException extends FlagshipException {
        @Serial private static final long serialVersionUID = 1L;

        private TooLargeException(String tensor, DType type, int row, int col, float weight) {
            super(
                    "weight_too_large",
                    "Tensor %s has the weight %s at [%d, %d], beyond what a block of %s holds; the file is damaged or was converted wrongly. Fetch or convert it again."
                            .formatted(Quoted.of(tensor), weight, row, col, type),
                    false,
                    null);
        }
    }

    /**
     * @param name for error messages
     * @param type Q8_0, Q4_0, Q4_1, Q4_K or Q6_K
     * @param cols weights of a row, a whole number of blocks
     */
    public BlockEncoder(String name, DType type, int cols) {
        check(cols % type.blockElements() == 0, "%s are no whole blocks of %s", cols, type);
        this.name = name;
        this.type = type;
        this.cols = cols;
        this.lanes =
                switch (type) {
                    case Q8_0 -> new GroupLanes(BLOCK, -127, 127);
                    case Q4_0 -> new GroupLanes(BLOCK, -8, 7);
                    case Q4_1, Q4_K -> new GroupLanes(BLOCK, 0, 15);
                    case Q6_K -> new GroupLanes(16, -32, 31);
                    default ->
                            throw new IllegalArgumentException(
                                    "no blocks of %s are written".formatted(type));
                };
        this.search = new ScaleSearch(lanes);
        this.superBlocks = new SuperBlockEncoder(lanes);
    }

    /** Rows that together are worth a call: fewer are not spread over all lanes. */
    public int rowsAtOnce() {
        return Math.max(1, GroupLanes.MOST * lanes.size() / cols);
    }

    /**
     * Rounds rows that lie one behind the other.
     *
     * @param row what each of them is called in error messages
     * @param count of rows
     * @param out from {@code at} on, a row behind the other
     * @throws BandPacker.NonFiniteWeightException if a weight is no number
     * @throws TooLargeException if a weight is beyond what scales in F16 reach
     */
    public void encode(
            IntUnaryOperator row, int count, float[] weights, MemorySegment out, long at) {
        checkWeights(row, count, weights);
        int size = type.blockElements();
        int step = GroupLanes.MOST * lanes.size();
        for (int from = 0; from < count * cols; from += step) {
            int groups = Math.min(step, count * cols - from) / lanes.size();
            lanes.load(weights, from, groups);
            long to = at + (long) (from / size) * type.blockBytes();
            switch (type) {
                case Q8_0 -> eightBit(out, to);
                case Q4_0 -> fourBit(out, to);
                case Q4_1 -> fourBitWithMinimum(out, to);
                case Q4_K -> superBlocks.fourBit(out, to);
                case Q6_K -> superBlocks.sixBit(out, to);
                default -> throw new IllegalStateException("no blocks of " + type);
            }
        }
    }

    private void checkWeights(IntUnaryOperator row, int count, float[] weights) {
        for (int i = 0; i < count * cols; i++) {
            float magnitude = Math.abs(weights[i]);
            if (!(magnitude <= LARGEST_HALF)) {
                if (!Float.isFinite(magnitude)) {
                    throw new BandPacker.NonFiniteWeightException(
                            name, row.applyAsInt(i / cols), i % cols);
                }
                throw new TooLargeException(
                        name, type, row.applyAsInt(i / cols), i % cols, weights[i]);
            }
        }
    }

    /** The reference's scale, and its neighbours among F16's numbers. */
    private void eightBit(MemorySegment out, long at) {
        search.clear();
        for (int near = -8; near < 8; near++) {
            for (int g = 0; g < lanes.count(); g++) {
                float most = Math.max(Math.abs(lanes.least[g]), Math.abs(lanes.most[g]));
                int bits = Float.floatToFloat16(most / 127) + near;
                search.scale[g] = Float.float16ToFloat((short) Math.max(0, bits));
            }
            search.propose();
        }
        lanes.round(search.bestScale, search.bestOffset);
        for (int g = 0; g < lanes.count(); g++) {
            long to = at + (long) g * type.blockBytes();
            out.set(SHORT, to, Float.floatToFloat16(search.bestScale[g]));
            for (int i = 0; i < BLOCK; i++) {
                out.set(BYTE, to + 2 + i, (byte) lanes.number(g, i));
            }
        }
    }

    /**
     * The reference lets the largest weight become −8; here it may become anything from about −9 to
     * −7, or 6 to 8, and least squares move the scale.
     */
    private void fourBit(MemorySegment out, long at) {
        lanes.findLargest();
        search.clear();
        for (int i = 0; i < 16; i++) {
            proposeFitted(-(7.2f + 0.1f * i));
            proposeFitted(6.2f + 0.1f * i);
        }
        lanes.largest(search.scale, -8);
        search.proposeHalves();
        lanes.round(search.bestScale, search.bestOffset);
        for (int g = 0; g < lanes.count(); g++) {
            long to = at + (long) g * type.blockBytes();
            out.set(SHORT, to, Float.floatToFloat16(search.bestScale[g]));
            nibbles(g, 8, out, to + 2);
        }
    }

    private void proposeFitted(float largestBecomes) {
        lanes.largest(search.scale, largestBecomes);
        search.fitScale();
        search.proposeHalves();
    }

    /** The reference spreads the numbers from the least weight to the largest. */
    private void fourBitWithMinimum(MemorySegment out, long at) {
        search.clear();
        for (int i = 0; i < 31; i++) {
            spread(12.5f + 0.125f * i);
            search.fitLine();
            search.proposeHalves();
        }
        spread(15);
        search.proposeHalves();
        lanes.round(search.bestScale, search.bestOffset);
        for (int g = 0; g < lanes.count(); g++) {
            long to = at + (long) g * type.blockBytes();
            out.set(SHORT, to, Float.floatToFloat16(search.bestScale[g]));
            out.set(SHORT, to + 2, Float.floatToFloat16(search.bestOffset[g]));
            nibbles(g, 0, out, to + 4);
        }
    }

    private void spread(float steps) {
        for (int g = 0; g < lanes.count(); g++) {
            search.scale[g] = (lanes.most[g] - lanes.least[g]) / steps;
            search.offset[g] = lanes.least[g];
        }
    }

    private void nibbles(int lane, int bias, MemorySegment out, long to) {
        for (int i = 0; i < BLOCK / 2; i++) {
            int low = lanes.number(lane, i) + bias;
            int high = lanes.number(lane, i + BLOCK / 2) + bias;
            out.set(BYTE, to + i, (byte) (low | high << 4));
        }
    }
}
