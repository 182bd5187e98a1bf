package dev.flagship.cli;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.Quoted;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what goes wrong into one message and an exit code. */
final class Failures {
    /** All that a person may ask for, some of it by the launcher. */
    static final String COMMANDS =
            "run, serve, pull, list, show, ps, cp, rm, tokenize, quantize, bench, doctor, kernels, completion, fuzz, test, dist and help";

    static final int FAILED = 1;
    static final int USAGE = 2;
    private static final int READER_GONE = 141; // as of who is ended by SIGPIPE

    private Failures() {}

    static CommandLine handle(CommandLine line, Context context) {
        return line.setParameterExceptionHandler((e, _) -> usage(e, context))
                .setExecutionExceptionHandler((e, _, _) -> failed(e, context));
    }

    private static int usage(ParameterException e, Context context) {
        PrintStream err = context.streams().err();
        err.println("flagship: " + Quoted.visible(usageMessage(e)));
        var writer = new PrintWriter(err, false, StandardCharsets.UTF_8);
        if (!isVersion(e)) { // picocli finds "serve" near it
            UnmatchedArgumentException.printSuggestions(e, writer);
            writer.flush();
        }
        err.println("Try '" + e.getCommandLine().getCommandSpec().qualifiedName() + " --help'.");
        trace(e, context);
        return USAGE;
    }

    private static String usageMessage(ParameterException e) {
        CommandLine at = e.getCommandLine();
        if (at.getSubcommands().isEmpty()
                || !(e instanceof UnmatchedArgumentException unmatched)
                || unmatched.isUnknownOption()) {
            return inWords(String.valueOf(e.getMessage()));
        }
        String word = unmatched.getUnmatched().getFirst();
        if (at.getParent() != null) {
            return "%s has no command \"%s\"; it has %s"
                    .formatted(
                            at.getCommandName(),
                            word,
                            String.join(", ", at.getSubcommands().keySet()));
        }
        String hint = isVersion(e) ? " (it is flagship --version)" : "";
        return "there is no command \"%s\"%s; there are %s".formatted(word, hint, COMMANDS);
    }

    private static boolean isVersion(ParameterException e) {
        return e instanceof UnmatchedArgumentException unmatched
                && unmatched.getUnmatched().getFirst().equals("version");
    }

    /** picocli names Java's types, and knows none of the launcher's own commands. */
    private static String inWords(String message) {
        return message.replaceAll(
                        "^Unknown subcommand '(bench|fuzz|test|dist)'\\.$",
                        "$1 tells itself: flagship $1 --help")
                .replaceAll(
                        "'[-+]?\\d+' is not an? int$",
                        "the number is too large, at most 2147483647 can be")
                .replaceAll("'[-+]?\\d+' is not an? long$", "the number is too large")
                .replaceAll("is not an? (int|long)$", "is not a whole number")
                .replaceAll("is not a (float|double)$", "is not a number");
    }

    /** Reports an error; its stack trace only on request. */
    static int failed(Throwable e, Context context) {
        context.streams().err().println("flagship: " + Quoted.visible(message(e)));
        trace(e, context);
        return FAILED;
    }

    /** Reports that output could not be written; whoever closed a pipe has read enough. */
    static int unwritten(Streams streams) {
        String why = streams.outFailure();
        if (why.isEmpty() || why.equals("Broken pipe")) {
            return READER_GONE;
        }
        streams.err().println("flagship: cannot write the output: " + why);
        return FAILED;
    }

    private static void trace(Throwable e, Context context) {
        if (context.debug()) {
            e.printStackTrace(context.streams().err());
        }
    }

    /** What Java says by a class alone. */
    private static String reason(FileSystemException e) {
        if (e.getReason() != null) {
            return e.getReason();
        }
        return switch (e) {
            case AccessDeniedException _ -> "no permission";
            case FileAlreadyExistsException _ -> "something of that name is there already";
            case NotDirectoryException _ -> "it is no folder";
            case DirectoryNotEmptyException _ -> "the folder is not empty";
            default -> e.getClass().getSimpleName();
        };
    }

    /** What went wrong, for people. */
    static String message(Throwable e) {
        return switch (e) {
            case FlagshipException known -> known.getMessage();
            case NoSuchFileException gone -> "there is no file " + gone.getFile();
            case FileSystemException file ->
                    "cannot read or write " + file.getFile() + ": " + reason(file);
            case ClosedChannelException _ -> "a file was closed while it was in use";
            case IOException io -> "input or output failed: " + io.getMessage();
            case OutOfMemoryError memory ->
                    "not enough memory ("
                            + memory.getMessage()
                            + "). A smaller model, or where there is one a smaller --context, needs less.";
            case InternalError mapped ->
                    "a file that is in use was cut short or cannot be read any more ("
                            + mapped.getMessage()
                            + "). Check the disk, and fetch the model again.";
            default -> "internal error: " + e + " (FLAGSHIP_DEBUG=1 shows where)";
        };
    }
}
