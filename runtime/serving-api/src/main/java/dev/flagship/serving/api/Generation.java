package dev.flagship.serving.api;

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
     * Asks for an early end: the answer finishes with {@link FinishReason#CANCELLED} within one
     * step.
     */
    void cancel();

    /** Cancels if still running. */
    @Override
    void close();
}
