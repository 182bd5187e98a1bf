package dev.flagship.serving.api;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * A conversation that remembers: each message is answered with all before it in view. One thread.
 *
 * <p>Who stops an answer keeps what there was of it: by interrupting the thread that waits for it,
 * or by throwing from the consumer of its text. A message that is refused is forgotten again.
 */
public final class Chat {
    private final ChatModel model;
    private final UnaryOperator<ChatRequest> settings;
    private final List<Message> messages;

    /** A conversation that begins with nothing, sampled as the model's makers recommend. */
    public Chat(ChatModel model) {
        this(model, List.of(), UnaryOperator.identity());
    }

    /**
     * A conversation that begins with something.
     *
     * @param opening for example a {@linkplain Message#system system message}
     * @param settings makes each answer's request of the usual one, which has a new seed each time:
     *     {@code r -> r.withMaxTokens(100)}
     */
    public Chat(ChatModel model, List<Message> opening, UnaryOperator<ChatRequest> settings) {
        this.model = model;
        this.settings = settings;
        this.messages = new ArrayList<>(opening);
    }

    /** The conversation so far. */
    public List<Message> messages() {
        return List.copyOf(messages);
    }

    /**
     * Waits for the whole answer to a message. It may have been ended by its length; {@link
     * #say(String, Consumer)} tells.
     *
     * @throws RequestException if the request cannot be served, the model fails, or is closed
     *     before the answer is whole
     */
    public String say(String message) throws InterruptedException {
        var text = new StringBuilder();
        Event.Finished end = say(message, text::append);
        return switch (end.reason()) {
            case STOP, LENGTH -> text.toString();
            case CANCELLED -> throw RequestException.closed(model.info().id());
            case ERROR ->
                    throw RequestException.failed(
                            model.info().id(), String.join(" ", end.warnings()));
        };
    }

    /**
     * Answers a message, giving each piece of the answer to the consumer as it comes.
     *
     * @return how it ended, also where it ended early
     * @throws RequestException if the request cannot be served
     */
    public Event.Finished say(String message, Consumer<? super String> text)
            throws InterruptedException {
        messages.add(Message.user(message));
        var answer = new StringBuilder();
        boolean answered = false;
        try {
            ChatRequest request = settings.apply(request());
            try (Generation generation = model.generate(request)) {
                Event.Finished end =
                        generation.finish(piece -> {
                            answer.append(piece);
                            text.accept(piece);
                        });
                answered = end.reason() != FinishReason.ERROR;
                return end;
            }
        } finally {
            if (answered || !answer.isEmpty()) {
                messages.add(Message.assistant(answer.toString()));
            } else {
                messages.removeLast();
            }
        }
    }

    private ChatRequest request() {
        long seed = ThreadLocalRandom.current().nextLong();
        return ChatRequest.of(messages, model.info().sampling().withSeed(seed));
    }
}
