package dev.flagship.testing;

import dev.flagship.tensor.MemoryLedger;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * Proves that a piece of code gives back all it took outside the heap: arenas and their bytes,
 * files mapped, descriptors. Exactly, file by file; on systems without /proc the arenas alone.
 *
 * <p>What the JVM itself opens while it loads classes is not counted, and nothing else is left out:
 * shared libraries ({@code .so}), jars and class archives ({@code .jar}, {@code .jsa}, {@code
 * lib/modules}), the random devices, and the descriptor with which the table is read.
 */
public final class LeakCheck {
    private static final Path MAPS = Path.of("/proc/self/maps");
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final Pattern OF_THE_JVM =
            Pattern.compile(
                    ".*\\.so(\\.\\d+)*|.*\\.jar|.*\\.jsa|.*/lib/modules|/dev/u?random|/proc/\\d+/(fd|maps)");

    private LeakCheck() {}

    /** Code that may fail. */
    public interface Block {
        void run() throws Exception;
    }

    private record Snapshot(
            long arenas, long bytes, Map<String, Long> mapped, Map<String, Long> descriptors) {
        static Snapshot take() throws IOException {
            return new Snapshot(
                    MemoryLedger.arenas(),
                    MemoryLedger.bytes(),
                    LeakCheck.mapped(),
                    LeakCheck.descriptors());
        }
    }

    /**
     * Runs the block and compares.
     *
     * @throws AssertionError naming what did not come back
     */
    public static void around(Block block) throws Exception {
        Snapshot before = Snapshot.take();
        block.run();
        Snapshot after = Snapshot.take();
        if (!after.equals(before)) {
            throw new AssertionError(
                    "not given back: %d arenas, %d bytes of them; bytes mapped %s; descriptors %s"
                            .formatted(
                                    after.arenas - before.arenas,
                                    after.bytes - before.bytes,
                                    difference(before.mapped, after.mapped),
                                    difference(before.descriptors, after.descriptors)));
        }
    }

    private static Map<String, Long> difference(Map<String, Long> before, Map<String, Long> after) {
        Map<String, Long> difference = new TreeMap<>(after);
        before.forEach((name, count) -> difference.merge(name, -count, Long::sum));
        difference.values().removeIf(count -> count == 0);
        return difference;
    }

    /** Bytes mapped, by file. */
    private static Map<String, Long> mapped() throws IOException {
        Map<String, Long> mapped = new TreeMap<>();
        if (Files.exists(MAPS)) {
            for (String line : Files.readAllLines(MAPS)) {
                // from-to permissions offset device inode      path
                int path = line.indexOf('/');
                if (path >= 0) {
                    int dash = line.indexOf('-');
                    long from = Long.parseUnsignedLong(line.substring(0, dash), 16);
                    long to =
                            Long.parseUnsignedLong(line.substring(dash + 1, line.indexOf(' ')), 16);
                    count(mapped, line.substring(path), to - from);
                }
            }
        }
        return mapped;
    }

    /** Descriptors, by what they lead to. */
    private static Map<String, Long> descriptors() throws IOException {
        Map<String, Long> open = new TreeMap<>();
        if (Files.exists(DESCRIPTORS)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(DESCRIPTORS)) {
                for (Path entry : entries) {
                    count(open, target(entry), 1);
                }
            }
        }
        return open;
    }

    private static String target(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (NoSuchFileException e) {
            return ""; // closed since the table was read
        }
    }

    private static void count(Map<String, Long> counts, String name, long amount) {
        if (!name.isEmpty() && !OF_THE_JVM.matcher(name).matches()) {
            counts.merge(name, amount, Long::sum);
        }
    }
}
