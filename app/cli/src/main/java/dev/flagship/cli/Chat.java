package dev.flagship.cli;

import dev.flagship.base.FlagshipException;
import dev.flagship.launch.ExitHook;
import dev.flagship.serving.TextModel;
import dev.flagship.serving.api.ChatModel;
import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import java.io.IOError;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jline.reader.EndOfFileException;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Attributes;
import org.jline.terminal.Size;
import org.jline.terminal.Terminal;
import org.jline.terminal.Terminal.Signal;
import org.jline.terminal.TerminalBuilder;
import org.jspecify.annotations.Nullable;

/** A conversation on a terminal. Ctrl-C ends the answer, not the program. */
final class Chat {
    /** Parts of the context, in hundredths, from which on a word is said about it; once each. */
    private static final List<Integer> WARN_AT = List.of(80, 95);

    /** In a row, until the terminal is taken to be gone. */
    private static final int MOST_FAILURES = 3;

    private final ChatModel model;
    private final AnswerSettings begun;
    private final Terminal terminal;
    private final ChatPlace place;
    private final FileMentions mentions;
    private final List<Exchange> exchanges = new ArrayList<>();
    private AnswerSettings settings;
    private ChatDisplay display;

    /** A message that got no answer, for /retry. */
    private @Nullable String unanswered;

    private @Nullable AnswerStats stats;
    private int warnedAt;
    private boolean historyKept = true;

    Chat(ChatModel model, AnswerSettings settings, Terminal terminal, ChatPlace place) {
        this.model = model;
        this.begun = settings;
        this.settings = settings;
        this.terminal = terminal;
        this.place = place;
        this.display = new ChatDisplay(place.styled(), false);
        this.mentions =
                new FileMentions(place.places(), place.tokens(), model.info().contextLength());
    }

    /** Chats on the process's terminal until the user leaves. */
    static int onTerminal(
            TextModel model,
            AnswerSettings settings,
            Optional<ChatHistory> history,
            Map<String, String> environment)
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
            String home = environment.getOrDefault("HOME", System.getProperty("user.home"));
            boolean styled =
                    !terminal.getType().startsWith(Terminal.TYPE_DUMB)
                            && environment.getOrDefault("NO_COLOR", "").isEmpty();
            var place =
                    new ChatPlace(
                            new Places(Path.of("").toAbsolutePath(), Path.of(home)),
                            history,
                            text -> model.ids(new Prompt.Raw(text)).length,
                            styled);
            new Chat(model, settings, terminal, place).run();
            return 0;
        }
    }

    void run() throws InterruptedException {
        Attributes before = terminal.enterRawMode(); // what is typed into an answer waits unseen
        var interrupted = terminal.handle(Signal.INT, _ -> {}); // between a message and its answer
        try {
            var reader = new MessageReader(terminal, place, history());
            say(
                    "Chatting with %s. /help lists commands, Ctrl-D leaves."
                            .formatted(model.info().id()));
            int failures = 0;
            while (true) {
                try {
                    String typed = reader.read();
                    failures = 0;
                    if (!take(typed)) {
                        return;
                    }
                } catch (IOError e) { // Ctrl-C also ends the process that sets the terminal
                    failures++;
                    if (failures > MOST_FAILURES) {
                        throw e;
                    }
                } catch (UserInterruptException e) {
                    if (e.getPartialLine().isEmpty()) {
                        say("(Ctrl-D or /bye leaves.)");
                    }
                } catch (EndOfFileException e) {
                    return;
                }
            }
        } finally {
            terminal.handle(Signal.INT, interrupted);
            terminal.setAttributes(before);
        }
    }

    private List<String> history() {
        try {
            return place.history().isPresent() ? place.history().get().read() : List.of();
        } catch (IOException e) {
            noHistory(e);
            return List.of();
        }
    }

    private void keep(String typed) {
        try {
            if (historyKept && place.history().isPresent()) {
                place.history().get().add(typed);
            }
        } catch (IOException e) {
            noHistory(e);
        }
    }

    private void noHistory(IOException e) {
        historyKept = false;
        say("Note: what is typed is not kept for later chats: " + Failures.message(e));
    }

    /** Does what a line says; false leaves. */
    private boolean take(String typed) throws InterruptedException {
        keep(typed);
        String line = typed.strip();
        if (line.startsWith("//")) {
            answer(line.substring(1));
        } else if (line.startsWith("/")) {
            return carryOut(ChatCommand.parse(line));
        } else if (!line.isEmpty()) {
            answer(TextBlock.content(line));
        }
        return true;
    }

    private boolean carryOut(ChatCommand command) throws InterruptedException {
        switch (command) {
            case ChatCommand.Leave() -> {
                return false;
            }
            case ChatCommand.Help() -> say(ChatHelp.text());
            case ChatCommand.New() -> {
                forget();
                exchanges.clear();
                say("A new conversation.");
            }
            case ChatCommand.Show() -> show();
            case ChatCommand.Retry() -> retry();
            case ChatCommand.Drop(int count) -> drop(count);
            case ChatCommand.ShowSystem() ->
                    say(
                            settings.system() == null
                                    ? "There is no system message; /system TEXT sets one."
                                    : ModelText.visible(settings.system()));
            case ChatCommand.SetSystem(String text) -> {
                settings = settings.withSystem(text.isEmpty() ? null : text);
                say(text.isEmpty() ? "No system message any more." : "The system message is set.");
            }
            case ChatCommand.ShowSettings() -> showSettings();
            case ChatCommand.Change(String name, String value) -> set(name, value);
            case ChatCommand.Save(String file, boolean overwrite) -> save(file, overwrite);
            case ChatCommand.Load(String file) -> load(file);
            case ChatCommand.Stats() ->
                    say(stats == null ? "There was no answer yet." : stats.table());
            case ChatCommand.Mistaken(String message) -> say(message);
        }
        return true;
    }

    /** What hangs on the conversation so far; a message that did not fit it is still to be sent. */
    private void forget() {
        stats = null;
        warnedAt = 0;
    }

    private void show() {
        if (exchanges.isEmpty()) {
            say("There is nothing yet.");
        }
        for (Exchange exchange : exchanges) {
            say("> " + ModelText.visible(exchange.asked()));
            Rendering rendering = rendering();
            say(rendering.accept(exchange.answer()) + rendering.finish());
            say("");
        }
    }

    private void retry() throws InterruptedException {
        if (unanswered != null) {
            ask(unanswered);
        } else if (exchanges.isEmpty()) {
            say("There is nothing to ask again yet.");
        } else {
            if (settings.seed() != null) {
                say("(The seed is set, so the answer will be the same; /set seed random.)");
            }
            Exchange last = exchanges.removeLast();
            if (!ask(last.asked())) {
                exchanges.add(last);
                unanswered = null;
                say("(The answer before is kept.)");
            }
        }
    }

    private void drop(int count) {
        int dropped = Math.min(count, exchanges.size());
        exchanges.subList(exchanges.size() - dropped, exchanges.size()).clear();
        forget();
        say(
                dropped == 0
                        ? "There is nothing to drop."
                        : "Dropped %s; %d left."
                                .formatted(
                                        ModelFlags.counted(dropped, "exchange"), exchanges.size()));
    }

    private void showSettings() {
        var table = new StringBuilder();
        for (ChatSetting setting : ChatSetting.values()) {
            table.append(row(setting.title(), setting.of(settings), setting.range()));
        }
        for (String name : ChatDisplay.NAMES) {
            table.append(row(name, display.of(name), ChatDisplay.RANGE));
        }
        say(table + "/set NAME default takes one back.");
    }

    private static String row(String name, String value, String range) {
        return String.format(Locale.ROOT, "%-18s %-8s %s%n", name, value, range);
    }

    private void set(String name, String value) {
        Optional<ChatSetting> setting = ChatSetting.named(name);
        try {
            if (setting.isPresent()) {
                set(setting.get(), value);
            } else if (ChatDisplay.NAMES.contains(name)) {
                setDisplay(name, value);
            } else {
                var names = new ArrayList<>(ChatSetting.titles());
                names.addAll(ChatDisplay.NAMES);
                say(
                        "There is no setting %s; %s"
                                .formatted(
                                        ModelText.visible(name),
                                        ChatCommand.nearest(name, names)
                                                .map("did you mean %s?"::formatted)
                                                .orElse("/set alone lists them.")));
            }
        } catch (CliException e) {
            say(e.getMessage());
        }
    }

    private void set(ChatSetting setting, String value) {
        if (!value.isEmpty()) {
            String wanted = value.equals("default") ? setting.of(begun) : value;
            settings = setting.set(settings, wanted);
        }
        say("%s is %s".formatted(setting.title(), setting.of(settings)));
    }

    private void setDisplay(String name, String value) {
        boolean dumb = terminal.getType().startsWith(Terminal.TYPE_DUMB);
        if (dumb && name.equals("markdown") && value.equals("on")) {
            say("This terminal has no styles to show Markdown in.");
            return;
        }
        if (!value.isEmpty()) {
            var usual = new ChatDisplay(place.styled(), false);
            display = display.set(name, value.equals("default") ? usual.of(name) : value);
        }
        say("%s is %s".formatted(name, display.of(name)));
    }

    private void save(String file, boolean overwrite) {
        try {
            new SavedChat(model.info().id(), settings, exchanges)
                    .write(place.places().resolve(file), overwrite);
            say("Saved %s in %s".formatted(ModelFlags.counted(exchanges.size(), "exchange"), file));
        } catch (FileAlreadyExistsException e) {
            say("%s is there already; /save! %s overwrites it.".formatted(file, file));
        } catch (IOException | RuntimeException e) {
            say(Failures.message(e));
        }
    }

    private void load(String file) {
        try {
            SavedChat saved = SavedChat.read(place.places().resolve(file), settings);
            forget();
            unanswered = null;
            exchanges.clear();
            exchanges.addAll(saved.exchanges());
            settings = saved.settings();
            say(
                    "Loaded %s from %s, with its system message and settings. /show shows all of it."
                            .formatted(ModelFlags.counted(exchanges.size(), "exchange"), file));
            if (!saved.model().equals(model.info().id())) {
                say(
                        "Note: its answers are by %s; %s goes on."
                                .formatted(ModelText.visible(saved.model()), model.info().id()));
            }
        } catch (IOException | RuntimeException e) {
            say(Failures.message(e));
        }
    }

    private void answer(String typed) throws InterruptedException {
        FileMentions.Expanded message;
        try {
            message = mentions.expand(typed);
        } catch (IOException | FlagshipException e) {
            say(ModelText.visible(Failures.message(e)));
            return;
        }
        message.notes().forEach(note -> aside(ModelText.visible(note)));
        ask(message.text());
    }

    /** Asks; whether the conversation has the answer now. */
    private boolean ask(String text) throws InterruptedException {
        unanswered = text;
        List<Message> messages = Exchange.messages(settings.opening(), exchanges);
        messages.add(Message.user(text));
        LiveAnswer.Outcome outcome;
        try {
            outcome =
                    new LiveAnswer(model, terminal, rendering(), place.styled())
                            .print(settings.request(new Prompt.Conversation(messages)));
        } catch (RequestException e) {
            say(refusal(e));
            return false;
        }
        tell(outcome);
        FinishReason reason = outcome.end().reason();
        boolean kept =
                reason != FinishReason.ERROR
                        && !(reason == FinishReason.CANCELLED && outcome.text().isEmpty());
        if (kept) {
            unanswered = null;
            exchanges.add(new Exchange(text, outcome.text()));
        }
        stats = new AnswerStats(outcome.end().usage(), model.info().contextLength());
        if (display.stats()) {
            aside(stats.line());
        }
        warn(stats, reason);
        say("");
        return kept;
    }

    private String refusal(RequestException e) {
        if (!exchanges.isEmpty() && e.code().equals("context_length_exceeded")) {
            return "This conversation and your message do not fit the model's context of %,d tokens any more. /drop N forgets the last messages, /new begins another; then /retry sends this one. flagship run --context makes it larger where the model allows."
                    .formatted(model.info().contextLength());
        }
        return String.valueOf(e.getMessage()).replace("max_tokens", "/set max-tokens");
    }

    private Rendering rendering() {
        return display.markdown() ? new MarkdownStream(width()) : new Rendering.Plain();
    }

    /** Asked once an answer, for it starts a process, which Ctrl-C ends with whatever else runs. */
    private int width() {
        try {
            return terminal.getWidth();
        } catch (IOError e) {
            return 0;
        }
    }

    private void tell(LiveAnswer.Outcome outcome) {
        Event.Finished end = outcome.end();
        end.warnings().forEach(this::say);
        boolean nothing = outcome.text().isEmpty();
        switch (end.reason()) {
            case STOP -> {
                if (nothing) {
                    say("(an empty answer)");
                }
            }
            case CANCELLED -> say(nothing ? "(stopped; /retry asks again)" : "(stopped)");
            case ERROR -> say("(no answer; /retry asks again)");
            case LENGTH -> {
                if (end.warnings().isEmpty()) {
                    say(
                            settings.maxTokens().isPresent()
                                    ? "(ended by max-tokens)"
                                    : "(the model's context is full; /new begins another conversation)");
                }
            }
        }
    }

    private void warn(AnswerStats now, FinishReason reason) {
        int reached = WARN_AT.stream().filter(part -> now.percent() >= part).reduce(0, Math::max);
        boolean toldAlready = reason == FinishReason.LENGTH && settings.maxTokens().isEmpty();
        if (reached > warnedAt && !toldAlready) {
            String text =
                    "The conversation takes %s. /drop N forgets the last messages, /new begins another."
                            .formatted(now.taken());
            say(place.styled() ? Style.WARNING + text + Style.OFF : text);
        }
        warnedAt = reached;
    }

    /** Says what is beside the point. */
    private void aside(String text) {
        say(place.styled() ? Style.DIM + text + Style.OFF : text);
    }

    private void say(String text) {
        terminal.writer().println(text);
        terminal.flush();
    }
}
