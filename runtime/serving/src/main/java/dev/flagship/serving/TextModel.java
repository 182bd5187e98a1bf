package dev.flagship.serving;

import static dev.flagship.base.Check.check;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Joining;
import dev.flagship.nn.PagedKvCache;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.tokenizers.ChatTemplate;
import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.TemplateException;
import dev.flagship.tokenizers.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import org.jspecify.annotations.Nullable;

/** A text model that answers: requests queue for one step thread, which computes them together. */
public final class TextModel implements ChatModel {
    private static final int QUEUE = 64;

    /** Characters of a prompt that are looked at at all. */
    private static final long MOST_CHARACTERS = 1 << 26;

    /** A prompt is encoded in a fraction of this, so that a model too busy for it is overloaded. */
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final LoadedModel model;
    private final ModelInfo info;
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
        if (room < 1) {
            throw RequestException.contextLengthExceeded(prompt.length, info.contextLength());
        }
        int asked = request.maxTokens().orElse(room);
        if (request.maxTokens().isPresent() && asked > room) {
            throw RequestException.contextLengthExceeded(
                    prompt.length, asked, info.contextLength());
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
            return ids(prompt);
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

    /** Ids of a prompt, as a generation would see them. */
    public int[] ids(Prompt prompt) {
        try {
            return checked(
                    switch (prompt) {
                        case Prompt.Conversation c -> conversation(c.messages());
                        case Prompt.Raw raw -> raw(raw.text());
                        case Prompt.Tokens tokens ->
                                tokens.ids().stream().mapToInt(Integer::intValue).toArray();
                    });
        } catch (RequestException e) {
            throw e;
        } catch (FlagshipException e) {
            throw RequestException.invalidPrompt(e.getMessage(), e);
        }
    }

    private int[] conversation(List<Message> messages) {
        ModelTemplate.Usable usable = template();
        List<ChatTemplate.Turn> turns =
                messages.stream().map(m -> new ChatTemplate.Turn(m.role(), m.content())).toList();
        int most = mostCharacters();
        long characters = messages.stream().mapToLong(m -> m.content().length()).sum();
        if (characters > most) {
            throw RequestException.promptTooLong(characters, info.contextLength());
        }
        try {
            return model.tokenizer()
                    .encode(
                            usable.template()
                                    .render(
                                            turns,
                                            true,
                                            model.tokenizer(),
                                            LocalDateTime.now(ZoneId.systemDefault()),
                                            2 * most + 65_536));
        } catch (TemplateException e) {
            throw RequestException.invalidPrompt(usable.failure(e), e);
        }
    }

    private ModelTemplate.Usable template() {
        return switch (model.template()) {
            case ModelTemplate.Usable usable -> usable;
            case ModelTemplate.Absent _ -> throw refused(null);
            case ModelTemplate.Unusable(_, var why) -> throw refused(why);
        };
    }

    private RequestException refused(@Nullable FlagshipException why) {
        return RequestException.invalidPrompt(
                "Model %s %s, so it cannot take a conversation. Load it with --chat-template FILE; for text alone there is flagship run --raw."
                        .formatted(info.id(), chatRefusal().orElseThrow()),
                why);
    }

    /**
     * Longer prompts are refused before they are encoded. They could not fit, but for white space
     * that added tokens take with them and characters that a normalizer puts together.
     */
    private int mostCharacters() {
        long most = (long) info.contextLength() * model.tokenizer().longestToken();
        return Math.toIntExact(Math.min(most, MOST_CHARACTERS));
    }

    private int[] raw(String text) {
        if (text.length() > mostCharacters()) {
            throw RequestException.promptTooLong(text.length(), info.contextLength());
        }
        int[] ids = model.tokenizer().encode(text, ControlTokens.AS_TEXT);
        if (!model.tokenizer().addsBos()) {
            return ids;
        }
        int[] withBos = new int[ids.length + 1];
        withBos[0] = model.tokenizer().bos().orElseThrow();
        System.arraycopy(ids, 0, withBos, 1, ids.length);
        return withBos;
    }

    /** A tokenizer may know more tokens than the model has rows for. */
    private int[] checked(int[] ids) {
        for (int id : ids) {
            if (id < 0 || id >= info.vocabularySize()) {
                throw RequestException.invalidPrompt(
                        "Token id %d is outside the vocabulary of %d."
                                .formatted(id, info.vocabularySize()),
                        null);
            }
        }
        return ids;
    }

    @Override
    public void close() {
        loop.shutDown();
        encoding.open(); // whoever waits hears that the model is closed
        thread.interrupt();
        Joining.join(thread);
    }
}
