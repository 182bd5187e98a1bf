package dev.flagship.bench;

import static dev.flagship.base.Check.check;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** What every contender computes: the same tokens, in the same amounts. */
final class Workload {
    private static final int PREFILL = 512;
    private static final int SHORT = 16;
    private static final int LONG = 1024;
    private static final int DECODE = 32;
    private static final int SEQUENCES = 8;

    /** Windows of likelihood: over one, two ways of rounding to int8 differ by chance alone. */
    private static final int WINDOWS = 4;

    private final int[] ids;
    private final int prefill;
    private final int shortPrefix;
    private final int longPrefix;
    private final int decode;
    private final double seconds;

    /**
     * @param ids a text
     * @param prefill tokens of a prompt
     * @param shortPrefix tokens before the decode at short context
     * @param longPrefix tokens before the decode at long context; 0 for none
     * @param decode tokens decoded greedily
     * @param seconds least time of one reading: the work is repeated until it has passed
     */
    Workload(int[] ids, int prefill, int shortPrefix, int longPrefix, int decode, double seconds) {
        check(
                Math.max(prefill, Math.max(shortPrefix, longPrefix) + 1) <= ids.length,
                "a text of %s tokens is too short for the work",
                ids.length);
        this.ids = ids.clone();
        this.prefill = prefill;
        this.shortPrefix = shortPrefix;
        this.longPrefix = longPrefix;
        this.decode = decode;
        this.seconds = seconds;
    }

    /**
     * The work that fits into a context.
     *
     * @param seconds least time of one reading
     */
    static Workload within(int context, int[] text, double seconds) {
        check(
                context >= SHORT + DECODE + 1,
                "context %s is too short to measure: at least %s tokens are needed",
                context,
                SHORT + DECODE + 1);
        int longPrefix = context >= LONG + DECODE + 1 ? LONG : 0;
        int[] ids = Arrays.copyOf(text, Math.min(text.length, WINDOWS * LONG));
        return new Workload(ids, Math.min(PREFILL, context), SHORT, longPrefix, DECODE, seconds);
    }

    /** The text's tokens; not to be changed. */
    int[] ids() {
        return ids;
    }

    /** Tokens of a prompt. */
    int prefill() {
        return prefill;
    }

    /** Tokens before the decode at short context. */
    int shortPrefix() {
        return shortPrefix;
    }

    /** Tokens of a window whose likelihood is compared. */
    int window() {
        return Math.max(prefill, longPrefix);
    }

    /** Windows, one after another from the text's beginning. */
    int windows() {
        return Math.min(WINDOWS, ids.length / window());
    }

    /** Tokens decoded greedily. */
    int decode() {
        return decode;
    }

    /** Least time of one reading. */
    double seconds() {
        return seconds;
    }

    /** Sequences decoded in one step; sequence i has the text from i·(shortPrefix + 1) on. */
    int sequences() {
        return SEQUENCES;
    }

    boolean has(Figure figure) {
        return switch (figure) {
            case PREFILL, DECODE_SHORT -> true;
            case DECODE_LONG -> longPrefix > 0;
            case DECODE_MANY -> SEQUENCES * (shortPrefix + 1) <= ids.length;
        };
    }

    /** Those that fit, in the order in which they are read. */
    List<Figure> figures() {
        return Arrays.stream(Figure.values()).filter(this::has).toList();
    }

    /** For people. */
    String title(Figure figure) {
        return switch (figure) {
            case PREFILL -> "prefill";
            case DECODE_SHORT, DECODE_LONG ->
                    String.format(Locale.ROOT, "decode at %,d", prefix(figure));
            case DECODE_MANY -> "decode of " + SEQUENCES;
        };
    }

    /** About how long a reading takes, without what prepares the cache. */
    double readingSeconds(Figure figure, double tokensPerSecond) {
        int tokens =
                switch (figure) {
                    case PREFILL -> prefill;
                    case DECODE_SHORT, DECODE_LONG -> decode;
                    case DECODE_MANY -> SEQUENCES * decode;
                };
        return Math.max(seconds, tokens / tokensPerSecond);
    }

    /** Tokens in the cache when a decode begins. */
    int prefix(Figure figure) {
        return figure == Figure.DECODE_LONG ? longPrefix : shortPrefix;
    }

    /** Most tokens of one sequence. */
    int positions() {
        return Math.max(prefill, Math.max(shortPrefix, longPrefix) + decode + 1);
    }
}
