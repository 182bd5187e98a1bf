package dev.flagship.tokenizers;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Walks the fields of one message in protocol buffers' wire format; every length is compared with
 * what is left before it is believed.
 */
final class Protobuf {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final byte[] in;
    private final String what;
    private final int end;
    private int at;
    private int field;
    private int wire;

    Protobuf(byte[] in, String what) {
        this(in, what, 0, in.length);
    }

    private Protobuf(byte[] in, String what, int from, int end) {
        this.in = in;
        this.what = what;
        this.at = from;
        this.end = end;
    }

    /** Goes to the next field; false at the end. Its value must be taken or skipped before. */
    boolean next() {
        if (at == end) {
            return false;
        }
        long tag = varint();
        wire = (int) (tag & 7);
        field = (int) Math.min(tag >>> 3, Integer.MAX_VALUE);
        if (tag < 0 || field == 0) {
            throw damaged("has a field of number 0 or beyond all numbers");
        }
        return true;
    }

    /** Number of the current field. */
    int field() {
        return field;
    }

    void skip() {
        switch (wire) {
            case VARINT -> varint();
            case FIXED64 -> at += checked(8);
            case BYTES -> length();
            case FIXED32 -> at += checked(4);
            default -> throw damaged("has a field of the unknown kind " + wire);
        }
    }

    long number() {
        expect(VARINT);
        return varint();
    }

    boolean flag() {
        return number() != 0;
    }

    float real() {
        expect(FIXED32);
        int bits = 0;
        checked(4);
        for (int i = 0; i < 4; i++) {
            bits |= (in[at++] & 0xFF) << 8 * i;
        }
        return Float.intBitsToFloat(bits);
    }

    String text() {
        int length = length();
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(in, at - length, length))
                    .toString();
        } catch (CharacterCodingException e) {
            throw TokenizerException.unreadable(
                    "%s has text at byte %d that is not UTF-8".formatted(what, at - length), e);
        }
    }

    /** Length of the bytes that the current field has, which are skipped. */
    int length() {
        expect(BYTES);
        int length = checked(varint());
        at += length;
        return length;
    }

    Protobuf message() {
        int length = length();
        return new Protobuf(in, what, at - length, at);
    }

    private void expect(int kind) {
        if (wire != kind) {
            throw damaged("has field %d as kind %d, expected %d".formatted(field, wire, kind));
        }
    }

    private int checked(long length) {
        if (length < 0 || length > end - at) {
            throw damaged("ends within field " + field);
        }
        return (int) length;
    }

    private long varint() {
        long value = 0;
        for (int shift = 0; shift < 70; shift += 7) {
            if (at == end) {
                throw damaged("ends within a number");
            }
            byte b = in[at++];
            value |= shift < 64 ? (long) (b & 0x7F) << shift : 0;
            if (b >= 0) {
                return value;
            }
        }
        throw damaged("has a number of more than ten bytes");
    }

    private TokenizerException damaged(String how) {
        return TokenizerException.invalid(
                "%s %s (byte %d); it is damaged or another kind of file", what, how, at);
    }
}
