package dev.flagship.serving.api;

import java.util.List;

/** What a generation continues. */
public sealed interface Prompt {

    /**
     * A conversation, laid out by the model's chat template. Text in it never becomes a control
     * token.
     */
    record Conversation(List<Message> messages) implements Prompt {
        public Conversation {
            messages = List.copyOf(messages);
        }
    }

    /**
     * Plain text, tokenised without template; control tokens are added only where the tokenizer
     * itself does so.
     */
    record Raw(String text) implements Prompt {}

    /** Token ids, taken as they are. */
    record Tokens(List<Integer> ids) implements Prompt {
        public Tokens {
            ids = List.copyOf(ids);
        }
    }
}
