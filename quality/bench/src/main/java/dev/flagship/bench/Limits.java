package dev.flagship.bench;

import dev.flagship.base.Bytes;
import dev.flagship.serving.Rungs;
import dev.flagship.tensor.LimitsProbe;
import dev.flagship.tensor.MappedFileWriter;
import dev.flagship.tensor.OffHeap;
import dev.flagship.tensor.PeakLoop;
import dev.flagship.tensor.SerialTeam;
import dev.flagship.tensor.SpinTeam;
import dev.flagship.tensor.Team;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** What the machine can do at most, with as many threads as the model has. One thread. */
final class Limits implements AutoCloseable {
    private static final double SECONDS = 0.3;
    private static final int ROUNDS = 1 << 18;
    private static final long RESERVE = 64L << 20;

    private final LimitsProbe probe;
    private final Team team;
    private final OffHeap file;
    private final List<PeakLoop> loops;
    private volatile double sink; // keeps what the loop reads

    /**
     * One look at the limits.
     *
     * @param readGbps 10⁹ bytes a second, read from a mapped file as large as the weights
     * @param gops 10⁹ operations a second of each kind that the processor has
     */
    record Reading(double readGbps, Map<PeakLoop.Kind, Double> gops) {
        Reading {
            gops = Map.copyOf(gops);
        }

        /** The mean of two looks, for what was measured between them. */
        static Reading mean(Reading before, Reading after) {
            var gops = new EnumMap<PeakLoop.Kind, Double>(PeakLoop.Kind.class);
            before.gops.forEach((kind, b) ->
                    gops.put(kind, (b + Objects.requireNonNull(after.gops.get(kind))) / 2));
            return new Reading((before.readGbps + after.readGbps) / 2, gops);
        }
    }

    private Limits(LimitsProbe probe, Team team, OffHeap file, List<PeakLoop> loops) {
        this.probe = probe;
        this.team = team;
        this.file = file;
        this.loops = loops;
    }

    /**
     * Writes and maps the file; empty if no probe runs here.
     *
     * @param kernels name of the rung whose instructions set the limits, or {@code auto}
     * @param folder where the weights' own file is
     * @throws IOException if the file cannot be written or mapped; nothing stays behind then
     */
    static Optional<Limits> open(String kernels, int threads, long bytes, Path folder)
            throws IOException {
        Optional<LimitsProbe> probe = probe();
        if (probe.isEmpty()) {
            return Optional.empty();
        }
        OffHeap file = mapped(folder, bytes);
        Team team = threads == 1 ? new SerialTeam() : new SpinTeam(threads);
        return Optional.of(new Limits(probe.get(), team, file, Rungs.peakLoops(kernels)));
    }

    /** Empty if none runs here. */
    private static Optional<LimitsProbe> probe() {
        return ServiceLoader.load(LimitsProbe.class, Limits.class.getClassLoader()).stream()
                .map(ServiceLoader.Provider::get)
                .filter(LimitsProbe::available)
                .findFirst();
    }

    /** A file that has no name any more, so that none is left whatever happens. */
    private static OffHeap mapped(Path folder, long bytes) throws IOException {
        long free = Files.getFileStore(folder).getUsableSpace();
        if (free < bytes + RESERVE) {
            throw new BenchException(
                    "no_space",
                    "The read bandwidth is measured with a file as large as the weights (%s), and %s has %s free. Free some, or set FLAGSHIP_HOME."
                            .formatted(Bytes.human(bytes), folder, Bytes.human(free)),
                    null);
        }
        Path path = Files.createTempFile(folder, "bench", ".tmp");
        try (FileChannel channel =
                FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.READ)) {
            // As the weights are written, or it would lie in smaller pages than they do.
            try (MappedFileWriter writer = new MappedFileWriter(channel);
                    OffHeap memory = OffHeap.allocate(MappedFileWriter.PIECE)) {
                MemorySegment piece = memory.segment();
                for (int i = 0; i < piece.byteSize(); i++) {
                    piece.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 31 + i / 64));
                }
                for (long at = 0; at < bytes; at += piece.byteSize()) {
                    writer.write(at, piece.asSlice(0, Math.min(piece.byteSize(), bytes - at)));
                }
                writer.finish(bytes);
            }
            // Else the system writes it out while something is being measured.
            channel.force(true);
            return OffHeap.map(channel);
        } finally {
            Files.delete(path);
        }
    }

    /** How each kind is computed, for people. */
    String instructions() {
        return loops.stream()
                .map(loop -> "%s by %s".formatted(loop.kind(), loop.instructions()))
                .collect(Collectors.joining("; "));
    }

    /** Measures all of them. The first call also warms up. */
    Reading read() {
        // A pass that does not count: the system may have taken back pages that lay unread.
        readFile();
        double bytes = perSecond(this::readFile, SECONDS);
        var gops = new EnumMap<PeakLoop.Kind, Double>(PeakLoop.Kind.class);
        for (PeakLoop loop : loops) {
            gops.put(loop.kind(), gops(loop, team, SECONDS));
        }
        return new Reading(bytes / 1e9, gops);
    }

    /** 10⁹ operations a second by all threads of a team. */
    static double gops(PeakLoop loop, Team team, double seconds) {
        return perSecond(
                        () -> {
                            team.run((_, _) -> loop.run(ROUNDS));
                            return ROUNDS * loop.operations() * team.size();
                        },
                        seconds)
                / 1e9;
    }

    /** Work that says how much it was. */
    private interface Work {
        long run();
    }

    private static double perSecond(Work work, double least) {
        long done = 0;
        long started = System.nanoTime();
        double seconds = 0;
        while (seconds < least) {
            done += work.run();
            seconds = (System.nanoTime() - started) / 1e9;
        }
        return done / seconds;
    }

    private long readFile() {
        MemorySegment all = file.segment();
        long lines = all.byteSize() / 64;
        team.run((thread, threads) -> {
            long from = lines * thread / threads * 64;
            long to = lines * (thread + 1) / threads * 64;
            sink = probe.read(all.asSlice(from, to - from));
        });
        return lines * 64;
    }

    @Override
    public void close() {
        loops.forEach(PeakLoop::close);
        team.close();
        file.close();
    }
}
