package dev.flagship.cli;

import dev.flagship.base.Bytes;
import dev.flagship.base.InvalidArgumentException;
import dev.flagship.base.Quoted;
import dev.flagship.launch.ExitHook;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.Perplexity;
import dev.flagship.serving.QuantMix;
import dev.flagship.serving.QuantizeException;
import dev.flagship.serving.QuantizedFile;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code flagship quantize}: a smaller file of a model. */
@Command(
        name = "quantize",
        description = {
            "Round a model's weights and write them to a GGUF file.",
            "The file is written whole or not at all; llama.cpp reads it, too."
        },
        footer = {
            "",
            "Examples:",
            "  flagship quantize ./Llama-3.2-1B --to q4_k -o llama-1b-q4.gguf",
            "  flagship quantize model.gguf --to q8_0 -o small.gguf --perplexity text.txt"
        },
        sortOptions = false)
@SuppressWarnings("NullAway.Init") // picocli sets the annotated fields
final class QuantizeCommand implements Callable<Integer> {
    private static final long LARGEST_TEXT = 256 << 20;

    private static final int INTERRUPTED = 130;

    /** Characters from which enough tokens come, if any do. */
    private static final int BEGINNING = 65_536;

    private final Context context;

    private volatile boolean stopped;

    @Spec private CommandSpec spec;

    @Parameters(
            index = "0",
            paramLabel = "SOURCE",
            description =
                    "A name, a model's folder (safetensors, PyTorch or Meta's), or a file of it, as GGUF.")
    private String source;

    @Option(
            names = "--to",
            required = true,
            paramLabel = "TYPE",
            converter = ModelFlags.MixConverter.class,
            description =
                    "How weights are rounded: q8_0 (8.5 bits a weight), q4_k (about 4.9 in an 8B) or q4_0 (about 4.6 in an 8B); small models keep more.")
    private QuantMix mix;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "FILE",
            description = "The GGUF file to write.")
    private Path output;

    @Option(names = "--force", description = "Replace a file that is there.")
    private boolean force;

    @Option(
            names = "--perplexity",
            paramLabel = "TEXT",
            description =
                    "Measure with this text file how much worse the model foretells text than before. Takes the memory of either model.")
    private @Nullable Path text;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute. Default (or 0): one a physical core.")
    private int threads;

    QuantizeCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException {
        checkOutput();
        LoadOptions load = options();
        String sample = text == null ? "" : text(text);
        var streams = context.streams();
        var store = StoreOf.context(context);
        try (var progress = new ProgressLine(streams.err(), streams.errIsTerminal())) {
            Path model = store.resolve(source, progress);
            Optional<Perplexity> before = write(model, sample, load, progress);
            if (before.isPresent()) {
                compare(before.get(), measured(sample, load, progress), progress);
            }
        } catch (QuantizeException e) {
            if (!stopped) {
                throw e;
            }
            return INTERRUPTED; // and said already
        }
        return 0;
    }

    private Perplexity measured(String sample, LoadOptions load, ProgressLine progress)
            throws IOException {
        try (var _ =
                ExitHook.of(() ->
                        progress.end(
                                "flagship: stopped; %s is written, its perplexity is not measured"
                                        .formatted(output)))) {
            return Perplexity.of(output, sample, load, progress);
        }
    }

    /** Checks what would otherwise be known after minutes. */
    private LoadOptions options() {
        try {
            return LoadOptions.of("quantize").withThreads(threads);
        } catch (InvalidArgumentException e) {
            throw new ParameterException(spec.commandLine(), ModelFlags.inFlags(e.getMessage()), e);
        }
    }

    /** Before a model is fetched for it. */
    private void checkOutput() {
        String name = output.toString();
        if (name.isEmpty() || name.equals("-")) {
            throw new ParameterException(
                    spec.commandLine(),
                    name.isEmpty()
                            ? "-o names no file; is a variable of the shell empty?"
                            : "-o - is no file, and a model cannot be written to a pipe; name the GGUF file to write (./- for one of that name)");
        }
        if (!Quoted.visible(name).equals(name) || name.contains("\n") || name.contains("\t")) {
            throw new ParameterException(
                    spec.commandLine(),
                    "-o %s has characters that steer terminals; choose another name"
                            .formatted(Quoted.of(name)));
        }
        QuantizedFile.checkPlace(output, force);
    }

    private static String text(Path file) throws IOException {
        if (file.toString().isEmpty()) {
            throw new CliException(
                    "not_text",
                    "--perplexity names no file; is a variable of the shell empty?",
                    null);
        }
        if (Files.isDirectory(file)) {
            throw new CliException(
                    "not_text", "%s is a folder; give a text file".formatted(file), null);
        }
        if (!Files.exists(file)) {
            throw new CliException(
                    "not_text", "There is no file %s; give a text file".formatted(file), null);
        }
        if (!Files.isRegularFile(file) || Files.size(file) > LARGEST_TEXT) {
            throw new CliException(
                    "not_text",
                    "%s is no file of at most %s; give a text file"
                            .formatted(file, Bytes.human(LARGEST_TEXT)),
                    null);
        }
        try {
            return Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new CliException("not_text", file + " is not UTF-8 text; give a text file", e);
        }
    }

    private Optional<Perplexity> write(
            Path model, String sample, LoadOptions load, ProgressLine progress) throws IOException {
        var options = new QuantizedFile.Options(mix, threads, force);
        Optional<Perplexity> before = Optional.empty();
        QuantizedFile.Report report;
        try (var file = QuantizedFile.open(model, output, options, progress);
                var _ = ExitHook.of(() -> stop(file, progress))) {
            if (text != null) {
                checkLength(file, sample);
                before = Optional.of(Perplexity.of(model, sample, load, progress));
            }
            report = file.write();
        }
        say(
                progress,
                String.format(
                        Locale.ROOT,
                        "%s: %s, %.2f bits a weight; %s",
                        output,
                        Bytes.human(report.bytes()),
                        report.bitsPerWeight(),
                        report.types()));
        return before;
    }

    /** Before minutes of work. */
    private void checkLength(QuantizedFile file, String sample) {
        int tokens = file.tokens(sample.substring(0, Math.min(sample.length(), BEGINNING)));
        if (tokens < Perplexity.LEAST_TOKENS) {
            throw new CliException(
                    "short_text",
                    "%s has %d tokens for this model, and perplexity needs %d at least; give a longer text"
                            .formatted(text, tokens, Perplexity.LEAST_TOKENS),
                    null);
        }
    }

    private void stop(QuantizedFile file, ProgressLine progress) {
        stopped = true;
        progress.end(
                file.abandon()
                        ? "flagship: stopped; nothing was written to " + output
                        : "flagship: stopped; " + output + " is written");
    }

    private void compare(Perplexity before, Perplexity after, ProgressLine progress) {
        say(
                progress,
                String.format(
                        Locale.ROOT,
                        "Perplexity over %d tokens of %s: %.4f before (%s numerics), %.4f now (%s): %+.2f %%",
                        after.tokens(),
                        text,
                        before.value(),
                        before.numerics(),
                        after.value(),
                        after.numerics(),
                        100 * (after.value() / before.value() - 1)));
    }

    private void say(ProgressLine progress, String line) {
        progress.close();
        PrintStream out = context.streams().out();
        out.println(line);
        out.flush();
    }
}
