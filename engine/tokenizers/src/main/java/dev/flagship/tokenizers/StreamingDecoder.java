package dev.flagship.tokenizers;

/**
 * Turns ids into text as they arrive. Text leaves as whole characters only: the bytes of an
 * unfinished one wait for the next token. What all calls return, joined, is what {@link
 * Tokenizer#decodeSkippingControl} returns for all ids. Not safe for use by several threads.
 */
public final class StreamingDecoder {
    private final Tokenizer tokenizer;
    private final Utf8Decoder decoder = new Utf8Decoder();

    StreamingDecoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Takes the next token.
     *
     * @return the text that is now certain, often empty
     * @throws dev.flagship.base.InvalidArgumentException if the id is outside the vocabulary
     */
    public String accept(int id) {
        byte[] bytes = tokenizer.bytes(id);
        decoder.accept(bytes, 0, bytes.length);
        return decoder.take();
    }

    /** Ends the text: an unfinished character becomes U+FFFD. The decoder is then as new. */
    public String finish() {
        decoder.finish();
        return decoder.take();
    }
}
