package dev.flagship.serving;

import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.FinishReason;
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

    /** Holds no more than {@link #mostTokens} and an end, however slowly it is read. */
    final BlockingQueue<News> news = new LinkedBlockingQueue<>();

    volatile boolean cancelled;
    volatile long firstStep;
    volatile long firstToken;
    volatile long ended;

    // ---- step thread only
    final SharedPrompt shared;
    PagedKvCache.@Nullable Sequence sequence;
    @Nullable Sampler sampler;
    int reserved;
    int prefilled;
    int generated;
    int lastToken;

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
}
