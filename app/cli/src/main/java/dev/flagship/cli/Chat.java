package dev.flagship.cli;

import dev.flagship.launch.ExitHook;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Generation;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.reader.impl.DefaultParser;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.TerminalBuilder;

/** A conversation on a terminal. Ctrl-C ends the answer, not the program. */
final class Chat {
    private static final String PROMPT = "> ";

    private final ChatModel model;
    private final AnswerSettings settings;
    private final Terminal terminal;
    private final List<Message> messages = new ArrayList<>();

    Chat(ChatModel model, AnswerSettings settings, Terminal terminal) {
        this.model = model;
        this.settings = settings;
        this.terminal = terminal;
    }

    /** Chats on the process's terminal until the user leaves. */
    static int onTerminal(ChatModel model, AnswerSettings settings)
            throws IOException, InterruptedException {
        var builder = TerminalBuilder.builder().system(true).encoding(StandardCharsets.UTF_8);
        if (!System.getProperty("os.name").startsWith("Windows")) {
            builder.provider("exec"); // stty does it: no native code is loaded
        }
        try (Terminal terminal = builder.build();
                var _ = ExitHook.of(model::close)) {
            if (terminal.getWidth() <= 0) { // as of a terminal that nobody gave a size
                terminal.setSize(new Size(80, 24));
            }
            new Chat(model, settings, terminal).run();
            return 0;
        }
    }

    void run() throws InterruptedException {
        startOver();
        LineReader reader = reader();
        say("Chatting with " + model.info().id() + ". /help lists commands, Ctrl-D leaves.");
        while (true) {
            String line;
            try {
                line = reader.readLine(PROMPT).strip();
            } catch (UserInterruptException e) {
                if (e.getPartialLine().isEmpty()) {
                    say("(Ctrl-D or /exit leaves.)");
                }
                continue;
            } catch (EndOfFileException e) {
                return;
            }
            switch (line) {
                case "" -> {}
                case "/exit", "/quit", "/bye" -> {
                    return;
                }
                case "/new", "/clear" -> {
                    startOver();
                    say("A new conversation.");
                }
                case "/help", "/?" -> help();
                default -> {
                    if (line.startsWith("//")) {
                        answer(line.substring(1));
                    } else if (line.startsWith("/")) {
                        say(
                                "There is no command %s; /help lists them. To send it as a message: /%s"
                                        .formatted(firstWord(line), line));
                    } else {
                        answer(line);
                    }
                }
            }
        }
    }

    private static String firstWord(String line) {
        return line.split("\\s", 2)[0];
    }

    private LineReader reader() {
        var parser = new DefaultParser(); // text is text: no quoting, no escapes
        parser.setEscapeChars(new char[0]);
        parser.setQuoteChars(new char[0]);
        return LineReaderBuilder.builder()
                .terminal(terminal)
                .parser(parser)
                .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
                .build();
    }

    private void startOver() {
        messages.clear();
        messages.addAll(settings.opening());
    }

    private void help() {
        say(
                """
                /new    forget the conversation and begin another (so does /clear)
                /exit   leave (so do /quit, /bye and Ctrl-D)
                /help   show this
                //…     a message that begins with /
                Ctrl-C stops an answer. A pasted text of several lines is one message.\
                """);
    }

    private void answer(String text) throws InterruptedException {
        messages.add(Message.user(text));
        Generation generation;
        try {
            generation = model.generate(settings.request(new Prompt.Conversation(messages)));
        } catch (RequestException e) {
            messages.removeLast();
            boolean begun = messages.size() > settings.opening().size(); // else /new is no help
            say(
                    begun && e.code().equals("context_length_exceeded")
                            ? "This conversation and your message do not fit the model's context of %d tokens any more. /new begins another; --context makes it larger where the model allows."
                                    .formatted(model.info().contextLength())
                            : String.valueOf(e.getMessage()));
            return;
        }
        var before = terminal.handle(Signal.INT, _ -> generation.cancel());
        try (generation) {
            messages.add(Message.assistant(print(generation)));
        } finally {
            terminal.handle(Signal.INT, before);
        }
    }

    /** Prints an answer; returns what there was of it. */
    private String print(Generation generation) throws InterruptedException {
        PrintWriter out = terminal.writer();
        var answer = new StringBuilder();
        while (true) {
            switch (generation.next()) {
                case Event.Started _ -> {}
                case Event.Text text -> {
                    answer.append(text.text());
                    out.print(text.text());
                    out.flush();
                }
                case Event.Finished end -> {
                    say("");
                    tell(end);
                    say("");
                    return answer.toString();
                }
            }
        }
    }

    private void tell(Event.Finished end) {
        end.warnings().forEach(this::say);
        if (end.reason() == FinishReason.CANCELLED) {
            say("(stopped)");
        } else if (end.reason() == FinishReason.LENGTH && end.warnings().isEmpty()) {
            say(
                    settings.maxTokens().isPresent()
                            ? "(ended by --max-tokens)"
                            : "(the model's context is full; /new begins another conversation)");
        }
    }

    private void say(String text) {
        terminal.writer().println(text);
        terminal.flush();
    }
}
