package dev.flagship.launch;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * Keeps processes and threads apart that would write the same thing. Closing frees it; so does the
 * death of its process. The file stays, for another may wait on it.
 *
 * <p>On a file system without locks (some network ones) it is no lock: every file is renamed into
 * place by its digest, so two fetches at once only cost twice.
 */
final class StoreLock implements AutoCloseable {
    private static final Duration POLL = Duration.ofMillis(100);

    private final FileChannel channel;

    private StoreLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Waits until nobody else has the lock.
     *
     * @param waiting what is told, once, if somebody has
     */
    static StoreLock acquire(Path file, String waiting, Progress progress)
            throws IOException, InterruptedException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        var lock =
                new StoreLock(
                        FileChannel.open(
                                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE));
        try {
            for (boolean told = false; lock.isBusy(); told = true) {
                if (!told) {
                    progress.stage(waiting);
                }
                Thread.sleep(POLL);
            }
            return lock;
        } catch (InterruptedException e) {
            lock.close();
            throw e;
        }
    }

    /** Takes the lock if nobody has it. */
    static Optional<StoreLock> tryAcquire(Path file) throws IOException {
        Files.createDirectories(Objects.requireNonNull(file.getParent()));
        var lock =
                new StoreLock(
                        FileChannel.open(
                                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE));
        if (lock.isBusy()) {
            lock.close();
            return Optional.empty();
        }
        return Optional.of(lock);
    }

    private boolean isBusy() {
        try {
            return channel.tryLock() == null;
        } catch (OverlappingFileLockException e) {
            return true; // another thread of this process
        } catch (IOException e) {
            return false; // there are no locks here
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
