package dev.flagship.serving;

import dev.flagship.tokenizers.ControlTokens;
import dev.flagship.tokenizers.RenderedPrompt;
import dev.flagship.tokenizers.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.OptionalInt;

/** A token for every byte, and 256 as the end: the worst that can happen to characters. */
record ByteTokens() implements Tokenizer {
    static final int END = 256;

    static int[] ids(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        int[] ids = new int[bytes.length];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = bytes[i] & 0xFF;
        }
        return ids;
    }

    @Override
    public int longestToken() {
        return 1;
    }

    @Override
    public int vocabularySize() {
        return END + 1;
    }

    @Override
    public int[] encode(String text, ControlTokens control) {
        return ids(text);
    }

    @Override
    public int[] encode(RenderedPrompt prompt) {
        throw new UnsupportedOperationException("no template");
    }

    @Override
    public String decode(int[] ids) {
        byte[] bytes = new byte[ids.length];
        for (int i = 0; i < ids.length; i++) {
            bytes[i] = (byte) ids[i];
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    @Override
    public String decodeSkippingControl(int[] ids) {
        return decode(ids);
    }

    @Override
    public byte[] bytes(int id) {
        return id == END ? new byte[0] : new byte[] {(byte) id};
    }

    @Override
    public boolean isSpecial(int id) {
        return id == END;
    }

    @Override
    public OptionalInt id(String token) {
        return OptionalInt.empty();
    }

    @Override
    public String token(int id) {
        return id == END ? "<end>" : Integer.toString(id);
    }

    @Override
    public OptionalInt bos() {
        return OptionalInt.empty();
    }

    @Override
    public OptionalInt eos() {
        return OptionalInt.of(END);
    }

    @Override
    public boolean addsBos() {
        return false;
    }

    @Override
    public boolean addsEos() {
        return false;
    }
}
