package dev.flagship.bench;

import dev.flagship.base.FlagshipException;
import dev.flagship.base.InvalidArgumentException;
import dev.flagship.launch.ModelStore;
import dev.flagship.launch.Progress;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.ModelTemplate;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Numerics;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * {@code ./flagship bench}. Exit codes: 0, 1 for a failure or a bound that does not hold, 2 for a
 * wrong flag.
 */
@Command(
        name = "flagship bench",
        sortOptions = false,
        description = {
            "Measures a model's speed against this machine's limits, in the same run.",
            "Everything is measured in turns; figures are medians, with least and greatest."
        },
        footer = {
            "",
            "Examples:",
            "  flagship bench                                    the default model",
            "  flagship bench model.gguf --against llama.cpp     in turns with a peer",
            "  flagship bench --operations --svg time.svg        a token's time, drawn",
            "  flagship bench --parity                           distance from the reference"
        })
public final class Main implements Callable<Integer> {
    private static final double READING_SECONDS = 1;
    private static final double PRODUCT_SECONDS = 0.3;
    private static final String PYTHON = "python3";

    /** A reading of a large model by a slow peer takes no longer. */
    private static final long MOST_STOP_SECONDS = 60;

    private final PrintStream out;
    private final PrintStream err;

    @Spec private @Nullable CommandSpec spec;

    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            defaultValue = "smollm2",
            description = "A name, a file or a folder. Default: ${DEFAULT-VALUE}.")
    private String model = "smollm2";

    @Option(
            names = "--against",
            split = ",",
            paramLabel = "PEER",
            description =
                    "Measure peers in turns with us: llama.cpp, ik_llama.cpp, pytorch, llama3.java, jlama, or several with commas. jlama takes folders, the others GGUF files.")
    private List<String> against = List.of();

    @Option(
            names = "--peer-path",
            split = ",",
            paramLabel = "[PEER=]PATH",
            description =
                    "Where it is: the Python that has llama-cpp-python or ik-llama-cpp-python built for this processor, or torch and transformers; or the file Llama3.java; or the folder of Jlama's jars. "
                            + JavaPeer.JLAMA_JARS
                            + " fills it; with "
                            + JavaPeer.JLAMA_NATIVE
                            + " Jlama uses its native code. With --shapes the Python that has torch, or onnxruntime and onnx, or all. Default: python3.")
    private List<String> paths = List.of();

    @Option(
            names = "--runs",
            paramLabel = "N",
            defaultValue = "5",
            description =
                    "Rounds, at least 5 for figures that are to be quoted. Default: ${DEFAULT-VALUE}.")
    private int runs = 5;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Threads that compute. Default: one a physical core.")
    private int threads;

    @Option(
            names = "--kernels",
            paramLabel = "NAME",
            defaultValue = LoadOptions.AUTO,
            description = "auto, x86, vector or scalar. Default: auto, the fastest here.")
    private String kernels = LoadOptions.AUTO;

    @Option(
            names = "--numerics",
            paramLabel = "MODE",
            description = "exact or fast. Default: fast for quantised files.")
    private @Nullable String numerics;

    @Option(
            names = "--kv-cache",
            paramLabel = "TYPE",
            description =
                    "f16, q8_0 or f32. Default: f16, in exact numerics f32. With --parity: measured beside the default.")
    private @Nullable String kvCache;

    @Option(
            names = "--context",
            paramLabel = "TOKENS",
            description = "Most tokens of a conversation. Default: the model's, at most 8192.")
    private @Nullable Integer contextTokens;

    @Option(names = "--json", description = "Print JSON instead of a table.")
    private boolean json;

    @Option(
            names = "--svg",
            paramLabel = "FILE",
            description =
                    "Draw the figures under this machine's limits (roofline), or with --operations a token's time.")
    private @Nullable Path svg;

    @Option(names = "--force", description = "Measure though other processes are at work.")
    private boolean force;

    @Option(
            names = "--parity",
            description =
                    "Measure the default model's distance from the reference implementation instead. Takes --kv-cache, --threads and --kernels, no other flag of the above.")
    private boolean parity;

    @Option(
            names = "--greedy-only",
            description = "With --parity: prompts, greedy answers and logits, no perplexity.")
    private boolean greedyOnly;

    @Option(
            names = "--shapes",
            description =
                    "Measure matrix products alone instead, with F32, F16 and BF16 weights at shapes of SAM and DINOv2, in turns with F32 products of PyTorch (oneDNN) and ONNX Runtime. Takes --peer-path, --runs, --threads, --kernels, --json and --force.")
    private boolean shapes;

    @Option(
            names = "--operations",
            description =
                    "Measure where the time of a token goes instead, operation by operation. Takes no --against.")
    private boolean operations;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Print this and exit.")
    @SuppressWarnings("UnusedVariable") // picocli looks at it
    private boolean help;

    Main(PrintStream out, PrintStream err) {
        this.out = out;
        this.err = err;
    }

    /** Measures what the arguments say, and exits. */
    public static void main(String[] args) {
        System.exit(execute(System.out, System.err, args));
    }

    static int execute(PrintStream out, PrintStream err, String... args) {
        return new CommandLine(new Main(out, err))
                .setOut(new java.io.PrintWriter(out, true, StandardCharsets.UTF_8))
                .setErr(new java.io.PrintWriter(err, true, StandardCharsets.UTF_8))
                .setUsageHelpWidth(80)
                .setParameterExceptionHandler((e, _) -> usage(e, err))
                .setExecutionExceptionHandler((e, _, _) -> failed(e, err))
                .execute(args);
    }

    private static int usage(ParameterException e, PrintStream err) {
        err.println("flagship: " + e.getMessage());
        err.println("Try 'flagship bench --help'.");
        return 2;
    }

    private static int failed(Exception e, PrintStream err) throws Exception {
        return switch (e) {
            case FlagshipException known -> {
                err.println("flagship: " + known.getMessage());
                yield 1;
            }
            case IOException io -> {
                err.println("flagship: input or output failed: " + io.getMessage());
                yield 1;
            }
            default -> throw e;
        };
    }

    @Override
    public Integer call() throws IOException {
        checkCombination();
        Map<Engine, String> peers = peers();
        checkJars(peers);
        if (runs < 1 || runs > 1000) {
            throw wrong("--runs %d is not in [1, 1000]".formatted(runs));
        }
        if (svg != null) {
            checkPicture(svg);
        }
        LoadOptions options = options();
        if (shapes) {
            var settings =
                    new ShapeBench.Settings(
                            kernels,
                            threads,
                            runs,
                            PRODUCT_SECONDS,
                            force,
                            paths.isEmpty() ? PYTHON : paths.getFirst());
            print(new ShapeBench(settings, ShapeBench.SHAPES, err).run());
            return 0;
        }
        ModelStore store = ModelStore.open(ModelStore.defaultHome(System.getenv()));
        Path path = store.resolve(model, new Stages(err));
        checkFolder(peers, path);
        Path packed = store.home().resolve("packed");
        if (parity) {
            boolean good = new Parity(path, options.withPackedFolder(packed), out).run(greedyOnly);
            return good ? 0 : 1;
        }
        Files.createDirectories(packed);
        var settings =
                new Bench.Settings(
                        model,
                        path,
                        options.withPackedFolder(packed),
                        runs,
                        READING_SECONDS,
                        force,
                        svg != null,
                        peers);
        tell(new Bench(settings, err));
        return 0;
    }

    private void print(Report report) {
        out.print(json ? report.json() + "\n" : report.table());
        out.flush();
    }

    /** Minutes of measuring are not lost by Ctrl-C: what the rounds gave so far is told. */
    private void tell(Bench bench) throws IOException {
        var told = new CountDownLatch(1);
        var stop =
                new Thread(() -> {
                    if (!bench.stop()) {
                        err.println("Stopped before a round had ended: there are no figures.");
                        return;
                    }
                    err.println("Stopping after this reading; what was measured is told.");
                    try {
                        told.await(MOST_STOP_SECONDS, TimeUnit.SECONDS);
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
        Runtime.getRuntime().addShutdownHook(stop);
        try {
            tell(operations ? bench.operations() : bench.run());
        } finally {
            told.countDown();
            removeHook(stop);
        }
    }

    private static void removeHook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // It runs: this process is ending.
        }
    }

    /** The figures come first: they took minutes, and the picture may fail. */
    void tell(Bench.Result result) {
        print(result.report());
        result.svg().ifPresent(this::writePicture);
    }

    private void writePicture(String text) {
        Path file = Objects.requireNonNull(svg);
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new BenchException(
                    "picture_not_written",
                    "The picture could not be written to %s (%s); the figures above stand."
                            .formatted(file, e),
                    e);
        }
        err.println("The picture is in " + file);
    }

    /** Before anything is measured, not minutes later. */
    private void checkPicture(Path file) {
        if (Files.isDirectory(file)) {
            throw wrong("--svg %s is a folder; give it a file's name".formatted(file));
        }
        // Only a root has no parent, and that is a folder.
        Path folder = Objects.requireNonNull(file.toAbsolutePath().getParent());
        if (!Files.isDirectory(folder)) {
            throw wrong("--svg %s: there is no folder %s; make it first".formatted(file, folder));
        }
        if (!Files.isWritable(Files.exists(file) ? file : folder)) {
            throw wrong("--svg %s may not be written".formatted(file));
        }
    }

    /** Refuses flags that would have no effect. */
    private void checkCombination() {
        if (greedyOnly && !parity) {
            throw wrong("--greedy-only belongs to --parity");
        }
        if (against.isEmpty() && !paths.isEmpty() && !shapes) {
            throw wrong("--peer-path belongs to --against or --shapes");
        }
        if (kvCache != null && !against.isEmpty()) {
            throw wrong("--against does not take --kv-cache: peers keep theirs in F16");
        }
        if (greedyOnly && kvCache != null) {
            throw wrong("--greedy-only does not take --kv-cache");
        }
        if (operations && !against.isEmpty()) {
            throw wrong("--operations does not take --against: peers do not tell theirs");
        }
        if (parity) {
            takesOnly("--parity", "--greedy-only", "--kv-cache", "--threads", "--kernels");
        }
        if (shapes) {
            takesOnly(
                    "--shapes",
                    "--peer-path",
                    "--runs",
                    "--threads",
                    "--kernels",
                    "--json",
                    "--force");
            if (paths.size() > 1) {
                throw wrong("--shapes takes one --peer-path");
            }
            if (commandLine().getParseResult().hasMatchedPositional(0)) {
                throw wrong("--shapes takes no model");
            }
        }
    }

    private void takesOnly(String mode, String... flags) {
        for (OptionSpec given : commandLine().getParseResult().matchedOptions()) {
            String name = given.longestName();
            if (!name.equals(mode) && !List.of(flags).contains(name)) {
                throw wrong(mode + " does not take " + name);
            }
        }
    }

    private Map<Engine, String> peers() {
        var peers = new EnumMap<Engine, String>(Engine.class);
        for (String name : against) {
            peers.put(engine(name, "--against"), PYTHON);
        }
        for (String path : paths) {
            int equals = path.indexOf('=');
            if (equals < 0) {
                peers.replaceAll((_, _) -> path);
            } else {
                Engine engine = engine(path.substring(0, equals), "--peer-path");
                if (!peers.containsKey(engine)) {
                    throw wrong(
                            "--peer-path names %s, which --against does not"
                                    .formatted(engine.title()));
                }
                peers.replace(engine, path.substring(equals + 1));
            }
        }
        return peers;
    }

    private void checkJars(Map<Engine, String> peers) {
        String folder = peers.get(Engine.JLAMA);
        if (folder != null && !JavaPeer.hasJlama(Path.of(folder))) {
            throw wrong(
                    "--against jlama needs --peer-path jlama=FOLDER with its jars, and %s holds no jlama-core; fill one by %s"
                            .formatted(folder, JavaPeer.JLAMA_JARS));
        }
    }

    private void checkFolder(Map<Engine, String> peers, Path path) {
        if (peers.containsKey(Engine.JLAMA) && !Engine.JLAMA.reads(path)) {
            throw wrong(
                    "--against jlama: it reads folders only, with config.json, tokenizer.json and safetensors, and %s is a file; give the folder that it was made from, or make one by tools/bench/make_folder.py %s FOLDER"
                            .formatted(path, path));
        }
    }

    private Engine engine(String name, String flag) {
        return Engine.of(name)
                .orElseThrow(() ->
                        wrong("%s knows %s, not \"%s\"".formatted(flag, Engine.titles(), name)));
    }

    /** Checked before anything is fetched. */
    private LoadOptions options() {
        try {
            return new LoadOptions(
                    model,
                    numerics == null ? Optional.empty() : Optional.of(mode(numerics)),
                    kvCache == null ? Optional.empty() : Optional.of(kvCache(kvCache)),
                    kernels,
                    threads,
                    contextTokens == null ? OptionalInt.empty() : OptionalInt.of(contextTokens),
                    Optional.empty(),
                    ModelTemplate.Own.IF_ANY,
                    Optional.empty());
        } catch (InvalidArgumentException e) {
            throw wrong(e.getMessage());
        }
    }

    private Numerics mode(String text) {
        for (Numerics each : Numerics.values()) {
            if (each.toString().equals(text)) {
                return each;
            }
        }
        throw wrong("--numerics knows exact and fast, not \"%s\"".formatted(text));
    }

    private DType kvCache(String text) {
        return LoadOptions.kvCacheOf(text)
                .orElseThrow(() ->
                        wrong("--kv-cache knows f16, q8_0 and f32, not \"%s\"".formatted(text)));
    }

    private ParameterException wrong(String message) {
        return new ParameterException(commandLine(), message);
    }

    private CommandLine commandLine() {
        return Objects.requireNonNull(spec).commandLine();
    }

    /** One line a stage, and one for every tenth of a download. */
    private static final class Stages implements Progress {
        private final PrintStream err;
        private long told;

        Stages(PrintStream err) {
            this.err = err;
        }

        @Override
        public void stage(String text) {
            err.println(text);
            told = 0;
        }

        @Override
        public void bytes(long done, long total) {
            long tenth = total <= 0 ? 0 : 10 * done / total;
            if (tenth > told) {
                told = tenth;
                err.printf(Locale.ROOT, "%d %%%n", 10 * tenth);
            }
        }
    }
}
