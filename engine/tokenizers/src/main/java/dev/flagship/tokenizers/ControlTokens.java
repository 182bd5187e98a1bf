package dev.flagship.tokenizers;

/**
 * What encoding does with text that is spelled like a control token, such as {@code <|im_end|>}.
 */
public enum ControlTokens {
    /**
     * The spelling is ordinary text: for everything that a user or a document wrote. A vocabulary
     * that lacks a byte and names a control token as its unknown token still gets that.
     */
    AS_TEXT,
    /** The spelling becomes the control token's id: for text that the operator wrote. */
    PARSE
}
