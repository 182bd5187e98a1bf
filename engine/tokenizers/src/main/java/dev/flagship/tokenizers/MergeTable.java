package dev.flagship.tokenizers;

import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.LongSupplier;

/**
 * Merges of two neighbouring tokens, keyed by both ids; chains in arrays and without boxes, because
 * it is built on every start and asked for every pair of a text.
 *
 * <p>The file chooses the keys, so a fixed hash would let it put all of them into one chain. Slots
 * are the high bits of key × a, with a random odd a for each table: for any two keys, they meet in
 * one of m slots for at most 2/m of all a (multiply-shift hashing; Dietzfelbinger, Hagerup,
 * Katajainen and Penttonen, 1997). With chains, unlike with open addressing, that alone makes the
 * expected work constant for whatever keys a file holds, since it was written before a was drawn.
 * An unlucky a is drawn anew.
 */
final class MergeTable {
    static final int NONE = Integer.MAX_VALUE;

    /** Chance alone makes chains of about eight. */
    static final int LONGEST_CHAIN = 64;

    static final int MOST_DRAWS = 16;

    private final LongSupplier random;
    private final long[] keys; // by place, the order in which merges came
    private final int[] results; // by place
    private final int[] ranks; // by place; empty where places are ranks
    private final int[] heads; // by slot: place + 1 of a chain's first merge, or 0
    private final int[] next; // by place: place + 1 of the chain's next merge, or 0
    private final int shift;
    private long multiplier;
    private int draws;

    /** Room for merges that come by rank, each with a rank of its own. */
    MergeTable(int merges) {
        this(merges, new int[0], new SplittableRandom()::nextLong);
    }

    /**
     * Room for merges of any rank, which they may share.
     *
     * @param ranks of the merges in the order in which they will come
     */
    MergeTable(int[] ranks) {
        this(ranks.length, ranks.clone(), new SplittableRandom()::nextLong);
    }

    /**
     * @param random numbers that the file's author cannot foresee
     */
    MergeTable(int merges, LongSupplier random) {
        this(merges, new int[0], random);
    }

    private MergeTable(int merges, int[] ranks, LongSupplier random) {
        this.random = random;
        this.ranks = ranks;
        keys = new long[merges];
        results = new int[merges];
        next = new int[merges];
        heads = new int[Integer.highestOneBit(Math.max(8, merges)) * 4];
        shift = Long.numberOfLeadingZeros(heads.length) + 1;
        draw();
    }

    private void draw() {
        draws++;
        multiplier = random.getAsLong() | 1;
    }

    /**
     * Adds a merge; places come in order. A later merge of the same pair replaces the earlier one,
     * as in the reference.
     *
     * @throws TokenizerException if the merges pile up in one chain whatever number is drawn
     */
    void put(int left, int right, int place, int result) {
        keys[place] = key(left, right);
        results[place] = result;
        boolean linked = link(place);
        while (!linked) {
            if (draws == MOST_DRAWS) {
                throw TokenizerException.invalid(
                        "more than %d of %d merges share one of %d slots, %d times over with fresh random numbers;"
                                + " only merges made to slow Flagship down do so. Use another file",
                        LONGEST_CHAIN, place + 1, heads.length, MOST_DRAWS);
            }
            draw();
            linked = relink(place);
        }
    }

    /** Links places 0 to {@code last} anew; false if a chain becomes too long. */
    private boolean relink(int last) {
        Arrays.fill(heads, 0);
        for (int place = 0; place <= last; place++) {
            if (!link(place)) {
                return false;
            }
        }
        return true;
    }

    private boolean link(int place) {
        long key = keys[place];
        int slot = slot(key);
        int before = 0;
        int at = heads[slot];
        for (int length = 1; at != 0 && keys[at - 1] != key; length++) {
            if (length == LONGEST_CHAIN) {
                return false;
            }
            before = at;
            at = next[at - 1];
        }
        next[place] = at == 0 ? 0 : next[at - 1];
        if (before == 0) {
            heads[slot] = place + 1;
        } else {
            next[before - 1] = place + 1;
        }
        return true;
    }

    /** Takes one merge after the other. */
    @FunctionalInterface
    interface Visitor {
        void merge(int left, int right, int rank, int result);
    }

    /** Shows all merges in the order in which they came, without those that others replaced. */
    void forEach(Visitor visitor) {
        for (int place = 0; place < keys.length; place++) {
            int left = (int) (keys[place] >>> 32);
            int right = (int) keys[place];
            if (place(left, right) == place) {
                visitor.merge(
                        left, right, ranks.length == 0 ? place : ranks[place], results[place]);
            }
        }
    }

    /** Rank of the merge of two neighbours, or {@link #NONE}. */
    int rank(int left, int right) {
        int place = place(left, right);
        return ranks.length == 0 || place == NONE ? place : ranks[place];
    }

    private int place(int left, int right) {
        long key = key(left, right);
        for (int at = heads[slot(key)]; at != 0; at = next[at - 1]) {
            if (keys[at - 1] == key) {
                return at - 1;
            }
        }
        return NONE;
    }

    /**
     * The token that two neighbours make.
     *
     * @param rank of their merge, as {@link #rank} told it
     */
    int result(int left, int right, int rank) {
        return results[ranks.length == 0 ? rank : place(left, right)];
    }

    private static long key(int left, int right) {
        return ((long) left << 32) | right;
    }

    private int slot(long key) {
        return (int) ((key * multiplier) >>> shift);
    }
}
