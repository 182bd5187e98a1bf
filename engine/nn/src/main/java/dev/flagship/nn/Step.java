package dev.flagship.nn;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.tensor.KvRows;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;
import java.util.Arrays;

/**
 * One pass through a model: rows (tokens) of any number of sequences, packed. Rows of one sequence
 * stand together, in order of position. Reused from pass to pass; one thread.
 */
public final class Step implements AutoCloseable {
    private final Scratch scratch;
    private final PagedKvCache cache;
    private final KvRows kvRows;
    private final KvRows outputKvRows;
    private int[] tokens = new int[16];
    private int[] positions = new int[16];
    private int[] outputs = new int[16];
    private int rows;
    private int outputCount;

    public Step(Scratch scratch, PagedKvCache cache) {
        this.scratch = scratch;
        this.cache = cache;
        this.kvRows = new KvRows(cache.layout(), cache.pool());
        this.outputKvRows = new KvRows(cache.layout(), cache.pool());
    }

    /** Forgets the last pass. */
    public void clear() {
        kvRows.clear();
        outputKvRows.clear();
        rows = 0;
        outputCount = 0;
    }

    /**
     * Adds {@code count} tokens of a sequence at its end, and marks which rows' logits are wanted.
     *
     * @param sequence must have room for them, in pages of its own; its length grows only by {@link
     *     PagedKvCache.Sequence#advance}, after the pass succeeded
     * @param wanted logits for all rows, or for the last only, or none
     * @throws InvalidArgumentException if there is no room, or a row would be written to a page
     *     that other sequences read; {@link PagedKvCache.Sequence#reserve} gives both
     */
    public void add(PagedKvCache.Sequence sequence, int[] ids, int from, int count, Wanted wanted) {
        if (sequence.owner() != cache
                || count < 0
                || count > sequence.capacity() - sequence.length()) {
            throw new InvalidArgumentException(
                    "step: %s tokens from %s on do not fit into a sequence with room for %s"
                            .formatted(count, sequence.length(), sequence.capacity()));
        }
        sequence.checkOwned(sequence.length(), sequence.length() + count);
        grow(rows + count);
        for (int i = 0; i < count; i++) {
            tokens[rows] = ids[from + i];
            positions[rows] = sequence.length() + i;
            kvRows.add(sequence.pages(), positions[rows]);
            if (wanted == Wanted.ALL || (wanted == Wanted.LAST && i == count - 1)) {
                outputs[outputCount++] = rows;
                outputKvRows.add(sequence.pages(), positions[rows]);
            }
            rows++;
        }
    }

    /** Which of a sequence's rows need logits. */
    public enum Wanted {
        NONE,
        LAST,
        ALL
    }

    private void grow(int count) {
        if (count > tokens.length) {
            int size = Math.max(count, tokens.length * 2);
            tokens = Arrays.copyOf(tokens, size);
            positions = Arrays.copyOf(positions, size);
            outputs = Arrays.copyOf(outputs, size);
        }
    }

    public Scratch scratch() {
        return scratch;
    }

    /** Opens a frame of the scratch: what a block takes is free again when it closes. */
    public Scratch.Frame frame() {
        return scratch.frame();
    }

    /** T. */
    public int rows() {
        return rows;
    }

    /** Ids of the rows, valid to {@link #rows}. */
    public int[] tokens() {
        return tokens;
    }

    /** Positions of the rows in their sequences, valid to {@link #rows}. */
    public int[] positions() {
        return positions;
    }

    public int lastPosition() {
        return kvRows.lastPosition();
    }

    /** Where the rows stand in the cache. */
    public KvRows rowsInCache() {
        return kvRows;
    }

    /** Where the rows whose logits are wanted stand in the cache. */
    public KvRows outputRowsInCache() {
        return outputKvRows;
    }

    /** Stores keys and values (T, K·E) of a layer. */
    public void append(int layer, Tensor keys, Tensor values) {
        scratch.kernels().append(kvRows, layer, keys, values);
    }

    /** Number of rows whose logits are wanted. */
    public int outputs() {
        return outputCount;
    }

    /** The rows of x (T, D) whose logits are wanted, in order; x itself if it holds no others. */
    public Tensor outputRows(Tensor x) {
        if (x.rows() == outputCount) {
            return x;
        }
        Tensor out = scratch.take(outputCount, x.rowSize());
        scratch.kernels().gather(x, outputs, out);
        return out;
    }

    @Override
    public void close() {
        scratch.close();
    }
}
