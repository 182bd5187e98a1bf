package dev.flagship.cli;

import dev.flagship.cli.Completed.Flag;
import dev.flagship.cli.Completed.Value;
import java.util.List;

/** Completion for zsh: a function for its folder of functions, or to be sourced. */
final class ZshCompletion {
    private ZshCompletion() {}

    static String of(List<Completed> commands) {
        var out = new StringBuilder();
        out.append(
                """
                #compdef flagship
                # Completion of flagship for zsh, made by: flagship completion zsh

                _flagship_models() {
                    local -a models
                    models=(${(f)"$(FLAGSHIP_BUILDING=yes ${words[1]} list --quiet 2>/dev/null)"})
                    (( $#models )) && compadd -- $models
                    _files
                }

                _flagship() {
                    local command=flagship first=yes prev='' word
                    local -a options choices
                    for word in "${(@)words[2,CURRENT-1]}"; do
                        case "$command $word" in
                """);
        for (Completed command : commands.subList(1, commands.size())) {
            out.append(
                    "        '%s') command+=\" $word\" first=yes ;;\n".formatted(command.path()));
        }
        out.append(
                """
                        *' '-*) ;;
                        *) [[ $prev == -* ]] || first='' ;;
                        esac
                        prev=$word
                    done
                    if [[ $PREFIX == --*=* ]]; then
                        prev=${PREFIX%%=*}
                        compset -P '*='
                    fi
                    case $command in
                """);
        for (Completed command : commands) {
            out.append(arm(command));
        }
        out.append(
                """
                    esac
                }

                if [[ $funcstack[1] == _flagship ]]; then
                    _flagship "$@"
                else
                    compdef _flagship flagship
                fi
                """);
        return out.toString();
    }

    private static String arm(Completed command) {
        var out = new StringBuilder();
        out.append("    '%s')\n        options=(\n".formatted(command.path()));
        for (Flag flag : command.flags()) {
            for (String name : flag.names()) {
                out.append("            %s\n".formatted(described(name, flag.about())));
            }
        }
        out.append("        )\n        case $prev in\n");
        for (Flag flag : command.flags()) {
            if (!(flag.value() instanceof Value.None)) {
                out.append(
                        "        %s) %s; return ;;\n"
                                .formatted(String.join(" | ", flag.names()), offer(flag.value())));
            }
        }
        out.append(
                """
                        esac
                        [[ $PREFIX == -* ]] && { _describe -o option options; return }
                """);
        if (!command.words().isEmpty()) {
            out.append("        choices=(\n");
            for (Completed word : command.words()) {
                out.append("            %s\n".formatted(described(word.name(), word.about())));
            }
            out.append("        )\n        [[ -n $first ]] && _describe command choices\n");
        } else {
            out.append("        [[ -n $first ]] && %s\n".formatted(offer(command.first())));
        }
        return out.append("        ;;\n").toString();
    }

    private static String described(String name, String about) {
        String text = about.isEmpty() ? name : name + ":" + about.replace(":", "\\:");
        return "'" + text.replace("'", "'\\''") + "'";
    }

    private static String offer(Value value) {
        return switch (value) {
            case Value.None _, Value.Any _ -> "true";
            case Value.File _ -> "_files";
            case Value.Model _ -> "_flagship_models";
            case Value.Choice choice -> "compadd -- " + String.join(" ", choice.words());
        };
    }
}
