package dev.flagship.tokenizers;

import java.util.Arrays;

/**
 * Ids of byte strings: one open-addressed table over one array of all bytes, because it is built on
 * every start.
 */
final class ByteVocabulary {
    private final int[] slots; // id + 1, or 0
    private final int mask;
    private byte[] pool;
    private int poolSize;
    private final int[] starts;
    private final int[] ends;

    /**
     * @param vocabularySize one more than the largest id
     * @param expectedBytes room for the bytes of all tokens; grows when they are more
     */
    ByteVocabulary(int vocabularySize, int expectedBytes) {
        slots = new int[Integer.highestOneBit(Math.max(8, vocabularySize)) * 4];
        mask = slots.length - 1;
        pool = new byte[expectedBytes];
        starts = new int[vocabularySize];
        ends = new int[vocabularySize];
    }

    /** Adds a token; returns the id that already has these bytes, or -1 if it was added. */
    int add(int id, byte[] bytes, int length) {
        int slot = slot(bytes, 0, length);
        if (slots[slot] != 0) {
            return slots[slot] - 1;
        }
        if (poolSize + length > pool.length) {
            pool = Arrays.copyOf(pool, Math.max(2 * pool.length, poolSize + length));
        }
        System.arraycopy(bytes, 0, pool, poolSize, length);
        starts[id] = poolSize;
        poolSize += length;
        ends[id] = poolSize;
        slots[slot] = id + 1;
        return -1;
    }

    /** Id of {@code bytes[from, to)}, or -1. */
    int id(byte[] bytes, int from, int to) {
        return slots[slot(bytes, from, to)] - 1;
    }

    /** The slot that holds these bytes, or the free one where they belong. */
    private int slot(byte[] bytes, int from, int to) {
        int hash = 0x811C9DC5; // FNV-1a, then mixed: the table's size is a power of two
        for (int i = from; i < to; i++) {
            hash = (hash ^ bytes[i]) * 0x01000193;
        }
        hash ^= hash >>> 15;
        int slot = hash & mask;
        while (slots[slot] != 0 && !equal(slots[slot] - 1, bytes, from, to)) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private boolean equal(int id, byte[] bytes, int from, int to) {
        int start = starts[id];
        if (ends[id] - start != to - from) {
            return false;
        }
        for (int i = from; i < to; i++) {
            if (pool[start + i - from] != bytes[i]) {
                return false;
            }
        }
        return true;
    }
}
