package dev.flagship.serving;

import java.util.Arrays;

/** How often tokens occurred: a map of ints to ints that makes no garbage but when it grows. */
final class TokenCounts {
    private static final int NONE = -1;

    private int[] ids = new int[64]; // a power of two, at most half of it filled
    private int[] counts = new int[64];
    private int size;

    TokenCounts() {
        Arrays.fill(ids, NONE);
    }

    /** Counts a token. */
    void add(int id) {
        if (2 * size >= ids.length) {
            grow();
        }
        int slot = slot(id);
        if (ids[slot] == NONE) {
            ids[slot] = id;
            size++;
        }
        counts[slot]++;
    }

    /** Number of slots; those without a token are empty. */
    int slots() {
        return ids.length;
    }

    boolean empty(int slot) {
        return ids[slot] == NONE;
    }

    int id(int slot) {
        return ids[slot];
    }

    int count(int slot) {
        return counts[slot];
    }

    /** Where a token is, or belongs. */
    private int slot(int id) {
        int slot = id * 0x9E3779B9 >>> Integer.numberOfLeadingZeros(ids.length - 1);
        while (ids[slot] != NONE && ids[slot] != id) {
            slot = slot + 1 & ids.length - 1;
        }
        return slot;
    }

    private void grow() {
        int[] oldIds = ids;
        int[] oldCounts = counts;
        ids = new int[2 * oldIds.length];
        counts = new int[2 * oldIds.length];
        Arrays.fill(ids, NONE);
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != NONE) {
                int slot = slot(oldIds[i]);
                ids[slot] = oldIds[i];
                counts[slot] = oldCounts[i];
            }
        }
    }
}
