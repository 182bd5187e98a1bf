package dev.flagship.fuzz;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Damages bytes: as bytes, as numbers of some width or in decimal digits, as text with brackets,
 * and by words that a reader looks for. Everything follows from the random numbers given.
 */
final class Mutator {
    /** No longer than this, so that rounds are many; proportion is measured all the same. */
    private static final int LONGEST = 1 << 17;

    private static final int MOST_REPEATS = 2_000;

    private static final long[] NUMBERS = {
        0,
        1,
        -1,
        2,
        3,
        7,
        8,
        15,
        16,
        31,
        32,
        33,
        63,
        64,
        65,
        127,
        128,
        255,
        256,
        257,
        4095,
        4096,
        32767,
        32768,
        65535,
        65536,
        65537,
        1 << 20,
        (1 << 22) - 1,
        1 << 22,
        Integer.MAX_VALUE,
        Integer.MIN_VALUE,
        1L << 32,
        (1L << 32) - 1,
        (1L << 32) + 1,
        1L << 40,
        1L << 61,
        1L << 62,
        Long.MAX_VALUE,
        Long.MIN_VALUE
    };

    private final SplittableRandom random;
    private final List<byte[]> words;
    private final List<byte[]> others;

    /**
     * @param words to be put in
     * @param others whole parts of valid models, to be mixed in
     */
    Mutator(SplittableRandom random, List<byte[]> words, List<byte[]> others) {
        this.random = random;
        this.words = words;
        this.others = others;
    }

    /** Damaged once to eight times, mostly few times. */
    byte[] damaged(byte[] part) {
        byte[] bytes = part;
        int times = random.nextBoolean() ? 1 : 1 + random.nextInt(random.nextBoolean() ? 3 : 8);
        for (int i = 0; i < times; i++) {
            bytes = once(bytes);
        }
        return bytes.length > LONGEST ? Arrays.copyOf(bytes, LONGEST) : bytes;
    }

    private byte[] once(byte[] bytes) {
        if (bytes.length == 0) {
            return word();
        }
        int at = random.nextInt(bytes.length);
        return switch (random.nextInt(16)) {
            case 0 -> flipped(bytes, at);
            case 1 -> overwritten(bytes, at, new byte[] {(byte) random.nextInt(256)});
            case 2, 3 -> overwritten(bytes, at, number());
            case 4 -> overwritten(bytes, at, word());
            case 5, 6 -> spliced(bytes, at, at, word());
            case 7 -> spliced(bytes, at, end(bytes, at), new byte[0]);
            case 8 -> spliced(bytes, at, at, Arrays.copyOfRange(bytes, at, end(bytes, at)));
            case 9 -> repeated(bytes, at);
            case 10 -> mixed(bytes, at);
            case 11 -> random.nextInt(4) == 0 ? Arrays.copyOf(bytes, at) : flipped(bytes, at);
            case 12, 13 -> decimal(bytes, at);
            case 14 -> bracketed(bytes, at);
            default -> nudged(bytes, at);
        };
    }

    private byte[] flipped(byte[] bytes, int at) {
        byte[] copy = bytes.clone();
        copy[at] ^= (byte) (1 << random.nextInt(8));
        return copy;
    }

    /** A little more or less, as of an offset or a length. */
    private byte[] nudged(byte[] bytes, int at) {
        byte[] copy = bytes.clone();
        copy[at] += (byte) (random.nextInt(9) - 4);
        return copy;
    }

    private byte[] word() {
        return words.get(random.nextInt(words.size()));
    }

    /** Little-endian, of 1, 2, 4 or 8 bytes. */
    private byte[] number() {
        byte[] bytes = new byte[1 << random.nextInt(4)];
        long value = interesting();
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (value >>> 8 * i);
        }
        return bytes;
    }

    private long interesting() {
        return NUMBERS[random.nextInt(NUMBERS.length)] + random.nextInt(3) - 1;
    }

    private static byte[] overwritten(byte[] bytes, int at, byte[] other) {
        byte[] copy = bytes.clone();
        System.arraycopy(other, 0, copy, at, Math.min(other.length, copy.length - at));
        return copy;
    }

    private static byte[] spliced(byte[] bytes, int from, int to, byte[] other) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(bytes.length + other.length);
        out.write(bytes, 0, from);
        out.writeBytes(other);
        out.write(bytes, to, bytes.length - to);
        return out.toByteArray();
    }

    private int end(byte[] bytes, int at) {
        int most = random.nextInt(4) == 0 ? bytes.length - at : Math.min(32, bytes.length - at);
        return at + 1 + random.nextInt(most);
    }

    /** The same again and again: bombs of depth and of number. */
    private byte[] repeated(byte[] bytes, int at) {
        byte[] unit =
                random.nextBoolean()
                        ? word()
                        : Arrays.copyOfRange(
                                bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(24)));
        int times = 1 << random.nextInt(12);
        ByteArrayOutputStream many = new ByteArrayOutputStream();
        for (int i = 0; i < Math.min(times, MOST_REPEATS) && many.size() < LONGEST; i++) {
            many.writeBytes(unit);
        }
        return spliced(bytes, at, at, many.toByteArray());
    }

    private byte[] mixed(byte[] bytes, int at) {
        byte[] other = others.get(random.nextInt(others.size()));
        int from = random.nextInt(other.length);
        int to = end(other, from);
        return spliced(
                bytes,
                at,
                Math.min(bytes.length, at + to - from),
                Arrays.copyOfRange(other, from, to));
    }

    /** Another number in place of the next one in digits. */
    private byte[] decimal(byte[] bytes, int start) {
        int from = start;
        while (from < bytes.length && !digit(bytes[from])) {
            from++;
        }
        if (from == bytes.length) {
            return overwritten(bytes, start, number());
        }
        int to = from;
        while (to < bytes.length && digit(bytes[to])) {
            to++;
        }
        String text =
                switch (random.nextInt(8)) {
                    case 0 -> "1e" + random.nextInt(400);
                    case 1 -> Double.toString(random.nextDouble() - 0.5);
                    case 2 -> "9".repeat(1 + random.nextInt(120));
                    default -> Long.toString(interesting());
                };
        return spliced(bytes, from, to, text.getBytes(StandardCharsets.US_ASCII));
    }

    private static boolean digit(byte b) {
        return b >= '0' && b <= '9';
    }

    /** The next value in brackets or quotes is left out, doubled, or replaced by a word. */
    private byte[] bracketed(byte[] bytes, int start) {
        int from = start;
        while (from < bytes.length && "[{\"(".indexOf(bytes[from]) < 0) {
            from++;
        }
        if (from == bytes.length) {
            return spliced(bytes, start, start, word());
        }
        int to = closing(bytes, from);
        byte[] value = Arrays.copyOfRange(bytes, from, to);
        return switch (random.nextInt(4)) {
            case 0 -> spliced(bytes, from, to, new byte[0]);
            case 1 -> spliced(bytes, from, from, joined(value, new byte[] {','}));
            case 2 ->
                    spliced(
                            bytes,
                            from,
                            to,
                            joined(new byte[] {'['}, joined(value, new byte[] {']'})));
            default -> spliced(bytes, from, to, word());
        };
    }

    private static int closing(byte[] bytes, int from) {
        if (bytes[from] == '"') {
            int end = from + 1;
            while (end < bytes.length && bytes[end] != '"') {
                end++;
            }
            return Math.min(bytes.length, end + 1);
        }
        int depth = 0;
        for (int i = from; i < bytes.length; i++) {
            depth += "[{(".indexOf(bytes[i]) >= 0 ? 1 : "]})".indexOf(bytes[i]) >= 0 ? -1 : 0;
            if (depth == 0) {
                return i + 1;
            }
        }
        return bytes.length;
    }

    private static byte[] joined(byte[] first, byte[] second) {
        return spliced(first, first.length, first.length, second);
    }
}
