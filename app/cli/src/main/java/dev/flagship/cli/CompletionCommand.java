package dev.flagship.cli;

import java.io.PrintStream;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship completion}: a script for a shell. */
@Command(
        name = "completion",
        description = {
            "Print what lets a shell complete Flagship's commands.",
            "It knows commands, flags and, where flagship list has them, models."
        },
        sortOptions = false,
        footer = {
            "",
            "Examples:",
            "  . <(flagship completion bash)         for this shell; in ~/.bashrc for all",
            "  . <(flagship completion zsh)          the same in zsh, after compinit",
            "  flagship completion fish | source     the same in fish"
        })
final class CompletionCommand implements Callable<Integer> {
    private final Context context;

    @Spec private CommandSpec spec;

    @Parameters(index = "0", paramLabel = "SHELL", description = "bash, zsh or fish.")
    private String shell = "";

    @SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
    CompletionCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() {
        CommandLine flagship = spec.root().commandLine();
        PrintStream out = context.streams().out();
        out.print(
                switch (shell) {
                    case "bash" -> BashCompletion.of(Completed.all(flagship));
                    case "zsh" -> ZshCompletion.of(Completed.all(flagship));
                    case "fish" -> FishCompletion.of(Completed.all(flagship));
                    default ->
                            throw new ParameterException(
                                    spec.commandLine(),
                                    "there is no completion for \"%s\"; there is for bash, zsh and fish"
                                            .formatted(shell));
                });
        out.flush();
        return 0;
    }
}
