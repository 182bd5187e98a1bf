package dev.flagship.tokenizers;

/**
 * Character classes of the pre-tokenisers' expressions and runs of them. All ranges hold no lone
 * surrogates.
 */
final class Scan {
    private static final int LETTERS =
            1 << Character.UPPERCASE_LETTER
                    | 1 << Character.LOWERCASE_LETTER
                    | 1 << Character.TITLECASE_LETTER
                    | 1 << Character.MODIFIER_LETTER
                    | 1 << Character.OTHER_LETTER;
    private static final int NUMBERS =
            1 << Character.DECIMAL_DIGIT_NUMBER
                    | 1 << Character.LETTER_NUMBER
                    | 1 << Character.OTHER_NUMBER;

    private static final int MARKS =
            1 << Character.NON_SPACING_MARK
                    | 1 << Character.COMBINING_SPACING_MARK
                    | 1 << Character.ENCLOSING_MARK;
    private static final int PUNCTUATION =
            1 << Character.CONNECTOR_PUNCTUATION
                    | 1 << Character.DASH_PUNCTUATION
                    | 1 << Character.START_PUNCTUATION
                    | 1 << Character.END_PUNCTUATION
                    | 1 << Character.INITIAL_QUOTE_PUNCTUATION
                    | 1 << Character.FINAL_QUOTE_PUNCTUATION
                    | 1 << Character.OTHER_PUNCTUATION;
    private static final int CASELESS =
            1 << Character.MODIFIER_LETTER | 1 << Character.OTHER_LETTER | MARKS;
    private static final int UPPER =
            1 << Character.UPPERCASE_LETTER | 1 << Character.TITLECASE_LETTER | CASELESS;

    /** In which spelling a contraction is one. */
    enum Contractions {
        LOWER_CASE,
        ANY_ASCII_CASE,
        ANY_CASE
    }

    private Scan() {}

    private static boolean isIn(int categories, int c) {
        return (categories >>> Character.getType(c) & 1) != 0;
    }

    /** General category M. */
    static boolean isMark(int c) {
        return isIn(MARKS, c);
    }

    /** General category P. */
    static boolean isPunctuation(int c) {
        return isIn(PUNCTUATION, c);
    }

    /** Letters that are neither upper nor lower case, and marks: Lm, Lo, M. */
    static boolean isCaseless(int c) {
        return isIn(CASELESS, c);
    }

    /** Lu, Lt and the caseless. */
    static boolean isUpper(int c) {
        return isIn(UPPER, c);
    }

    /** Ll and the caseless. */
    static boolean isLower(int c) {
        return Character.getType(c) == Character.LOWERCASE_LETTER || isCaseless(c);
    }

    /** General category L. */
    static boolean isLetter(int c) {
        if (c < 0x80) {
            return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        }
        return (LETTERS >>> Character.getType(c) & 1) != 0;
    }

    /** General category N. */
    static boolean isNumber(int c) {
        if (c < 0x80) {
            return c >= '0' && c <= '9';
        }
        return (NUMBERS >>> Character.getType(c) & 1) != 0;
    }

    /**
     * What the reference's digits step takes for a number: general category N of Unicode 17, one
     * version ahead of its expressions and of Java 25.
     */
    static boolean isDigit(int c) {
        return isNumber(c) || (c >= 0x11DE0 && c <= 0x11DE9) || (c >= 0x16FF4 && c <= 0x16FF6);
    }

    /** Unicode's White_Space property, which Java's {@code isWhitespace} is not. */
    static boolean isSpace(int c) {
        if (c < 0x80) {
            return c == ' ' || (c >= '\t' && c <= '\r');
        }
        return c == 0x85
                || c == 0xA0
                || c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    /** What the reference's {@code \\w} takes for part of a word (Unicode TS 18, annex C). */
    static boolean isWord(int c) {
        return Character.isAlphabetic(c)
                || isMark(c)
                || Character.getType(c) == Character.DECIMAL_DIGIT_NUMBER
                || Character.getType(c) == Character.CONNECTOR_PUNCTUATION
                || c == 0x200C
                || c == 0x200D;
    }

    /** Where the white space at a place ends. */
    static int spacesAfter(String text, int place) {
        int i = place;
        while (i < text.length() && isSpace(text.charAt(i))) { // all in the basic plane
            i++;
        }
        return i;
    }

    /** Where the white space before a place begins. */
    static int spacesBefore(String text, int from, int place) {
        int i = place;
        while (i > from && isSpace(text.charAt(i - 1))) { // all in the basic plane
            i--;
        }
        return i;
    }

    static int letters(String text, int from, int to) {
        int i = from;
        while (i < to) {
            int c = text.codePointAt(i);
            if (!isLetter(c)) {
                break;
            }
            i += Character.charCount(c);
        }
        return i;
    }

    /** The end of a run of at most {@code most} numbers. */
    static int numbers(String text, int from, int to, int most) {
        int left = most;
        int i = from;
        while (i < to && left > 0) {
            int c = text.codePointAt(i);
            if (!isNumber(c)) {
                break;
            }
            i += Character.charCount(c);
            left--;
        }
        return i;
    }

    /** The end of a run of characters that are neither space nor letter nor number. */
    static int others(String text, int from, int to) {
        int i = from;
        while (i < to) {
            int c = text.codePointAt(i);
            if (isSpace(c) || isLetter(c) || isNumber(c)) {
                break;
            }
            i += Character.charCount(c);
        }
        return i;
    }

    static int newlines(String text, int from, int to) {
        int i = from;
        while (i < to && (text.charAt(i) == '\r' || text.charAt(i) == '\n')) {
            i++;
        }
        return i;
    }

    static int newlinesAndSlashes(String text, int from, int to) {
        int i = from;
        while (i < to
                && (text.charAt(i) == '\r' || text.charAt(i) == '\n' || text.charAt(i) == '/')) {
            i++;
        }
        return i;
    }

    /**
     * The place after the last newline in the run of spaces at {@code from}, or {@code from}
     * without one.
     */
    static int afterLastNewline(String text, int from, int to) {
        int after = from;
        for (int i = from; i < to && isSpace(text.charAt(i)); i++) {
            if (text.charAt(i) == '\r' || text.charAt(i) == '\n') {
                after = i + 1;
            }
        }
        return after;
    }

    /**
     * {@code \s+(?!\S)|\s+}: a run of spaces without its last, unless the text ends or the run is
     * one space.
     */
    static int spaces(String text, int from, int to) {
        int i = from;
        while (i < to && isSpace(text.charAt(i))) { // all of them lie in the basic plane
            i++;
        }
        return i < to && i - from > 1 ? i - 1 : i;
    }

    /** Length of a contraction ({@code 's 't 're 've 'm 'll 'd}), or 0. */
    static int contraction(String text, int from, int to, Contractions spelled) {
        if (from + 1 >= to || text.charAt(from) != '\'') {
            return 0;
        }
        char first = fold(text.charAt(from + 1), spelled);
        if (first == 's' || first == 't' || first == 'm' || first == 'd') {
            return 2;
        }
        if (from + 2 >= to) {
            return 0;
        }
        char second = fold(text.charAt(from + 2), spelled);
        boolean pair =
                (second == 'e' && (first == 'r' || first == 'v'))
                        || (first == 'l' && second == 'l');
        return pair ? 3 : 0;
    }

    private static char fold(char c, Contractions spelled) {
        if (spelled == Contractions.LOWER_CASE) {
            return c;
        }
        // U+017F, the long s, is the one letter outside ASCII that folds to one of these.
        return c == '\u017F' && spelled == Contractions.ANY_CASE
                ? 's'
                : c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
    }
}
