package dev.flagship.launch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Comparator;

/**
 * Keeps fetches of one model apart, between processes and between threads, and tidies up after
 * killed ones. Closing frees it.
 *
 * <p>On a file system without locks (some network ones) it is no lock: part folders have names of
 * their own and the rename into place is atomic, so two fetches at once only cost twice.
 */
final class FetchLock implements AutoCloseable {
    private static final Duration POLL = Duration.ofMillis(100);
    private static final String PART = "part-";

    private final FileChannel channel;

    private FetchLock(FileChannel channel) {
        this.channel = channel;
    }

    /** Waits until no other fetch of the model runs. */
    static FetchLock acquire(Path folder, CatalogueModel model, Progress progress)
            throws IOException, InterruptedException {
        var lock =
                new FetchLock(
                        FileChannel.open(
                                folder.resolve(".lock"),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE));
        try {
            lock.await(folder, model, progress);
            return lock;
        } catch (IOException | InterruptedException e) {
            lock.close();
            throw e;
        }
    }

    private void await(Path folder, CatalogueModel model, Progress progress)
            throws IOException, InterruptedException {
        for (boolean told = false; ; told = true) {
            switch (attempt()) {
                case HELD -> {
                    removeLeftovers(folder);
                    return;
                }
                case UNSUPPORTED -> {
                    return;
                }
                case BUSY -> {
                    if (!told) {
                        progress.stage("Waiting for another process to fetch " + model.title());
                    }
                    Thread.sleep(POLL);
                }
            }
        }
    }

    private enum Attempt {
        HELD,
        BUSY,
        UNSUPPORTED
    }

    private Attempt attempt() {
        try {
            return channel.tryLock() == null ? Attempt.BUSY : Attempt.HELD;
        } catch (OverlappingFileLockException e) {
            return Attempt.BUSY; // another thread of this process
        } catch (IOException e) {
            return Attempt.UNSUPPORTED;
        }
    }

    /** A folder for one fetch to write in, which a later fetch removes if this one is killed. */
    static Path newPartFolder(Path folder) throws IOException {
        return Files.createTempDirectory(folder, PART);
    }

    private static void removeLeftovers(Path folder) throws IOException {
        try (var parts = Files.newDirectoryStream(folder, PART + "*")) {
            for (var part : parts) {
                delete(part);
            }
        }
    }

    /** Deletes a part folder, as far as that is possible; what is left goes with the next fetch. */
    static void delete(Path folder) {
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException | UncheckedIOException e) {
            return; // it is gone already
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
