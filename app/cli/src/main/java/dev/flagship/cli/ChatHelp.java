package dev.flagship.cli;

import java.util.Locale;
import java.util.stream.Collectors;

/** What {@code /help} shows. */
final class ChatHelp {
    private ChatHelp() {}

    static String text() {
        return ChatCommand.ENTRIES.stream()
                .map(entry -> String.format(Locale.ROOT, "%-18s %s", entry.usage(), entry.help()))
                .collect(
                        Collectors.joining(
                                "\n",
                                "",
                                """


                                //…                a message that begins with /
                                @FILE              in a message: that file's text; @"…" with spaces

                                Several lines: Alt-Enter, \\ at the end of a line, or \"""…\""" around them.
                                Up, down and Ctrl-R bring back what was typed, Tab completes, Ctrl-C stops an
                                answer.\
                                """));
    }
}
