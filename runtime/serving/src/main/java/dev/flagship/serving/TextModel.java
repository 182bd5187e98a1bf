package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Joining;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** A text model that answers: requests queue for one step thread, which computes them together. */
public final class TextModel implements ChatModel {
    private static final int QUEUE = 64;

    /** Values of a scored prompt that are told at once: some 300 bytes of the heap for each. */
    private static final int MOST_SCORES = 1 << 20;

    /** A prompt is encoded in a fraction of this, so that a model too busy for it is overloaded. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final LoadedModel model;
    private final ModelInfo info;
    private final PromptCodec codec;
    private final BlockingQueue<Job> arrivals = new ArrayBlockingQueue<>(QUEUE);

    /** Laying out and encoding a prompt keeps a processor busy; more at once only share it. */
    final Turns encoding = new Turns(Runtime.getRuntime().availableProcessors());

    private final StepLoop loop;
    private final Thread thread;

    private TextModel(LoadedModel model, PagedKvCache cache, String id) {
        this.model = model;
        this.loop = new StepLoop(model, cache, new PrefixCache(cache), arrivals);
        this.info =
                new ModelInfo(
                        id,
                        "llama",
                        model.parameters(),
                        model.contextLength(),
                        model.lm().vocabularySize(),
                        model.numerics().toString(),
                        model.kernels().rung(),
                        model.weightBytes(),
                        LoadOptions.nameOf(cache.layout().type()),
                        cache.layout().bytesPerToken(),
                        cache.bytes(),
                        model.sampling(),
                        Instant.now());
        this.codec =
                new PromptCodec(
                        id,
                        model.tokenizer(),
                        model.template(),
                        info.contextLength(),
                        info.vocabularySize());
        this.thread = Thread.ofPlatform().name("flagship-step-" + id).daemon().unstarted(loop);
    }

    /**
     * Loads a model and starts its step thread.
     *
     * @throws LoadException or another {@link FlagshipException} that says what is wrong with the
     *     model
     * @throws IOException if a file cannot be read
     */
    public static TextModel open(Path path, LoadOptions options, LoadListener listener)
            throws IOException {
        LoadedModel model = LoadedModel.load(path, options, listener);
        PagedKvCache cache = null;
        boolean started = false;
        try {
            cache = model.pool();
            TextModel text = new TextModel(model, cache, options.id());
            text.thread.start();
            started = true;
            return text;
        } finally {
            if (!started) {
                if (cache != null) {
                    cache.close();
                }
                model.close();
            }
        }
    }

    @Override
    public ModelInfo info() {
        return info;
    }

    /** The model's own tokenizer. */
    public Tokenizer tokenizer() {
        return model.tokenizer();
    }

    /** Why it takes no conversations, to follow its name; empty if it does. */
    public Optional<String> chatRefusal() {
        return model.template().refusal();
    }

    /** Threads that compute. */
    public int threads() {
        return model.threads();
    }

    @Override
    public Optional<String> failure() {
        return loop.death();
    }

    @Override
    public List<Generation> generate(ChatRequest request, int choices) {
        check(
                choices >= 1 && choices <= QUEUE,
                "%s answers to one request: there can be 1 to %s",
                choices,
                QUEUE);
        refuseIfBusy(choices); // before work is done for it, or waited for
        int[] prompt = encodedInTurn(request.prompt(), choices);
        int room = info.contextLength() - prompt.length;
        if (prompt.length == 0) {
            throw RequestException.invalidPrompt("The prompt has no tokens; say something.", null);
        }
        if (request.maxTokens().orElse(1) == 0) {
            if (room < 0) {
                throw RequestException.promptExceedsContext(prompt.length, info.contextLength());
            }
        } else if (room < 1) {
            throw RequestException.contextLengthExceeded(prompt.length, info.contextLength());
        }
        int asked = request.maxTokens().orElse(room);
        if (request.maxTokens().isPresent() && asked > room) {
            throw RequestException.contextLengthExceeded(
                    prompt.length, asked, info.contextLength());
        }
        if (request.scoresPrompt()) {
            int alternatives = request.topLogprobs().getAsInt();
            if ((long) prompt.length * (alternatives + 1) * choices > MOST_SCORES) {
                throw RequestException.tooManyScores(
                        prompt.length, alternatives, choices, MOST_SCORES);
            }
        }
        var shared = new SharedPrompt(choices);
        List<Job> jobs = new ArrayList<>(choices);
        for (int i = 0; i < choices; i++) {
            jobs.add(
                    new Job(
                            request.choice(i),
                            prompt,
                            asked,
                            request.maxTokens().isEmpty(),
                            shared));
        }
        offer(jobs);
        return jobs.stream()
                .<Generation>map(
                        job -> new TextGeneration(job, model.tokenizer(), model.endTokens()))
                .toList();
    }

    private int[] encodedInTurn(Prompt prompt, int choices) {
        try {
            if (!encoding.begin(PATIENCE)) {
                throw RequestException.overloaded(
                        "Model %s has been reading other prompts for %d s; try again in a few seconds."
                                .formatted(info.id(), PATIENCE.toSeconds()));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw RequestException.cancelled(info.id());
        }
        try {
            refuseIfBusy(choices); // the queue may have filled up meanwhile
            return codec.ids(prompt);
        } finally {
            encoding.end();
        }
    }

    /** All or none, and none of another request in between. */
    private void offer(List<Job> jobs) {
        synchronized (arrivals) { // whoever else touches the queue only takes away
            refuseIfBusy(jobs.size());
            arrivals.addAll(jobs);
        }
        if (loop.ended()) { // perhaps too late for the loop to see them
            var end =
                    failure()
                            .map(why -> new Job.News.End(FinishReason.ERROR, List.of(why)))
                            .orElse(new Job.News.End(FinishReason.CANCELLED, List.of()));
            jobs.forEach(job -> job.news.add(end));
        }
    }

    private void refuseIfBusy(int choices) {
        if (loop.ended()) {
            throw failure()
                    .map(why -> RequestException.failed(info.id(), why))
                    .orElseGet(() -> RequestException.closed(info.id()));
        }
        if (arrivals.remainingCapacity() < choices) {
            throw RequestException.overloaded(
                    "%d requests are waiting for model %s, at most %d can; try again in a few seconds."
                            .formatted(arrivals.size(), info.id(), QUEUE));
        }
    }

    @Override
    public int[] ids(Prompt prompt) {
        return encodedInTurn(prompt, 0);
    }

    @Override
    public String text(int[] ids) {
        return codec.text(ids);
    }

    @Override
    public String spelling(int id) {
        return codec.spelling(id);
    }

    @Override
    public void close() {
        loop.shutDown();
        encoding.open(); // whoever waits hears that the model is closed
        thread.interrupt();
        Joining.join(thread);
    }
}
