package dev.flagship.formats;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing replaced. */
final class Utf8 {
    private static final char REPLACEMENT = '\uFFFD';

    private Utf8() {}

    /** The text, or null if the bytes are not UTF-8. */
    static @Nullable String decode(byte[] bytes, int from, int length) {
        // The JDK's own decoder is the fast path, ASCII above all. It marks every error with
        // U+FFFD, so only text with
        // that character in it needs the strict decoder's second look.
        String text = new String(bytes, from, length, StandardCharsets.UTF_8);
        if (text.indexOf(REPLACEMENT) < 0) {
            return text;
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes, from, length))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }
}
