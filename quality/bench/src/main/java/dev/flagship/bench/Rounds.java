package dev.flagship.bench;

import dev.flagship.tensor.PeakLoop;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.DoubleSupplier;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/** Takes everything in turns, round after round, and keeps the samples. One thread. */
final class Rounds {
    /** A peer's threads may spin for a moment after their work. */
    private static final int SETTLE_MILLIS = 100;

    /** Ctrl-C reaches all processes: a peer may be gone before this one has heard of it. */
    private static final int STOP_MILLIS = 1000;

    /** Of a peer with longer rounds only the settings that were best in the warm-up stay. */
    private static final double LONG_ROUND_SECONDS = 60;

    private static final String LIMITS = "the machine's limits";

    private final int count;
    private final Outlook outlook;
    private final Map<Figure, Own> own = new EnumMap<>(Figure.class);
    private final Map<Entry, Map<Figure, Samples>> rivals = new LinkedHashMap<>();
    private final Samples read = new Samples();
    private final Map<PeakLoop.Kind, Samples> peaks = new EnumMap<>(PeakLoop.Kind.class);
    private final Map<Task, Samples> others = new LinkedHashMap<>();
    private final List<String> noRatios = new ArrayList<>();
    private final Map<Engine, List<String>> noRatio = new EnumMap<>(Engine.class);
    private final Map<Entry, String> unlike = new LinkedHashMap<>();
    private final Map<Engine, String> choices = new EnumMap<>(Engine.class);
    private Optional<ProcessorTimes> began = Optional.empty();
    private Optional<ProcessorTimes> ended = Optional.empty();
    private Optional<Workload> work = Optional.empty();
    private List<Engine> planned = List.of();
    private volatile int done;

    /** An engine with one of its settings. */
    private record Entry(Engine engine, Engine.Setting setting) {
        @Override
        public String toString() {
            return "%s, %s".formatted(engine.title(), setting.title());
        }
    }

    /** What an entry reads in each round. */
    private record Turn(Contender contender, Set<Figure> figures) {}

    /**
     * Something else that is measured in every round, in seconds.
     *
     * @param key for programs
     * @param label for people
     */
    record Task(String key, String label, DoubleSupplier seconds) {}

    /**
     * Our samples of one figure; the shares are of the limits right before and after, for a virtual
     * machine's processors change their speed within seconds, as the host moves them. A look also
     * takes our weights out of the nearest caches; peers are spared that.
     */
    private record Own(
            Samples speed,
            Samples gflops,
            Samples share,
            Map<PeakLoop.Kind, Samples> ofPeaks,
            Map<PeakLoop.Kind, Samples> wholeOfPeaks,
            Samples gbps,
            Samples ofRead,
            Samples operations,
            Samples weightBytes) {
        Own() {
            this(
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new EnumMap<>(PeakLoop.Kind.class),
                    new EnumMap<>(PeakLoop.Kind.class),
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new Samples());
        }

        /** Operations for each byte of weights that is read. */
        double intensity() {
            return operations.median() / weightBytes.median();
        }
    }

    Rounds(int count, Outlook outlook) {
        this.count = count;
        this.outlook = outlook;
    }

    /** Comes before all else: what will be read, as far as it is known. */
    void plan(Workload workload, Collection<Engine> engines) {
        work = Optional.of(workload);
        planned = List.copyOf(engines);
        outlook.plan(LIMITS, count * (1 + workload.figures().size()));
        for (Figure figure : workload.figures()) {
            outlook.plan(name(workload, figure), 1 + count); // one of them warms up
            for (Engine engine : engines) {
                for (Engine.Setting setting : engine.settings()) {
                    outlook.plan(name(new Entry(engine, setting), figure), 1 + count);
                }
            }
        }
    }

    /** What our own reading is called while one waits for it. */
    static String name(Workload work, Figure figure) {
        return "Flagship, " + work.title(figure);
    }

    /** What a round is called, the first is 0. */
    static String when(int round, int rounds) {
        return "Round %d of %d".formatted(round + 1, rounds);
    }

    private String name(Entry entry, Figure figure) {
        return entry + ", " + work.orElseThrow().title(figure);
    }

    /** Says why no ratio to an engine may be printed. */
    void noRatio(Engine engine, String why) {
        noRatio.computeIfAbsent(engine, _ -> new ArrayList<>()).add(why);
    }

    /** The same of one of its settings; the others keep theirs. */
    void noRatio(Engine engine, Engine.Setting setting, String why) {
        unlike.put(new Entry(engine, setting), why);
    }

    /**
     * Measures.
     *
     * @param limits reads the machine's
     * @throws Outlook.Stopped if no more is wanted; what was read stays
     */
    void run(
            Contender ours,
            Optional<Supplier<Limits.Reading>> limits,
            List<Rival> peers,
            List<Task> tasks) {
        tasks.forEach(task -> outlook.plan(task.label(), count));
        if (limits.isEmpty()) {
            outlook.drop(LIMITS);
        }
        List<Engine> started = peers.stream().map(Rival::engine).toList();
        planned.stream().filter(engine -> !started.contains(engine)).forEach(this::drop);
        var turns = new LinkedHashMap<Entry, Turn>();
        var processes = new ArrayList<ProcessHandle>();
        processes.add(ProcessHandle.current());
        for (Rival peer : peers) {
            warmUp(peer, turns);
            processes.add(peer.handle());
        }
        began = ProcessorTimes.now(processes);
        try {
            take(ours, limits, turns, tasks);
        } finally {
            ended = ProcessorTimes.now(processes);
        }
    }

    private void take(
            Contender ours,
            Optional<Supplier<Limits.Reading>> limits,
            Map<Entry, Turn> turns,
            List<Task> tasks) {
        for (int round = 0; round < count; round++) {
            String when = when(round, count);
            var order = new ArrayList<>(turns.entrySet());
            if (round % 2 == 0) {
                takeOwn(when, ours, limits);
            } else {
                Collections.reverse(order);
            }
            for (var each : order) {
                Engine engine = each.getKey().engine();
                if (turns.containsKey(each.getKey())
                        && !take(when, each.getKey(), each.getValue())) {
                    turns.keySet().removeIf(e -> e.engine() == engine);
                }
            }
            if (round % 2 == 1) {
                takeOwn(when, ours, limits);
            }
            for (Task task : tasks) {
                double seconds =
                        outlook.read(when, task.label(), () -> task.seconds().getAsDouble());
                others.computeIfAbsent(task, _ -> new Samples()).add(seconds);
            }
            done = round + 1;
        }
    }

    /** Rounds that ended; any thread may ask. */
    int done() {
        return done;
    }

    private void warmUp(Rival peer, Map<Entry, Turn> turns) {
        Engine engine = peer.engine();
        var speeds = new LinkedHashMap<Entry, Map<Figure, Double>>();
        try {
            for (Engine.Setting setting : engine.settings()) {
                speeds.put(new Entry(engine, setting), warmUp(engine, peer.with(setting), setting));
            }
        } catch (BenchException e) {
            leave(engine, e);
            return;
        }
        Map<Entry, Set<Figure>> chosen = chosen(engine, speeds);
        for (Entry entry : speeds.keySet()) {
            Set<Figure> figures = chosen.getOrDefault(entry, Set.of());
            for (Figure figure : figures()) {
                if (!figures.contains(figure)) {
                    outlook.drop(name(entry, figure));
                }
            }
            if (!figures.isEmpty()) {
                turns.put(entry, new Turn(peer.with(entry.setting()), figures));
            }
        }
    }

    private Map<Figure, Double> warmUp(Engine engine, Contender contender, Engine.Setting setting) {
        var speeds = new EnumMap<Figure, Double>(Figure.class);
        for (Figure figure : figures()) {
            String what = name(new Entry(engine, setting), figure);
            WarmUp warm =
                    engine.warmAtOnce()
                            ? WarmUp.once(outlook, what, contender, figure)
                            : WarmUp.of(outlook, what, contender, figure);
            speeds.put(figure, warm.tokensPerSecond());
            // What prepared the cache is not done again.
            outlook.expect(what, seconds(figure, warm.tokensPerSecond()));
        }
        return speeds;
    }

    private double seconds(Figure figure, double tokensPerSecond) {
        return work.orElseThrow().readingSeconds(figure, tokensPerSecond);
    }

    /** What each setting reads in the rounds. */
    private Map<Entry, Set<Figure>> chosen(Engine engine, Map<Entry, Map<Figure, Double>> speeds) {
        double[] sum = new double[1];
        speeds.values().forEach(each -> each.forEach((f, speed) -> sum[0] += seconds(f, speed)));
        var chosen = new LinkedHashMap<Entry, Set<Figure>>();
        if (sum[0] <= LONG_ROUND_SECONDS || speeds.size() == 1) {
            speeds.keySet().forEach(entry -> chosen.put(entry, EnumSet.copyOf(figures())));
            return chosen;
        }
        var fair = new LinkedHashMap<>(speeds);
        fair.keySet().removeAll(unlike.keySet());
        var told = new ArrayList<String>();
        for (Figure figure : figures()) {
            ToDoubleFunction<Map.Entry<Entry, Map<Figure, Double>>> speed =
                    each -> each.getValue().getOrDefault(figure, 0.0);
            Entry best =
                    (fair.isEmpty() ? speeds : fair)
                            .entrySet().stream()
                                    .max(Comparator.comparingDouble(speed))
                                    .orElseThrow()
                                    .getKey();
            chosen.computeIfAbsent(best, _ -> EnumSet.noneOf(Figure.class)).add(figure);
            told.add(work.orElseThrow().title(figure) + " " + best.setting().title());
        }
        choices.put(
                engine,
                String.format(
                        Locale.ROOT,
                        "a round with all of them would take %.0f s, more than %.0f, so that each figure was measured with what was fastest in the warm-up: %s",
                        sum[0],
                        LONG_ROUND_SECONDS,
                        String.join(", ", told)));
        return chosen;
    }

    private List<Figure> figures() {
        return work.orElseThrow().figures();
    }

    /** A peer that fails leaves the run, and what it had gained is not shown. */
    private void leave(Engine engine, BenchException why) {
        noRatio(engine, why.getMessage());
        rivals.keySet().removeIf(other -> other.engine() == engine);
        drop(engine);
    }

    private void drop(Engine engine) {
        for (Engine.Setting setting : engine.settings()) {
            figures().forEach(f -> outlook.drop(name(new Entry(engine, setting), f)));
        }
    }

    private static Samples samples(Map<PeakLoop.Kind, Samples> map, PeakLoop.Kind kind) {
        return map.computeIfAbsent(kind, _ -> new Samples());
    }

    private void takeOwn(String when, Contender ours, Optional<Supplier<Limits.Reading>> limits) {
        Optional<Limits.Reading> before = look(when, limits);
        for (Figure figure : figures()) {
            String what = name(work.orElseThrow(), figure);
            Contender.Reading reading = outlook.read(when, what, () -> ours.read(figure));
            Optional<Limits.Reading> after = look(when, limits);
            take(figure, reading, before.flatMap(b -> after.map(a -> Limits.Reading.mean(b, a))));
            before = after;
        }
    }

    private Optional<Limits.Reading> look(String when, Optional<Supplier<Limits.Reading>> limits) {
        return limits.map(each -> {
            Limits.Reading reading = outlook.read(when, LIMITS, each);
            read.add(reading.readGbps());
            reading.gops().forEach((kind, gops) -> samples(peaks, kind).add(gops));
            return reading;
        });
    }

    /** Whether it stays. */
    private boolean take(String when, Entry entry, Turn turn) {
        try {
            for (Figure figure : turn.figures()) {
                Contender.Reading reading =
                        outlook.read(
                                when, name(entry, figure), () -> turn.contender().read(figure));
                rivals.computeIfAbsent(entry, _ -> new EnumMap<>(Figure.class))
                        .computeIfAbsent(figure, _ -> new Samples())
                        .add(reading.tokensPerSecond());
            }
            Bench.pause(SETTLE_MILLIS);
            return true;
        } catch (BenchException e) {
            for (int waited = 0; waited < STOP_MILLIS; waited += SETTLE_MILLIS) {
                if (outlook.stopped()) {
                    throw new Outlook.Stopped();
                }
                Bench.pause(SETTLE_MILLIS);
            }
            leave(entry.engine(), e);
            return false;
        }
    }

    private void take(Figure figure, Contender.Reading reading, Optional<Limits.Reading> limits) {
        Own samples = own.computeIfAbsent(figure, _ -> new Own());
        samples.speed().add(reading.tokensPerSecond());
        samples.gflops().add(reading.productGflops());
        samples.share().add(100 * reading.productShare());
        samples.gbps().add(reading.weightGbps());
        samples.operations().add(reading.operationsPerToken());
        samples.weightBytes().add(reading.weightBytesPerToken());
        limits.ifPresent(limit -> {
            samples.ofRead().add(100 * reading.weightGbps() / limit.readGbps());
            limit.gops()
                    .forEach((kind, gops) -> {
                        double share = 100 * reading.productGflops() / gops;
                        samples(samples.ofPeaks(), kind).add(share);
                        samples(samples.wholeOfPeaks(), kind).add(share * reading.productShare());
                    });
        });
    }

    /** What others did meanwhile. */
    String interference() {
        if (began.isEmpty() || ended.isEmpty()) {
            return "";
        }
        return String.format(
                Locale.ROOT,
                " and %.0f %% during the rounds; %.1f %% was stolen",
                100 * ended.get().othersSince(began.get()),
                100 * ended.get().stolenSince(began.get()));
    }

    /** Work of others spoils a comparison even where it came after the start. */
    private void refuseCrowdedRatios() {
        if (began.isEmpty() || ended.isEmpty() || rivals.isEmpty()) {
            return;
        }
        double share = ended.get().othersSince(began.get());
        if (share > Bench.MOST_OTHERS) {
            noRatios.add(
                    String.format(
                            Locale.ROOT,
                            "other processes took %.0f %% of the machine during the rounds",
                            100 * share));
        }
    }

    void addTo(Report report, Optional<Limits> limits) {
        refuseCrowdedRatios();
        limits.ifPresent(l -> addLimits(report, l));
        addPrefill(report);
        addDecode(report, Figure.DECODE_SHORT, "decode_short");
        addDecode(report, Figure.DECODE_LONG, "decode_long");
        addDecode(report, Figure.DECODE_MANY, "decode_many");
        others.forEach(
                (task, samples) -> report.row(task.key() + "_seconds", task.label(), "s", samples));
        choices.forEach((engine, why) -> report.fact("settings, " + engine.title(), why));
        if (!noRatios.isEmpty()) {
            report.fact("no ratios", String.join("; ", noRatios));
        }
        noRatio.forEach((engine, why) ->
                report.fact("no ratio to " + engine.title(), String.join("; ", why)));
        unlike.forEach((entry, why) -> report.fact("no ratio to " + entry, why));
    }

    /**
     * Where the figures stand under the machine's limits; empty without limits. A peer does the
     * work that we do, so that its place follows from its speed.
     */
    Optional<Roofline> roofline(String title) {
        if (read.isEmpty()) {
            return Optional.empty();
        }
        var roofline = new Roofline(title, read.median());
        peaks.forEach((kind, peak) -> roofline.ceiling(kind.toString(), peak.median()));
        own.forEach((figure, ours) ->
                point(roofline, "Flagship", work.orElseThrow().title(figure), ours, ours.speed()));
        rivals.forEach((entry, figures) ->
                figures.forEach((figure, speed) -> {
                    Own ours = own.get(figure);
                    if (ours != null) {
                        String what = work.orElseThrow().title(figure);
                        String with = what + ", " + entry.setting().title();
                        point(roofline, entry.engine().title(), with, ours, speed);
                    }
                }));
        return Optional.of(roofline);
    }

    private static void point(
            Roofline roofline, String engine, String what, Own ours, Samples speed) {
        double gops = speed.median() * ours.operations().median() / 1e9;
        roofline.point(engine, what, ours.intensity(), gops);
    }

    private void addLimits(Report report, Limits limits) {
        report.row("read_gbps", "limit: read of a file of this size", "GB/s", read);
        peaks.forEach(
                (kind, peak) -> report.row(limitKey(kind), "limit: " + kind, unit(kind), peak));
        report.fact("limits", limits.instructions());
        if (!peaks.containsKey(PeakLoop.Kind.INT8)) {
            report.fact("int8 peak", "not measured: these kernels have no products of int8 alone");
        }
    }

    private static String key(PeakLoop.Kind kind) {
        return kind.name().toLowerCase(Locale.ROOT);
    }

    /** {@code fp32_gflops}, {@code int8_gops}. */
    private static String limitKey(PeakLoop.Kind kind) {
        return key(kind) + "_" + unit(kind).replace("/s", "").toLowerCase(Locale.ROOT) + "s";
    }

    private static String unit(PeakLoop.Kind kind) {
        return switch (kind) {
            case FP32, BF16 -> "GFLOP/s";
            case INT8, INT4 -> "GOP/s";
        };
    }

    private void addPrefill(Report report) {
        Own samples = own.getOrDefault(Figure.PREFILL, new Own());
        String label = "prefill of %d tokens".formatted(work.orElseThrow().prefill());
        addSpeed(report, Figure.PREFILL, "prefill", label, samples);
        report.row("prefill_product_gflops", "  matrix products", "GFLOP/s", samples.gflops());
        report.row("prefill_product_time", "    of the time", "%", samples.share());
        samples.ofPeaks()
                .forEach((kind, share) ->
                        report.row(
                                "prefill_of_" + key(kind),
                                "    of the %s limit".formatted(kind),
                                "%",
                                share));
        samples.wholeOfPeaks()
                .forEach((kind, share) ->
                        report.row(
                                "prefill_whole_of_" + key(kind),
                                "  the whole pass, of the %s limit".formatted(kind),
                                "%",
                                share));
    }

    private void addDecode(Report report, Figure figure, String key) {
        Own samples = own.get(figure);
        if (samples == null) {
            report.fact(key.replace('_', ' '), "not measured: the context is too short");
            return;
        }
        Workload w = work.orElseThrow();
        String label =
                figure == Figure.DECODE_MANY
                        ? "decode of %d sequences at once".formatted(w.sequences())
                        : String.format(Locale.ROOT, "decode at position %,d", w.prefix(figure));
        addSpeed(report, figure, key, label, samples);
        report.row(key + "_gbps", "  weights read", "GB/s", samples.gbps());
        report.row(key + "_of_read", "    of the read limit", "%", samples.ofRead());
    }

    private void addSpeed(Report report, Figure figure, String key, String label, Own samples) {
        var best = new EnumMap<Engine, Entry>(Engine.class);
        var shown = new ArrayList<Entry>();
        for (Entry entry : rivals.keySet()) {
            if (samples(entry, figure).isEmpty()) {
                continue;
            }
            if (unlike.containsKey(entry)) {
                shown.add(entry);
                continue;
            }
            Entry known = best.get(entry.engine());
            if (known == null || median(entry, figure) > median(known, figure)) {
                best.put(entry.engine(), entry);
            }
        }
        shown.addAll(0, best.values());
        var others = new ArrayList<Report.Rival>();
        for (Entry entry : shown) {
            boolean fair =
                    noRatios.isEmpty()
                            && !noRatio.containsKey(entry.engine())
                            && !unlike.containsKey(entry);
            double ratio = samples.speed().median() / median(entry, figure);
            others.add(
                    new Report.Rival(
                            entry.engine().title(),
                            entry.setting().title(),
                            samples(entry, figure),
                            fair ? OptionalDouble.of(ratio) : OptionalDouble.empty()));
        }
        report.row(key, label, "tok/s", samples.speed(), others);
    }

    private Samples samples(Entry rival, Figure figure) {
        return rivals.getOrDefault(rival, Map.of()).getOrDefault(figure, new Samples());
    }

    private double median(Entry rival, Figure figure) {
        return samples(rival, figure).median();
    }
}
