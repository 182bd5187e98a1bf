package dev.flagship.nn;

import static dev.flagship.base.Check.check;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.OffHeap;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Collection;
import java.util.function.LongFunction;

/**
 * One pool of KV pages for all sequences of a model, with reference counts: a page may belong to
 * several sequences, and is copied before one of them writes to it. One thread, the step thread.
 */
public final class PagedKvCache implements AutoCloseable {
    private final KvLayout layout;
    private final OffHeap memory;
    private final int[] references;
    private final int[] free; // stack of free pages
    private int freeCount;

    /**
     * Allocates a pool that is there at once.
     *
     * @param pages number of pages of {@link KvLayout#PAGE} tokens
     */
    public PagedKvCache(KvLayout layout, int pages) {
        this(layout, pages, OffHeap::allocate);
    }

    /**
     * Allocates a pool that costs what is used of it, where the rung can do so.
     *
     * @param pages number of pages of {@link KvLayout#PAGE} tokens
     */
    public PagedKvCache(KvLayout layout, int pages, Kernels kernels) {
        this(layout, pages, kernels::memory);
    }

    private PagedKvCache(KvLayout layout, int pages, LongFunction<OffHeap> memory) {
        check(pages > 0, "a KV pool of %s pages", pages);
        this.layout = layout;
        this.memory = memory.apply(Math.multiplyExact(pages, layout.pageBytes()));
        this.references = new int[pages];
        this.free = new int[pages];
        for (int i = 0; i < pages; i++) {
            free[i] = pages - 1 - i; // page 0 goes out first
        }
        freeCount = pages;
    }

    public KvLayout layout() {
        return layout;
    }

    MemorySegment pool() {
        return memory.segment();
    }

    public int pages() {
        return references.length;
    }

    public int freePages() {
        return freeCount;
    }

    public long bytes() {
        return memory.segment().byteSize();
    }

    /** An empty sequence. It holds no pages until room is asked for. */
    public Sequence sequence() {
        return new Sequence();
    }

    private int take() {
        int page = free[--freeCount];
        references[page] = 1;
        return page;
    }

    private void release(int page) {
        if (--references[page] == 0) {
            free[freeCount++] = page;
        }
    }

    @Override
    public void close() {
        memory.close();
    }

    /** The tokens of one conversation: a table of pages and a length. */
    public final class Sequence implements AutoCloseable {
        private int[] table = {};
        private int pageCount;
        private int length;

        private Sequence() {}

        PagedKvCache owner() {
            return PagedKvCache.this;
        }

        /** Tokens whose keys and values are stored. */
        public int length() {
            return length;
        }

        /** Tokens that fit into the pages held. */
        public int capacity() {
            return pageCount * KvLayout.PAGE;
        }

        int[] pages() {
            return table;
        }

        /**
         * Refuses to have tokens [from, to) written where a fork would read them.
         *
         * @throws InvalidArgumentException if one of their pages is shared
         */
        void checkOwned(int from, int to) {
            for (int at = from; at < to; at = (at / KvLayout.PAGE + 1) * KvLayout.PAGE) {
                int page = table[at / KvLayout.PAGE];
                if (references[page] > 1) {
                    throw new InvalidArgumentException(
                            "sequence of %s: token %s would be written to page %s, which %s sequences share; reserve room first"
                                    .formatted(length, at, page, references[page]));
                }
            }
        }

        /**
         * Makes room for tokens [length, tokens), all writable: takes pages, and copies the last
         * one if it is shared and partly filled.
         *
         * @return whether there were pages enough; if not, nothing has changed
         */
        public boolean reserve(int tokens) {
            int wanted = Math.ceilDiv(tokens, KvLayout.PAGE);
            int partial = length / KvLayout.PAGE;
            boolean copy = writesPartOfAPage(tokens) && references[table[partial]] > 1;
            int needed = Math.max(0, wanted - pageCount) + (copy ? 1 : 0);
            if (needed > freeCount) {
                return false;
            }
            if (wanted > table.length) {
                table = Arrays.copyOf(table, wanted);
            }
            if (copy) {
                int own = take();
                long bytes = layout.pageBytes();
                MemorySegment.copy(pool(), table[partial] * bytes, pool(), own * bytes, bytes);
                release(table[partial]);
                table[partial] = own;
            }
            while (pageCount < wanted) {
                table[pageCount++] = take();
            }
            return true;
        }

        private boolean writesPartOfAPage(int tokens) {
            return length % KvLayout.PAGE != 0 && tokens > length;
        }

        /** Whether {@link #reserve} would succeed if these other sequences were closed. */
        public boolean fitsWithout(Collection<Sequence> others, int tokens) {
            int[] theirs = new int[references.length];
            int free = freeCount;
            for (Sequence other : others) {
                for (int i = 0; i < other.pageCount; i++) {
                    int page = other.table[i];
                    if (++theirs[page] == references[page]) {
                        free++;
                    }
                }
            }
            int needed = Math.max(0, Math.ceilDiv(tokens, KvLayout.PAGE) - pageCount);
            if (writesPartOfAPage(tokens)) {
                int page = table[length / KvLayout.PAGE];
                needed += references[page] - theirs[page] > 1 ? 1 : 0;
            }
            return needed <= free;
        }

        /** Counts tokens as stored, after the step that wrote them succeeded. */
        public void advance(int tokens) {
            // Asked for every token, so the values for a message are gathered only if it is needed.
            if (tokens < 0 || tokens > capacity() - length) {
                throw new InvalidArgumentException(
                        "sequence of %s cannot advance by %s, it has room for %s"
                                .formatted(length, tokens, capacity()));
            }
            length += tokens;
        }

        /** Forgets all tokens from {@code tokens} on, and frees pages that are no longer needed. */
        public void truncate(int tokens) {
            check(
                    tokens >= 0 && tokens <= length,
                    "sequence of %s cannot be cut to %s",
                    length,
                    tokens);
            length = tokens;
            int keep = (tokens + KvLayout.PAGE - 1) / KvLayout.PAGE;
            while (pageCount > keep) {
                release(table[--pageCount]);
            }
            // A fresh table: rows of a step know a sequence by it, and a cut sequence is another
            // one.
            table = Arrays.copyOf(table, pageCount);
        }

        /** A second sequence with the same tokens; pages are shared until one of them writes. */
        public Sequence fork() {
            Sequence twin = new Sequence();
            int used = (length + KvLayout.PAGE - 1) / KvLayout.PAGE;
            twin.table = Arrays.copyOf(table, used);
            twin.pageCount = used;
            twin.length = length;
            for (int i = 0; i < used; i++) {
                references[table[i]]++;
            }
            return twin;
        }

        /** Gives all pages back. */
        @Override
        public void close() {
            truncate(0);
        }
    }
}
