package dev.flagship.serving;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Files that grow beside their place under a hidden name until they are whole: {@code
 * .NAME.PID.flagship-part}. Who writes one holds a lock on it, which ends with the process, however
 * that ends: what a killed process left can be told from what is being written.
 */
final class PartFiles {
    private static final Pattern NAME = Pattern.compile("\\..+\\.(\\d{1,18})\\.flagship-part");

    private PartFiles() {}

    /** Where this process lets a file grow. */
    static Path beside(Path target) {
        return target.resolveSibling(
                ".%s.%d.flagship-part"
                        .formatted(target.getFileName(), ProcessHandle.current().pid()));
    }

    /**
     * Creates and locks a file.
     *
     * @throws QuantizeException if there is one
     * @throws IOException if that cannot be
     */
    static FileChannel create(Path part) throws IOException {
        FileChannel channel;
        try {
            channel =
                    FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (FileAlreadyExistsException _) {
            throw new QuantizeException(
                    part,
                    "a process of the same number, of another container or killed, has begun it",
                    "If none is at work on it, delete that file; else wait, or choose another name.");
        }
        try {
            channel.tryLock(); // some network drives know no locks: then the process is asked for
            return channel;
        } catch (IOException _) {
            return channel;
        }
    }

    /**
     * Deletes what killed processes left in a folder. A file stays if another process of its number
     * is alive, which may not be the one that wrote it, or if it is locked, which this process and
     * those of other containers may do. Numbers repeat there: the file of a process of this one's
     * number may be a dead one's.
     *
     * @param warnings hears what cannot be listed or deleted
     */
    static void deleteStale(Path folder, Consumer<String> warnings) {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, ".*.flagship-part")) {
            for (Path file : files) {
                Matcher name = NAME.matcher(file.getFileName().toString());
                if (name.matches()
                        && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        && noOthers(Long.parseLong(name.group(1)))
                        && unlocked(file)) {
                    delete(file, warnings);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            warnings.accept(
                    "cannot look in %s for files that killed processes left: %s"
                            .formatted(folder, e));
        }
    }

    private static boolean noOthers(long pid) {
        return pid == ProcessHandle.current().pid() || ProcessHandle.of(pid).isEmpty();
    }

    /** Deletes a file of no use, or says that it cannot be. */
    static void delete(Path file, Consumer<String> warnings) {
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            warnings.accept("cannot delete %s: %s".formatted(file, e));
        }
    }

    private static boolean unlocked(Path file) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                FileLock lock = channel.tryLock()) {
            return lock != null;
        } catch (IOException | OverlappingFileLockException _) {
            return false; // not ours to judge, or another thread's
        }
    }
}
