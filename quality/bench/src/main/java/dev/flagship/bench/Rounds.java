package dev.flagship.bench;

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

    private static final String WITH = "fa on";
    private static final String WITHOUT = "fa off";

    private final int count;
    private final PrintStream progress;
    private final Map<Figure, Own> own = new EnumMap<>(Figure.class);
    private final Map<String, Map<Figure, Samples>> rivals = new LinkedHashMap<>();
    private final Samples read = new Samples();
    private final Samples fp32 = new Samples();
    private final Samples int8 = new Samples();
    private final Map<Task, Samples> others = new LinkedHashMap<>();
    private final List<String> noRatio = new ArrayList<>();
    private Optional<ProcessorTimes> began = Optional.empty();
    private Optional<ProcessorTimes> ended = Optional.empty();
    private Optional<Workload> work = Optional.empty();

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
            Samples ofFp32,
            Samples ofInt8,
            Samples gbps,
            Samples ofRead) {
        Own() {
            this(
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new Samples(),
                    new Samples());
        }
    }

    Rounds(int count, PrintStream progress) {
        this.count = count;
        this.progress = progress;
    }

    /** Says why no ratio may be printed. */
    void noRatio(String why) {
        noRatio.add(why);
    }

    void run(
            Workload workload,
            Contender ours,
            Optional<Limits> limits,
            Optional<LlamaCpp> peer,
            List<Task> tasks) {
        work = Optional.of(workload);
        var contenders = new LinkedHashMap<String, Contender>();
        contenders.put("", ours);
        peer.ifPresent(p -> warmUp(p, contenders));
        var processes = new ArrayList<ProcessHandle>();
        processes.add(ProcessHandle.current());
        peer.ifPresent(p -> processes.add(p.handle()));
        began = ProcessorTimes.now(processes);
        for (int round = 0; round < count; round++) {
            progress.printf("Round %d of %d%n", round + 1, count);
            limits.ifPresent(l -> take(l.read()));
            var order = new ArrayList<>(contenders.entrySet());
            if (round % 2 == 1) {
                Collections.reverse(order);
            }
            for (var each : order) {
                if (!take(each.getKey(), each.getValue())) {
                    contenders.remove(each.getKey());
                }
            }
            for (Task task : tasks) {
                others.computeIfAbsent(task, _ -> new Samples()).add(task.seconds().getAsDouble());
            }
        }
        ended = ProcessorTimes.now(processes);
    }

    private void warmUp(LlamaCpp peer, Map<String, Contender> contenders) {
        progress.println("Warming up llama.cpp");
        try {
            var both = new LinkedHashMap<String, Contender>();
            both.put(WITH, peer.with(true));
            both.put(WITHOUT, peer.with(false));
            for (Contender contender : both.values()) {
                figures().forEach(contender::read);
            }
            contenders.putAll(both);
        } catch (BenchException e) {
            noRatio(e.getMessage());
        }
    }

    private List<Figure> figures() {
        return List.of(Figure.values()).stream().filter(f -> work.orElseThrow().has(f)).toList();
    }

    private void take(Limits.Reading reading) {
        read.add(reading.readGbps());
        fp32.add(reading.fp32Gflops());
        if (reading.int8Gops() > 0) {
            int8.add(reading.int8Gops());
        }
    }

    /** Whether it stays: a peer that fails leaves the run, and what it had gained is not shown. */
    private boolean take(String name, Contender contender) {
        try {
            for (Figure figure : figures()) {
                Contender.Reading reading = contender.read(figure);
                if (name.isEmpty()) {
                    take(figure, reading);
                } else {
                    rivals.computeIfAbsent(name, _ -> new EnumMap<>(Figure.class))
                            .computeIfAbsent(figure, _ -> new Samples())
                            .add(reading.tokensPerSecond());
                }
            }
            if (!name.isEmpty()) {
                Bench.pause(SETTLE_MILLIS);
            }
            return true;
        } catch (BenchException e) {
            if (name.isEmpty()) {
                throw e;
            }
            noRatio(e.getMessage());
            rivals.remove(name);
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
            samples.ofFp32().add(100 * reading.productGflops() / fp32.last());
            samples.ofRead().add(100 * reading.weightGbps() / read.last());
        }
        if (!int8.isEmpty()) {
            samples.ofInt8().add(100 * reading.productGflops() / int8.last());
        }
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
            noRatio(
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
        others.forEach(
                (task, samples) -> report.row(task.key() + "_seconds", task.label(), "s", samples));
        if (!noRatio.isEmpty()) {
            report.fact("no ratio", String.join("; ", noRatio));
        }
    }

    private void addLimits(Report report, Limits limits) {
        report.row("read_gbps", "limit: read of a file of this size", "GB/s", read);
        report.row("fp32_gflops", "limit: FP32, " + limits.vectors(), "GFLOP/s", fp32);
        report.row("int8_gops", "limit: int8, VNNI", "GOP/s", int8);
        if (int8.isEmpty()) {
            report.fact("int8 peak", "not measured: " + limits.int8Obstacle());
        }
    }

    private void addPrefill(Report report) {
        Own samples = own.getOrDefault(Figure.PREFILL, new Own());
        String label = "prefill of %d tokens".formatted(work.orElseThrow().prefill());
        addSpeed(report, Figure.PREFILL, "prefill", label, samples);
        report.row("prefill_product_gflops", "  matrix products", "GFLOP/s", samples.gflops());
        report.row("prefill_product_time", "    of the time", "%", samples.share());
        report.row("prefill_of_fp32", "    of the FP32 limit", "%", samples.ofFp32());
        report.row("prefill_of_int8", "    of the int8 limit", "%", samples.ofInt8());
    }

    private void addDecode(Report report, Figure figure, String key) {
        Own samples = own.get(figure);
        if (samples == null) {
            report.fact(key.replace('_', ' '), "not measured: the context is too short");
            return;
        }
        String label =
                String.format(
                        Locale.ROOT, "decode at position %,d", work.orElseThrow().prefix(figure));
        addSpeed(report, figure, key, label, samples);
        report.row(key + "_gbps", "  weights read", "GB/s", samples.gbps());
        report.row(key + "_of_read", "    of the read limit", "%", samples.ofRead());
    }

    private void addSpeed(Report report, Figure figure, String key, String label, Own samples) {
        String best = "";
        for (String name : rivals.keySet()) {
            if (best.isEmpty() || median(name, figure) > median(best, figure)) {
                best = name;
            }
        }
        if (best.isEmpty()) {
            report.row(key, label, "tok/s", samples.speed());
            return;
        }
        double ratio = samples.speed().median() / median(best, figure);
        Samples theirs = rivals.getOrDefault(best, Map.of()).getOrDefault(figure, new Samples());
        report.row(
                key,
                label,
                "tok/s",
                samples.speed(),
                new Report.Rival(
                        best,
                        theirs,
                        noRatio.isEmpty() ? OptionalDouble.of(ratio) : OptionalDouble.empty()));
    }

    private double median(String rival, Figure figure) {
        return rivals.getOrDefault(rival, Map.of()).getOrDefault(figure, new Samples()).median();
    }
}
