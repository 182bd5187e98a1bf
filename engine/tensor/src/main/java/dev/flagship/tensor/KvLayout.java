package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

import java.util.List;

/**
 * How keys and values lie in a page of 16 tokens: {@code [layer][kvHead]}, each a block of keys
 * [headSize][16 tokens], so that a score has lane = token, followed by values [16
 * tokens][headSize], so that a sum has lane = dimension.
 *
 * <p>In Q8_0 each 32 dimensions of a token share a scale. A block is its int8 numbers in the order
 * above, then F16 scales: [headSize / 32][16 tokens] of keys, [16 tokens][headSize / 32] of values.
 * A number is (float) q · (float) d, which F32 holds exactly; {@link CanonicalMath#cacheScale} says
 * how it was rounded.
 *
 * @param headSize in Q8_0 a multiple of 32
 * @param type one of {@link #TYPES}
 */
public record KvLayout(int layers, int kvHeads, int headSize, DType type) {
    /** Tokens in a page. */
    public static final int PAGE = 16;

    /** Dimensions of a token that share a scale in Q8_0. */
    public static final int GROUP = 32;

    /** What pages may hold. */
    public static final List<DType> TYPES = List.of(DType.F16, DType.Q8_0, DType.F32);

    public KvLayout {
        check(TYPES.contains(type), "KV pages hold F16, Q8_0 or F32, not %s", type);
        check(
                layers > 0 && kvHeads > 0 && headSize > 0,
                "KV layout of %s layers, %s heads of %s",
                layers,
                kvHeads,
                headSize);
        check(
                takes(headSize, type),
                "KV pages of Q8_0 share a scale among %s numbers, which heads of %s are no multiple of; use F16",
                GROUP,
                headSize);
    }

    /** Whether heads of such a size can be kept so. */
    public static boolean takes(int headSize, DType type) {
        return type != DType.Q8_0 || headSize % GROUP == 0;
    }

    /** Bytes of the keys (or the values) of one head in one layer of a page. */
    public long blockBytes() {
        return type.rowBytes((long) headSize * PAGE);
    }

    /** Bytes from where a block of Q8_0 begins to its first scale. */
    public long scalesOffset() {
        return (long) headSize * PAGE;
    }

    public long pageBytes() {
        return Math.multiplyExact(2L * layers * kvHeads, blockBytes());
    }

    /** Where the keys begin. */
    public long keys(int page, int layer, int kvHead) {
        return page * pageBytes() + 2L * (layer * kvHeads + kvHead) * blockBytes();
    }

    /** Where the values begin. */
    public long values(int page, int layer, int kvHead) {
        return keys(page, layer, kvHead) + blockBytes();
    }

    public long bytesPerToken() {
        return pageBytes() / PAGE;
    }
}
