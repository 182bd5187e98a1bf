package dev.flagship.tokenizers;

import java.util.List;
import java.util.function.IntPredicate;

/**
 * Cuts text into the pieces that merges may not cross. Each kind is a hand-written scanner of one
 * published expression, in linear time and without backtracking; lookahead sees the end of the
 * range as the end of the text, as it does in the reference, where later steps get the pieces of
 * earlier ones one by one.
 */
sealed interface PreTokenizer {

    /** Takes the pieces in order. */
    @FunctionalInterface
    interface Sink {
        void piece(String text, int from, int to);
    }

    /** Cuts {@code text[from, to)}, which holds no lone surrogates. */
    void split(String text, int from, int to, Sink sink);

    /** Steps one after the other, each on the pieces of the one before. */
    record Sequence(List<PreTokenizer> steps) implements PreTokenizer {
        public Sequence {
            steps = List.copyOf(steps);
        }

        @Override
        public void split(String text, int from, int to, Sink sink) {
            Sink next = sink;
            for (int i = steps.size() - 1; i >= 0; i--) {
                PreTokenizer step = steps.get(i);
                Sink after = next;
                next = (piece, start, end) -> step.split(piece, start, end, after);
            }
            next.piece(text, from, to);
        }
    }

    /** Puts a space before a piece that does not start with one ({@code add_prefix_space}). */
    record PrefixSpace() implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            if (from < to && text.charAt(from) != ' ') {
                sink.piece(" " + text.substring(from, to), 0, to - from + 1);
            } else {
                sink.piece(text, from, to);
            }
        }
    }

    /** Where SentencePiece's view of a text gets a space of its own in front. */
    enum Prefix {
        /** Nowhere. */
        NONE,
        /**
         * At the beginning of the whole text, unless a token found as it is spelled stands there.
         */
        TEXT,
        /** At the beginning, and after every token that is found as it is spelled. */
        STRETCH
    }

    /**
     * Spaces as U+2581, which merges may cross (SentencePiece).
     *
     * @param unlessSpace whether a stretch that begins with a space gets none in front
     * @param split whether merges may not cross them after all, but each begins a piece
     */
    record Spaces(Prefix prefix, boolean unlessSpace, boolean split) implements PreTokenizer {
        /** A text of its own as its piece is spelled. */
        String spelled(String text) {
            StringBuilder whole = new StringBuilder();
            new Spaces(prefix, unlessSpace, false)
                    .split(
                            text,
                            0,
                            text.length(),
                            (piece, from, to) -> whole.append(piece, from, to));
            return whole.toString();
        }

        @Override
        public void split(String text, int from, int to, Sink sink) {
            if (from == to) {
                return;
            }
            boolean wanted = prefix == Prefix.STRETCH || (prefix == Prefix.TEXT && from == 0);
            char first = text.charAt(from);
            boolean begins = first == ' ' || first == Spelling.SPACE;
            StringBuilder spelled = new StringBuilder(to - from + 1);
            if (wanted && !(unlessSpace && begins)) {
                spelled.append(Spelling.SPACE);
            }
            for (int i = from; i < to; i++) {
                char c = text.charAt(i);
                spelled.append(c == ' ' ? Spelling.SPACE : c);
            }
            String piece = spelled.toString();
            int start = 0;
            for (int i = 1; split && i < piece.length(); i++) {
                if (piece.charAt(i) == Spelling.SPACE) {
                    sink.piece(piece, start, i);
                    start = i;
                }
            }
            sink.piece(piece, start, piece.length());
        }
    }

    /**
     * Numbers apart from the rest.
     *
     * @param individually each number character for itself, or runs of them
     */
    record Digits(boolean individually) implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            int start = from;
            int i = from;
            while (i < to) {
                int c = text.codePointAt(i);
                int next = i + Character.charCount(c);
                if (Scan.isDigit(c)) {
                    if (start < i) {
                        sink.piece(text, start, i);
                    }
                    while (!individually && next < to && Scan.isDigit(text.codePointAt(next))) {
                        next += Character.charCount(text.codePointAt(next));
                    }
                    sink.piece(text, i, next);
                    start = next;
                }
                i = next;
            }
            if (start < to) {
                sink.piece(text, start, to);
            }
        }
    }

    /**
     * GPT-2's expression: {@code 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+|
     * ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+}.
     */
    record Gpt2() implements PreTokenizer {
        static final String EXPRESSION =
                "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

        @Override
        public void split(String text, int from, int to, Sink sink) {
            for (int i = from; i < to; ) {
                int end = end(text, i, to);
                sink.piece(text, i, end);
                i = end;
            }
        }

        private static int end(String text, int from, int to) {
            int contraction = Scan.contraction(text, from, to, Scan.Contractions.LOWER_CASE);
            if (contraction > 0) {
                return from + contraction;
            }
            int start = text.charAt(from) == ' ' && from + 1 < to ? from + 1 : from;
            int c = text.codePointAt(start);
            if (Scan.isLetter(c)) {
                return Scan.letters(text, start, to);
            }
            if (Scan.isNumber(c)) {
                return Scan.numbers(text, start, to, Integer.MAX_VALUE);
            }
            return Scan.isSpace(c) ? Scan.spaces(text, from, to) : Scan.others(text, start, to);
        }
    }

    /**
     * Llama 3's expression and its relatives: {@code
     * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
     * ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+}.
     *
     * @param contractions in which spelling they are pieces
     * @param mostNumbers longest run of numbers
     * @param takesNewlines whether newlines belong to the signs before them
     */
    record Llama3(Scan.Contractions contractions, int mostNumbers, boolean takesNewlines)
            implements PreTokenizer {
        /** Llama 3's own. */
        Llama3() {
            this(Scan.Contractions.ANY_CASE, 3, true);
        }

        @Override
        public void split(String text, int from, int to, Sink sink) {
            for (int i = from; i < to; ) {
                int end = end(text, i, to);
                sink.piece(text, i, end);
                i = end;
            }
        }

        private int end(String text, int from, int to) {
            int contraction = Scan.contraction(text, from, to, contractions);
            if (contraction > 0) {
                return from + contraction;
            }
            int c = text.codePointAt(from);
            if (Scan.isLetter(c)) {
                return Scan.letters(text, from, to);
            }
            if (Scan.isNumber(c)) {
                return Scan.numbers(text, from, to, mostNumbers);
            }
            int second = from + Character.charCount(c);
            if (c != '\r' && c != '\n' && second < to && Scan.isLetter(text.codePointAt(second))) {
                return Scan.letters(text, second, to);
            }
            int start = c == ' ' && second < to ? second : from;
            int d = text.codePointAt(start);
            if (!Scan.isSpace(d) && !Scan.isNumber(d)) {
                int others = Scan.others(text, start, to);
                return takesNewlines ? Scan.newlines(text, others, to) : others;
            }
            int afterNewline = Scan.afterLastNewline(text, from, to);
            return afterNewline > from ? afterNewline : Scan.spaces(text, from, to);
        }
    }

    /**
     * GPT-4o's expression and its relatives, where words end before a capital: {@code
     * [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
     * [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|
     * \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+}.
     *
     * @param contractions whether words take them
     * @param mostNumbers longest run of numbers
     */
    record Cased(boolean contractions, int mostNumbers) implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            for (int i = from; i < to; ) {
                int end = end(text, i, to);
                sink.piece(text, i, end);
                i = end;
            }
        }

        private int end(String text, int from, int to) {
            int c = text.codePointAt(from);
            if (Scan.isNumber(c)) {
                return Scan.numbers(text, from, to, mostNumbers);
            }
            int second = from + Character.charCount(c);
            boolean letter = Scan.isLetter(c);
            boolean leads = !letter && c != '\r' && c != '\n';
            boolean begins = letter || Scan.isMark(c);
            int end = leads ? lowerWord(text, second, to) : -1;
            end = end < 0 && begins ? lowerWord(text, from, to) : end;
            end = end < 0 && leads ? upperWord(text, second, to) : end;
            end = end < 0 && begins ? upperWord(text, from, to) : end;
            if (end >= 0) {
                return contractions
                        ? end + Scan.contraction(text, end, to, Scan.Contractions.ANY_CASE)
                        : end;
            }
            int start = c == ' ' && second < to ? second : from;
            int d = text.codePointAt(start);
            if (!Scan.isSpace(d) && !Scan.isNumber(d)) {
                return Scan.newlinesAndSlashes(text, Scan.others(text, start, to), to);
            }
            int afterNewline = Scan.afterLastNewline(text, from, to);
            return afterNewline > from ? afterNewline : Scan.spaces(text, from, to);
        }

        /** The end of capitals and then at least one small or caseless letter, or -1. */
        private static int lowerWord(String text, int from, int to) {
            int i = from;
            int caseless = -1; // where the last of the run ends, which may be that one letter
            while (i < to) {
                int c = text.codePointAt(i);
                if (!Scan.isUpper(c)) {
                    break;
                }
                i += Character.charCount(c);
                caseless = Scan.isCaseless(c) ? i : caseless;
            }
            return i < to && Scan.isLower(text.codePointAt(i)) ? lower(text, i, to) : caseless;
        }

        /** The end of at least one capital or caseless letter and then small ones, or -1. */
        private static int upperWord(String text, int from, int to) {
            int i = from;
            while (i < to && Scan.isUpper(text.codePointAt(i))) {
                i += Character.charCount(text.codePointAt(i));
            }
            return i == from ? -1 : lower(text, i, to);
        }

        private static int lower(String text, int from, int to) {
            int i = from;
            while (i < to && Scan.isLower(text.codePointAt(i))) {
                i += Character.charCount(text.codePointAt(i));
            }
            return i;
        }
    }

    /** What may stand before a run and belong to it. */
    enum Lead {
        NOTHING,
        /** One U+0020. */
        BLANK,
        /** One white space of any kind. */
        SPACE
    }

    /**
     * Runs of one class of characters, apart from what lies between them: {@code [class]+}, {@code
     * ?[class]+} or {@code \s?[class]+}.
     *
     * @param most longest run, without what leads it
     */
    record Runs(IntPredicate characters, Lead lead, int most) implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            int start = from;
            int i = from;
            while (i < to) {
                int c = text.codePointAt(i);
                int next = i + Character.charCount(c);
                int first = leads(c) && next < to && holds(text, next) ? next : i;
                int end = run(text, first, to);
                if (end == first) {
                    i = next;
                    continue;
                }
                if (start < i) {
                    sink.piece(text, start, i);
                }
                sink.piece(text, i, end);
                start = end;
                i = end;
            }
            if (start < to) {
                sink.piece(text, start, to);
            }
        }

        private boolean leads(int c) {
            return switch (lead) {
                case NOTHING -> false;
                case BLANK -> c == ' ';
                case SPACE -> Scan.isSpace(c);
            };
        }

        private boolean holds(String text, int at) {
            return characters.test(text.codePointAt(at));
        }

        private int run(String text, int from, int to) {
            int i = from;
            for (int left = most; left > 0 && i < to && holds(text, i); left--) {
                i += Character.charCount(text.codePointAt(i));
            }
            return i;
        }
    }

    /** Three ASCII digits at a time, apart from what lies between them: {@code [0-9][0-9][0-9]}. */
    record Triples() implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            int start = from;
            int i = from;
            int digits = 0;
            while (i < to) {
                char c = text.charAt(i++);
                digits = c >= '0' && c <= '9' ? digits + 1 : 0;
                if (digits == 3) {
                    if (start < i - 3) {
                        sink.piece(text, start, i - 3);
                    }
                    sink.piece(text, i - 3, i);
                    start = i;
                    digits = 0;
                }
            }
            if (start < to) {
                sink.piece(text, start, to);
            }
        }
    }

    /** White space at the end of a piece without newlines: {@code \s+$}. */
    record TrailingSpaces() implements PreTokenizer {
        @Override
        public void split(String text, int from, int to, Sink sink) {
            int end = to;
            while (end > from && Scan.isSpace(text.charAt(end - 1))) { // all in the basic plane
                end--;
            }
            if (from < end) {
                sink.piece(text, from, end);
            }
            if (end < to) {
                sink.piece(text, end, to);
            }
        }
    }
}
