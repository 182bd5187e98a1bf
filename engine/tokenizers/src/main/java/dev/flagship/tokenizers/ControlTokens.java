package dev.flagship.tokenizers;

/**
 * What encoding does with text that is spelled like a control token, such as {@code <|im_end|>}.
 */
public enum ControlTokens {
    /** The spelling is ordinary text: for everything that a user or a document wrote. */
    AS_TEXT,
    /** The spelling becomes the control token's id: for text that the operator wrote. */
    PARSE
}
