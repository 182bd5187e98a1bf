package dev.flagship.serving.api;

/** A loaded text model. Thread-safe; requests queue and are answered in order of arrival. */
public interface ChatModel extends AutoCloseable {

    /** What the model is and how it was loaded. */
    ModelInfo info();

    /**
     * Accepts a request and starts answering it.
     *
     * @return the answer as it grows; close it to cancel
     * @throws RequestException if the request cannot be served: prompt too long, template failure,
     *     model closed
     */
    Generation generate(ChatRequest request);

    /**
     * Ends running generations with {@link FinishReason#CANCELLED} and frees all off-heap memory.
     */
    @Override
    void close();
}
