package dev.flagship.tokenizers;

/** Well-formed text to UTF-8, into an array of the caller's. */
final class Utf8 {
    /** Most bytes for one {@code char}. */
    static final int MOST_PER_CHAR = 3;

    private Utf8() {}

    /**
     * Writes {@code text[from, to)}, which holds no lone surrogates.
     *
     * @return the position after the last byte
     */
    static int write(String text, int from, int to, byte[] target, int at) {
        int n = at;
        for (int i = from; i < to; i++) {
            char c = text.charAt(i);
            if (c < 0x80) {
                target[n++] = (byte) c;
            } else if (c < 0x800) {
                target[n++] = (byte) (0xC0 | (c >> 6));
                target[n++] = (byte) (0x80 | (c & 0x3F));
            } else if (Character.isHighSurrogate(c)) {
                int codePoint = Character.toCodePoint(c, text.charAt(++i));
                target[n++] = (byte) (0xF0 | (codePoint >> 18));
                target[n++] = (byte) (0x80 | ((codePoint >> 12) & 0x3F));
                target[n++] = (byte) (0x80 | ((codePoint >> 6) & 0x3F));
                target[n++] = (byte) (0x80 | (codePoint & 0x3F));
            } else {
                target[n++] = (byte) (0xE0 | (c >> 12));
                target[n++] = (byte) (0x80 | ((c >> 6) & 0x3F));
                target[n++] = (byte) (0x80 | (c & 0x3F));
            }
        }
        return n;
    }

    /** Bytes of the character that begins with this byte of well-formed UTF-8. */
    static int length(byte first) {
        return first >= 0 ? 1 : Math.max(1, Integer.numberOfLeadingZeros(~(first << 24)));
    }

    /** Whether every surrogate has its partner, so that the text has a UTF-8 form. */
    static boolean wellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isSurrogate(c)) {
                if (!Character.isHighSurrogate(c)
                        || i + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    return false;
                }
                i++;
            }
        }
        return true;
    }
}
