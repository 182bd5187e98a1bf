package dev.flagship.bench;

import dev.flagship.base.Bytes;
import dev.flagship.tensor.LimitsProbe;
import dev.flagship.tensor.MappedFileWriter;
import dev.flagship.tensor.OffHeap;
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
import java.util.Optional;
import java.util.ServiceLoader;

/** What the machine can do at most, with as many threads as the model has. One thread. */
final class Limits implements AutoCloseable {
    private static final double SECONDS = 0.3;
    private static final int ROUNDS = 1 << 17;
    private static final long RESERVE = 64L << 20;

    private final LimitsProbe probe;
    private final Team team;
    private final OffHeap file;
    private final Optional<Int8Loop> int8;
    private final String int8Obstacle;
    private volatile double sink; // keeps what the loops compute

    /**
     * One look at the limits.
     *
     * @param readGbps 10⁹ bytes a second, read from a mapped file as large as the weights
     * @param fp32Gflops 10⁹ F32 operations a second
     * @param int8Gops 10⁹ int8 operations a second; 0 if not measured
     */
    record Reading(double readGbps, double fp32Gflops, double int8Gops) {}

    private Limits(
            LimitsProbe probe,
            Team team,
            OffHeap file,
            Optional<Int8Loop> int8,
            String int8Obstacle) {
        this.probe = probe;
        this.team = team;
        this.file = file;
        this.int8 = int8;
        this.int8Obstacle = int8Obstacle;
    }

    /**
     * Writes and maps the file; empty if no probe runs here.
     *
     * @param folder where the weights' own file is
     * @throws IOException if the file cannot be written or mapped; nothing stays behind then
     */
    static Optional<Limits> open(Machine machine, int threads, long bytes, Path folder)
            throws IOException {
        Optional<LimitsProbe> probe = probe();
        if (probe.isEmpty()) {
            return Optional.empty();
        }
        Optional<Int8Loop> int8 = Optional.empty();
        String obstacle = "no VNNI";
        try {
            int8 = Int8Loop.open(machine);
        } catch (BenchException e) {
            obstacle = e.getMessage();
        }
        OffHeap file = mapped(folder, bytes);
        Team team = threads == 1 ? new SerialTeam() : new SpinTeam(threads);
        return Optional.of(new Limits(probe.get(), team, file, int8, obstacle));
    }

    /** Empty if none runs here. */
    static Optional<LimitsProbe> probe() {
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

    String vectors() {
        return probe.name();
    }

    /** Why there is no int8 peak; meaningless where there is one. */
    String int8Obstacle() {
        return int8Obstacle;
    }

    /** Measures all of them. The first call also warms up. */
    Reading read() {
        // A pass that does not count: the system may have taken back pages that lay unread.
        readFile();
        double bytes = perSecond(this::readFile);
        double fp32 = perSecond(this::multiplyAdd);
        double ops = int8.isPresent() ? perSecond(() -> int8Products(int8.get())) : 0;
        return new Reading(bytes / 1e9, fp32 / 1e9, ops / 1e9);
    }

    /** Work that says how much it was. */
    private interface Work {
        long run();
    }

    private static double perSecond(Work work) {
        long done = 0;
        long started = System.nanoTime();
        double seconds = 0;
        while (seconds < SECONDS) {
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

    private long multiplyAdd() {
        team.run((_, _) -> sink = probe.multiplyAdd(ROUNDS));
        return ROUNDS * probe.operationsPerRound() * team.size();
    }

    private long int8Products(Int8Loop loop) {
        team.run((_, _) -> loop.run(ROUNDS));
        return ROUNDS * loop.operationsPerRound() * team.size();
    }

    @Override
    public void close() {
        team.close();
        file.close();
        int8.ifPresent(Int8Loop::close);
    }
}
