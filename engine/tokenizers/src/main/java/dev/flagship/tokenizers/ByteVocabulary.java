package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;

/**
 * Ids of byte strings: chains in arrays over one array of all bytes, because it is built on every
 * start.
 *
 * <p>The file chooses the strings, so they are hashed with random numbers that it cannot know. A
 * string, seven bytes to a digit and its length before them, is a polynomial, taken at a random
 * point modulo the prime 2^61 − 1: two strings of at most 7d bytes agree at d of the 2^61 points at
 * most (Carter and Wegman, 1979). Then {@link MergeTable}'s multiplication picks the slot, and its
 * reasons hold.
 */
final class ByteVocabulary {
    private static final long PRIME = (1L << 61) - 1;

    private final LongSupplier random;
    private final int[] heads; // by slot: id + 1 of a chain's first token, or 0
    private final int[] next; // by id: id + 1 of the chain's next token, or 0
    private final int shift;
    private byte[] pool;
    private int poolSize;
    private final int[] starts;
    private final int[] ends;
    private long point;
    private long multiplier;
    private int draws;

    /**
     * @param vocabularySize one more than the largest id
     * @param expectedBytes room for the bytes of all tokens; grows when they are more
     */
    ByteVocabulary(int vocabularySize, int expectedBytes) {
        this(vocabularySize, expectedBytes, new SplittableRandom()::nextLong);
    }

    /**
     * @param random numbers that the file's author cannot foresee
     */
    ByteVocabulary(int vocabularySize, int expectedBytes, LongSupplier random) {
        this.random = random;
        heads = new int[Integer.highestOneBit(Math.max(8, vocabularySize)) * 4];
        shift = Long.numberOfLeadingZeros(heads.length) + 1;
        next = new int[vocabularySize];
        pool = new byte[expectedBytes];
        starts = new int[vocabularySize];
        ends = new int[vocabularySize];
        draw();
    }

    private void draw() {
        draws++;
        point = Math.floorMod(random.getAsLong(), PRIME);
        multiplier = random.getAsLong() | 1;
    }

    /**
     * Adds a token of at least one byte; ids come in ascending order, gaps allowed.
     *
     * @return the id that already has these bytes, or -1 if it was added
     * @throws TokenizerException if the tokens pile up in one chain whatever numbers are drawn
     */
    int add(int id, byte[] bytes, int length) {
        int slot = slot(bytes, 0, length);
        int twin = find(slot, bytes, 0, length);
        if (twin >= 0) {
            return twin;
        }
        if (poolSize + length > pool.length) {
            pool = Arrays.copyOf(pool, Math.max(2 * pool.length, poolSize + length));
        }
        System.arraycopy(bytes, 0, pool, poolSize, length);
        starts[id] = poolSize;
        poolSize += length;
        ends[id] = poolSize;
        boolean linked = link(slot, id);
        while (!linked) {
            if (draws == MergeTable.MOST_DRAWS) {
                throw TokenizerException.invalid(
                        "more than %d of %d tokens share one of %d slots, %d times over with fresh random numbers;"
                                + " only tokens made to slow Flagship down do so. Use another file",
                        MergeTable.LONGEST_CHAIN, id + 1, heads.length, MergeTable.MOST_DRAWS);
            }
            draw();
            linked = relink(id);
        }
        return -1;
    }

    /** Links ids 0 to {@code last} anew; false if a chain becomes too long. */
    private boolean relink(int last) {
        Arrays.fill(heads, 0);
        for (int id = 0; id <= last; id++) {
            if (starts[id] < ends[id] && !link(slot(pool, starts[id], ends[id]), id)) {
                return false;
            }
        }
        return true;
    }

    /** Links a token that no chain has yet; false if its chain is too long. */
    private boolean link(int slot, int id) {
        int length = 0;
        for (int at = heads[slot]; at != 0; at = next[at - 1]) {
            length++;
        }
        next[id] = heads[slot];
        heads[slot] = id + 1;
        return length < MergeTable.LONGEST_CHAIN;
    }

    /** Id of {@code bytes[from, to)}, or -1. */
    int id(byte[] bytes, int from, int to) {
        return find(slot(bytes, from, to), bytes, from, to);
    }

    private int find(int slot, byte[] bytes, int from, int to) {
        for (int at = heads[slot]; at != 0; at = next[at - 1]) {
            if (Arrays.equals(pool, starts[at - 1], ends[at - 1], bytes, from, to)) {
                return at - 1;
            }
        }
        return -1;
    }

    private int slot(byte[] bytes, int from, int to) {
        long hash = (long) to - from;
        int i = from;
        while (i < to) {
            long digit = 0;
            for (int end = Math.min(to, i + 7); i < end; i++) {
                digit = digit << 8 | (bytes[i] & 0xFF);
            }
            hash = reduced(hash, digit);
        }
        hash = hash >= PRIME ? hash - PRIME : hash;
        return (int) ((hash * multiplier) >>> shift);
    }

    /**
     * hash · point + digit modulo the prime, except that it may be up to two above it; so may hash.
     */
    private long reduced(long hash, long digit) {
        long low = hash * point;
        long high = Math.multiplyHigh(hash, point);
        long sum = (high << 3 | low >>> 61) + (low & PRIME) + digit;
        return (sum & PRIME) + (sum >>> 61);
    }
}
