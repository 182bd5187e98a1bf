package dev.flagship.cli;

import org.jline.utils.WCWidth;

/**
 * Text for a terminal, with lines broken between words where the terminal would break them within.
 * A word is held back until its end is known.
 */
final class WrappedText {
    /** Narrower, there is nothing to gain. */
    private static final int LEAST_WIDTH = 20;

    private final int limit;
    private final StringBuilder out = new StringBuilder();
    private final StringBuilder word = new StringBuilder();
    private int wordColumns;
    private int column;
    private int gap;

    /** Whether a part is out already of a word that fits no line; no line is broken within it. */
    private boolean tooLong;

    private String hanging = "";
    private int hangingColumns;

    /**
     * @param width of the terminal; what is too small for one breaks no lines
     */
    WrappedText(int width) {
        limit = width < LEAST_WIDTH ? 0 : width - 1; // a full line would leave an empty one
    }

    /** Adds text; control characters in it are made visible. */
    void text(CharSequence text) {
        ModelText.visible(text.toString()).codePoints().forEach(this::add);
    }

    private void add(int c) {
        if (c == ' ') {
            endWord();
            gap++;
            return;
        }
        int columns = c == '\t' ? 8 - (column + gap + wordColumns) % 8 : WCWidth.wcwidth(c);
        if (columns == 2) {
            endWord(); // a line may be broken between any two of these
        }
        word.appendCodePoint(c);
        wordColumns += Math.max(0, columns);
        if (limit == 0 || tooLong || hangingColumns + wordColumns > limit) {
            flushWord();
            tooLong = true;
        }
    }

    /** Turns a style on or off. */
    void style(String code) {
        if (wordColumns > 0) {
            word.append(code);
        } else {
            spaces(); // else they would have it too
            out.append(code);
        }
    }

    /** Adds what is never broken, such as code; a line that has such has nothing else behind it. */
    void asIs(String text) {
        endWord();
        spaces();
        out.append(ModelText.visible(text));
    }

    /**
     * Puts something in front of a line, and something of the same width in front of what it
     * continues on.
     *
     * @param columns that each of them takes
     */
    void lead(String first, String then, int columns) {
        endWord();
        spaces();
        out.append(first);
        column += columns;
        hanging += then;
        hangingColumns += columns;
    }

    void endLine() {
        endWord();
        spaces();
        out.append('\n');
        column = 0;
        hanging = "";
        hangingColumns = 0;
    }

    /** What can be shown now. */
    String take() {
        String text = out.toString();
        out.setLength(0);
        return text;
    }

    /** All that is left. */
    String takeAll() {
        endWord();
        spaces();
        return take();
    }

    private void endWord() {
        flushWord();
        tooLong = false;
    }

    private void flushWord() {
        if (word.isEmpty()) {
            return;
        }
        boolean breaks =
                limit > 0
                        && !tooLong
                        && column > hangingColumns
                        && gap + column + wordColumns > limit
                        && hangingColumns + wordColumns <= limit;
        if (breaks) {
            out.append('\n').append(hanging);
            column = hangingColumns;
            gap = 0;
        }
        spaces();
        out.append(word);
        column += wordColumns;
        if (limit > 0 && column > limit) {
            column %= limit + 1; // the terminal breaks it
        }
        word.setLength(0);
        wordColumns = 0;
    }

    private void spaces() {
        out.repeat(' ', gap);
        column += gap;
        gap = 0;
    }
}
