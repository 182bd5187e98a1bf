package dev.flagship.cli;

import dev.flagship.base.FlagshipException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what goes wrong into one message and an exit code. */
final class Failures {
    static final int FAILED = 1;
    static final int USAGE = 2;

    private Failures() {}

    static CommandLine handle(CommandLine line, Context context) {
        return line.setParameterExceptionHandler((e, _) -> usage(e, context))
                .setExecutionExceptionHandler((e, _, _) -> failed(e, context));
    }

    private static int usage(ParameterException e, Context context) {
        PrintStream err = context.streams().err();
        err.println("flagship: " + usageMessage(e));
        var writer = new PrintWriter(err, false, StandardCharsets.UTF_8);
        UnmatchedArgumentException.printSuggestions(e, writer);
        writer.flush();
        err.println("Try '" + e.getCommandLine().getCommandSpec().qualifiedName() + " --help'.");
        trace(e, context);
        return USAGE;
    }

    private static String usageMessage(ParameterException e) {
        boolean atRoot = !e.getCommandLine().getSubcommands().isEmpty();
        return e instanceof UnmatchedArgumentException unmatched
                        && !unmatched.isUnknownOption()
                        && atRoot
                ? "there is no command \"%s\"; there are run, serve, bench, doctor, kernels and test"
                        .formatted(unmatched.getUnmatched().getFirst())
                : inWords(String.valueOf(e.getMessage()));
    }

    /** picocli names Java's types. */
    private static String inWords(String message) {
        return message.replaceAll("is not an? (int|long)$", "is not a whole number")
                .replaceAll("is not a (float|double)$", "is not a number");
    }

    /** Reports an error; its stack trace only on request. */
    static int failed(Throwable e, Context context) {
        context.streams().err().println("flagship: " + message(e));
        trace(e, context);
        return FAILED;
    }

    private static void trace(Throwable e, Context context) {
        if (context.debug()) {
            e.printStackTrace(context.streams().err());
        }
    }

    private static String message(Throwable e) {
        return switch (e) {
            case FlagshipException known -> known.getMessage();
            case NoSuchFileException gone -> "there is no file " + gone.getFile();
            case FileSystemException file ->
                    "cannot read or write "
                            + file.getFile()
                            + ": "
                            + (file.getReason() == null
                                    ? file.getClass().getSimpleName()
                                    : file.getReason());
            case IOException io -> "input or output failed: " + io.getMessage();
            case OutOfMemoryError memory ->
                    "not enough memory ("
                            + memory.getMessage()
                            + "). A smaller --context needs less.";
            default -> "internal error: " + e + " (FLAGSHIP_DEBUG=1 shows where)";
        };
    }
}
