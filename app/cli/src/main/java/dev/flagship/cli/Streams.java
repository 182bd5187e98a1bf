package dev.flagship.cli;

import java.io.BufferedOutputStream;
import java.io.Console;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The standard streams, in UTF-8 whatever the locale says, and which of them are terminals.
 *
 * @param out buffered; flushed by whoever writes
 */
record Streams(
        InputStream in,
        PrintStream out,
        PrintStream err,
        boolean inIsTerminal,
        boolean outIsTerminal,
        boolean errIsTerminal) {

    static Streams ofProcess() {
        return new Streams(
                new FileInputStream(FileDescriptor.in),
                output(new FileOutputStream(FileDescriptor.out)),
                new PrintStream(
                        new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
                isTerminal(0),
                isTerminal(1),
                // the launcher looks first, for it may put a filter between us and the terminal
                Boolean.getBoolean("flagship.stderr.terminal") || isTerminal(2));
    }

    /** A pipe fails only when its reader is gone, which the system says in the user's language. */
    private static PrintStream output(FileOutputStream out) {
        return target(1).startsWith("pipe:")
                ? new PrintStream(new BufferedOutputStream(out), false, StandardCharsets.UTF_8)
                : Output.to(out);
    }

    /** Why the output could not be written; empty where that is not known, or nothing failed. */
    String outFailure() {
        return out instanceof Output output ? output.failure() : "";
    }

    /**
     * Java tells only whether input and output are both terminals. Linux names what a descriptor
     * is; elsewhere that joint answer has to do.
     */
    @SuppressWarnings("SystemConsoleNull") // still null without a terminal, as its contract says
    private static boolean isTerminal(int descriptor) {
        String target = target(descriptor);
        if (target.isEmpty()) {
            Console console = System.console();
            return console != null && console.isTerminal();
        }
        return target.startsWith("/dev/pts/")
                || target.startsWith("/dev/tty")
                || target.equals("/dev/console");
    }

    /** What Linux calls the thing behind a descriptor; empty elsewhere. */
    private static String target(int descriptor) {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
        } catch (IOException | UnsupportedOperationException e) {
            return "";
        }
    }
}
