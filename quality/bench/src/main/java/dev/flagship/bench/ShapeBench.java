package dev.flagship.bench;

import dev.flagship.serving.Rungs;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.BandPacker;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Kernels;
import dev.flagship.tensor.Numerics;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.SourceBlocks;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.Set;
import java.util.function.IntUnaryOperator;

/**
 * Products alone, with weights of each float type, beside this machine's FP32 and BF16 limits and
 * F32 products of peers, all in turns. x and weights are small multiples of a power of two that
 * every type holds, so that all sums are exact and all sides must give the same number. One thread.
 */
final class ShapeBench {
    static final List<Shape> SHAPES =
            List.of(
                    new Shape("sam_qkv", 4096, 768, 2304),
                    new Shape("sam_mlp_up", 4096, 768, 3072),
                    new Shape("sam_mlp_down", 4096, 3072, 768),
                    new Shape("dinov2_mlp_up", 1370, 384, 1536));

    /** Limits of arithmetic that may serve these products: the greater of them counts. */
    private static final Set<PeakLoop.Kind> FLOATS =
            EnumSet.of(PeakLoop.Kind.FP32, PeakLoop.Kind.BF16);

    private static final int WARM_UPS = 3;

    /** A peer's threads may spin for a moment after their work. */
    private static final int SETTLE_MILLIS = 50;

    private final Settings settings;
    private final List<Shape> shapes;
    private final PrintStream progress;
    private final Report report = new Report();
    private final List<String> noRatio = new ArrayList<>();

    /**
     * A product (rows, inputs) × (outputs, inputs)ᵀ.
     *
     * @param key whose it is
     */
    record Shape(String key, int rows, int inputs, int outputs) {
        double operations() {
            return 2.0 * rows * inputs * outputs;
        }

        @Override
        public String toString() {
            return "%d x %d x %d".formatted(rows, inputs, outputs);
        }
    }

    /**
     * How to measure.
     *
     * @param kernels a rung's name or {@code auto}
     * @param threads 0: one per physical core
     * @param seconds least time of one reading
     * @param force measure though the machine is busy
     * @param python of the peers
     */
    record Settings(
            String kernels, int threads, int runs, double seconds, boolean force, String python) {}

    /**
     * @param progress hears what is being done
     */
    ShapeBench(Settings settings, List<Shape> shapes, PrintStream progress) {
        this.settings = settings;
        this.shapes = shapes;
        this.progress = progress;
    }

    /** What one shape's rounds gave, in 10⁹ operations a second. */
    private static final class Gains {
        private final Map<PeakLoop.Kind, Samples> limits = new EnumMap<>(PeakLoop.Kind.class);
        private final Map<DType, Samples> ours = new EnumMap<>(DType.class);
        private final Map<DType, Samples> shares = new EnumMap<>(DType.class);
        private final Map<ProductPeer.Way, Samples> theirs = new LinkedHashMap<>();
    }

    /**
     * Measures.
     *
     * @throws BenchException {@code machine_busy} if others would spoil the figures
     */
    Report run() {
        double others = Bench.othersNow(settings.force(), progress);
        int threads = settings.threads() == 0 ? Rungs.physicalCores() : settings.threads();
        Optional<ProductPeer> peer = peer(threads);
        var processes = new ArrayList<ProcessHandle>();
        processes.add(ProcessHandle.current());
        peer.ifPresent(p -> processes.add(p.handle()));
        Optional<ProcessorTimes> began = ProcessorTimes.now(processes);
        var gains = new LinkedHashMap<Shape, Gains>();
        List<PeakLoop> limits = Rungs.peakLoops(settings.kernels());
        List<PeakLoop> floats = limits.stream().filter(l -> FLOATS.contains(l.kind())).toList();
        try (Team team = threads == 1 ? new SerialTeam() : new SpinTeam(threads);
                Kernels kernels = Rungs.create(settings.kernels(), team, this::note)) {
            report.fact("kernels", "%s, %d threads".formatted(kernels.rung(), threads));
            report.fact(
                    "runs",
                    "%d in turns, each of at least %s s a figure"
                            .formatted(settings.runs(), settings.seconds()));
            Bench.describe(Machine.read(), report);
            for (Shape shape : shapes) {
                progress.println("Measuring " + shape);
                gains.put(shape, measure(shape, kernels, team, floats, peer));
            }
            Optional<ProcessorTimes> ended = ProcessorTimes.now(processes);
            if (began.isPresent() && ended.isPresent()) {
                tellOthers(others, began.get(), ended.get());
            }
        } finally {
            limits.forEach(PeakLoop::close);
            peer.ifPresent(ProductPeer::close);
        }
        gains.forEach(this::add);
        if (!noRatio.isEmpty()) {
            report.fact("no ratio", String.join("; ", noRatio));
        }
        return report;
    }

    private Optional<ProductPeer> peer(int threads) {
        try {
            ProductPeer peer = ProductPeer.start(settings.python(), threads);
            report.fact(
                    "peers",
                    peer.versions() + "; F32, as many threads, the faster setting of each");
            return Optional.of(peer);
        } catch (BenchException e) {
            noRatio.add(e.getMessage());
            return Optional.empty();
        }
    }

    private void note(String warning) {
        progress.println("Note: " + warning);
    }

    private void tellOthers(double before, ProcessorTimes began, ProcessorTimes ended) {
        double share = ended.othersSince(began);
        report.fact("load", Bench.interference(before, began, ended));
        if (share > Bench.MOST_OTHERS) {
            noRatio.add("other processes took more than 10 % of the machine meanwhile");
        }
    }

    private Gains measure(
            Shape shape,
            Kernels kernels,
            Team team,
            List<PeakLoop> limits,
            Optional<ProductPeer> peer) {
        var gains = new Gains();
        var memory = new ArrayList<OffHeap>();
        try {
            Tensor x = x(shape, memory);
            Tensor out = tensor(shape.rows(), shape.outputs(), memory);
            var weights = new EnumMap<DType, BandMatrix>(DType.class);
            float[] values = weights(shape);
            for (DType type : DType.values()) {
                if (!type.quantized()) {
                    weights.put(type, matrix(type, shape, values, memory));
                }
            }
            double last = 0;
            for (BandMatrix w : weights.values()) {
                for (int i = 0; i < WARM_UPS; i++) {
                    kernels.project(x, List.of(w), List.of(out), Numerics.FAST);
                }
                last = out.get(shape.rows() - 1, shape.outputs() - 1);
            }
            List<ProductPeer.Way> ways = ways(shape, peer, last);
            for (int round = 0; round < settings.runs(); round++) {
                double most = 0;
                for (PeakLoop loop : limits) {
                    double gops = Limits.gops(loop, team, settings.seconds());
                    samples(gains.limits, loop.kind()).add(gops);
                    most = Math.max(most, gops);
                }
                double limit = most;
                weights.forEach((type, w) -> {
                    List<BandMatrix> ws = List.of(w);
                    List<Tensor> outs = List.of(out);
                    double gflops =
                            perSecond(() -> kernels.project(x, ws, outs, Numerics.FAST))
                                    * shape.operations()
                                    / 1e9;
                    samples(gains.ours, type).add(gflops);
                    if (limit > 0) {
                        samples(gains.shares, type).add(100 * gflops / limit);
                    }
                });
                for (ProductPeer.Way way : ways) {
                    double products = peer.orElseThrow().perSecond(way, settings.seconds());
                    samples(gains.theirs, way).add(products * shape.operations() / 1e9);
                }
                if (!ways.isEmpty()) {
                    Bench.pause(SETTLE_MILLIS);
                }
            }
        } finally {
            memory.forEach(OffHeap::close);
        }
        return gains;
    }

    private static <K> Samples samples(Map<K, Samples> map, K key) {
        return map.computeIfAbsent(key, _ -> new Samples());
    }

    /** The ways of the peers, warmed up. */
    private List<ProductPeer.Way> ways(Shape shape, Optional<ProductPeer> peer, double last) {
        if (peer.isEmpty()) {
            return List.of();
        }
        List<ProductPeer.Way> ways = peer.get().prepare(shape);
        for (ProductPeer.Way way : ways) {
            peer.get().perSecond(way, settings.seconds());
            double theirs = peer.get().lastNumber(way);
            if (theirs != last) {
                noRatio.add(
                        "%s, %s gave %s where we gave %s for %s"
                                .formatted(way.engine(), way.setting(), theirs, last, shape));
            }
        }
        return ways;
    }

    private double perSecond(Runnable work) {
        int done = 0;
        double seconds = 0;
        long started = System.nanoTime();
        while (seconds < settings.seconds()) {
            work.run();
            done++;
            seconds = (System.nanoTime() - started) / 1e9;
        }
        return done / seconds;
    }

    private static Tensor tensor(int rows, int width, List<OffHeap> memory) {
        OffHeap data = OffHeap.allocate(4L * rows * width);
        memory.add(data);
        return Tensor.of(dev.flagship.tensor.Shape.of(rows, width), data.segment());
    }

    private static Tensor x(Shape shape, List<OffHeap> memory) {
        Tensor x = tensor(shape.rows(), shape.inputs(), memory);
        for (int row = 0; row < shape.rows(); row++) {
            for (int k = 0; k < shape.inputs(); k++) {
                x.set(row, k, ((row * 31 + k * 7) % 17 - 8) / 8f);
            }
        }
        return x;
    }

    private static float[] weights(Shape shape) {
        float[] values = new float[shape.outputs() * shape.inputs()];
        for (int i = 0; i < values.length; i++) {
            int row = i / shape.inputs();
            int k = i % shape.inputs();
            values[i] = ((row * 13 + k * 5) % 19 - 9) / 16f;
        }
        return values;
    }

    private static BandMatrix matrix(
            DType type, Shape shape, float[] values, List<OffHeap> memory) {
        int rows = shape.outputs();
        int cols = shape.inputs();
        OffHeap numbers = OffHeap.allocate(BandMatrix.numberBytes(type, rows, cols));
        memory.add(numbers);
        OffHeap scales = OffHeap.allocate(BandMatrix.scaleBytes(type, rows, cols));
        memory.add(scales);
        MemorySegment source = MemorySegment.ofArray(SourceBlocks.encode(type, values));
        new BandPacker("bench", type, rows, cols, source, IntUnaryOperator.identity())
                .pack(0, BandMatrix.bands(rows), numbers.segment(), scales.segment());
        return new BandMatrix("bench", type, rows, cols, numbers.segment(), scales.segment());
    }

    private void add(Shape shape, Gains gains) {
        gains.limits.forEach((kind, samples) ->
                report.row(
                        shape.key() + "_limit_" + kind.name().toLowerCase(Locale.ROOT) + "_gflops",
                        "limit: %s, while measuring %s".formatted(kind, shape),
                        "GFLOP/s",
                        samples));
        gains.ours.forEach((type, samples) -> {
            String key = shape.key() + "_" + type.name().toLowerCase(Locale.ROOT);
            String label = "%s, %s weights".formatted(shape.key(), type);
            report.row(key + "_gflops", label, "GFLOP/s", samples, rivals(gains, samples));
            Samples shares = gains.shares.getOrDefault(type, new Samples());
            report.row(key + "_of_limit", "    of the greater limit", "%", shares);
        });
    }

    /** Each engine with the setting in which it was fastest. */
    private List<Report.Rival> rivals(Gains gains, Samples ours) {
        var best = new LinkedHashMap<String, Report.Rival>();
        gains.theirs.forEach((way, samples) -> {
            Report.Rival known = best.get(way.engine());
            if (known == null || known.samples().median() < samples.median()) {
                OptionalDouble ratio =
                        noRatio.isEmpty()
                                ? OptionalDouble.of(ours.median() / samples.median())
                                : OptionalDouble.empty();
                best.put(
                        way.engine(),
                        new Report.Rival(way.engine(), way.setting(), samples, ratio));
            }
        });
        return List.copyOf(best.values());
    }
}
