package dev.flagship.tensor;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Where the rows of a step stand in their sequences: for each row the page table of its sequence
 * and its position. Reused from step to step by the step thread; kernels only read it.
 *
 * <p>Neighbouring rows of one sequence with consecutive positions form <em>tiles</em> of at most 16
 * rows, the unit in which attention is computed. How rows fall into tiles cannot change a result.
 */
public final class KvRows {
    /** Most rows in a tile. */
    public static final int TILE = 16;

    private final KvLayout layout;
    private final MemorySegment pool;
    private int[] positions = new int[TILE];
    private int[][] pages = new int[TILE][];
    private int[] tileStarts = new int[TILE + 1];
    private int count;
    private int tiles;

    public KvRows(KvLayout layout, MemorySegment pool) {
        this.layout = layout;
        this.pool = pool;
    }

    public KvLayout layout() {
        return layout;
    }

    /** All pages, one after another. */
    public MemorySegment pool() {
        return pool;
    }

    public void clear() {
        Arrays.fill(pages, 0, count, null);
        count = 0;
        tiles = 0;
    }

    /**
     * Adds a row.
     *
     * @param pageTable pages of the row's sequence in order; must cover {@code position}
     */
    @SuppressWarnings("ReferenceEquality") // a sequence is known by its table, not by its contents
    public void add(int[] pageTable, int position) {
        if (count == positions.length) {
            positions = Arrays.copyOf(positions, count * 2);
            pages = Arrays.copyOf(pages, count * 2);
            tileStarts = Arrays.copyOf(tileStarts, count * 2 + 1);
        }
        boolean continues =
                count > 0
                        && pages[count - 1] == pageTable
                        && positions[count - 1] + 1 == position
                        && count - tileStarts[tiles - 1] < TILE;
        if (!continues) {
            tileStarts[tiles++] = count;
        }
        positions[count] = position;
        pages[count] = pageTable;
        count++;
        tileStarts[tiles] = count;
    }

    public int count() {
        return count;
    }

    public int position(int row) {
        return positions[row];
    }

    public int page(int row, int position) {
        return pages[row][position / KvLayout.PAGE];
    }

    public int tiles() {
        return tiles;
    }

    public int tileStart(int tile) {
        return tileStarts[tile];
    }

    /** One past the last row of a tile. */
    public int tileEnd(int tile) {
        return tileStarts[tile + 1];
    }

    /** Largest position of any row; −1 if there is none. */
    public int lastPosition() {
        int last = -1;
        for (int i = 0; i < count; i++) {
            last = Math.max(last, positions[i]);
        }
        return last;
    }
}
