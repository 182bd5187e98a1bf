package dev.flagship.server;

import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Usage;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The running answers to one request, merged in the order in which they say something. Closing ends
 * those that still run.
 */
final class Choices implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(Choices.class.getName());

    private static final Event BROKEN =
            new Event.Finished(
                    FinishReason.ERROR,
                    new Usage(0, 0, 0, 0, 0, 0),
                    List.of("The answer broke off; the log says why."));

    /** What a choice said. */
    record Heard(int choice, Event event) {}

    private final List<Generation> generations = new ArrayList<>();
    private final List<Thread> listeners = new ArrayList<>();

    /** Grows no longer than the answers, whose length the request bounds. */
    private final BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();

    private Choices() {}

    /**
     * Starts all choices of a request, prompt by prompt, or none.
     *
     * @throws dev.flagship.serving.api.RequestException if the model refuses one
     */
    static Choices start(ChatModel model, CompletionRequest request) {
        var choices = new Choices();
        boolean started = false;
        try {
            for (ChatRequest prompt : request.prompts()) {
                choices.generations.addAll(model.generate(prompt, request.n()));
            }
            for (int i = 0; i < choices.count(); i++) {
                int choice = i;
                choices.listeners.add(
                        Thread.ofVirtual()
                                .name("choice-" + i)
                                .start(() ->
                                        choices.listen(choice, choices.generations.get(choice))));
            }
            started = true;
        } finally {
            if (!started) {
                choices.close();
            }
        }
        return choices;
    }

    private void listen(int choice, Generation generation) {
        try {
            Event event;
            do {
                event = generation.next();
                heard.add(new Heard(choice, event));
            } while (!(event instanceof Event.Finished));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed: nobody listens any more
        } catch (Throwable t) { // errors too: whoever reads the answer waits for its end
            heard.add(new Heard(choice, BROKEN));
            LOG.log(Level.ERROR, "a generation broke", t);
        }
    }

    int count() {
        return generations.size();
    }

    /** What is said next; null if nothing is for so long. */
    @Nullable Heard next(Duration patience) throws InterruptedException {
        return heard.poll(patience.toNanos(), TimeUnit.NANOSECONDS);
    }

    /** Asks all choices for an early end. */
    void cancel() {
        generations.forEach(Generation::cancel);
    }

    @Override
    public void close() {
        generations.forEach(Generation::close);
        listeners.forEach(Thread::interrupt);
    }
}
