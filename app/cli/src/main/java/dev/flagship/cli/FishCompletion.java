package dev.flagship.cli;

import dev.flagship.cli.Completed.Flag;
import dev.flagship.cli.Completed.Value;
import java.util.List;

/** Completion for fish 3 and newer. */
final class FishCompletion {
    private FishCompletion() {}

    static String of(List<Completed> commands) {
        var out = new StringBuilder();
        out.append(
                """
                # Completion of flagship for fish, made by: flagship completion fish

                # The command that the line has, as far as it is typed; with a + where it has its first word.
                function __flagship_at
                    set -l command flagship
                    set -l first
                    set -l prev
                    for word in (commandline -opc)[2..-1]
                        switch "$command $word"
                """);
        for (Completed command : commands.subList(1, commands.size())) {
            out.append(
                    "            case '%s'\n                set command \"$command $word\"\n                set first\n"
                            .formatted(command.path()));
        }
        out.append(
                """
                            case '* -*'
                            case '*'
                                string match -q -- '-*' "$prev"; or set first +
                        end
                        set prev $word
                    end
                    test "$command$first" = "$argv"; or test "$command" = "$argv[1]" -a "$argv[2]" = any
                end

                function __flagship_models
                    set -l flagship (commandline -opc)[1]
                    FLAGSHIP_BUILDING=yes $flagship list --quiet 2>/dev/null
                end

                complete -c flagship -f
                """);
        for (Completed command : commands) {
            arm(command, out);
        }
        return out.toString();
    }

    private static void arm(Completed command, StringBuilder out) {
        String first =
                "complete -c flagship -n %s"
                        .formatted(quoted("__flagship_at " + quoted(command.path())));
        String any =
                "complete -c flagship -n %s"
                        .formatted(quoted("__flagship_at " + quoted(command.path()) + " any"));
        for (Completed word : command.words()) {
            out.append(
                    "%s -a %s -d %s\n".formatted(first, quoted(word.name()), quoted(word.about())));
        }
        if (command.words().isEmpty()) {
            String offered = offer(command.first());
            if (!offered.isEmpty()) {
                out.append("%s%s\n".formatted(first, offered));
            }
        }
        for (Flag flag : command.flags()) {
            out.append(any);
            for (String name : flag.names()) {
                out.append(
                        name.startsWith("--")
                                ? " -l " + name.substring(2)
                                : " -s " + name.substring(1));
            }
            if (!(flag.value() instanceof Value.None)) {
                String offered = offer(flag.value());
                out.append(" -r").append(offered.isEmpty() ? " -f" : offered);
            }
            if (!flag.about().isEmpty()) {
                out.append(" -d ").append(quoted(flag.about()));
            }
            out.append('\n');
        }
    }

    private static String offer(Value value) {
        return switch (value) {
            case Value.None _, Value.Any _ -> "";
            case Value.File _ -> " -F";
            case Value.Model _ -> " -F -a '(__flagship_models)'";
            case Value.Choice choice -> " -f -a " + quoted(String.join(" ", choice.words()));
        };
    }

    private static String quoted(String text) {
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
    }
}
