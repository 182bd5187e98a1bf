package dev.flagship.tokenizers;

import java.nio.charset.StandardCharsets;

/**
 * The printable stand-ins of byte-level BPE, one character for each byte (GPT-2, {@code
 * bytes_to_unicode}): printable Latin-1 stands for itself, the other 68 bytes are U+0100 onwards in
 * order.
 */
final class ByteAlphabet {
    private static final int SIZE = 256 + 68;
    private static final short[] BYTE_OF = table();
    private static final char[] CHAR_OF = inverse();

    private ByteAlphabet() {}

    private static short[] table() {
        short[] byteOf = new short[SIZE];
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
            if (printable) {
                byteOf[b] = (short) b;
            } else {
                byteOf[b] = -1;
                byteOf[next++] = (short) b;
            }
        }
        return byteOf;
    }

    private static char[] inverse() {
        char[] charOf = new char[256];
        for (char c = 0; c < SIZE; c++) {
            if (BYTE_OF[c] >= 0) {
                charOf[BYTE_OF[c]] = c;
            }
        }
        return charOf;
    }

    /** The stand-ins of bytes. */
    static String spell(byte[] bytes) {
        char[] spelled = new char[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            spelled[i] = CHAR_OF[bytes[i] & 0xFF];
        }
        return new String(spelled);
    }

    /** The byte that a character stands for, or -1. */
    static int byteOf(char c) {
        return c < SIZE ? BYTE_OF[c] : -1;
    }

    /**
     * Writes the bytes of {@code text[from, to)}.
     *
     * @return the position after the last byte, or -1 if a character stands for no byte
     */
    static int decode(String text, int from, int to, byte[] target, int at) {
        int end = at;
        for (int i = from; i < to; i++) {
            int b = byteOf(text.charAt(i));
            if (b < 0) {
                return -1;
            }
            target[end++] = (byte) b;
        }
        return end;
    }

    /** The bytes that a token writes: its stand-ins' bytes, or its UTF-8 if a character is none. */
    static byte[] bytes(String token) {
        byte[] bytes = new byte[token.length()];
        return decode(token, 0, token.length(), bytes, 0) < 0
                ? token.getBytes(StandardCharsets.UTF_8)
                : bytes;
    }
}
