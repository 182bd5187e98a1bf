package dev.flagship.fuzz;

import dev.flagship.hostile.Format;
import dev.flagship.hostile.Meter;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Rounds of damage to the seeds of one format. Reading runs on a thread of its own with a small
 * stack; a round that does not end is given up, with the place where it hangs.
 */
public final class Fuzzer {
    /** Half of what Java gives a thread; endless recursion is found sooner. */
    private static final long STACK = 512 << 10;

    /** By the clock, for a machine at work with other things. */
    private static final long HANG_NANOS = Duration.ofSeconds(30).toNanos();

    private static final int WARM_UP = 3;

    private final Format format;
    private final Path folder;
    private final List<Seed> seeds;
    private final List<byte[]> words;
    private final List<byte[]> parts = new ArrayList<>();
    private final Map<String, byte[]> written = new HashMap<>();
    private volatile long roundBegan;
    private volatile long roundSeed;
    private volatile boolean giveUp;

    /**
     * @param folder an empty one, where models are written
     */
    public Fuzzer(Format format, Path folder) {
        this.format = format;
        this.folder = folder;
        this.seeds = Seed.of(format);
        this.words = Words.of(format);
        seeds.forEach(seed -> parts.add(seed.part()));
    }

    /**
     * What a search came to.
     *
     * @param opened rounds in which the model was read and used
     * @param slowest processor time of a reading
     * @param dearest greatest part of the allowed bytes that a reading took
     */
    public record Result(
            Format format,
            long seed,
            long rounds,
            long opened,
            long refused,
            Duration slowest,
            double dearest,
            Optional<Failure> failure) {}

    /**
     * A promise that was broken.
     *
     * @param seed with which it breaks in the first round
     */
    public record Failure(long seed, Throwable cause) {
        /** How to see it again. */
        public String replay(Format format) {
            return "%s, -Dtests.seed=%d: %s".formatted(format.title(), seed, cause);
        }
    }

    private static final class Tally {
        long rounds;
        long opened;
        long refused;
        long slowest;
        double dearest;
    }

    /**
     * Searches until the time is over or a promise breaks; at least one round. The model of a
     * failure stays in the folder.
     */
    public Result search(long seed, Duration time) throws InterruptedException {
        AtomicReference<@Nullable Failure> failure = new AtomicReference<>();
        Tally tally = new Tally();
        long end = System.nanoTime() + time.toNanos();
        roundBegan = System.nanoTime();
        Thread worker =
                new Thread(
                        null,
                        () -> failure.set(rounds(seed, end, tally)),
                        "flagship-fuzz-" + format.title(),
                        STACK);
        worker.setDaemon(true);
        worker.start();
        while (!worker.join(Duration.ofMillis(200))) {
            if (System.nanoTime() - roundBegan > HANG_NANOS) {
                AssertionError hang = new AssertionError("a round does not end");
                hang.setStackTrace(worker.getStackTrace());
                giveUp = true;
                failure.set(new Failure(roundSeed, hang));
                break;
            }
        }
        return new Result(
                format,
                seed,
                tally.rounds,
                tally.opened,
                tally.refused,
                Duration.ofNanos(tally.slowest),
                tally.dearest,
                Optional.ofNullable(failure.get()));
    }

    private @Nullable Failure rounds(long first, long end, Tally tally) {
        roundSeed = first;
        try {
            for (Seed seed : seeds) { // valid, and so that loading classes is nobody's cost
                for (int i = 0; i < WARM_UP; i++) {
                    Reading valid = Reading.of(folder, write(seed.with(seed.part())));
                    if (valid.error().isPresent()) {
                        throw new AssertionError("a valid model is refused", valid.error().get());
                    }
                }
            }
        } catch (IOException | RuntimeException | Error e) {
            return new Failure(first, e);
        }
        SplittableRandom seedsOfRounds = new SplittableRandom(first);
        do {
            roundBegan = System.nanoTime();
            try {
                round(roundSeed, tally);
            } catch (IOException | RuntimeException | Error e) {
                return new Failure(roundSeed, e);
            }
            roundSeed = seedsOfRounds.nextLong();
        } while (System.nanoTime() < end && !giveUp);
        return null;
    }

    private void round(long seed, Tally tally) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        Seed valid = seeds.get(random.nextInt(seeds.size()));
        byte[] part = new Mutator(random, words, parts).damaged(valid.part());
        long given = write(valid.with(part));
        Reading reading = Reading.of(folder, given);
        tally.rounds++;
        if (reading.error().isEmpty()) {
            tally.opened++;
        } else {
            tally.refused++;
        }
        tally.slowest = Math.max(tally.slowest, reading.cost().cpu().toNanos());
        double share = reading.cost().bytes() / (double) Meter.allowed(given);
        tally.dearest = Math.max(tally.dearest, share);
    }

    /** Writes the files that are not as they were written last. */
    private long write(Map<String, byte[]> model) throws IOException {
        try (DirectoryStream<Path> present = Files.newDirectoryStream(folder)) {
            for (Path file : present) {
                if (!model.containsKey(String.valueOf(file.getFileName()))) {
                    Files.delete(file);
                }
            }
        }
        written.keySet().retainAll(model.keySet());
        long bytes = 0;
        for (Map.Entry<String, byte[]> file : model.entrySet()) {
            byte[] content = file.getValue();
            if (!Arrays.equals(written.put(file.getKey(), content), content)) {
                Files.write(folder.resolve(file.getKey()), content);
            }
            bytes += content.length;
        }
        return bytes;
    }
}
