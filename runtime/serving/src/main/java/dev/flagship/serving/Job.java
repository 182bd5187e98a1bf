package dev.flagship.serving;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.FinishReason;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * A request between its caller's thread and the step thread. The step thread alone touches the
 * fields below the line; news go to the caller through the queue.
 */
final class Job {
    /** What the step thread tells. */
    sealed interface News {
        /** A token, with its log-probability and the best alternatives if they were asked for. */
        record Token(int id, float logprob, List<Alternative> top) implements News {}

        /** A token of the prompt, likewise; before all tokens of the answer. */
        record PromptToken(int id, float logprob, List<Alternative> top) implements News {}

        /** The end. */
        record End(FinishReason reason, List<String> warnings) implements News {}
    }

    /** A token that could have been chosen. */
    record Alternative(int id, float logprob) {}

    final ChatRequest request;
    final int[] prompt;
    final int mostTokens;
    final boolean openEnded;
    final long accepted = System.nanoTime();

    /** Holds no more than prompt, {@link #mostTokens} and an end, however slowly it is read. */
    final BlockingQueue<News> news = new LinkedBlockingQueue<>();

    volatile boolean cancelled;
    volatile int cached;
    volatile long firstStep;
    volatile long firstToken;
    volatile long ended;

    // ---- step thread only
    final SharedPrompt shared;
    PagedKvCache.@Nullable Sequence sequence;
    @Nullable Sampler sampler;
    int reserved;
    boolean gaveBack;
    int prefilled;
    int generated;
    private int[] answer = {};

    /**
     * @param mostTokens tokens after which the answer ends
     * @param openEnded whether {@code mostTokens} is only the context's room: pages are then taken
     *     as the answer grows
     * @param shared what it has in common with the other choices of its request
     */
    Job(ChatRequest request, int[] prompt, int mostTokens, boolean openEnded, SharedPrompt shared) {
        this.shared = shared;
        this.request = request;
        this.prompt = prompt;
        this.mostTokens = mostTokens;
        this.openEnded = openEnded;
    }

    boolean decoding() {
        return prefilled == prompt.length;
    }

    /** Tokens of the prompt that are not computed yet. */
    int left() {
        return prompt.length - prefilled;
    }

    /** Whether rows of its prompt are still to be scored: all that lie before are. */
    boolean scoring() {
        return request.scoresPrompt() && !decoding() && shared.scores.size() < prompt.length;
    }

    /** Room is reserved for so many tokens, prompt and answer. */
    void reserved(int tokens) {
        reserved = tokens;
        int room = tokens - prompt.length;
        if (room > answer.length) {
            answer = Arrays.copyOf(answer, Math.max(room, Math.min(2 * answer.length, mostTokens)));
        }
    }

    /** A token was chosen. */
    void add(int id) {
        answer[generated++] = id;
    }

    /** The token chosen last. */
    int lastToken() {
        return answer[generated - 1];
    }

    /** The first tokens of prompt and answer. */
    int[] tokens(int count) {
        int[] tokens = Arrays.copyOf(prompt, count);
        int generated = Math.max(0, count - prompt.length);
        System.arraycopy(answer, 0, tokens, count - generated, generated);
        return tokens;
    }
}
