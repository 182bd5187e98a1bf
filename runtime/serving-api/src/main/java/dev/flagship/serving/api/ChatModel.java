package dev.flagship.serving.api;

import java.util.List;
import java.util.Optional;

/** A loaded text model. Thread-safe; requests queue and are answered in order of arrival. */
public interface ChatModel extends AutoCloseable {

    /** What the model is and how it was loaded. */
    ModelInfo info();

    /**
     * Why the model answers no more, in words for its operator; empty while it works. A model that
     * has failed stays so; close it and load it again.
     */
    Optional<String> failure();

    /**
     * Accepts a request and starts answering it. May wait, for some seconds, while other prompts
     * are read; an interrupt ends that and stays set.
     *
     * @return the answer as it grows; close it to cancel
     * @throws RequestException if the request cannot be served: prompt too long, template failure,
     *     queue full, model closed or failed, thread interrupted
     */
    default Generation generate(ChatRequest request) {
        return generate(request, 1).getFirst();
    }

    /**
     * Accepts a request for several answers, all or none. Answer <em>i</em> is that of {@link
     * ChatRequest#choice}(<em>i</em>), to the bit, but the prompt is computed only once.
     *
     * @param choices number of answers
     * @throws RequestException as {@link #generate(ChatRequest)}
     * @throws dev.flagship.base.InvalidArgumentException if there are none, or more than can wait
     */
    List<Generation> generate(ChatRequest request, int choices);

    /**
     * Ids of a prompt, as a generation would see them. May wait as {@link #generate} does.
     *
     * @throws RequestException as {@link #generate}
     */
    int[] ids(Prompt prompt);

    /**
     * Text of ids, control tokens spelled out.
     *
     * @throws RequestException if an id is outside the vocabulary
     */
    String text(int[] ids);

    /**
     * A token in the vocabulary's own spelling, such as {@code Ġ} for a space in front.
     *
     * @throws RequestException if the id is outside the vocabulary
     */
    String spelling(int id);

    /**
     * Waits for the whole answer to one message, sampled as the model's makers recommend. More than
     * one message takes a {@link Chat}; limits, other sampling and reasons to end take {@link
     * #generate(ChatRequest)}.
     *
     * @throws RequestException as {@link #generate(ChatRequest)}, and if the model fails or is
     *     closed before the answer is whole
     */
    default String answer(String message) throws InterruptedException {
        return new Chat(this).say(message);
    }

    /**
     * Ends running generations with {@link FinishReason#CANCELLED} and frees all off-heap memory.
     */
    @Override
    void close();
}
