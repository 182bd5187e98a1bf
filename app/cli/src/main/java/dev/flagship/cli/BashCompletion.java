package dev.flagship.cli;

import dev.flagship.cli.Completed.Flag;
import dev.flagship.cli.Completed.Value;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Completion for bash 3.2 and newer, with or without its package bash-completion. */
final class BashCompletion {
    private BashCompletion() {}

    static String of(List<Completed> commands) {
        var out = new StringBuilder();
        out.append(
                """
                # Completion of flagship for bash, made by: flagship completion bash

                _flagship() {
                    local line=${COMP_LINE:0:COMP_POINT} command=flagship prev='' cur='' word
                    local first=yes options='' choices='' files='' models=''
                    local -a words
                    COMPREPLY=()
                    read -ra words <<<"$line"
                    case $line in
                    *[[:space:]]) ;;
                    *) cur=${words[${#words[@]} - 1]} && unset "words[${#words[@]}-1]" ;;
                    esac
                    for word in "${words[@]:1}"; do
                        case "$command $word" in
                """);
        for (Completed command : commands.subList(1, commands.size())) {
            out.append(
                    "        '%s') command+=\" $word\" first=yes ;;\n".formatted(command.path()));
        }
        out.append(
                """
                        *' '-*) ;;
                        *) case $prev in -*) ;; *) first='' ;; esac ;;
                        esac
                        prev=$word
                    done
                    case $cur in
                    --*=*) prev=${cur%%=*} cur=${cur#*=} ;;
                    esac
                    case $command in
                """);
        for (Completed command : commands) {
            out.append(arm(command));
        }
        out.append(
                """
                    esac
                    case $cur in
                    -*) choices=$options files='' models='' ;;
                    esac
                    if [ -n "$models" ]; then
                        choices+=" $(FLAGSHIP_BUILDING=yes "${COMP_WORDS[0]}" list --quiet 2>/dev/null)"
                    fi
                    while IFS= read -r word; do
                        [ -z "$word" ] || COMPREPLY+=("$word")
                    done < <(compgen -W "$choices" -- "$cur")
                    if [ -n "$files$models" ]; then
                        compopt -o filenames 2>/dev/null
                        while IFS= read -r word; do
                            COMPREPLY+=("$word")
                        done < <(compgen -f -- "$cur")
                    fi
                    # Bash takes what is before a colon for another word.
                    case $cur$COMP_WORDBREAKS in
                    *:*:*)
                        word=${cur%"${cur##*:}"}
                        COMPREPLY=("${COMPREPLY[@]#"$word"}")
                        ;;
                    esac
                }
                complete -F _flagship flagship
                """);
        return out.toString();
    }

    private static String arm(Completed command) {
        var out = new StringBuilder();
        out.append("    '%s')\n".formatted(command.path()));
        List<String> names = new ArrayList<>();
        var cases = new StringBuilder();
        for (Flag flag : command.flags()) {
            names.addAll(flag.names());
            if (!(flag.value() instanceof Value.None)) {
                cases.append(
                        "        %s) %s ;;\n"
                                .formatted(String.join(" | ", flag.names()), set(flag.value())));
            }
        }
        out.append("        options='%s'\n".formatted(String.join(" ", names)));
        String words =
                command.words().stream().map(Completed::name).collect(Collectors.joining(" "));
        String first = words.isEmpty() ? set(command.first()) : "choices='%s'".formatted(words);
        if (cases.isEmpty()) {
            out.append("        [ -z \"$first\" ] || %s\n".formatted(first));
        } else {
            out.append("        case $prev in\n").append(cases);
            out.append("        *) [ -z \"$first\" ] || %s ;;\n        esac\n".formatted(first));
        }
        return out.append("        ;;\n").toString();
    }

    private static String set(Value value) {
        return switch (value) {
            case Value.None _, Value.Any _ -> ":";
            case Value.File _ -> "files=yes";
            case Value.Model _ -> "models=yes";
            case Value.Choice choice -> "choices='%s'".formatted(String.join(" ", choice.words()));
        };
    }
}
