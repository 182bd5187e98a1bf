package dev.flagship.cli;

import dev.flagship.base.EditDistance;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** What a line of a chat that begins with a slash asks for. */
sealed interface ChatCommand {

    /** Shows the commands. */
    record Help() implements ChatCommand {}

    /** Begins another conversation. */
    record New() implements ChatCommand {}

    /** Shows the system message. */
    record ShowSystem() implements ChatCommand {}

    /** Sets the system message; an empty one is none. */
    record SetSystem(String text) implements ChatCommand {}

    /** Shows all settings. */
    record ShowSettings() implements ChatCommand {}

    /** Changes a setting, or shows it if the value is empty. */
    record Change(String name, String value) implements ChatCommand {}

    /** Writes the conversation to a file. */
    record Save(String file, boolean overwrite) implements ChatCommand {}

    /** Goes on with a conversation from a file. */
    record Load(String file) implements ChatCommand {}

    /** Asks the last message again. */
    record Retry() implements ChatCommand {}

    /** Forgets the last exchanges. */
    record Drop(int count) implements ChatCommand {}

    /** Shows the conversation. */
    record Show() implements ChatCommand {}

    /** Tells what the last answer took. */
    record Stats() implements ChatCommand {}

    /** Leaves. */
    record Leave() implements ChatCommand {}

    /** Something else; the message says what is wrong with it. */
    record Mistaken(String message) implements ChatCommand {}

    /**
     * A command as help has it.
     *
     * @param names the first is shown, all work
     * @param operands what follows, for help; empty if nothing may
     */
    record Entry(List<String> names, String operands, String help) {
        String usage() {
            return operands.isEmpty() ? names.getFirst() : names.getFirst() + " " + operands;
        }
    }

    /** All commands, in the order of help. */
    List<Entry> ENTRIES =
            List.of(
                    entry("retry", "", "ask the last message again, for another answer"),
                    entry("drop", "[N]", "forget the last N messages and their answers; 1 alone"),
                    entry("new clear", "", "begin another conversation"),
                    entry("show", "", "show the conversation"),
                    entry("system", "[TEXT|off]", "show or change the system message"),
                    entry("set", "[NAME VALUE]", "show all settings, or change one"),
                    entry("save", "FILE", "keep the conversation in a file; /save! overwrites"),
                    entry("load", "FILE", "go on with a conversation that was saved"),
                    entry("stats", "", "tell what the last answer took, and of the context"),
                    entry("help ?", "", "show this"),
                    entry("bye exit quit", "", "leave; so does Ctrl-D"));

    private static Entry entry(String names, String operands, String help) {
        return new Entry(
                List.of(names.split(" ")).stream().map(name -> "/" + name).toList(),
                operands,
                help);
    }

    /**
     * Reads a command.
     *
     * @param line begins with a slash
     */
    static ChatCommand parse(String line) {
        String name = line.split("\\s", 2)[0];
        String rest = line.substring(name.length()).strip();
        if (rest.indexOf('\n') >= 0 && !name.equals("/system")) {
            return new Mistaken(
                    "%s takes one line. To send all of it as a message, put another / in front."
                            .formatted(name));
        }
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "/help", "/?" -> new Help();
            case "/new", "/clear" -> alone(name, rest, new New());
            case "/show" -> alone(name, rest, new Show());
            case "/retry" -> alone(name, rest, new Retry());
            case "/stats" -> alone(name, rest, new Stats());
            case "/bye", "/exit", "/quit" -> alone(name, rest, new Leave());
            case "/system" -> system(rest);
            case "/set" -> set(rest);
            case "/drop" -> drop(rest);
            case "/save" -> rest.isEmpty() ? lacking(name) : new Save(unquoted(rest), false);
            case "/save!" -> rest.isEmpty() ? lacking(name) : new Save(unquoted(rest), true);
            case "/load" -> rest.isEmpty() ? lacking(name) : new Load(unquoted(rest));
            default -> unknown(name, line);
        };
    }

    private static ChatCommand alone(String name, String rest, ChatCommand command) {
        return rest.isEmpty()
                ? command
                : new Mistaken("%s stands alone; nothing was done.".formatted(name));
    }

    private static ChatCommand lacking(String name) {
        return new Mistaken("%s needs a file, as in %s talk.json".formatted(name, name));
    }

    private static ChatCommand system(String rest) {
        if (rest.isEmpty()) {
            return new ShowSystem();
        }
        return new SetSystem(rest.equals("off") ? "" : TextBlock.content(rest));
    }

    private static ChatCommand set(String rest) {
        if (rest.isEmpty()) {
            return new ShowSettings();
        }
        String[] parts = rest.split("[\\s=]+", 2);
        String name = parts[0].toLowerCase(Locale.ROOT).replace('_', '-');
        return new Change(name, parts.length < 2 ? "" : parts[1].strip());
    }

    private static ChatCommand drop(String rest) {
        if (rest.isEmpty()) {
            return new Drop(1);
        }
        return rest.matches("[0-9]{1,6}") && Integer.parseInt(rest) >= 1
                ? new Drop(Integer.parseInt(rest))
                : new Mistaken("/drop takes a whole number from 1, or nothing, which is 1.");
    }

    private static String unquoted(String file) {
        boolean quoted = file.length() > 1 && file.startsWith("\"") && file.endsWith("\"");
        return quoted ? file.substring(1, file.length() - 1) : file;
    }

    private static ChatCommand unknown(String name, String line) {
        List<String> names =
                ENTRIES.stream()
                        .flatMap(entry -> entry.names().stream())
                        .collect(Collectors.toCollection(ArrayList::new));
        String shown = ModelText.visible(name);
        String hint =
                nearest(name, names)
                        .map(near -> "; did you mean %s?".formatted(near))
                        .orElse("; /help lists them.");
        String first = line.lines().findFirst().orElse(line);
        return new Mistaken(
                "There is no command %s%s To send it as a message: /%s"
                        .formatted(shown, hint, ModelText.visible(first)));
    }

    /** The name that was probably meant: one that begins so, or one that differs little. */
    static Optional<String> nearest(String name, List<String> names) {
        String lower = name.toLowerCase(Locale.ROOT);
        List<String> longer =
                names.stream().filter(n -> lower.length() > 1 && n.startsWith(lower)).toList();
        if (longer.size() == 1) {
            return Optional.of(longer.getFirst());
        }
        int most = lower.length() <= 4 ? 1 : 2;
        return names.stream()
                .filter(known -> EditDistance.of(lower, known) <= most)
                .min(Comparator.comparingInt(known -> EditDistance.of(lower, known)));
    }
}
