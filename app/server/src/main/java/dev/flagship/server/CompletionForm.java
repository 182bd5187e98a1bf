package dev.flagship.server;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.TokenLogprob;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/** How one kind of completion lays out its choices. */
sealed interface CompletionForm permits ChatForm, TextForm {
    /** JSON has no infinity; OpenAI uses this number for "practically impossible". */
    float IMPOSSIBLE = -9999;

    /** What ids of completions begin with. */
    String idPrefix();

    /** The type of a whole completion. */
    String object();

    /** The type of a piece of one. */
    String chunkObject();

    /** The field that holds the prompt. */
    String promptField();

    /** What a choice's stream begins with before there is text, if anything. */
    Optional<ObjectNode> opening();

    /** Puts new text, and its log-probabilities where they were asked for. */
    void putPiece(ObjectNode choice, Event.Text text);

    /** Puts what stands beside the reason for a choice's end. */
    void putEnd(ObjectNode choice);

    /** Puts a whole answer, and its log-probabilities where they were asked for. */
    void putWhole(ObjectNode choice, String text, List<TokenLogprob> tokens);
}
