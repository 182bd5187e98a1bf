package dev.flagship.fuzz;

import static java.util.stream.Collectors.joining;

import dev.flagship.base.Quoted;
import dev.flagship.hostile.Format;
import dev.flagship.hostile.HostileCases;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code ./flagship fuzz}. Exit codes: 0, 1 for a broken promise, 2 for a wrong flag. */
@Command(
        name = "flagship fuzz",
        sortOptions = false,
        description = {
            "Damages tiny valid models at random and watches what reading them does.",
            "A failure prints its seed and leaves the model that broke a promise."
        },
        footer = {
            "",
            "Examples:",
            "  flagship fuzz --minutes 30",
            "  flagship fuzz --minutes 5 --target gguf,template",
            "  flagship fuzz --seed 42 --minutes 0.01 --target gguf   once more"
        })
public final class Main implements Callable<Integer> {
    private static final double MOST_MINUTES = 7 * 24 * 60;

    private final PrintStream out;

    @Spec private @Nullable CommandSpec spec;

    @Option(
            names = "--minutes",
            paramLabel = "N",
            defaultValue = "1",
            description = "For each parser; fractions are allowed. Default: ${DEFAULT-VALUE}.")
    private double minutes = 1;

    @Option(
            names = "--target",
            split = ",",
            paramLabel = "NAME",
            description =
                    "Only this parser, or several with commas; --list names them. Default: all, one after the other.")
    private List<String> targets = List.of();

    @Option(
            names = "--seed",
            paramLabel = "NUMBER",
            description = "Where random numbers begin. Default: a new one each time.")
    private Optional<Long> seed = Optional.empty();

    @Option(names = "--list", description = "Print the names of the parsers.")
    private boolean list;

    @Option(
            names = "--cases",
            paramLabel = "FOLDER",
            description = "Write the hand-made hostile models into a new folder instead.")
    private Optional<Path> cases = Optional.empty();

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    @SuppressWarnings("UnusedVariable") // picocli looks at it
    private boolean help;

    Main(PrintStream out) {
        this.out = out;
    }

    /** Starts it. */
    public static void main(String[] arguments) {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.exit(commandLine(out, System.err).execute(arguments));
    }

    /** A wrong flag is told in one line, as other commands tell it. */
    static CommandLine commandLine(PrintStream out, PrintStream err) {
        return new CommandLine(new Main(out))
                .setParameterExceptionHandler((wrong, _) -> {
                    err.println(
                            "flagship: "
                                    + Quoted.visible(inWords(String.valueOf(wrong.getMessage()))));
                    err.println("Try 'flagship fuzz --help'.");
                    return CommandLine.ExitCode.USAGE;
                });
    }

    /** picocli names Java's types. */
    private static String inWords(String message) {
        return message.replaceAll("'[-+]?\\d+' is not a long$", "the number is too large")
                .replaceAll("is not a long$", "is not a whole number")
                .replaceAll("is not a double$", "is not a number");
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (list) {
            Arrays.stream(Format.values()).forEach(format -> out.println(format.title()));
            return 0;
        }
        if (cases.isPresent()) {
            return write(cases.get());
        }
        if (!(minutes > 0 && minutes <= MOST_MINUTES)) {
            throw wrong(
                    "--minutes %s is not above 0 and at most %d, a week"
                            .formatted(minutes, (int) MOST_MINUTES));
        }
        long first = seed.orElseGet(() -> (long) new Random().nextInt());
        boolean held = true;
        for (Format format : formats()) {
            held &= searched(format, first);
        }
        return held ? 0 : 1;
    }

    private int write(Path folder) throws IOException {
        if (Files.exists(folder)) {
            throw wrong("--cases: %s is there already, expected a new folder".formatted(folder));
        }
        out.println(
                HostileCases.write(folder)
                        + " hostile models, listed in "
                        + folder.resolve("cases.tsv"));
        return 0;
    }

    private List<Format> formats() {
        List<Format> formats = new ArrayList<>();
        for (String target : targets) {
            formats.add(
                    Arrays.stream(Format.values())
                            .filter(format -> format.title().equals(target))
                            .findFirst()
                            .orElseThrow(() ->
                                    wrong(
                                            "--target %s is no parser; there are %s"
                                                    .formatted(
                                                            target,
                                                            Arrays.stream(Format.values())
                                                                    .map(Format::title)
                                                                    .collect(joining(", "))))));
        }
        return formats.isEmpty() ? List.of(Format.values()) : formats;
    }

    private ParameterException wrong(String message) {
        if (spec == null) {
            throw new IllegalStateException(message);
        }
        return new ParameterException(spec.commandLine(), message);
    }

    /** Prints what a search came to; whether all promises were kept. */
    private boolean searched(Format format, long first) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("flagship-fuzz-" + format.title() + "-");
        Duration time = Duration.ofMillis(Math.round(minutes * 60_000));
        Fuzzer.Result result = new Fuzzer(format, folder).search(first, time);
        out.printf(
                Locale.ROOT,
                "%s %s: %s s, %,d models, %,d opened, %,d refused; slowest %d ms, dearest %.0f %% of what is allowed; seed %d%n",
                LocalDate.now(ZoneId.systemDefault()),
                format.title(),
                time.toSeconds(),
                result.rounds(),
                result.opened(),
                result.refused(),
                result.slowest().toMillis(),
                100 * result.dearest(),
                first);
        if (result.failure().isEmpty()) {
            delete(folder);
            return true;
        }
        Fuzzer.Failure failure = result.failure().get();
        out.println("FAILED " + failure.replay(format));
        out.println(
                "  see it again: ./flagship fuzz --target %s --seed=%d"
                        .formatted(format.title(), failure.seed()));
        for (Throwable cause = failure.cause(); cause != null; cause = cause.getCause()) {
            out.println("  " + cause);
            Arrays.stream(cause.getStackTrace())
                    .limit(12)
                    .forEach(at -> out.println("    at " + at));
        }
        out.println("  the model is in " + folder);
        return false;
    }

    private static void delete(Path folder) throws IOException {
        Files.walkFileTree(
                folder,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        Files.delete(file);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult postVisitDirectory(
                            Path visited, @Nullable IOException failure) throws IOException {
                        Files.delete(visited);
                        return FileVisitResult.CONTINUE;
                    }
                });
    }
}
