package dev.flagship.server;

import dev.flagship.serving.api.ChatRequest;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/**
 * What a client asks of a model, by whichever kind of completion.
 *
 * @param prompts what each prompt's choices are asked, but for their seeds; see {@link
 *     ChatRequest#choice}
 * @param n number of choices for each prompt
 * @param includeUsage whether a stream ends with a chunk of usage
 * @param form how it is answered
 * @param warnings what was accepted and has no effect
 */
record CompletionRequest(
        List<ChatRequest> prompts,
        int n,
        boolean stream,
        boolean includeUsage,
        CompletionForm form,
        List<String> warnings) {

    CompletionRequest {
        prompts = List.copyOf(prompts);
        warnings = List.copyOf(warnings);
    }

    /** Choices in all; those of prompt <em>p</em> begin at <em>p</em> · n. */
    int choices() {
        return prompts.size() * n;
    }

    /**
     * The model that a body asks for, if it names one.
     *
     * @throws ApiException 400 if that is no text
     */
    static Optional<String> model(ObjectNode body) {
        return new Fields(body, "").string("model");
    }
}
