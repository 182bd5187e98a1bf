package dev.flagship.cli;

/**
 * Markdown within a line: {@code **bold**}, {@code *italics*}, {@code ~~struck~~} and code. Follows
 * CommonMark 0.31 where that can be done without knowing the rest of the text, and is more careful
 * with what programs, sums and addresses are written with: a marker that begins something stands
 * behind white space or an opening bracket, not in {@code 2*3*4}, {@code src/*.java} or {@code
 * a_name}.
 */
final class InlineMarkdown {
    /** Characters that are held back at most. */
    static final int MOST_HELD = 240;

    private static final String MARKERS = "*_`~\\";
    private static final String ESCAPABLE = "*_`~#";
    private static final String OPENING = "([{<\"'-:;,!?*_~>| \t“‘«„‹—–\u00a0\u3000";
    private static final int NONE = -1;

    private String style = "";
    private char previous = ' ';

    /** Begins a line whose text has a style of its own. */
    void begin(String lineStyle) {
        style = lineStyle;
        previous = ' ';
    }

    /** How often the character at a place stands there in a row. */
    static int run(CharSequence text, int from) {
        int i = from;
        while (i < text.length() && text.charAt(i) == text.charAt(from)) {
            i++;
        }
        return i - from;
    }

    /**
     * Moves from what is held to the output what is sure.
     *
     * @param ended whether nothing more can come
     */
    void show(StringBuilder held, boolean ended, WrappedText out) {
        int done = 0;
        while (done < held.length()) {
            int next = step(held, done, ended, out);
            if (next == done) {
                break; // more must come first
            }
            previous = held.charAt(next - 1);
            done = next;
        }
        held.delete(0, done);
    }

    private int step(StringBuilder held, int at, boolean ended, WrappedText out) {
        char c = held.charAt(at);
        return switch (c) {
            case '\\' -> escape(held, at, ended, out);
            case '`' -> code(held, at, ended, out);
            case '*', '_', '~' -> emphasis(held, at, ended, out);
            default -> plain(held, at, out);
        };
    }

    private static int plain(StringBuilder held, int at, WrappedText out) {
        int end = at;
        while (end < held.length() && MARKERS.indexOf(held.charAt(end)) < 0) {
            end++;
        }
        out.text(held.substring(at, end));
        return end;
    }

    private static int escape(StringBuilder held, int at, boolean ended, WrappedText out) {
        if (at + 1 == held.length() && !ended) {
            return at;
        }
        if (at + 1 < held.length() && ESCAPABLE.indexOf(held.charAt(at + 1)) >= 0) {
            out.text(held.substring(at + 1, at + 2));
            return at + 2;
        }
        out.text("\\");
        return at + 1;
    }

    private int code(StringBuilder held, int at, boolean ended, WrappedText out) {
        int run = run(held, at);
        int from = at + run;
        if (from == held.length() && !ended) {
            return at;
        }
        int close = from;
        while (close < held.length()) {
            int other = held.charAt(close) == '`' ? run(held, close) : 0;
            boolean whole = close + other < held.length() || ended;
            if (other == run && whole) {
                String text = held.substring(from, close);
                out.style(Style.CODE);
                out.text(bare(text));
                out.style(Style.OFF + style);
                return close + run;
            }
            close += Math.max(1, other);
        }
        return asItIs(held, at, run, ended, out);
    }

    /** Code that itself has backticks at its ends has spaces around it. */
    private static String bare(String code) {
        boolean padded = code.startsWith(" ") && code.endsWith(" ") && !code.isBlank();
        return padded ? code.substring(1, code.length() - 1) : code;
    }

    /** A marker whose partner is not there: shown, if none can come any more. */
    private static int asItIs(StringBuilder held, int at, int run, boolean ended, WrappedText out) {
        if (!ended && held.length() - at < MOST_HELD) {
            return at;
        }
        out.text(held.substring(at, at + run));
        return at + run;
    }

    private int emphasis(StringBuilder held, int at, boolean ended, WrappedText out) {
        char mark = held.charAt(at);
        int run = run(held, at);
        int from = at + run;
        if (from == held.length() && !ended) {
            return at;
        }
        if (!opens(held, at, run)) {
            out.text(held.substring(at, from));
            return from;
        }
        int close = close(held, from, mark, run, ended);
        if (close == NONE) {
            return asItIs(held, at, run, ended, out);
        }
        if (mark == '_' && run == 2 && isName(held, from, close)) {
            out.text(held.substring(at, close + run));
            return close + run;
        }
        String own = style + styleOf(mark, run);
        out.style(styleOf(mark, run));
        var within = new InlineMarkdown();
        within.begin(own);
        within.show(new StringBuilder(held.substring(from, close)), true, out);
        out.style(Style.OFF + style);
        return close + run;
    }

    /** As Python's {@code __init__}. */
    private static boolean isName(StringBuilder held, int from, int to) {
        return held.substring(from, to).chars().allMatch(Character::isJavaIdentifierPart);
    }

    private static String styleOf(char mark, int run) {
        if (mark == '~') {
            return Style.STRUCK;
        }
        return switch (run) {
            case 1 -> Style.ITALIC;
            case 2 -> Style.BOLD;
            default -> Style.BOLD + Style.ITALIC;
        };
    }

    private boolean opens(StringBuilder held, int at, int run) {
        char mark = held.charAt(at);
        int from = at + run;
        if (run > 3 || mark == '~' && run != 2) {
            return false;
        }
        if (from >= held.length() || Character.isWhitespace(held.charAt(from))) {
            return false;
        }
        boolean noSpaces = mark == '*' && previous > 0x7F; // as Chinese is written
        return noSpaces || OPENING.indexOf(previous) >= 0;
    }

    /** Where the marker that closes begins, or {@link #NONE} as yet. */
    private static int close(StringBuilder held, int from, char mark, int run, boolean ended) {
        int i = from;
        while (i < held.length()) {
            char c = held.charAt(i);
            if (c == '\\') {
                i += 2;
            } else if (c == '`') {
                i = behindCode(held, i);
            } else if (c != mark) {
                i++;
            } else {
                int other = run(held, i);
                if (i + other == held.length() && !ended) {
                    return NONE; // it may go on
                }
                if (i > from && closes(held, i, other, mark, run)) {
                    return i + other - run;
                }
                i += other;
            }
        }
        return NONE;
    }

    private static boolean closes(StringBuilder held, int at, int other, char mark, int run) {
        if (Character.isWhitespace(held.charAt(at - 1))
                || other != run && !(other == 3 && mark != '~')) {
            return false;
        }
        boolean careful = run == 1 || mark == '_';
        int behind = at + other;
        return !careful
                || behind == held.length()
                || !Character.isLetterOrDigit(held.charAt(behind))
                || mark == '*' && held.charAt(behind) > 0x7F;
    }

    private static int behindCode(StringBuilder held, int at) {
        int run = run(held, at);
        int i = at + run;
        while (i < held.length()) {
            int other = held.charAt(i) == '`' ? run(held, i) : 0;
            if (other == run) {
                return i + run;
            }
            i += Math.max(1, other);
        }
        return at + run;
    }
}
