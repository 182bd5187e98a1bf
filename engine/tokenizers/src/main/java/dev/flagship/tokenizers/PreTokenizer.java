package dev.flagship.tokenizers;

import java.util.List;

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
        /** At the beginning of the whole text, unless a token found as it is spelled stands there. */
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
            int contraction = Scan.contraction(text, from, to, false);
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
     * Llama 3's expression: {@code
     * (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
     * ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+}.
     */
    record Llama3() implements PreTokenizer {
        static final String EXPRESSION =
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
                        + "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

        @Override
        public void split(String text, int from, int to, Sink sink) {
            for (int i = from; i < to; ) {
                int end = end(text, i, to);
                sink.piece(text, i, end);
                i = end;
            }
        }

        private static int end(String text, int from, int to) {
            int contraction = Scan.contraction(text, from, to, true);
            if (contraction > 0) {
                return from + contraction;
            }
            int c = text.codePointAt(from);
            if (Scan.isLetter(c)) {
                return Scan.letters(text, from, to);
            }
            if (Scan.isNumber(c)) {
                return Scan.numbers(text, from, to, 3);
            }
            int second = from + Character.charCount(c);
            if (c != '\r' && c != '\n' && second < to && Scan.isLetter(text.codePointAt(second))) {
                return Scan.letters(text, second, to);
            }
            int start = c == ' ' && second < to ? second : from;
            int d = text.codePointAt(start);
            if (!Scan.isSpace(d) && !Scan.isNumber(d)) {
                return Scan.newlines(text, Scan.others(text, start, to), to);
            }
            int afterNewline = Scan.afterLastNewline(text, from, to);
            return afterNewline > from ? afterNewline : Scan.spaces(text, from, to);
        }
    }
}
