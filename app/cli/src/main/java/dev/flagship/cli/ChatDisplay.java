package dev.flagship.cli;

import dev.flagship.base.Quoted;
import java.util.List;

/**
 * What a chat shows beside the answers, and how.
 *
 * @param markdown whether answers are laid out
 * @param stats whether a line tells what each answer took
 */
record ChatDisplay(boolean markdown, boolean stats) {
    static final List<String> NAMES = List.of("markdown", "stats");
    static final String RANGE = "on or off";

    /**
     * The same with one changed.
     *
     * @throws CliException {@code bad_setting}, if the value is neither on nor off
     */
    ChatDisplay set(String name, String value) {
        if (!value.equals("on") && !value.equals("off")) {
            throw new CliException(
                    "bad_setting",
                    "%s takes %s; %s is not that".formatted(name, RANGE, Quoted.of(value)),
                    null);
        }
        boolean on = value.equals("on");
        return name.equals("markdown") ? new ChatDisplay(on, stats) : new ChatDisplay(markdown, on);
    }

    String of(String name) {
        return (name.equals("markdown") ? markdown : stats) ? "on" : "off";
    }
}
