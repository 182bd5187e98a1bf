package dev.flagship.cli;

import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * Tells {@code flagship ps} of a process that uses the store, by a file below {@code running/} that
 * is locked for as long as the process lives. What a killed process leaves is unlocked, and deleted
 * by whoever looks.
 */
final class RunningProcess implements AutoCloseable {
    private static final System.Logger LOG = System.getLogger(RunningProcess.class.getName());
    private static final String FOLDER = "running";
    private static final int MOST_BYTES = 1 << 16;

    private final @Nullable Path file;
    private final @Nullable FileChannel channel;

    private RunningProcess(@Nullable Path file, @Nullable FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * What is known of a process.
     *
     * @param port 0: it serves nobody
     */
    record Seen(long pid, String command, List<String> models, int port, Instant since) {
        Seen {
            models = List.copyOf(models);
        }
    }

    /** For a process that nobody is to see. */
    static RunningProcess unseen() {
        return new RunningProcess(null, null);
    }

    /** Announces this process; where the store cannot be written it stays unknown. */
    static RunningProcess announce(Path home, Seen seen) {
        try {
            Path folder = Files.createDirectories(home.resolve(FOLDER));
            Path file = folder.resolve(Long.toString(seen.pid));
            FileChannel channel = locked(file);
            channel.write(ByteBuffer.wrap(text(seen).getBytes(StandardCharsets.UTF_8)));
            return new RunningProcess(file, channel);
        } catch (IOException | OverlappingFileLockException e) {
            LOG.log(Level.DEBUG, "flagship ps will not show this process", e);
            return unseen();
        }
    }

    /** Whoever looks just now holds the lock for a moment, and deletes what he finds unlocked. */
    private static FileChannel locked(Path file) throws IOException {
        while (true) {
            FileChannel channel =
                    FileChannel.open(
                            file,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.WRITE);
            channel.lock();
            if (Files.exists(file)) {
                return channel;
            }
            channel.close();
        }
    }

    private static String text(Seen seen) throws IOException {
        Properties properties = new Properties();
        properties.setProperty("command", seen.command);
        properties.setProperty("models", String.join("\n", seen.models));
        properties.setProperty("port", Integer.toString(seen.port));
        properties.setProperty("since", seen.since.toString());
        StringWriter text = new StringWriter();
        properties.store(text, null);
        return text.toString();
    }

    /** Those that live, oldest first. */
    static List<Seen> all(Path home) throws IOException {
        Path folder = home.resolve(FOLDER);
        List<Seen> all = new ArrayList<>();
        if (!Files.isDirectory(folder)) {
            return all;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                seen(file, all);
            }
        }
        all.sort(Comparator.comparing(Seen::since));
        return all;
    }

    private static void seen(Path file, List<Seen> all) throws IOException {
        String name = file.getFileName().toString();
        if (!name.matches("\\d{1,18}")) {
            return;
        }
        if (isLocked(file)) {
            Seen seen = read(file, Long.parseLong(name));
            if (seen != null) {
                all.add(seen);
            }
        } else {
            Files.deleteIfExists(file);
        }
    }

    private static boolean isLocked(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                FileLock lock = channel.tryLock()) {
            return lock == null;
        } catch (OverlappingFileLockException e) {
            return true; // this process
        }
    }

    private static @Nullable Seen read(Path file, long pid) throws IOException {
        if (Files.size(file) > MOST_BYTES) {
            return null;
        }
        Properties properties = new Properties();
        properties.load(new StringReader(Files.readString(file)));
        try {
            return new Seen(
                    pid,
                    properties.getProperty("command", "?"),
                    properties.getProperty("models", "").lines().toList(),
                    Integer.parseInt(properties.getProperty("port", "0")),
                    Instant.parse(properties.getProperty("since", "")));
        } catch (NumberFormatException | DateTimeException e) {
            return null; // it is being written just now, or not ours
        }
    }

    @Override
    public void close() {
        try {
            if (file != null && channel != null) {
                Files.deleteIfExists(file);
                channel.close();
            }
        } catch (IOException e) {
            LOG.log(Level.DEBUG, "a file of flagship ps stays", e);
        }
    }
}
