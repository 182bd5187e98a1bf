package dev.flagship.cli;

import java.util.List;
import java.util.Objects;
import org.jline.reader.EOFError;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;
import org.jline.reader.Reference;
import org.jline.reader.impl.history.DefaultHistory;
import org.jline.terminal.Terminal;

/**
 * Reads messages of one line or several. Enter sends, unless a {@code """} is open or a backslash
 * stands at the end; Alt-Enter begins a line; what is pasted comes as one text.
 */
final class MessageReader {
    private static final String PROMPT = "> ";
    private static final String CONTINUED = "· ";

    private static final String BEGIN_LINE = "begin-line";

    /** What Tab lists is coloured by these. */
    private static final List<String> COLOURED =
            List.of(
                    LineReader.COMPLETION_STYLE_STARTING,
                    LineReader.COMPLETION_STYLE_DESCRIPTION,
                    LineReader.COMPLETION_STYLE_LIST_STARTING,
                    LineReader.COMPLETION_STYLE_LIST_DESCRIPTION);

    private final LineReader reader;

    /**
     * @param place with the files that Tab completes
     * @param history what was typed in earlier chats, oldest first
     */
    MessageReader(Terminal terminal, ChatPlace place, List<String> history) {
        var typed = new DefaultHistory();
        reader =
                LineReaderBuilder.builder()
                        .terminal(terminal)
                        .parser(new MessageParser())
                        .completer(new ChatCompleter(place.places()))
                        .history(typed)
                        .variable(LineReader.HISTORY_SIZE, ChatHistory.MOST_ENTRIES)
                        .variable(LineReader.SECONDARY_PROMPT_PATTERN, CONTINUED)
                        .variable(LineReader.INDENTATION, 0)
                        .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                        .option(LineReader.Option.HISTORY_IGNORE_SPACE, true)
                        .option(LineReader.Option.CASE_INSENSITIVE, true)
                        .build();
        history.forEach(typed::add);
        if (!place.styled()) {
            COLOURED.forEach(part -> reader.setVariable(part, ""));
        }
        reader.getWidgets().put(LineReader.ACCEPT_LINE, this::enter);
        reader.getWidgets().put(BEGIN_LINE, this::beginLine);
        bindKeys();
    }

    /** Arrows have two codes, and not every terminal changes to the one that it is asked for. */
    private void bindKeys() {
        var keys = Objects.requireNonNull(reader.getKeyMaps().get(LineReader.EMACS));
        keys.bind(new Reference(BEGIN_LINE), "\u001b\r", "\u001b\n");
        for (String begin : List.of("\u001b[", "\u001bO")) {
            keys.bind(new Reference(LineReader.UP_LINE_OR_HISTORY), begin + "A");
            keys.bind(new Reference(LineReader.DOWN_LINE_OR_HISTORY), begin + "B");
            keys.bind(new Reference(LineReader.FORWARD_CHAR), begin + "C");
            keys.bind(new Reference(LineReader.BACKWARD_CHAR), begin + "D");
        }
    }

    private boolean beginLine() {
        reader.getBuffer().write('\n');
        return true;
    }

    /**
     * What is typed next, as it is.
     *
     * @throws org.jline.reader.UserInterruptException after Ctrl-C
     * @throws org.jline.reader.EndOfFileException after Ctrl-D
     */
    String read() {
        return reader.readLine(PROMPT);
    }

    private boolean enter() {
        var buffer = reader.getBuffer();
        String text = buffer.toString();
        boolean goesOn =
                text.endsWith("\\") && buffer.cursor() == buffer.length() && !TextBlock.open(text);
        if (goesOn) {
            buffer.backspace();
            buffer.write('\n');
            return true;
        }
        reader.callWidget("." + LineReader.ACCEPT_LINE);
        return true;
    }

    /** Text is text: no quoting, no escapes. */
    private static final class MessageParser implements Parser {
        @Override
        public ParsedLine parse(String line, int cursor, ParseContext context) {
            if (context == ParseContext.ACCEPT_LINE && TextBlock.open(line)) {
                throw new EOFError(-1, -1, "the block is open");
            }
            return TypedLine.of(line, cursor);
        }
    }
}
