package dev.flagship.tokenizers;

import java.util.OptionalInt;

/**
 * Text to token ids and back. Immutable and safe for use from any thread.
 *
 * <p>A Java string may hold a surrogate without its partner, which has no UTF-8 form: encoding
 * reads it as U+FFFD.
 */
public interface Tokenizer {

    /** One more than the largest id. */
    int vocabularySize();

    /** Most characters that one token adds to a text. */
    int longestToken();

    /**
     * Ids of a text, without begin or end tokens.
     *
     * @param text any text
     * @param control whether text that is spelled like a control token becomes one
     */
    int[] encode(String text, ControlTokens control);

    /**
     * Ids of a rendered chat template. Control tokens are found only where the template itself
     * wrote them; all other text is tokenised as one string, whatever the borders between template
     * and messages, so that ordinary conversations give the ids that tokenising the whole rendered
     * string gives.
     */
    int[] encode(RenderedPrompt prompt);

    /**
     * Text of ids, control tokens spelled out. Bytes that are not UTF-8 become U+FFFD: in
     * byte-level vocabularies one for each maximal part of a broken sequence (Unicode 16, 3.9,
     * "U+FFFD Substitution of Maximal Subparts"), in SentencePiece's one for each byte. Where
     * encoding puts a space in front of a text, the one that begins the result is left out.
     *
     * @throws dev.flagship.base.InvalidArgumentException if an id is outside the vocabulary
     */
    String decode(int[] ids);

    /**
     * As {@link #decode(int[])}, without control tokens.
     *
     * @throws dev.flagship.base.InvalidArgumentException if an id is outside the vocabulary
     */
    String decodeSkippingControl(int[] ids);

    /**
     * Exact bytes that a token adds to the text, which need not be whole characters; empty for a
     * control token. A fresh array.
     *
     * @throws dev.flagship.base.InvalidArgumentException if the id is outside the vocabulary
     */
    byte[] bytes(int id);

    /**
     * Whether the id is a control token.
     *
     * @throws dev.flagship.base.InvalidArgumentException if the id is outside the vocabulary
     */
    boolean isSpecial(int id);

    /**
     * Id of a token in the vocabulary's own spelling ({@code Ġ} for a leading space, control tokens
     * as written).
     */
    OptionalInt id(String token);

    /**
     * A token in the vocabulary's own spelling; empty where the vocabulary has a gap.
     *
     * @throws dev.flagship.base.InvalidArgumentException if the id is outside the vocabulary
     */
    String token(int id);

    /** The token that begins a text, where the model has one. */
    OptionalInt bos();

    /** The token that ends a text, where the model has one. */
    OptionalInt eos();

    /** Whether raw text is to be preceded by {@link #bos()}; templates write theirs themselves. */
    boolean addsBos();

    /** Whether raw text is to be followed by {@link #eos()}. */
    boolean addsEos();

    /** A new decoder for one text; control tokens add nothing to it. */
    default StreamingDecoder streaming() {
        return new StreamingDecoder(this, false, false);
    }

    /**
     * As {@link #streaming()}, for ids that continue a text, so that a space in front of them is
     * part of it.
     */
    default StreamingDecoder continuing() {
        return streaming();
    }
}
