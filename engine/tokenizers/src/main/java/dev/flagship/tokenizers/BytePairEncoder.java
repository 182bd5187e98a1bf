package dev.flagship.tokenizers;

import java.util.Arrays;

/**
 * The state of one call of byte-pair encoding (Sennrich, Haddow and Birch, 2016): in each piece,
 * the neighbouring pair with the lowest rank merges, the leftmost on ties, until none is left.
 * Units to begin with are bytes or characters, as the vocabulary spells. Short pieces search for
 * the pair; long ones keep a queue, which makes a piece of n bytes O(n log n).
 */
final class BytePairEncoder {
    private static final int SHORT_PIECE = 40;

    private final BpeModel model;
    private final IntList output;
    private byte[] bytes = new byte[256];
    private final int[] symbols = new int[SHORT_PIECE];
    private final int[] ranks = new int[SHORT_PIECE];
    private final byte[] stranger = new byte[4];
    private boolean afterUnknown;

    BytePairEncoder(BpeModel model, IntList output) {
        this.model = model;
        this.output = output;
    }

    /** Encodes one piece of well-formed text. */
    void encode(String text, int from, int to) {
        int most = Math.multiplyExact(Utf8.MOST_PER_CHAR, to - from);
        if (most > bytes.length) {
            bytes = new byte[(int) Math.max(most, Math.min(2L * bytes.length, 1 << 30))];
        }
        int length = Utf8.write(text, from, to, bytes, 0);
        afterUnknown = false;
        if (model.ignoreMerges()) {
            int whole = model.token(bytes, 0, length);
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

    /** Writes the units to begin with; those that neither are tokens nor become any vanish. */
    private int start(int length, int[] target) {
        return switch (model.spelling()) {
            case BYTES -> startBytes(length, target);
            case CHARACTERS -> startCharacters(length, target);
        };
    }

    private int startBytes(int length, int[] target) {
        int n = 0;
        for (int i = 0; i < length; i++) {
            n = startUnit(model.unit(bytes, i, i + 1), target, n);
        }
        return n;
    }

    private int startCharacters(int length, int[] target) {
        int n = 0;
        int end;
        for (int i = 0; i < length; i = end) {
            end = i + Utf8.length(bytes[i]);
            int unit = model.unit(bytes, i, end);
            if (unit < 0 && model.fallsBack()) {
                for (int j = i; j < end; j++) {
                    target[n++] = model.fallback(bytes[j] & 0xFF);
                }
            } else {
                n = startUnit(unit, target, n);
            }
        }
        return n;
    }

    private int startUnit(int unit, int[] target, int n) {
        if (unit < 0 && model.unknown() < 0) {
            return n;
        }
        target[n] = unit < 0 ? model.unknownUnit() : unit;
        return n + 1;
    }

    /** Writes what a unit became. */
    private void emit(int unit) {
        if (model.isToken(unit)) {
            output.add(unit);
            afterUnknown = false;
        } else if (unit != model.unknownUnit() && model.fallsBack()) {
            String character = Character.toString(model.character(unit));
            int end = Utf8.write(character, 0, character.length(), stranger, 0);
            for (int i = 0; i < end; i++) {
                output.add(model.fallback(stranger[i] & 0xFF));
            }
            afterUnknown = false;
        } else if (model.unknown() >= 0) {
            if (!(afterUnknown && model.fuseUnknown())) {
                output.add(model.unknown());
            }
            afterUnknown = true;
        }
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
            symbols[best] = merges.result(symbols[best], symbols[best + 1], ranks[best]);
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
            emit(symbols[i]);
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
            symbol[at] = merges.result(symbol[at], symbol[right], rank);
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
            emit(symbol[i]);
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
