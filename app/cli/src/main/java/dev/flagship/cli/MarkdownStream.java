package dev.flagship.cli;

/**
 * Lays out Markdown for a terminal as it streams: bold, italics, code, headings, lists, quotes and
 * fenced blocks of code. Lines of text are broken between words. Tables, links, numbers of lists
 * and all that is no Markdown stay as they are, and so does the text of code, so that it can be
 * copied.
 *
 * <p>Text is held back only from a marker to its partner, at most to the end of the line or {@value
 * InlineMarkdown#MOST_HELD} characters; a marker without partner is shown as it is. Decisions hang
 * on characters, never on where the stream was cut.
 */
final class MarkdownStream implements Rendering {
    private static final int SHORTEST_FENCE = 3;
    private static final int DEEPEST_HEADING = 6;

    /** More behind a fence is no name of a language. */
    private static final int LONGEST_FENCE_LINE = 80;

    private static final String RULE = "─".repeat(24);

    /** What the line that grows is. */
    private enum Line {
        /** Not known yet: all of it is held back. */
        BEGINNING,
        TEXT,
        /** Code, or a table: as it is. */
        AS_IS
    }

    private final WrappedText out;
    private final StringBuilder held = new StringBuilder();
    private final InlineMarkdown inline = new InlineMarkdown();
    private Line line = Line.BEGINNING;
    private String style = "";
    private boolean quoted;

    /** What the block of code that we are in was opened with; empty outside. */
    private String fence = "";

    /**
     * @param width of the terminal; 0 breaks no lines
     */
    MarkdownStream(int width) {
        out = new WrappedText(width);
    }

    @Override
    public String accept(String text) {
        text.codePoints()
                .forEach(c -> {
                    if (c == '\n') {
                        endLine();
                        out.endLine();
                    } else {
                        held.appendCodePoint(c);
                        show(false);
                    }
                });
        return out.take();
    }

    @Override
    public String finish() {
        endLine();
        return out.takeAll();
    }

    private void endLine() {
        show(true);
        if (!style.isEmpty()) {
            out.style(Style.OFF);
        }
        held.setLength(0);
        line = Line.BEGINNING;
        style = "";
        quoted = false;
        inline.begin(style);
    }

    /**
     * Shows of the line what is sure.
     *
     * @param ended whether the line is whole
     */
    private void show(boolean ended) {
        if (line == Line.BEGINNING) {
            if (fence.isEmpty()) {
                beginText(ended);
            } else {
                beginCode(ended);
            }
        }
        switch (line) {
            case BEGINNING -> {}
            case AS_IS -> {
                out.asIs(held.toString());
                held.setLength(0);
            }
            case TEXT -> inline.show(held, ended, out);
        }
    }

    /** In a block of code: the line that closes it, or one more. */
    private void beginCode(boolean ended) {
        String text = held.toString().strip();
        boolean perhaps = text.chars().allMatch(c -> c == fence.charAt(0));
        if (perhaps && ended && text.length() >= fence.length()) {
            fence = "";
            showFence();
        } else if (!perhaps || ended) {
            line = Line.AS_IS;
            style(Style.CODE);
        }
    }

    private void showFence() {
        out.style(Style.DIM);
        out.asIs(held.toString());
        out.style(Style.OFF);
        held.setLength(0);
    }

    private void beginText(boolean ended) {
        int indent = indent();
        if (indent == held.length()) {
            text(ended);
            return;
        }
        char first = held.charAt(indent);
        int run = run(indent);
        boolean alone = indent + run == held.length();
        switch (first) {
            case '#' -> beginHeading(indent, run, alone, ended);
            case '>' -> beginQuote(indent, ended);
            case '`', '~' -> beginFence(indent, run, alone, ended);
            case '-', '*', '+', '_' -> beginItem(indent, run, alone, ended);
            case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' -> beginNumber(indent, ended);
            case '|' -> line = Line.AS_IS; // a table, whose columns would not survive
            default -> line = Line.TEXT;
        }
    }

    /** It is text if nothing more can come. */
    private void text(boolean ended) {
        if (ended) {
            line = Line.TEXT;
        }
    }

    private void beginHeading(int indent, int run, boolean alone, boolean ended) {
        if (alone) {
            text(ended);
            return;
        }
        line = Line.TEXT;
        if (run <= DEEPEST_HEADING && held.charAt(indent + run) == ' ') {
            held.delete(0, indent + run + 1);
            style(run == 1 ? Style.TITLE : Style.BOLD);
        }
    }

    private void beginQuote(int indent, boolean ended) {
        boolean alone = indent + 1 == held.length();
        if (alone && !ended) {
            return;
        }
        boolean spaced = !alone && held.charAt(indent + 1) == ' ';
        String bar = held.substring(0, indent) + Style.DIM + "│ " + Style.OFF;
        out.lead(bar, bar, indent + 2);
        held.delete(0, indent + (spaced ? 2 : 1));
        quoted = true;
        if (!held.isEmpty() || ended) {
            beginText(ended); // a quote may hold a list, or another quote
        }
    }

    private void beginFence(int indent, int run, boolean alone, boolean ended) {
        char mark = held.charAt(indent);
        if (run < SHORTEST_FENCE || quoted) {
            if (!alone || ended) {
                line = Line.TEXT;
            }
            return;
        }
        boolean codeInLine = mark == '`' && held.indexOf("`", indent + run) >= 0;
        if (codeInLine || held.length() > LONGEST_FENCE_LINE) {
            line = Line.TEXT;
        } else if (ended) {
            fence = held.substring(indent, indent + run);
            showFence();
        }
    }

    private void beginItem(int indent, int run, boolean alone, boolean ended) {
        if (alone) {
            if (ended && run >= SHORTEST_FENCE && held.charAt(indent) != '+') {
                out.style(Style.DIM);
                out.asIs(RULE);
                out.style(Style.OFF);
                held.setLength(0);
            }
            text(ended);
            return;
        }
        line = Line.TEXT;
        if (run == 1 && held.charAt(indent) != '_' && held.charAt(indent + 1) == ' ') {
            String space = held.substring(0, indent);
            out.lead(space + "• ", space + "  ", indent + 2);
            held.delete(0, indent + 2);
        }
    }

    /** A number stays as it is; what its item continues on stands below its text. */
    private void beginNumber(int indent, boolean ended) {
        String text = held.substring(indent);
        if (text.matches("[0-9]{1,3}[.)]?") && !ended) {
            return;
        }
        line = Line.TEXT;
        if (text.matches("[0-9]{1,3}[.)] .*")) {
            int columns = held.indexOf(" ", indent) + 1;
            out.lead(held.substring(0, columns), " ".repeat(columns), columns);
            held.delete(0, columns);
        }
    }

    private void style(String begin) {
        style = begin;
        out.style(begin);
        inline.begin(begin);
    }

    private int indent() {
        int i = 0;
        while (i < held.length() && (held.charAt(i) == ' ' || held.charAt(i) == '\t')) {
            i++;
        }
        return i;
    }

    private int run(int from) {
        return InlineMarkdown.run(held, from);
    }
}
