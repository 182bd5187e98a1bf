package dev.flagship.tensor;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Rounds rows of weights to the blocks of a quantised {@link DType}. Of each group it tries several
 * scales, those of ggml's reference quantiser among them, at the precision at which they are
 * stored, and keeps the one of the least squared error: in Q8_0, Q4_0 and Q4_1 no block is worse
 * than the reference's. One thread; the same weights give the same blocks.
 */
public final class BlockEncoder {
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final int BLOCK = 32;

    /** Largest number of F16: no minimum, and no scale, can be larger. */
    private static final float LARGEST_HALF = 65504;

    private final String name;
    private final DType type;
    private final ScaleSearch search;
    private final float[] even = new float[BLOCK];
    private final float[] block = new float[BLOCK];
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
     */
    public BlockEncoder(String name, DType type) {
        this.name = name;
        this.type = type;
        this.search =
                switch (type) {
                    case Q8_0 -> new ScaleSearch(-127, 127);
                    case Q4_0 -> new ScaleSearch(-8, 7);
                    case Q4_1, Q4_K -> new ScaleSearch(0, 15);
                    case Q6_K -> new ScaleSearch(-32, 31);
                    default ->
                            throw new IllegalArgumentException(
                                    "no blocks of %s are written".formatted(type));
                };
        Arrays.fill(even, 1);
        this.superBlocks = new SuperBlockEncoder(search);
    }

    /**
     * Rounds one row, a whole number of blocks.
     *
     * @param row for error messages
     * @param out from {@code at} on
     * @throws BandPacker.NonFiniteWeightException if a weight is no number
     * @throws TooLargeException if a weight is beyond what scales in F16 reach
     */
    public void encode(int row, float[] weights, MemorySegment out, long at) {
        check(row, weights);
        int size = type.blockElements();
        for (int from = 0; from < weights.length; from += size) {
            long to = at + (long) (from / size) * type.blockBytes();
            switch (type) {
                case Q8_0 -> eightBit(weights, from, out, to);
                case Q4_0 -> fourBit(weights, from, out, to);
                case Q4_1 -> fourBitWithMinimum(weights, from, out, to);
                case Q4_K -> superBlocks.fourBit(weights, from, out, to);
                case Q6_K -> superBlocks.sixBit(weights, from, out, to);
                default -> throw new IllegalStateException("no blocks of " + type);
            }
        }
    }

    private void check(int row, float[] weights) {
        for (int col = 0; col < weights.length; col++) {
            float magnitude = Math.abs(weights[col]);
            if (!(magnitude <= LARGEST_HALF)) {
                if (!Float.isFinite(magnitude)) {
                    throw new BandPacker.NonFiniteWeightException(name, row, col);
                }
                throw new TooLargeException(name, type, row, col, weights[col]);
            }
        }
    }

    /** The reference's scale, and its neighbours among F16's numbers. */
    private void eightBit(float[] weights, int from, MemorySegment out, long to) {
        float most = 0;
        for (int i = from; i < from + BLOCK; i++) {
            most = Math.max(most, Math.abs(weights[i]));
        }
        System.arraycopy(weights, from, block, 0, BLOCK);
        int bits = Float.floatToFloat16(most / 127);
        search.clear();
        for (int near = Math.max(0, bits - 8); near < bits + 8; near++) {
            search.add(Float.float16ToFloat((short) near), 0);
        }
        float scale = search.scale(search.best(block, even, 0, BLOCK));
        out.set(SHORT, to, Float.floatToFloat16(scale));
        for (int i = 0; i < BLOCK; i++) {
            out.set(BYTE, to + 2 + i, (byte) search.quant(block[i], scale, 0));
        }
    }

    /**
     * The reference lets the largest weight become −8; here it may become anything from about −9 to
     * −7, or 6 to 8, and least squares move the scale.
     */
    private void fourBit(float[] weights, int from, MemorySegment out, long to) {
        System.arraycopy(weights, from, block, 0, BLOCK);
        float largest = largest(block, 0, BLOCK);
        search.clear();
        for (int i = 0; i < 16; i++) {
            search.add(largest / -(7.2f + 0.1f * i), 0);
            search.add(largest / (6.2f + 0.1f * i), 0);
        }
        search.fit(block, even, 0, BLOCK, false);
        search.add(largest / -8, 0);
        search.roundToHalf();
        float scale = search.scale(search.best(block, even, 0, BLOCK));
        out.set(SHORT, to, Float.floatToFloat16(scale));
        nibbles(out, to + 2, scale, 0, 8);
    }

    /** The reference spreads the numbers from the least weight to the largest. */
    private void fourBitWithMinimum(float[] weights, int from, MemorySegment out, long to) {
        System.arraycopy(weights, from, block, 0, BLOCK);
        float least = block[0];
        float most = block[0];
        for (float x : block) {
            least = Math.min(least, x);
            most = Math.max(most, x);
        }
        search.clear();
        for (int i = 0; i < 31; i++) {
            search.add((most - least) / (12.5f + 0.125f * i), least);
        }
        search.fit(block, even, 0, BLOCK, true);
        search.add((most - least) / 15, least);
        search.roundToHalf();
        int best = search.best(block, even, 0, BLOCK);
        float scale = search.scale(best);
        float offset = search.offset(best);
        out.set(SHORT, to, Float.floatToFloat16(scale));
        out.set(SHORT, to + 2, Float.floatToFloat16(offset));
        nibbles(out, to + 4, scale, offset, 0);
    }

    private void nibbles(MemorySegment out, long to, float scale, float offset, int bias) {
        for (int i = 0; i < BLOCK / 2; i++) {
            int low = search.quant(block[i], scale, offset) + bias;
            int high = search.quant(block[i + BLOCK / 2], scale, offset) + bias;
            out.set(BYTE, to + i, (byte) (low | high << 4));
        }
    }

    /** The weight of the largest magnitude, with its sign. */
    static float largest(float[] x, int from, int size) {
        float largest = 0;
        for (int i = from; i < from + size; i++) {
            if (Math.abs(x[i]) > Math.abs(largest)) {
                largest = x[i];
            }
        }
        return largest;
    }
}
