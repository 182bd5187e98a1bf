package dev.flagship.bench;

import dev.flagship.tensor.PeakLoop;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.DoubleSupplier;

/** Takes everything in turns, round after round, and keeps the samples. One thread. */
final class Rounds {
    /** A peer's threads may spin for a moment after their work. */
    private static final int SETTLE_MILLIS = 100;

    private final int count;
    private final PrintStream progress;
    private final Map<Figure, Own> own = new EnumMap<>(Figure.class);
    private final Map<Entry, Map<Figure, Samples>> rivals = new LinkedHashMap<>();
    private final Samples read = new Samples();
    private final Map<PeakLoop.Kind, Samples> peaks = new EnumMap<>(PeakLoop.Kind.class);
    private final Map<Task, Samples> others = new LinkedHashMap<>();
    private final List<String> noRatios = new ArrayList<>();
    private final Map<Engine, List<String>> noRatio = new EnumMap<>(Engine.class);
    private final Map<Entry, String> unlike = new LinkedHashMap<>();
    private Optional<ProcessorTimes> began = Optional.empty();
    private Optional<ProcessorTimes> ended = Optional.empty();
    private Optional<Workload> work = Optional.empty();

    /** An engine with one of its settings. */
    private record Entry(Engine engine, Engine.Setting setting) {}

    /**
     * Something else that is measured in every round, in seconds.
     *
     * @param key for programs
     * @param label for people
     */
    record Task(String key, String label, DoubleSupplier seconds) {}

    /** Our samples of one figure; the shares are of the limits of the same round. */
    private record Own(
            Samples speed,
            Samples gflops,
            Samples share,
            Map<PeakLoop.Kind, Samples> ofPeaks,
            Samples gbps,
            Samples ofRead) {
        Own() {
            this(
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new EnumMap<>(PeakLoop.Kind.class),
                    new Samples(),
                    new Samples());
        }
    }

    Rounds(int count, PrintStream progress) {
        this.count = count;
        this.progress = progress;
    }

    /** Says why no ratio to an engine may be printed. */
    void noRatio(Engine engine, String why) {
        noRatio.computeIfAbsent(engine, _ -> new ArrayList<>()).add(why);
    }

    /** The same of one of its settings; the others keep theirs. */
    void noRatio(Engine engine, Engine.Setting setting, String why) {
        unlike.put(new Entry(engine, setting), why);
    }

    void run(
            Workload workload,
            Contender ours,
            Optional<Limits> limits,
            List<Rival> peers,
            List<Task> tasks) {
        work = Optional.of(workload);
        var contenders = new LinkedHashMap<Entry, Contender>();
        var processes = new ArrayList<ProcessHandle>();
        processes.add(ProcessHandle.current());
        for (Rival peer : peers) {
            warmUp(peer, contenders);
            processes.add(peer.handle());
        }
        began = ProcessorTimes.now(processes);
        for (int round = 0; round < count; round++) {
            progress.printf("Round %d of %d%n", round + 1, count);
            limits.ifPresent(l -> take(l.read()));
            var order = new ArrayList<>(contenders.entrySet());
            if (round % 2 == 0) {
                takeOwn(ours);
            } else {
                Collections.reverse(order);
            }
            for (var each : order) {
                if (!take(each.getKey(), each.getValue())) {
                    contenders.keySet().removeIf(e -> e.engine() == each.getKey().engine());
                }
            }
            if (round % 2 == 1) {
                takeOwn(ours);
            }
            for (Task task : tasks) {
                others.computeIfAbsent(task, _ -> new Samples()).add(task.seconds().getAsDouble());
            }
        }
        ended = ProcessorTimes.now(processes);
    }

    private void warmUp(Rival peer, Map<Entry, Contender> contenders) {
        progress.println("Warming up " + peer.engine().title());
        try {
            var all = new LinkedHashMap<Entry, Contender>();
            for (Engine.Setting setting : peer.engine().settings()) {
                Contender contender = peer.with(setting);
                figures().forEach(figure -> Bench.warmUp(contender, figure));
                all.put(new Entry(peer.engine(), setting), contender);
            }
            contenders.putAll(all);
        } catch (BenchException e) {
            noRatio(peer.engine(), e.getMessage());
        }
    }

    private List<Figure> figures() {
        return List.of(Figure.values()).stream().filter(f -> work.orElseThrow().has(f)).toList();
    }

    private void take(Limits.Reading reading) {
        read.add(reading.readGbps());
        reading.gops().forEach((kind, gops) -> samples(peaks, kind).add(gops));
    }

    private static Samples samples(Map<PeakLoop.Kind, Samples> map, PeakLoop.Kind kind) {
        return map.computeIfAbsent(kind, _ -> new Samples());
    }

    private void takeOwn(Contender ours) {
        for (Figure figure : figures()) {
            take(figure, ours.read(figure));
        }
    }

    /** Whether it stays: a peer that fails leaves the run, and what it had gained is not shown. */
    private boolean take(Entry entry, Contender contender) {
        try {
            for (Figure figure : figures()) {
                rivals.computeIfAbsent(entry, _ -> new EnumMap<>(Figure.class))
                        .computeIfAbsent(figure, _ -> new Samples())
                        .add(contender.read(figure).tokensPerSecond());
            }
            Bench.pause(SETTLE_MILLIS);
            return true;
        } catch (BenchException e) {
            noRatio(entry.engine(), e.getMessage());
            rivals.keySet().removeIf(other -> other.engine() == entry.engine());
            return false;
        }
    }

    private void take(Figure figure, Contender.Reading reading) {
        Own samples = own.computeIfAbsent(figure, _ -> new Own());
        samples.speed().add(reading.tokensPerSecond());
        samples.gflops().add(reading.productGflops());
        samples.share().add(100 * reading.productShare());
        samples.gbps().add(reading.weightGbps());
        if (!read.isEmpty()) {
            samples.ofRead().add(100 * reading.weightGbps() / read.last());
        }
        peaks.forEach((kind, peak) ->
                samples(samples.ofPeaks(), kind).add(100 * reading.productGflops() / peak.last()));
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
        if (!noRatios.isEmpty()) {
            report.fact("no ratios", String.join("; ", noRatios));
        }
        noRatio.forEach((engine, why) ->
                report.fact("no ratio to " + engine.title(), String.join("; ", why)));
        unlike.forEach((entry, why) ->
                report.fact(
                        "no ratio to %s, %s"
                                .formatted(entry.engine().title(), entry.setting().title()),
                        why));
    }

    /**
     * Where the figures stand under the machine's limits; empty without limits.
     *
     * @param operations for one token
     * @param weightBytes read in a step
     * @param prefillRows tokens of a step of a prefill
     */
    Optional<Roofline> roofline(
            String title, double operations, double weightBytes, int prefillRows) {
        if (read.isEmpty()) {
            return Optional.empty();
        }
        var roofline = new Roofline(title, read.median());
        peaks.forEach((kind, peak) -> roofline.ceiling(kind.toString(), peak.median()));
        double each = operations / weightBytes;
        own.forEach((figure, samples) ->
                roofline.point(
                        "Flagship",
                        name(figure),
                        each * rows(figure, prefillRows),
                        samples.speed().median() * operations / 1e9));
        rivals.forEach((entry, figures) ->
                figures.forEach((figure, samples) ->
                        roofline.point(
                                entry.engine().title(),
                                name(figure) + ", " + entry.setting().title(),
                                each * rows(figure, prefillRows),
                                samples.median() * operations / 1e9)));
        return Optional.of(roofline);
    }

    private int rows(Figure figure, int prefillRows) {
        return switch (figure) {
            case PREFILL -> prefillRows;
            case DECODE_SHORT, DECODE_LONG -> 1;
            case DECODE_MANY -> work.orElseThrow().sequences();
        };
    }

    private String name(Figure figure) {
        Workload w = work.orElseThrow();
        return switch (figure) {
            case PREFILL -> "prefill";
            case DECODE_SHORT, DECODE_LONG ->
                    String.format(Locale.ROOT, "decode at %,d", w.prefix(figure));
            case DECODE_MANY -> "decode of " + w.sequences();
        };
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
