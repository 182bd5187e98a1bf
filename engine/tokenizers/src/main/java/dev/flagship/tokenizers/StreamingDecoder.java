package dev.flagship.tokenizers;

/**
 * Turns ids into text as they arrive. Text leaves as whole characters only: the bytes of an
 * unfinished one wait for the next token. What all calls of {@link Tokenizer#streaming()}'s decoder
 * return, joined, is what {@link Tokenizer#decodeSkippingControl} returns for all ids. Not safe for
 * use by several threads.
 */
public final class StreamingDecoder {
    private final Tokenizer tokenizer;
    private final Utf8Decoder decoder;
    private final boolean dropsSpace;
    private boolean begun;

    /**
     * @param replacesEachByte whether every byte that is no UTF-8 becomes U+FFFD, or every maximal
     *     part of a broken sequence
     * @param dropsSpace whether the space that begins the text is not part of it
     */
    StreamingDecoder(Tokenizer tokenizer, boolean replacesEachByte, boolean dropsSpace) {
        this.tokenizer = tokenizer;
        this.decoder = new Utf8Decoder(replacesEachByte);
        this.dropsSpace = dropsSpace;
    }

    /**
     * Takes the next token.
     *
     * @return the text that is now certain, often empty
     * @throws dev.flagship.base.InvalidArgumentException if the id is outside the vocabulary
     */
    public String accept(int id) {
        return accept(tokenizer.bytes(id));
    }

    String accept(byte[] bytes) {
        decoder.accept(bytes, 0, bytes.length);
        return take();
    }

    private String take() {
        String text = decoder.take();
        if (begun || text.isEmpty()) {
            return text;
        }
        begun = true;
        return dropsSpace && text.charAt(0) == ' ' ? text.substring(1) : text;
    }

    /** Ends the text: an unfinished character becomes U+FFFD. The decoder is then as new. */
    public String finish() {
        decoder.finish();
        String rest = take();
        begun = false;
        return rest;
    }
}
