package dev.flagship.tokenizers;

import java.util.Arrays;

/**
 * Merges of two neighbouring tokens, keyed by both ids; open-addressed and without boxes, because
 * it is built on every start.
 */
final class MergeTable {
    static final int NONE = Integer.MAX_VALUE;

    private static final long EMPTY = -1;

    private final long[] keys;
    private final int[] ranks;
    private final int[] results;
    private final int shift;
    private final int mask;

    MergeTable(int merges) {
        int capacity = Integer.highestOneBit(Math.max(8, merges)) * 4;
        keys = new long[capacity];
        Arrays.fill(keys, EMPTY);
        ranks = new int[capacity];
        results = new int[merges];
        mask = capacity - 1;
        shift = 64 - Integer.numberOfTrailingZeros(capacity);
    }

    /**
     * Adds the merge of a rank; a later merge of the same pair replaces the earlier one, as in the
     * reference.
     */
    void put(int left, int right, int rank, int result) {
        long key = ((long) left << 32) | right;
        int slot = slot(key);
        keys[slot] = key;
        ranks[slot] = rank;
        results[rank] = result;
    }

    /** Rank of the merge of two neighbours, or {@link #NONE}. */
    int rank(int left, int right) {
        long key = ((long) left << 32) | right;
        int slot = slot(key);
        return keys[slot] == key ? ranks[slot] : NONE;
    }

    /** The token that the merge of this rank makes. */
    int result(int rank) {
        return results[rank];
    }

    private int slot(long key) {
        int slot = (int) ((key * 0x9E3779B97F4A7C15L) >>> shift);
        while (keys[slot] != EMPTY && keys[slot] != key) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }
}
