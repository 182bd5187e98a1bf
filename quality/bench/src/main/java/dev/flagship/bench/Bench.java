package dev.flagship.bench;

import dev.flagship.base.Bytes;
import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.LoadedModel;
import dev.flagship.tensor.MemoryLedger;
import dev.flagship.tokenizers.ControlTokens;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * One measurement of one model: its speed, the machine's limits, start-up and memory, and if asked
 * a peer's speed, all in turns. A shared machine drifts by a factor of 2 within minutes, so that
 * only what was measured side by side may be compared. One thread.
 */
final class Bench {
    private static final String TEXT = "/dev/flagship/testing/golden/perplexity.txt";
    private static final int TEXT_BYTES = 32 << 10;
    static final double MOST_OTHERS = 0.10;

    /** No window of likelihood is begun that would end later than this, but the first. */
    private static final double MOST_LIKELIHOOD_SECONDS = 60;

    private final Settings settings;
    private final PrintStream progress;
    private final Machine machine = Machine.read();
    private final Report report = new Report();
    private final Outlook outlook;
    private final Rounds rounds;

    /** Rounds of {@link #operations} that ended. */
    private volatile int timed;

    /** Our likelihood of each window, as far as a peer made it worth knowing. */
    private final Map<Integer, Double> likelihoods = new HashMap<>();

    /**
     * What to measure.
     *
     * @param model as a person typed it
     * @param path its file or folder
     * @param runs of everything
     * @param seconds least time of one reading
     * @param force measure though the machine is busy
     * @param picture whether one is to be drawn
     * @param peers engines to compare with, and where each lives
     */
    record Settings(
            String model,
            Path path,
            LoadOptions options,
            int runs,
            double seconds,
            boolean force,
            boolean picture,
            Map<Engine, String> peers) {}

    /**
     * What came out.
     *
     * @param svg the picture, if one was wanted; the roofline needs the machine's limits
     */
    record Result(Report report, Optional<String> svg) {}

    /**
     * @param progress hears what is being done
     */
    Bench(Settings settings, PrintStream progress) {
        this.settings = settings;
        this.progress = progress;
        this.outlook = new Outlook(progress);
        this.rounds = new Rounds(settings.runs(), outlook);
    }

    /**
     * Measures.
     *
     * @throws BenchException {@code machine_busy} if others would spoil the figures
     * @throws Outlook.Stopped if {@link #stop} came before the first round had ended
     * @throws IOException if the model or the file for the read bandwidth cannot be used
     */
    Result run() throws IOException {
        Optional<String> svg;
        String loadBefore = Machine.loadAverage().orElse("unknown");
        double others = othersNow(settings.force(), progress);
        try (LoadedModel model = load()) {
            Workload work = Workload.within(model.contextLength(), text(model), settings.seconds());
            describe(model, work);
            rounds.plan(work, settings.peers().keySet());
            try (OwnModel own = new OwnModel(model, work)) {
                report.fact("warm-up", warmUp(own, work));
                describeMemory();
                int[] greedy = own.greedy();
                report.fact(
                        "output",
                        "greedy ids %s over %d tokens"
                                .formatted(OwnModel.hash(greedy), greedy.length));
                svg = measure(model, work, own, greedy);
                addAllocation(own.allocation());
            }
        }
        report.fact(
                "load",
                "averages %s before, %s after; others took %.0f %% of the machine before%s"
                        .formatted(
                                loadBefore,
                                Machine.loadAverage().orElse("unknown"),
                                100 * others,
                                rounds.interference()));
        return new Result(report, svg);
    }

    /**
     * Ends it from another thread: no more is read, and what the rounds gave is the result.
     *
     * @return whether a round has ended, so that there is a result
     */
    boolean stop() {
        outlook.stop();
        return Math.max(rounds.done(), timed) > 0;
    }

    /** Measures where a token's time goes instead, operation by operation; no limits, no peers. */
    Result operations() throws IOException {
        double others = othersNow(settings.force(), progress);
        try (LoadedModel model = load()) {
            Workload work = Workload.within(model.contextLength(), text(model), settings.seconds());
            describe(model, work);
            var times = new OperationTimes();
            var kernels = new TimingKernels(model.kernels(), times);
            var breakdown = new Breakdown(work);
            try (OwnModel own = new OwnModel(model, work, kernels)) {
                report.fact("warm-up", warmUp(own, work));
                List<ProcessHandle> processes = List.of(ProcessHandle.current());
                Optional<ProcessorTimes> began = ProcessorTimes.now(processes);
                try (Dispatch dispatch = new Dispatch(model.threads())) {
                    read(own, work, times, breakdown, dispatch);
                    report.row(
                            "dispatch",
                            "handing an operation to all threads",
                            "us",
                            dispatch.micros());
                }
                ProcessorTimes.now(processes)
                        .ifPresent(ended ->
                                began.ifPresent(
                                        b -> report.fact("load", interference(others, b, ended))));
            }
            breakdown.addTo(report);
            return new Result(
                    report,
                    settings.picture()
                            ? Optional.of(new TimeBars(title(model), breakdown).svg())
                            : Optional.empty());
        }
    }

    private void read(
            OwnModel own,
            Workload work,
            OperationTimes times,
            Breakdown breakdown,
            Dispatch dispatch) {
        work.figures().forEach(f -> outlook.plan(Rounds.name(work, f), settings.runs()));
        try {
            for (int round = 0; round < settings.runs(); round++) {
                String when = Rounds.when(round, settings.runs());
                dispatch.read();
                for (Figure figure : work.figures()) {
                    breakdown.add(
                            figure,
                            outlook.read(when, Rounds.name(work, figure), () -> own.read(figure)),
                            times);
                }
                timed = round + 1;
            }
        } catch (Outlook.Stopped e) {
            keep(timed, e);
        }
    }

    /**
     * What others did before and while something was measured.
     *
     * @param before their share before
     */
    static String interference(double before, ProcessorTimes began, ProcessorTimes ended) {
        return String.format(
                Locale.ROOT,
                "others took %.0f %% of the machine before and %.0f %% meanwhile; %.1f %% was stolen",
                100 * before,
                100 * ended.othersSince(began),
                100 * ended.stolenSince(began));
    }

    /** Share of the machine that other processes take, over one second. */
    static double othersNow(boolean force, PrintStream progress) {
        List<ProcessHandle> own = List.of(ProcessHandle.current());
        Optional<ProcessorTimes> before = ProcessorTimes.now(own);
        pause(1000);
        Optional<ProcessorTimes> after = ProcessorTimes.now(own);
        if (before.isEmpty() || after.isEmpty()) {
            progress.println("The system does not tell how busy it is; that is not checked.");
            return 0;
        }
        double others = after.get().othersSince(before.get());
        if (others > MOST_OTHERS && !force) {
            throw new BenchException(
                    "machine_busy",
                    "Other processes take %.0f %% of this machine (at most %.0f %% may), so that the figures would be worth nothing. Wait or end them, or give --force."
                            .formatted(100 * others, 100 * MOST_OTHERS),
                    null);
        }
        return others;
    }

    static void pause(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted", "The measurement was interrupted.", e);
        }
    }

    /** Loads twice if the weights had to be packed, which happens once in a file's life. */
    private LoadedModel load() throws IOException {
        progress.println("Loading " + settings.path());
        var packing = new boolean[1];
        LoadListener listener =
                new LoadListener() {
                    @Override
                    public void progress(String stage, long done, long total) {
                        packing[0] |= stage.startsWith("Packing");
                    }

                    @Override
                    public void warning(String message) {
                        progress.println("Note: " + message);
                    }
                };
        long started = System.nanoTime();
        LoadedModel model = LoadedModel.load(settings.path(), settings.options(), listener);
        if (!packing[0]) {
            return model;
        }
        model.close();
        report.fact(
                "packing",
                String.format(
                        Locale.ROOT,
                        "first load with packing, once per file: %.1f s",
                        (System.nanoTime() - started) / 1e9));
        return LoadedModel.load(settings.path(), settings.options(), listener);
    }

    private static int[] text(LoadedModel model) throws IOException {
        try (InputStream in = Bench.class.getResourceAsStream(TEXT)) {
            if (in == null) {
                throw new IOException("the golden " + TEXT + " is not on the class path");
            }
            String text = new String(in.readNBytes(TEXT_BYTES), StandardCharsets.UTF_8);
            return model.tokenizer().encode(text, ControlTokens.AS_TEXT);
        }
    }

    private boolean inCache(LoadedModel model) {
        return model.weightBytes() < 2 * machine.lastCacheBytes();
    }

    private void describe(LoadedModel model, Workload work) {
        report.fact(
                "model",
                String.format(
                        Locale.ROOT,
                        "%s: %.0f M weights in %s",
                        settings.path().getFileName(),
                        model.parameters() / 1e6,
                        Bytes.human(model.weightBytes())));
        report.fact(
                "weights",
                machine.lastCacheBytes() == 0
                        ? "cache size unknown"
                        : inCache(model)
                                ? "in cache: less than twice the last-level cache of %s; the read bandwidth is that of a file of this size, not of memory"
                                        .formatted(Bytes.human(machine.lastCacheBytes()))
                                : "in memory: at least twice the last-level cache of %s"
                                        .formatted(Bytes.human(machine.lastCacheBytes())));
        report.fact(
                "kernels",
                "%s, %s, KV cache %s, %d threads, context %d"
                        .formatted(
                                model.kernels().rung(),
                                model.numerics(),
                                model.kvLayout().type(),
                                model.threads(),
                                model.contextLength()));
        report.fact(
                "runs",
                "%d in turns, each of at least %s s a figure; %d tokens decoded at a time"
                        .formatted(settings.runs(), work.seconds(), work.decode()));
        describe(machine, report);
    }

    /** What every figure must be read with. */
    static void describe(Machine machine, Report report) {
        report.fact(
                "machine",
                "%s, %d processors; %s"
                        .formatted(
                                machine.processor(),
                                machine.processors(),
                                machine.tellingFeatures()));
        report.fact(
                "java",
                "%s %s; %s"
                        .formatted(
                                System.getProperty("java.vendor.version"),
                                Runtime.version(),
                                String.join(
                                        " ",
                                        ManagementFactory.getRuntimeMXBean().getInputArguments())));
    }

    private String warmUp(Contender own, Workload work) {
        long started = System.nanoTime();
        int readings = 0;
        for (Figure figure : work.figures()) {
            readings += WarmUp.of(outlook, Rounds.name(work, figure), own, figure).readings();
        }
        List<String> once =
                settings.peers().keySet().stream()
                        .filter(Engine::warmAtOnce)
                        .map(Engine::title)
                        .toList();
        return String.format(
                Locale.ROOT,
                "%d readings in %.0f s, %s; not counted%s",
                readings,
                (System.nanoTime() - started) / 1e9,
                WarmUp.rule(),
                once.isEmpty() ? "" : "; one reading of " + String.join(", ", once));
    }

    private void describeMemory() {
        String resident = Machine.memory("VmRSS").map(Bytes::human).orElse("unknown");
        String most = Machine.memory("VmHWM").map(Bytes::human).orElse("unknown");
        report.fact(
                "memory",
                "resident %s, at most %s (weights' mapping included); off-heap %s"
                        .formatted(resident, most, Bytes.human(MemoryLedger.bytes())));
    }

    private void describeMemory(Rival peer) {
        attempt(
                peer.engine(),
                () -> {
                    String most = Bytes.human(peer.peakBytes());
                    report.fact(
                            "its memory, " + peer.engine().title(),
                            "resident at most %s, with a context for each setting".formatted(most));
                });
    }

    private Optional<String> measure(LoadedModel model, Workload work, OwnModel own, int[] greedy)
            throws IOException {
        Path folder = settings.options().packedFolder().orElse(Path.of("."));
        Files.createDirectories(folder);
        Optional<Limits> limits =
                Limits.open(
                        settings.options().kernels(), model.threads(), model.weightBytes(), folder);
        try {
            limits.ifPresentOrElse(
                    Limits::read,
                    () -> report.fact("limits", "not measured: no Vector API in this Java"));
            var peers = new ArrayList<Rival>();
            Path scratch = Files.createTempDirectory("flagship-bench");
            try {
                List<Rounds.Task> extras = extras(model);
                settings.peers().forEach((e, at) -> start(e, at, model, work, scratch, peers));
                peers.forEach(p -> prepare(p, own, greedy, work));
                run(own, limits, peers, extras);
                if (!outlook.stopped()) { // what stopped us may have ended them
                    peers.forEach(this::describeMemory);
                }
            } finally {
                peers.forEach(Rival::close);
                delete(scratch);
            }
            rounds.addTo(report, limits);
            return draw(model);
        } finally {
            limits.ifPresent(Limits::close);
        }
    }

    private void run(
            OwnModel own, Optional<Limits> limits, List<Rival> peers, List<Rounds.Task> extras) {
        try {
            rounds.run(own, limits.map(l -> l::read), peers, extras);
        } catch (Outlook.Stopped e) {
            keep(rounds.done(), e);
        }
    }

    /**
     * Says what a run that was stopped is worth.
     *
     * @param done rounds that ended; without one nothing is kept
     */
    private void keep(int done, Outlook.Stopped stopped) {
        if (done == 0) {
            throw stopped;
        }
        report.fact(
                "stopped",
                "after %d of %d rounds: medians are of these and of what the next one had read"
                        .formatted(done, settings.runs()));
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> all = Files.walk(folder)) {
            for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }

    /** Of pictures. */
    private String title(LoadedModel model) {
        return "%s, %d threads, %s"
                .formatted(settings.path().getFileName(), model.threads(), machine.processor());
    }

    private Optional<String> draw(LoadedModel model) {
        if (!settings.picture()) {
            return Optional.empty();
        }
        Optional<Roofline> picture = rounds.roofline(title(model));
        if (picture.isEmpty()) {
            report.fact("picture", "not drawn: the machine's limits were not measured");
        }
        return picture.map(Roofline::svg);
    }

    private List<Rounds.Task> extras(LoadedModel model) {
        var tasks = new ArrayList<Rounds.Task>();
        tasks.add(new Rounds.Task("load", "load, packed weights, warm Java", this::loadSeconds));
        Optional<StartUp> first =
                StartUp.firstToken(settings.model(), model.chatTemplate().isPresent());
        first.ifPresentOrElse(
                s ->
                        started(s)
                                .ifPresent(start -> {
                                    String label = firstTokenLabel(start.aotCache());
                                    tasks.add(new Rounds.Task("first_token", label, s::seconds));
                                }),
                () -> report.fact("start-up", "not measured: started without ./flagship"));
        StartUp.version()
                .filter(s -> started(s).isPresent())
                .ifPresent(s ->
                        tasks.add(new Rounds.Task("version", "./flagship --version", s::seconds)));
        return tasks;
    }

    /** A cache halves the time, and the first start after a build is without. */
    static String firstTokenLabel(Optional<Boolean> aotCache) {
        return "process start to first token"
                + aotCache.map(with -> with ? ", with AOT cache" : ", without AOT cache")
                        .orElse("");
    }

    /** The first start may build, and fills the file cache. */
    private Optional<StartUp.Start> started(StartUp startUp) {
        try {
            return Optional.of(startUp.once());
        } catch (BenchException e) {
            report.fact("start-up", "not measured: " + e.getMessage());
            return Optional.empty();
        }
    }

    private double loadSeconds() {
        long started = System.nanoTime();
        try (var _ = LoadedModel.load(settings.path(), settings.options(), LoadListener.SILENT)) {
            return (System.nanoTime() - started) / 1e9;
        } catch (IOException e) {
            throw new BenchException("load_failed", "The model was loaded before, not again.", e);
        }
    }

    private void start(
            Engine engine,
            String where,
            LoadedModel model,
            Workload work,
            Path scratch,
            List<Rival> peers) {
        if (!engine.reads(settings.path())) {
            rounds.noRatio(engine, "bench gives it GGUF files only");
            return;
        }
        attempt(
                engine,
                () -> {
                    progress.println("Starting " + engine.title() + " in " + where);
                    peers.add(
                            Rival.start(
                                    engine,
                                    where,
                                    settings.path(),
                                    model.threads(),
                                    work,
                                    scratch));
                });
    }

    private void attempt(Engine engine, Runnable work) {
        try {
            work.run();
        } catch (BenchException e) {
            rounds.noRatio(engine, e.getMessage());
        }
    }

    /** Tells what the peer is, and whether it computes what we do. */
    private void prepare(Rival peer, OwnModel own, int[] greedy, Workload work) {
        Engine engine = peer.engine();
        String info = peer.systemInfo();
        report.fact(
                engine.title(),
                String.format(
                        Locale.ROOT,
                        "%s, %d threads as ours, loaded in %.2f s; %s",
                        peer.version(),
                        peer.threads(),
                        peer.loadSeconds(),
                        info));
        List<String> missing = engine.missing(machine, info);
        if (!missing.isEmpty()) {
            rounds.noRatio(engine, "its build does not use " + String.join(", ", missing));
        }
        attempt(engine, () -> compare(peer, own, greedy, work));
    }

    private void compare(Rival peer, OwnModel own, int[] greedy, Workload work) {
        Engine engine = peer.engine();
        List<Engine.Setting> all = engine.settings();
        if (engine.settingsDiffer()) {
            for (Engine.Setting each : all) {
                String name = "%s, %s".formatted(engine.title(), each.title());
                difference(name, peer, each, each, own, greedy, work)
                        .ifPresent(why -> rounds.noRatio(engine, each, why));
            }
        } else {
            difference(engine.title(), peer, all.getFirst(), all.getLast(), own, greedy, work)
                    .ifPresent(why -> rounds.noRatio(engine, why));
        }
    }

    /** Tells how near its answers are to ours; if not near enough, says so. */
    private Optional<String> difference(
            String name,
            Rival peer,
            Engine.Setting decoding,
            Engine.Setting likelihood,
            OwnModel own,
            int[] greedy,
            Workload work) {
        double ours = 0;
        double theirs = 0;
        int windows = 0;
        double each = 0; // seconds
        while (windows == 0
                || (windows < work.windows() && (windows + 1) * each < MOST_LIKELIHOOD_SECONDS)) {
            int start = windows * work.window();
            long started = System.nanoTime();
            theirs +=
                    outlook.read(
                            "Comparison",
                            "%s, likelihood of %d tokens".formatted(name, work.window()),
                            () -> peer.nll(likelihood, start, work.window()));
            each = Math.max(each, (System.nanoTime() - started) / 1e9);
            ours += likelihoods.computeIfAbsent(start, at -> nll(own, at, work.window()));
            windows++;
        }
        double off = Math.exp((ours - theirs) / windows) - 1;
        int[] other =
                outlook.read("Comparison", name + ", greedy ids", () -> peer.greedy(decoding));
        int same = 0;
        while (same < Math.min(other.length, greedy.length) && other[same] == greedy[same]) {
            same++;
        }
        report.fact(
                "same work, " + name,
                String.format(
                        Locale.ROOT,
                        "perplexity of %d x %d tokens %.4f, its own %.4f (%+.3f %%); greedy ids agree for %d of %d%s",
                        windows,
                        work.window(),
                        Math.exp(ours / windows),
                        Math.exp(theirs / windows),
                        100 * off,
                        same,
                        greedy.length,
                        windows >= work.windows()
                                ? ""
                                : String.format(
                                        Locale.ROOT,
                                        "; %d windows left out, for one takes it %.0f s",
                                        work.windows() - windows,
                                        each)));
        double most = peer.engine().tolerance();
        return Math.abs(off) <= most
                ? Optional.empty()
                : Optional.of(
                        String.format(
                                Locale.ROOT,
                                "its perplexity differs by more than %s %%",
                                100 * most));
    }

    private double nll(OwnModel own, int start, int count) {
        String what = "Flagship, likelihood of %d tokens".formatted(count);
        return outlook.read("Comparison", what, () -> own.nll(start, count));
    }

    private void addAllocation(OwnModel.Allocation allocation) {
        add("heap_step", "heap allocated a forward pass, its thread", allocation.stepBytes());
        add(
                "heap_process",
                "heap allocated a forward pass, all threads",
                allocation.processBytes());
        add("off_heap", "off-heap growth a forward pass", allocation.offHeapBytes());
    }

    private void add(String key, String label, double bytes) {
        var samples = new Samples();
        samples.add(bytes);
        report.row(key + "_bytes_per_token", label, "B", samples);
    }
}
