package dev.flagship.server;

import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.ModelInfo;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import dev.flagship.serving.api.Usage;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;

/** A model that says what a test tells it to, and remembers what it was asked. */
final class FakeChatModel implements ChatModel {
    static final int PROMPT_TOKENS = 5;
    static final int CACHED_TOKENS = 2;
    static final int VOCABULARY = 100;

    /** What an answer says; one without {@link Event.Finished} runs until it is cancelled. */
    interface Script extends Function<ChatRequest, List<Event>> {}

    final List<ChatRequest> requests = new CopyOnWriteArrayList<>();
    final List<Prompt> asked = new CopyOnWriteArrayList<>();
    final List<Answer> answers = new CopyOnWriteArrayList<>();
    private final String id;
    private volatile Script script = _ -> List.of(text("Hello"), end(FinishReason.STOP, 1));
    private volatile Duration pause = Duration.ZERO;
    private volatile Optional<String> failure = Optional.empty();
    private volatile Sampling sampling = Sampling.usual(0);
    private volatile Optional<Throwable> breach = Optional.empty();
    private volatile Optional<RequestException> refusal = Optional.empty();

    FakeChatModel(String id) {
        this.id = id;
    }

    FakeChatModel recommends(Sampling usual) {
        sampling = usual;
        return this;
    }

    FakeChatModel says(Script next) {
        script = next;
        return this;
    }

    FakeChatModel says(Event... events) {
        return says(_ -> List.of(events));
    }

    /** Waits so long before each event but the first. */
    FakeChatModel slowly(Duration time) {
        pause = time;
        return this;
    }

    static Event text(String text, TokenLogprob... tokens) {
        return new Event.Text(text, List.of(tokens));
    }

    static Event end(FinishReason reason, int completionTokens, String... warnings) {
        return new Event.Finished(
                reason,
                new Usage(PROMPT_TOKENS, CACHED_TOKENS, completionTokens, 0, 0, 0),
                List.of(warnings));
    }

    @Override
    public ModelInfo info() {
        return new ModelInfo(
                id,
                "fake",
                1000,
                2048,
                VOCABULARY,
                "exact",
                "scalar",
                4000,
                "f32",
                16,
                16 * 2048,
                sampling,
                Instant.EPOCH);
    }

    /** Answers go on, as those of a model whose thread has died do not. */
    void fail(String why) {
        failure = Optional.of(why);
    }

    /** Readers of its answers meet this instead of their next event. */
    FakeChatModel breaks(Throwable with) {
        breach = Optional.of(with);
        return this;
    }

    @Override
    public Optional<String> failure() {
        return failure;
    }

    @Override
    public List<Generation> generate(ChatRequest request, int choices) {
        var all = new ArrayList<Generation>();
        for (int i = 0; i < choices; i++) {
            ChatRequest choice = request.choice(i);
            requests.add(choice);
            var answer = new Answer(script.apply(choice), pause, breach);
            answers.add(answer);
            all.add(answer);
        }
        return all;
    }

    /** It takes no prompt to look at its tokens. */
    void refuses(RequestException why) {
        refusal = Optional.of(why);
    }

    private void refuse() {
        refusal.ifPresent(why -> {
            throw why;
        });
    }

    /** One for each character, or for each message. */
    @Override
    public int[] ids(Prompt prompt) {
        refuse();
        asked.add(prompt);
        return switch (prompt) {
            case Prompt.Raw raw -> raw.text().chars().toArray();
            case Prompt.Tokens tokens ->
                    tokens.ids().stream().mapToInt(Integer::intValue).toArray();
            case Prompt.Conversation talk -> new int[talk.messages().size()];
        };
    }

    @Override
    public String text(int[] ids) {
        refuse();
        return new String(ids, 0, ids.length);
    }

    @Override
    public String spelling(int id) {
        return "<" + (char) id + ">";
    }

    @Override
    public void close() {
        answers.forEach(Answer::cancel);
    }

    /** A scripted generation. */
    static final class Answer implements Generation {
        private final BlockingQueue<Event> events = new LinkedBlockingQueue<>();
        private final Duration pause;
        private final Optional<Throwable> breach;
        private boolean begun;
        volatile boolean cancelled;
        volatile long cancelledAt;

        Answer(List<Event> script, Duration pause, Optional<Throwable> breach) {
            this.pause = pause;
            this.breach = breach;
            var all = new ArrayList<Event>();
            all.add(new Event.Started(PROMPT_TOKENS));
            all.addAll(script);
            events.addAll(all);
        }

        @Override
        public Event next() throws InterruptedException {
            if (begun) {
                Thread.sleep(pause);
                switch (breach.orElse(null)) {
                    case RuntimeException e -> throw e;
                    case Error e -> throw e;
                    case null, default -> {}
                }
            }
            begun = true;
            return events.take();
        }

        @Override
        public void cancel() {
            if (!cancelled) {
                cancelledAt = System.nanoTime();
                cancelled = true;
                events.add(end(FinishReason.CANCELLED, 0));
            }
        }

        @Override
        public void close() {
            cancel();
        }
    }
}
