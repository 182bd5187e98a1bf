package dev.flagship.tensor;

import static dev.flagship.base.Check.check;

/**
 * How keys and values lie in a page of 16 tokens: {@code [layer][kvHead]}, each a block of keys
 * [headSize][16 tokens], so that a score has lane = token, followed by values [16
 * tokens][headSize], so that a sum has lane = dimension.
 *
 * @param type F32 or F16
 */
public record KvLayout(int layers, int kvHeads, int headSize, DType type) {
    /** Tokens in a page. */
    public static final int PAGE = 16;

    public KvLayout {
        check(type == DType.F32 || type == DType.F16, "KV pages hold F32 or F16, not %s", type);
        check(
                layers > 0 && kvHeads > 0 && headSize > 0,
                "KV layout of %s layers, %s heads of %s",
                layers,
                kvHeads,
                headSize);
    }

    /** Bytes of the keys (or the values) of one head in one layer of a page. */
    public long blockBytes() {
        return (long) headSize * PAGE * type.blockBytes();
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
