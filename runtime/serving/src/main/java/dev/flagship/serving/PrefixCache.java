package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.tensor.KvLayout;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Sequences of requests that ended, so that the next turn of a conversation, or another question
 * after the same long opening, computes new tokens alone. They hold pages that nobody else wants:
 * whoever is short of pages has them {@linkplain #reserve evicted}. Step thread only.
 *
 * <p>What is stored for a token depends on the tokens before it and on nothing else, bit for bit
 * ({@code nn} states it of a step), so an answer is the same with and without. Its time is not: who
 * serves callers that must not learn of each other's prompts needs one cache for each.
 */
final class PrefixCache implements AutoCloseable {
    /** Conversations that take turns; what bounds memory is the pool. */
    private static final int MOST = 32;

    /** Less than a page is as soon computed as copied. */
    private static final int LEAST = KvLayout.PAGE;

    private final PagedKvCache cache;
    private final int most;

    /** The most recently used first. */
    private final Deque<Entry> entries = new ArrayDeque<>();

    private static final class Entry {
        private final int[] tokens;
        private final PagedKvCache.Sequence sequence;

        /**
         * @param tokens those whose keys and values the sequence stores
         */
        Entry(int[] tokens, PagedKvCache.Sequence sequence) {
            this.tokens = tokens;
            this.sequence = sequence;
        }

        /** How many tokens another list of them begins with alike. */
        int common(int[] others) {
            int mismatch = Arrays.mismatch(tokens, others);
            return mismatch < 0 ? tokens.length : mismatch;
        }

        /** Tokens of a prompt to begin with: not its last one, whose logits are wanted. */
        int ready(int[] prompt) {
            return Math.min(common(prompt), prompt.length - 1);
        }
    }

    PrefixCache(PagedKvCache cache) {
        this(cache, MOST);
    }

    /**
     * @param most sequences kept; 0: none
     */
    PrefixCache(PagedKvCache cache, int most) {
        this.cache = cache;
        this.most = most;
    }

    /**
     * A sequence that holds as many of a prompt's tokens as are known, but not the last one, whose
     * logits are wanted; empty if hardly any are. Its pages are shared with what stays here until
     * that is evicted, or replaced by what goes on from it.
     */
    PagedKvCache.Sequence opening(int[] prompt) {
        Entry best = best(prompt);
        if (best == null) {
            return cache.sequence();
        }
        int ready = best.ready(prompt);
        if (ready > best.tokens.length / 2) { // else only what many begin with, such as a role
            toFront(best);
        }
        PagedKvCache.Sequence own = best.sequence.fork();
        own.truncate(ready);
        return own;
    }

    /** A sequence that holds nothing. */
    PagedKvCache.Sequence anew() {
        return cache.sequence();
    }

    private @Nullable Entry best(int[] prompt) {
        Entry best = null;
        int most = LEAST - 1;
        for (Entry entry : entries) {
            int ready = entry.ready(prompt);
            if (ready > most) {
                best = entry;
                most = ready;
            }
        }
        return best;
    }

    /**
     * Keeps a sequence that nobody writes to any more, or closes it.
     *
     * @param tokens those that it stores
     */
    void keep(int[] tokens, PagedKvCache.Sequence sequence) {
        check(
                tokens.length == sequence.length(),
                "%s tokens are not the %s of their sequence",
                tokens.length,
                sequence.length());
        if (tokens.length < LEAST || most == 0) {
            sequence.close();
            return;
        }
        for (Entry entry : entries) {
            if (entry.common(tokens) == tokens.length) { // it holds these and more
                toFront(entry);
                sequence.close();
                return;
            }
        }
        entries.removeIf(entry -> {
            boolean shorter = entry.common(tokens) == entry.tokens.length;
            if (shorter) {
                entry.sequence.close();
            }
            return shorter;
        });
        sequence.truncate(tokens.length); // gives back room for more
        entries.addFirst(new Entry(tokens, sequence));
        if (entries.size() > most) {
            evict();
        }
    }

    /**
     * Reserves room for a sequence to hold so many tokens. For it sequences are evicted, those
     * first that nobody asked for the longest; none where all of them would not do, for whoever
     * must wait in any case keeps his prefix.
     *
     * @return false if there is no room
     */
    boolean reserve(PagedKvCache.Sequence sequence, int tokens) {
        boolean roomy = sequence.reserve(tokens);
        if (!roomy && sequence.fitsWithout(sequences(), tokens)) {
            while (!roomy && evict()) {
                roomy = sequence.reserve(tokens);
            }
        }
        return roomy;
    }

    private List<PagedKvCache.Sequence> sequences() {
        return entries.stream().map(entry -> entry.sequence).toList();
    }

    /**
     * Gives back the pages of the sequence that nobody asked for the longest.
     *
     * @return whether there was one
     */
    boolean evict() {
        @Nullable Entry last = entries.pollLast();
        if (last != null) {
            last.sequence.close();
        }
        return last != null;
    }

    private void toFront(Entry entry) {
        entries.remove(entry);
        entries.addFirst(entry);
    }

    @Override
    public void close() {
        while (evict()) {}
    }
}
