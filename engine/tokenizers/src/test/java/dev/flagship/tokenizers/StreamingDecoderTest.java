package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class StreamingDecoderTest {
    // One token for each byte: id is the byte.
    private static final BpeTokenizer BYTES = bytes();

    private static BpeTokenizer bytes() {
        String[] tokens = new String[257];
        int[] types = new int[257];
        java.util.Arrays.fill(types, 1);
        for (char c = 0; c < 0x200; c++) {
            int b = ByteAlphabet.byteOf(c);
            if (b >= 0) {
                tokens[b] = Character.toString(c);
            }
        }
        tokens[256] = "<|end|>";
        types[256] = 3;
        return BpeTokenizer.fromGguf(
                tokens, types, new String[0], "gpt-2", BpeTokenizer.TextEnds.none());
    }

    /**
     * Feeds each byte as a token and asserts that text comes exactly when a character is complete.
     */
    @Test
    void everyCodePointLeavesWholeWithItsLastByte() {
        StreamingDecoder decoder = BYTES.streaming();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                continue;
            }
            String text = Character.toString(c);
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < utf8.length; i++) {
                String out = decoder.accept(utf8[i] & 0xFF);
                if (i < utf8.length - 1 ? !out.isEmpty() : !out.equals(text)) {
                    throw new AssertionError(
                            "U+" + Integer.toHexString(c) + " byte " + i + " gave " + out);
                }
            }
        }
        assertThat(decoder.finish()).isEmpty();
    }

    /** Two-part splits of a character between neighbours, with a control token in the gap. */
    @Test
    void controlTokensBetweenTheBytesOfACharacterDoNotBreakIt() {
        StreamingDecoder decoder = BYTES.streaming();
        String text = "aé你😀z";
        StringBuilder out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            out.append(decoder.accept(256)).append(decoder.accept(b & 0xFF));
        }
        assertThat(out.append(decoder.finish())).hasToString(text);
    }

    @Test
    void unfinishedCharactersEndAsOneReplacementEach() {
        StreamingDecoder decoder = BYTES.streaming();
        assertThat(decoder.accept(0xF0) + decoder.accept(0x9F) + decoder.accept(0x98)).isEmpty();
        assertThat(decoder.finish()).isEqualTo("\uFFFD");
        assertThat(decoder.finish()).isEmpty();
        assertThat(decoder.accept('a')).isEqualTo("a");
    }

    @Test
    void realTokensJoinToTheWholeDecoding() throws IOException {
        Tokenizer tokenizer = TokenizerGoldenTest.tokenizer("llama3");
        int[] ids = tokenizer.encode("naïve 你好 😀👩‍👩‍👧‍👦 test", ControlTokens.AS_TEXT);
        assertThat(Goldens.streamed(tokenizer, ids)).isEqualTo("naïve 你好 😀👩‍👩‍👧‍👦 test");
    }
}
