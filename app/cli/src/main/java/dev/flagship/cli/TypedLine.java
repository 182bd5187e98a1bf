package dev.flagship.cli;

import java.util.List;
import org.jline.reader.CompletingParsedLine;

/**
 * What Tab completes: the command, what follows it, or the name of a file behind an @.
 *
 * @param line all that was typed
 * @param begin of the word that the cursor is in
 * @param end of it
 */
record TypedLine(String line, int cursor, int begin, int end) implements CompletingParsedLine {
    private static final String QUOTED = "@\"";

    static TypedLine of(String line, int cursor) {
        int begin = operand(line, cursor);
        if (begin < 0) {
            begin = quoted(line, cursor);
        }
        if (begin >= 0) {
            return new TypedLine(line, cursor, begin, cursor);
        }
        begin = cursor;
        while (begin > 0 && !Character.isWhitespace(line.charAt(begin - 1))) {
            begin--;
        }
        return new TypedLine(line, cursor, begin, cursor);
    }

    /** Where the file of /save and /load begins: its name may have spaces. */
    private static int operand(String line, int cursor) {
        for (String command : List.of("/save ", "/save! ", "/load ")) {
            if (line.startsWith(command) && cursor >= command.length()) {
                return command.length();
            }
        }
        return -1;
    }

    /** Where an @" begins that is not closed before the cursor. */
    private static int quoted(String line, int cursor) {
        int open = line.lastIndexOf(QUOTED, cursor - 1);
        return open >= 0 && line.substring(open + 2, cursor).matches("[^\"\\n]*") ? open : -1;
    }

    /** What was typed of the word. */
    String typed() {
        return line.substring(begin, end);
    }

    /** What stands in front of it. */
    String before() {
        return line.substring(0, begin);
    }

    boolean isFile() {
        return before().matches("/(save!?|load) ");
    }

    boolean isMention() {
        return typed().startsWith("@");
    }

    @Override
    public String word() {
        return typed().startsWith(QUOTED) ? "@" + typed().substring(2) : typed();
    }

    @Override
    public int wordCursor() {
        return word().length();
    }

    @Override
    public int wordIndex() {
        return before().isBlank() ? 0 : 1;
    }

    @Override
    public List<String> words() {
        return List.of(word());
    }

    @Override
    public CharSequence escape(CharSequence candidate, boolean complete) {
        String text = candidate.toString();
        boolean quotes = isMention() && (typed().startsWith(QUOTED) || text.indexOf(' ') >= 0);
        return quotes ? QUOTED + text.substring(1) + (complete ? "\"" : "") : text;
    }

    @Override
    public int rawWordCursor() {
        return cursor - begin;
    }

    @Override
    public int rawWordLength() {
        return end - begin;
    }
}
