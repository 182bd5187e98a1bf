package dev.flagship.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import picocli.CommandLine;

/** Where the process starts. */
public final class Main {
    private Main() {}

    public static void main(String[] args) {
        System.exit(run(args, Streams.ofProcess(), System.getenv()));
    }

    static int run(String[] args, Streams streams, Map<String, String> environment) {
        if (args.length == 1 && (args[0].equals("--version") || args[0].equals("-V"))) {
            version(streams.out());
            return streams.out().checkError() ? Failures.unwritten(streams) : 0;
        }
        if (args.length == 1 && args[0].equals(Rehearsal.COMMAND)) {
            return Rehearsal.run(environment);
        }
        Logging.prepare(environment, args.length > 0 && args[0].equals("serve"));
        var context = new Context(streams, environment);
        CommandLine line = commandLine(args, context);
        try {
            int code = line.execute(isCommand(args) ? rest(args) : args);
            return streams.out().checkError() ? Failures.unwritten(streams) : code; // flushes
        } catch (Error e) { // picocli handles exceptions only
            return Failures.failed(e, context);
        }
    }

    static void version(PrintStream out) {
        out.println("flagship " + Version.text() + " (Java " + Runtime.version() + ")");
        out.flush();
    }

    private static boolean isCommand(String[] args) {
        return args.length > 0 && (args[0].equals("run") || args[0].equals("serve"));
    }

    private static String[] rest(String[] args) {
        String[] rest = new String[args.length - 1];
        System.arraycopy(args, 1, rest, 0, rest.length);
        return rest;
    }

    /** Builds one command only where the first word names it, for picocli reflects on each. */
    private static CommandLine commandLine(String[] args, Context context) {
        CommandLine line;
        if (!isCommand(args)) {
            line =
                    command(new FlagshipCommand(context), "flagship")
                            .addSubcommand(help())
                            .addSubcommand(command(new RunCommand(context), "run"))
                            .addSubcommand(command(new ServeCommand(context), "serve"))
                            .addSubcommand(command(new PullCommand(context), "pull"))
                            .addSubcommand(command(new ListCommand(context), "list"))
                            .addSubcommand(command(new ShowCommand(context), "show"))
                            .addSubcommand(command(new PsCommand(context), "ps"))
                            .addSubcommand(command(new CopyCommand(context), "cp"))
                            .addSubcommand(command(new RemoveCommand(context), "rm"))
                            .addSubcommand(command(new TokenizeCommand(context), "tokenize"))
                            .addSubcommand(command(new QuantizeCommand(context), "quantize"))
                            .addSubcommand(command(new DoctorCommand(context), "doctor"))
                            .addSubcommand(command(new CompletionCommand(context), "completion"))
                            .addSubcommand(
                                    command(new KernelsCommand(), "kernels")
                                            .addSubcommand(
                                                    command(
                                                            new KernelsCommand.Dump(context),
                                                            "dump")));
        } else if (args[0].equals("run")) {
            line = command(new RunCommand(context), "flagship run");
        } else {
            line = command(new ServeCommand(context), "flagship serve");
        }
        Streams streams = context.streams();
        return Failures.handle(line, context)
                .setUsageHelpWidth(80)
                .setOut(new PrintWriter(streams.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(streams.err(), true, StandardCharsets.UTF_8));
    }

    private static CommandLine help() {
        var help = new CommandLine(new CommandLine.HelpCommand());
        help.getCommandSpec().usageMessage().footer("", "Example:", "  flagship help run");
        return help;
    }

    private static CommandLine command(Object command, String name) {
        return new CommandLine(command).setCommandName(name).addMixin("help", new HelpFlag());
    }

    /** The version, from the build. */
    private static final class Version {
        private Version() {}

        static String text() {
            try (var in = Main.class.getResourceAsStream("version.txt")) {
                return in == null
                        ? "unknown"
                        : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
            } catch (IOException e) {
                return "unknown";
            }
        }
    }
}
