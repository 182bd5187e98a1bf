package dev.flagship.serving.api;

import java.util.function.Consumer;

/**
 * An answer as it grows. One consumer thread; {@link #cancel} and {@link #close} may come from any
 * thread.
 *
 * <p>The last event is always {@link Event.Finished}; {@code next} must not be called after it.
 */
public interface Generation extends AutoCloseable {

    /** Blocks until something happened. */
    Event next() throws InterruptedException;

    /**
     * Gives all text that is still to come to a consumer, piece by piece as it comes, and waits for
     * the end. Text may come from here in place of {@link #next}, or after it.
     *
     * @param text called on this thread; what it throws passes through, and {@link #close} then
     *     stops the answer, as it does after an interrupt
     */
    default Event.Finished finish(Consumer<? super String> text) throws InterruptedException {
        while (true) {
            switch (next()) {
                case Event.Started _ -> {}
                case Event.Text news -> {
                    if (!news.text().isEmpty()) {
                        text.accept(news.text());
                    }
                }
                case Event.Finished end -> {
                    return end;
                }
            }
        }
    }

    /**
     * Asks for an early end: the answer finishes with {@link FinishReason#CANCELLED} within one
     * step.
     */
    void cancel();

    /** Cancels if still running. */
    @Override
    void close();
}
