package dev.flagship.tokenizers;

/**
 * UTF-8 to text, in any portions, replacing each maximal part of a broken sequence by U+FFFD
 * (Unicode 16, 3.9, table 3-7 and "Substitution of Maximal Subparts"; the same result as Rust's
 * {@code from_utf8_lossy}).
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\uFFFD';

    private final StringBuilder text = new StringBuilder();
    private int codePoint;
    private int missing;
    // The range that the next continuation byte must lie in; narrower than 80..BF only after E0,
    // ED, F0 and F4.
    private int low;
    private int high;

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
                missing--;
                if (missing == 0) {
                    text.appendCodePoint(codePoint);
                }
                return;
            }
            text.append(REPLACEMENT);
            missing = 0;
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
        missing = continuationBytes;
        this.low = low;
        this.high = high;
    }

    void finish() {
        if (missing > 0) {
            text.append(REPLACEMENT);
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
