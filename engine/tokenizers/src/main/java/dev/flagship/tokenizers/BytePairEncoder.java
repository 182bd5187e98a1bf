package dev.flagship.tokenizers;

import java.util.Arrays;

/**
 * The state of one call of byte-pair encoding (Sennrich, Haddow and Birch, 2016): in each piece,
 * the neighbouring pair with the lowest rank merges, the leftmost on ties, until none is left.
 * Short pieces search for it; long ones keep a queue, which makes a piece of n bytes O(n log n).
 */
final class BytePairEncoder {
    private static final int SHORT_PIECE = 40;

    private final BpeModel model;
    private final IntList output;
    private byte[] bytes = new byte[256];
    private final int[] symbols = new int[SHORT_PIECE];
    private final int[] ranks = new int[SHORT_PIECE];

    BytePairEncoder(BpeModel model, IntList output) {
        this.model = model;
        this.output = output;
    }

    /** Encodes one piece of well-formed text. */
    void encode(String text, int from, int to) {
        int length = utf8(text, from, to);
        if (model.ignoreMerges()) {
            int whole = model.vocabulary().id(bytes, 0, length);
            if (whole >= 0) {
                output.add(whole);
                return;
            }
        }
        if (length <= SHORT_PIECE) {
            mergeShort(length);
        } else {
            mergeLong(length);
        }
    }

    private int utf8(String text, int from, int to) {
        long most = 3L * (to - from);
        if (most > bytes.length) {
            bytes = new byte[Math.toIntExact(Math.max(most, 2L * bytes.length))];
        }
        int n = 0;
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                bytes[n++] = (byte) c;
            } else if (c < 0x800) {
                bytes[n++] = (byte) (0xC0 | (c >> 6));
                bytes[n++] = (byte) (0x80 | (c & 0x3F));
            } else if (Character.isHighSurrogate(c)) {
                int codePoint = Character.toCodePoint(c, text.charAt(++i));
                bytes[n++] = (byte) (0xF0 | (codePoint >> 18));
                bytes[n++] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
                bytes[n++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
                bytes[n++] = (byte) (0x80 | (codePoint & 0x3F));
            } else {
                bytes[n++] = (byte) (0xE0 | (c >> 12));
                bytes[n++] = (byte) (0x80 | ((c >> 6) & 0x3F));
                bytes[n++] = (byte) (0x80 | (c & 0x3F));
            }
        }
        return n;
    }

    /**
     * Writes the tokens of the single bytes; those without a token become the unknown token or
     * vanish.
     */
    private int start(int length, int[] target) {
        int n = 0;
        boolean afterUnknown = false;
        for (int i = 0; i < length; i++) {
            int id = model.byteToken(bytes[i] & 0xFF);
            boolean unknown = id < 0;
            if (!unknown) {
                target[n++] = id;
            } else if (model.unknown() >= 0 && !(afterUnknown && model.fuseUnknown())) {
                target[n++] = model.unknown();
            }
            afterUnknown = unknown;
        }
        return n;
    }

    private void mergeShort(int length) {
        MergeTable merges = model.merges();
        int n = start(length, symbols);
        for (int i = 0; i + 1 < n; i++) {
            ranks[i] = merges.rank(symbols[i], symbols[i + 1]);
        }
        while (n > 1) {
            int best = 0;
            for (int i = 1; i + 1 < n; i++) {
                if (ranks[i] < ranks[best]) {
                    best = i;
                }
            }
            if (ranks[best] == MergeTable.NONE) {
                break;
            }
            symbols[best] = merges.result(ranks[best]);
            n--;
            System.arraycopy(symbols, best + 2, symbols, best + 1, n - best - 1);
            if (best + 1 < n) {
                System.arraycopy(ranks, best + 2, ranks, best + 1, n - best - 2);
                ranks[best] = merges.rank(symbols[best], symbols[best + 1]);
            }
            if (best > 0) {
                ranks[best - 1] = merges.rank(symbols[best - 1], symbols[best]);
            }
        }
        for (int i = 0; i < n; i++) {
            output.add(symbols[i]);
        }
    }

    private void mergeLong(int length) {
        MergeTable merges = model.merges();
        int[] symbol = new int[length];
        int n = start(length, symbol);
        int[] next = new int[n];
        int[] previous = new int[n];
        MergeQueue queue = new MergeQueue(n);
        for (int i = 0; i < n; i++) {
            next[i] = i + 1;
            previous[i] = i - 1;
            if (i + 1 < n) {
                queue.add(merges.rank(symbol[i], symbol[i + 1]), i);
            }
        }
        while (!queue.isEmpty()) {
            long first = queue.remove();
            int rank = (int) (first >>> 32);
            int at = (int) first;
            // An entry is stale when its left token was merged away or the pair there is now
            // another one.
            if (symbol[at] < 0
                    || next[at] >= n
                    || merges.rank(symbol[at], symbol[next[at]]) != rank) {
                continue;
            }
            int right = next[at];
            symbol[at] = merges.result(rank);
            symbol[right] = -1;
            next[at] = next[right];
            if (next[at] < n) {
                previous[next[at]] = at;
                queue.add(merges.rank(symbol[at], symbol[next[at]]), at);
            }
            if (previous[at] >= 0) {
                queue.add(merges.rank(symbol[previous[at]], symbol[at]), previous[at]);
            }
        }
        for (int i = 0; i < n; i = next[i]) {
            output.add(symbol[i]);
        }
    }

    /** Binary heap of merges, the lowest rank first, then the leftmost. */
    private static final class MergeQueue {
        private long[] heap;
        private int size;

        MergeQueue(int capacity) {
            heap = new long[Math.max(8, capacity)];
        }

        boolean isEmpty() {
            return size == 0;
        }

        void add(int rank, int at) {
            if (rank == MergeTable.NONE) {
                return;
            }
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, 2 * size);
            }
            long entry = ((long) rank << 32) | at;
            int i = size++;
            while (i > 0 && heap[(i - 1) / 2] > entry) {
                heap[i] = heap[(i - 1) / 2];
                i = (i - 1) / 2;
            }
            heap[i] = entry;
        }

        long remove() {
            long first = heap[0];
            long last = heap[--size];
            int i = 0;
            while (true) {
                int child = 2 * i + 1;
                if (child >= size) {
                    break;
                }
                if (child + 1 < size && heap[child + 1] < heap[child]) {
                    child++;
                }
                if (heap[child] >= last) {
                    break;
                }
                heap[i] = heap[child];
                i = child;
            }
            heap[i] = last;
            return first;
        }
    }
}
