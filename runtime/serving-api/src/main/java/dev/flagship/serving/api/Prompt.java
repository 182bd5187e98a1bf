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

    /** Plain text, tokenised without template. Text in it never becomes a control token. */
    record Raw(String text, Begin begin) implements Prompt {

        /** What goes before a text. */
        public enum Begin {
            /** The token that begins texts, where the tokenizer itself adds it. */
            AS_TRAINED,
            NOTHING
        }

        /** A text as the model was trained on it. */
        public Raw(String text) {
            this(text, Begin.AS_TRAINED);
        }
    }

    /** Token ids, taken as they are. */
    record Tokens(List<Integer> ids) implements Prompt {
        public Tokens {
            ids = List.copyOf(ids);
        }
    }
}
