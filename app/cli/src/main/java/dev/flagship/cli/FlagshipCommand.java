package dev.flagship.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code flagship} without a command. */
@Command(
        name = "flagship",
        description = "Runs open model families on this machine, in one Java process.",
        synopsisSubcommandLabel = "COMMAND",
        footer = {
            "  bench       Measure a model's speed and memory (flagship bench --help).",
            "  fuzz        Search for files that break the readers of models.",
            "  test        Check this copy of Flagship.",
            "  dist        Make an archive of it that runs without a JDK.",
            "",
            "Environment:",
            "  FLAGSHIP_HOME       where models are kept, with packed copies of their weights",
            "                      in its folder packed/ (else $XDG_DATA_HOME/flagship, or",
            "                      ~/.flagship)",
            "  FLAGSHIP_MODELS     a folder to take model files from",
            "  FLAGSHIP_HUB        the base URL of the model hub",
            "  FLAGSHIP_HUB_TOKEN  what opens gated models there (or HF_TOKEN)",
            "  FLAGSHIP_HISTORY=no keep nothing of what is typed in chats",
            "  FLAGSHIP_DEBUG=1    show stack traces",
            "  FLAGSHIP_JAVA_OPTS  further flags for Java",
            "  FLAGSHIP_AOT=no     neither make nor use Java's cache of loaded classes",
            "  JAVA_HOME           the JDK to use, if it is new enough",
            "",
            "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted, 141 reader gone.",
            "",
            "Examples:",
            "  flagship run                        chat with the default model",
            "  flagship run smollm2 'Name a fish'  one answer",
            "  flagship serve                      OpenAI's API on this machine"
        })
final class FlagshipCommand implements Runnable {
    private final Context context;

    @Spec private CommandSpec spec;

    @Option(
            names = {"-V", "--version"},
            description = "Show the version.")
    private boolean version;

    @SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
    FlagshipCommand(Context context) {
        this.context = context;
    }

    @Override
    public void run() {
        if (version) {
            Main.version(context.streams().out());
            return;
        }
        throw new ParameterException(
                spec.commandLine(), "which command? There are " + Failures.COMMANDS + ".");
    }
}
