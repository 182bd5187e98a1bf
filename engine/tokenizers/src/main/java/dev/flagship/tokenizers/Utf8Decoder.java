package dev.flagship.tokenizers;

/**
 * UTF-8 to text, in any portions (Unicode 16, 3.9, table 3-7). U+FFFD replaces each maximal part of
 * a broken sequence ("Substitution of Maximal Subparts"; the same result as Rust's {@code
 * from_utf8_lossy}) or, as SentencePiece has it, each of its bytes.
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\uFFFD';

    private final StringBuilder text = new StringBuilder();
    private final boolean replacesEachByte;
    private int codePoint;
    private int seen;
    private int missing;
    // The range that the next continuation byte must lie in; narrower than 80..BF only after E0,
    // ED, F0 and F4.
    private int low;
    private int high;

    Utf8Decoder(boolean replacesEachByte) {
        this.replacesEachByte = replacesEachByte;
    }

    void accept(byte[] bytes, int from, int to) {
        for (int i = from; i < to; i++) {
            accept(bytes[i] & 0xFF);
        }
    }

    private void accept(int b) {
        if (missing > 0) {
            if (b >= low && b <= high) {
                codePoint = (codePoint << 6) | (b & 0x3F);
                low = 0x80;
                high = 0xBF;
                seen++;
                missing--;
                if (missing == 0) {
                    text.appendCodePoint(codePoint);
                }
                return;
            }
            finish();
        }
        if (b < 0x80) {
            text.append((char) b);
        } else if (b >= 0xC2 && b <= 0xDF) {
            begin(b & 0x1F, 1, 0x80, 0xBF);
        } else if (b >= 0xE0 && b <= 0xEF) {
            begin(b & 0x0F, 2, b == 0xE0 ? 0xA0 : 0x80, b == 0xED ? 0x9F : 0xBF);
        } else if (b >= 0xF0 && b <= 0xF4) {
            begin(b & 0x07, 3, b == 0xF0 ? 0x90 : 0x80, b == 0xF4 ? 0x8F : 0xBF);
        } else {
            text.append(REPLACEMENT);
        }
    }

    private void begin(int bits, int continuationBytes, int low, int high) {
        codePoint = bits;
        seen = 1;
        missing = continuationBytes;
        this.low = low;
        this.high = high;
    }

    void finish() {
        if (missing > 0) {
            text.repeat(REPLACEMENT, replacesEachByte ? seen : 1);
            missing = 0;
        }
    }

    /** Removes and returns the text that is certain. */
    String take() {
        String taken = text.toString();
        text.setLength(0);
        return taken;
    }
}
