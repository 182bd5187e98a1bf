package dev.flagship.serving;

import dev.flagship.base.FlagshipException;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.nn.Step;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Scratch;
import dev.flagship.tensor.Tensor;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.function.Predicate;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * The step thread: admits requests in order of arrival, decodes all of them in one step, spends the
 * rest of the step on prefill, samples, commits. A failed step leaves sequences where they were and
 * is computed again request by request. Owns the KV pool, the scratch and, at its end, the model.
 */
final class StepLoop implements Runnable {
    private static final System.Logger LOG = System.getLogger(StepLoop.class.getName());

    /**
     * Rows of a step beyond which prefill waits for the next: bounds how long a decode waits, and
     * the scratch.
     */
    private static final int STEP_ROWS = 256;

    /** Rows of prefill beside running decodes. */
    private static final int SHARED_PREFILL_ROWS = 64;

    /** Rows of prompts in a step of which all logits are wanted: bounds what those take. */
    static final int SCORED_ROWS = 64;

    /** Sequences that run at once. */
    static final int MOST_RUNNING = 8;

    /** Tokens reserved for an answer whose length nobody bounded, and by which its room grows. */
    static final int OPEN_RESERVE = 2048;

    private static final int GROWTH = 256;

    private static final String DEAD = "The model has stopped; the log says why. Start it again.";

    private static final float[] NO_LOGITS = {};

    private final LoadedModel model;
    private final PagedKvCache cache;
    private final PrefixCache prefixes;
    private final Step step;
    private final BlockingQueue<Job> arrivals;
    private @Nullable Job next; // first in order of arrival; the others wait in arrivals
    private @Nullable Job stuck; // the next one, if it found no room and nobody has ended since
    private final List<Job> running = new ArrayList<>(MOST_RUNNING);
    private final int[] one = new int[1];
    private final int[] endTokens;

    // Made once: a step makes no garbage but the news it hands to other threads.
    private final Predicate<Job> endIfCancelled = this::endIfCancelled;

    // The step at hand: requests, and how many rows of each.
    private final @Nullable Job[] planned = new Job[MOST_RUNNING];
    private final int[] rows = new int[MOST_RUNNING];
    private int plannedCount;
    private int scoredRows; // that may still be planned
    private volatile boolean closing;
    private volatile boolean died;

    /**
     * @param cache owned from here on, as the model and the prefixes are
     * @param prefixes of that cache
     */
    StepLoop(
            LoadedModel model,
            PagedKvCache cache,
            PrefixCache prefixes,
            BlockingQueue<Job> arrivals) {
        this.model = model;
        this.cache = cache;
        this.prefixes = prefixes;
        this.arrivals = arrivals;
        this.endTokens = model.endTokens().stream().mapToInt(Integer::intValue).toArray();
        this.step = new Step(new Scratch(model.kernels(), model.numerics()), cache);
    }

    /** Asks the loop to end; its thread must be interrupted to hear it. */
    void shutDown() {
        closing = true;
    }

    /**
     * Whether arrivals are no longer taken. A job offered before this was false is answered by the
     * loop; whoever reads true after offering must answer it himself.
     */
    boolean ended() {
        return closing;
    }

    /** Why no request will be answered any more, if the loop has ended by itself. */
    Optional<String> death() {
        return died ? Optional.of(DEAD) : Optional.empty();
    }

    @Override
    public void run() {
        List<String> why = List.of();
        FinishReason reason = FinishReason.CANCELLED;
        try {
            while (!closing) {
                if (running.isEmpty() && next == null) {
                    next = arrivals.take();
                }
                dropCancelled();
                admit();
                if (!running.isEmpty() && !closing) {
                    runStep();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Throwable t) {
            died = true;
            reason = FinishReason.ERROR;
            why = List.of(DEAD);
            LOG.log(Level.ERROR, "the step thread died", t);
        } finally {
            closing = true;
            answerAll(reason, why);
            free();
        }
    }

    private void answerAll(FinishReason reason, List<String> why) {
        List<Job> left = new ArrayList<>(running);
        if (next != null) {
            left.add(next);
        }
        arrivals.drainTo(left);
        for (Job job : left) {
            end(job, reason, why);
        }
    }

    private void free() {
        try (model;
                cache;
                prefixes;
                step) {
            running.clear();
            Arrays.fill(planned, null);
            next = null;
        }
    }

    private void dropCancelled() {
        running.removeIf(endIfCancelled);
        if (!arrivals.isEmpty()) {
            arrivals.removeIf(endIfCancelled);
        }
        if (next != null && endIfCancelled(next)) {
            next = null;
        }
    }

    private boolean endIfCancelled(Job job) {
        boolean cancelled = job.cancelled; // may change between two readings
        if (cancelled) {
            end(job, FinishReason.CANCELLED, List.of());
        }
        return cancelled;
    }

    /**
     * In order of arrival: the first that finds no room holds up the rest, so that none starves.
     */
    @SuppressWarnings("ReferenceEquality") // that very job
    private void admit() {
        while (running.size() < MOST_RUNNING) {
            Job job = next != null ? next : arrivals.poll();
            next = job;
            if (job == null || job == stuck || job.shared.underWay()) {
                return;
            }
            int answer = job.openEnded ? Math.min(job.mostTokens, OPEN_RESERVE) : job.mostTokens;
            boolean begun;
            try {
                begun = begin(job, job.prompt.length + answer);
            } catch (Throwable t) {
                next = null;
                fail(job, t);
                continue;
            }
            if (begun) {
                running.add(job);
                next = null;
            } else if (!running.isEmpty()) {
                stuck = job;
                return;
            } else if (!job.shared.keepWholePages()) {
                // Cannot happen while the pool holds a whole context.
                next = null;
                end(job, FinishReason.ERROR, List.of("The KV pool cannot hold this request."));
            }
        }
    }

    /** Gives a request what it needs to run, if there are pages for it or can be. */
    private boolean begin(Job job, int wanted) {
        PagedKvCache.Sequence own = job.shared.opening(job, prefixes);
        boolean begun = false;
        try {
            if (!prefixes.reserve(own, wanted)) {
                return false;
            }
            job.sampler = new Sampler(job.request.sampling(), model.kernels(), job.prompt);
            job.reserved(wanted);
            job.prefilled = own.length();
            if (job.scoring() && job.shared.scores.isEmpty()) { // nothing foretells the first
                job.shared.scores.add(
                        new Job.News.PromptToken(job.prompt[0], Float.NaN, List.of()));
            }
            job.firstStep = System.nanoTime();
            job.shared.begun(job, own);
            begun = true;
            return true;
        } finally {
            if (!begun) {
                own.close();
            }
        }
    }

    /**
     * One step; one that fails is computed again request by request, so that only its cause ends.
     */
    private void runStep() {
        plan();
        Throwable failure = compute(0, plannedCount);
        if (failure == null) {
            return;
        }
        if (plannedCount == 1) {
            fail(planned(0), failure);
            return;
        }
        LOG.log(
                Level.WARNING,
                "a step of %d requests failed; they are computed again one by one"
                        .formatted(plannedCount),
                failure);
        for (int i = 0; i < plannedCount && !closing; i++) {
            Throwable own = compute(i, i + 1);
            if (own != null) {
                fail(planned(i), own);
            }
        }
    }

    /**
     * Computes the planned requests [from, to) and publishes what they give.
     *
     * @return what went wrong, if anything did. Then every request stands where it stood: lengths
     *     move only here, after the pass, and rows that the pass stored beyond them are written
     *     again before they are read.
     */
    private @Nullable Throwable compute(int from, int to) {
        return FlightRecorder.isInitialized() ? recorded(from, to) : pass(from, to);
    }

    /** As {@link #compute}. */
    private @Nullable Throwable recorded(int from, int to) {
        StepEvent event = new StepEvent();
        event.sequences = to - from;
        for (int i = from; i < to; i++) {
            event.rows += rows[i];
            event.decoding += planned(i).decoding() ? 1 : 0;
        }
        event.begin();
        Throwable failure = pass(from, to);
        event.end();
        event.failed = failure != null;
        event.commit();
        return failure;
    }

    /** As {@link #compute}. */
    private @Nullable Throwable pass(int from, int to) {
        step.clear();
        try (var _ = step.frame()) {
            Tensor logits;
            try {
                for (int i = from; i < to; i++) {
                    add(planned(i), rows[i]);
                }
                logits = model.lm().forward(step);
            } catch (Throwable t) {
                return t;
            }
            int output = 0;
            for (int i = from; i < to; i++) {
                Job job = planned(i);
                output +=
                        switch (wanted(job, rows[i])) {
                            case NONE -> 0;
                            case LAST -> 1;
                            case ALL -> rows[i];
                        };
                commit(job, rows[i], logits, output);
            }
        }
        return null;
    }

    /**
     * Takes what a pass gave one request.
     *
     * @param end of its rows of logits, if it has any
     */
    private void commit(Job job, int count, Tensor logits, int end) {
        sequence(job).advance(count);
        if (job.decoding()) {
            publishOrFail(job, logits, end - 1);
            return;
        }
        boolean good = !job.scoring() || scoreOrFail(job, logits, end - count, count);
        job.prefilled += count;
        if (good && job.decoding() && shareOrFail(job)) {
            publishOrFail(job, logits, end - 1);
        }
    }

    /** What a prompt's own logits cannot give ends that request alone. */
    private boolean scoreOrFail(Job job, Tensor logits, int row, int count) {
        try {
            List<Job.News.PromptToken> scores = job.shared.scores;
            // The row of a position foretells the next; a choice that was cancelled may have told.
            for (int at = scores.size();
                    at <= job.prefilled + count && at < job.prompt.length;
                    at++) {
                scores.add(score(job, logits, row + at - 1 - job.prefilled, job.prompt[at]));
            }
            return true;
        } catch (Throwable t) {
            fail(job, t);
            return false;
        }
    }

    private Job.News.PromptToken score(Job job, Tensor logits, int row, int id) {
        float logSumExp = model.kernels().logSumExp(logits, row);
        if (!Float.isFinite(logSumExp)) {
            throw new Sampler.NoLogitException(logSumExp);
        }
        return new Job.News.PromptToken(
                id, logits.get(row, id) - logSumExp, best(job, logits, row, logSumExp));
    }

    /** Shares a prompt that has been computed; that fails for this request alone. */
    private boolean shareOrFail(Job job) {
        try {
            job.shared.computed(job, sequence(job), prefixes);
            if (job.request.scoresPrompt()) {
                job.news.addAll(job.shared.scores);
            }
            return true;
        } catch (Throwable t) {
            fail(job, t);
            return false;
        }
    }

    private void add(Job job, int count) {
        if (job.decoding()) {
            one[0] = job.lastToken();
            step.add(sequence(job), one, 0, 1, Step.Wanted.LAST);
        } else {
            step.add(sequence(job), job.prompt, job.prefilled, count, wanted(job, count));
        }
    }

    /** Which logits a request needs of its next rows. */
    private static Step.Wanted wanted(Job job, int count) {
        if (job.scoring()) {
            return Step.Wanted.ALL;
        }
        boolean last = job.decoding() || job.prefilled + count == job.prompt.length;
        return last && job.mostTokens > 0 ? Step.Wanted.LAST : Step.Wanted.NONE;
    }

    private static PagedKvCache.Sequence sequence(Job job) {
        return Objects.requireNonNull(job.sequence, "an admitted job has a sequence");
    }

    private static Sampler sampler(Job job) {
        return Objects.requireNonNull(job.sampler, "an admitted job has a sampler");
    }

    private Job planned(int i) {
        return Objects.requireNonNull(planned[i], "a plan has no gaps");
    }

    /**
     * Decodes first; then prefill. Of its rows half go to the prompt that has least left, so that a
     * short one does not wait for all of a long one; the others in order of arrival, so that a long
     * one never starves.
     */
    private void plan() {
        plannedCount = 0;
        scoredRows = SCORED_ROWS / 2;
        int first = -1;
        int shortest = -1;
        for (int i = 0; i < running.size(); i++) {
            Job job = running.get(i);
            if (job.decoding()) {
                put(job, 1);
            } else {
                first = first < 0 ? i : first;
                shortest = shortest < 0 || job.left() < running.get(shortest).left() ? i : shortest;
            }
        }
        if (first < 0) {
            return;
        }
        int allowance = plannedCount == 0 ? STEP_ROWS : SHARED_PREFILL_ROWS;
        if (shortest != first) {
            allowance -= plan(running.get(shortest), allowance / 2);
        }
        scoredRows += SCORED_ROWS / 2;
        for (int i = first; i < running.size() && allowance > 0; i++) {
            Job job = running.get(i);
            if (!job.decoding() && (i != shortest || i == first)) {
                allowance -= plan(job, allowance);
            }
        }
    }

    /** Plans rows of a prompt, at most so many; returns how many. */
    private int plan(Job job, int most) {
        int count = Math.min(most, job.left());
        if (job.scoring()) {
            count = Math.min(count, scoredRows);
            scoredRows -= count;
        }
        if (count > 0) {
            put(job, count);
        }
        return count;
    }

    private void put(Job job, int count) {
        planned[plannedCount] = job;
        rows[plannedCount++] = count;
    }

    /** What one request's logits cannot give ends that request alone. */
    private void publishOrFail(Job job, Tensor logits, int row) {
        try {
            publish(job, logits, row);
        } catch (Throwable t) {
            fail(job, t);
        }
    }

    private void publish(Job job, Tensor logits, int row) {
        if (job.mostTokens == 0) {
            remove(job, FinishReason.LENGTH, List.of());
            return;
        }
        float logSumExp = 0;
        List<Job.Alternative> top = List.of();
        boolean logprobs = job.request.topLogprobs().isPresent();
        float[] unmodified = NO_LOGITS;
        if (logprobs) {
            Kernels kernels = model.kernels();
            logSumExp = kernels.logSumExp(logits, row);
            top = best(job, logits, row, logSumExp);
            unmodified = logits.row(row);
        }
        int id = sampler(job).choose(logits, row, job.prompt.length + job.generated);
        job.add(id);
        if (job.generated == 1) {
            job.firstToken = System.nanoTime();
        }
        float logprob = logprobs ? unmodified[id] - logSumExp : 0;
        job.news.add(new Job.News.Token(id, logprob, top));
        endIfDone(job, id);
    }

    private List<Job.Alternative> best(Job job, Tensor logits, int row, float logSumExp) {
        int count = Math.min(job.request.topLogprobs().orElse(0), logits.rowSize());
        if (count == 0) {
            return List.of();
        }
        int[] ids = new int[count];
        float[] values = new float[count];
        model.kernels().topK(logits, row, count, ids, values);
        List<Job.Alternative> top = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            top.add(new Job.Alternative(ids[i], values[i] - logSumExp));
        }
        return top;
    }

    private void endIfDone(Job job, int id) {
        if (endsAnswer(id)) {
            remove(job, FinishReason.STOP, List.of());
        } else if (job.generated >= job.mostTokens) {
            remove(job, FinishReason.LENGTH, List.of());
        } else if (job.prompt.length + job.generated >= job.reserved) {
            grow(job);
        }
    }

    private boolean endsAnswer(int id) {
        for (int end : endTokens) {
            if (id == end) {
                return true;
            }
        }
        return false;
    }

    private void grow(Job job) {
        int wanted = Math.min(job.reserved + GROWTH, job.prompt.length + job.mostTokens);
        if (prefixes.reserve(sequence(job), wanted)) {
            job.reserved(wanted);
        } else {
            remove(
                    job,
                    FinishReason.LENGTH,
                    List.of(
                            "The answer was ended after %d tokens because other conversations fill the KV pool; set max_tokens to reserve room in advance."
                                    .formatted(job.generated)));
        }
    }

    private void remove(Job job, FinishReason reason, List<String> warnings) {
        running.remove(job);
        end(job, reason, warnings);
    }

    /**
     * Gives back what the job holds, and answers. What cannot be given back stays taken until the
     * loop ends; the answer is due all the same, and due once, so that nothing is thrown.
     */
    private void end(Job job, FinishReason reason, List<String> warnings) {
        Throwable failure = null;
        try {
            giveBack(job, reason);
        } catch (Throwable t) {
            failure = t;
        }
        stuck = null;
        job.ended = System.nanoTime();
        job.news.add(new Job.News.End(reason, warnings));
        if (failure != null) {
            LOG.log(Level.ERROR, "a request could not be ended properly", failure);
        }
    }

    private void giveBack(Job job, FinishReason reason) {
        if (job.gaveBack) { // its end could not be told, and is told once more
            return;
        }
        job.gaveBack = true;
        PagedKvCache.Sequence sequence = job.sequence;
        boolean kept = false;
        try {
            if (sequence != null && reason != FinishReason.ERROR && !closing) {
                prefixes.keep(job.tokens(sequence.length()), sequence);
                kept = true;
            }
        } finally {
            if (sequence != null && !kept) {
                sequence.close();
            }
            job.shared.ended(job);
        }
    }

    private void fail(Job job, Throwable t) {
        LOG.log(Level.ERROR, "a request failed", t);
        String message =
                t instanceof FlagshipException e && e.clientSafe()
                        ? e.getMessage()
                        : "The model failed to compute this step; the log says why.";
        remove(job, FinishReason.ERROR, List.of(message));
    }

    /** Pages for one whole conversation. */
    static int pagesFor(int tokens) {
        return (tokens + KvLayout.PAGE - 1) / KvLayout.PAGE;
    }
}
