package dev.flagship.tokenizers;

import java.nio.charset.StandardCharsets;

/** How a vocabulary writes text in its tokens. */
enum Spelling {
    /** Every character stands for a byte ({@link ByteAlphabet}). */
    BYTES {
        @Override
        int write(String token, int from, int to, byte[] target, int at) {
            return ByteAlphabet.decode(token, from, to, target, at);
        }

        @Override
        byte[] bytes(String token, BpeModel.Kind kind) {
            return ByteAlphabet.bytes(token);
        }
    },

    /**
     * Characters are themselves, but for spaces, which are U+2581. What no token has may be written
     * by its bytes, {@code <0x00>} to {@code <0xFF>} (SentencePiece; Kudo and Richardson, 2018).
     */
    CHARACTERS {
        @Override
        int write(String token, int from, int to, byte[] target, int at) {
            return Utf8.wellFormed(token.substring(from, to))
                    ? Utf8.write(token, from, to, target, at)
                    : -1;
        }

        @Override
        byte[] bytes(String token, BpeModel.Kind kind) {
            return kind == BpeModel.Kind.BYTE
                    ? new byte[] {(byte) byteOf(token)}
                    : token.replace(SPACE, ' ').getBytes(StandardCharsets.UTF_8);
        }
    };

    /** A space in {@link #CHARACTERS}. */
    static final char SPACE = '\u2581';

    /**
     * Writes a part of a token as the bytes by which the encoder knows it.
     *
     * @return the position after the last byte, or -1 if no text contains such a token
     */
    abstract int write(String token, int from, int to, byte[] target, int at);

    /** The bytes that a token adds to a text. */
    abstract byte[] bytes(String token, BpeModel.Kind kind);

    /** The byte that {@code <0xNN>} names, or -1. */
    static int byteOf(String token) {
        if (token.length() != 6 || !token.startsWith("<0x") || token.charAt(5) != '>') {
            return -1;
        }
        int high = hex(token.charAt(3));
        int low = hex(token.charAt(4));
        return high < 0 || low < 0 ? -1 : high << 4 | low;
    }

    private static int hex(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    }
}
