package dev.flagship.serving;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.tensor.KvLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A prompt that all choices of one request share, computed once. The choice that is admitted first
 * computes it while the others wait; each of them then begins with a fork of its pages and computes
 * the last token alone, whose logits it needs. Step thread only.
 */
class SharedPrompt {
    private int waiting;
    private @Nullable Job computing;
    private PagedKvCache.@Nullable Sequence kept;

    /** What its first tokens are worth, where that is asked for: found once, and told to all. */
    final List<Job.News.PromptToken> scores = new ArrayList<>();

    /** Tokens that an earlier request had computed; -1 before the first choice has begun. */
    private int cached = -1;

    /**
     * @param choices jobs that will begin or end
     */
    SharedPrompt(int choices) {
        waiting = choices;
    }

    /** Whether another choice is computing it just now, so that it pays to wait. */
    boolean underWay() {
        return computing != null;
    }

    /** Tokens that the next choice need not compute. */
    int ready() {
        return kept == null ? 0 : kept.length();
    }

    /**
     * A sequence for a choice to begin with: {@link #ready} tokens, or else what earlier requests
     * left of them. The choice owns it, whether or not it {@linkplain #begun begins}.
     */
    PagedKvCache.Sequence opening(Job job, PrefixCache prefixes) {
        if (kept != null) {
            return kept.fork();
        }
        return job.scoring() ? prefixes.anew() : prefixes.opening(job.prompt); // each row is wanted
    }

    /** A choice has begun with its {@link #opening}, which is its sequence now. */
    void begun(Job job, PagedKvCache.Sequence opening) {
        job.sequence = opening;
        waiting--; // not before: a choice that ends without a sequence is counted there
        if (cached < 0) { // what a choice left that was cancelled is no earlier request's
            cached = opening.length();
        }
        if (kept == null) {
            computing = waiting > 0 ? job : null;
        } else if (waiting == 0) {
            release();
        }
        job.cached = cached;
    }

    /** A choice has computed its prompt: keeps it if others wait for it. */
    @SuppressWarnings("ReferenceEquality") // that very job
    void computed(Job job, PagedKvCache.Sequence sequence, PrefixCache prefixes) {
        if (computing != job) {
            return;
        }
        computing = null;
        if (waiting > 0) {
            kept = sequence.fork();
            kept.truncate(sequence.length() - 1); // the last token's logits are wanted once more
            if (!prefixes.reserve(sequence, sequence.capacity())) {
                keepWholePages(); // no page for a copy: whoever writes to the last one has it
            }
        }
    }

    /** A choice has ended, whether or not it had begun. */
    @SuppressWarnings("ReferenceEquality") // that very job
    void ended(Job job) {
        if (computing == job) {
            computing = null; // the next one computes it
        }
        if (job.sequence == null && --waiting == 0) {
            release();
        }
    }

    /**
     * Gives back the last page if it is partly filled: where pages are short, its tokens are
     * computed again instead.
     *
     * @return whether there was one
     */
    boolean keepWholePages() {
        int partial = ready() % KvLayout.PAGE;
        if (kept == null || partial == 0) {
            return false;
        }
        kept.truncate(kept.length() - partial);
        return true;
    }

    private void release() {
        if (kept != null) {
            kept.close();
            kept = null;
        }
    }
}
