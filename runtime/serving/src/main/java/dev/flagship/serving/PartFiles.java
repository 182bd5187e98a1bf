package dev.flagship.serving;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Files that grow beside their place under a hidden name until they are whole: {@code
 * .NAME.PID.part}. Who writes one holds a lock on it, which ends with the process, however that
 * ends: what a killed process left can be told from what is being written.
 */
final class PartFiles {
    private static final Pattern NAME = Pattern.compile("\\..+\\.(\\d{1,18})\\.part");

    private PartFiles() {}

    /** Where this process lets a file grow. */
    static Path beside(Path target) {
        return target.resolveSibling(
                ".%s.%d.part".formatted(target.getFileName(), ProcessHandle.current().pid()));
    }

    /**
     * Creates and locks a file.
     *
     * @throws IOException if that cannot be, or there is one
     */
    static FileChannel create(Path part) throws IOException {
        FileChannel channel =
                FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try {
            channel.tryLock(); // some network drives know no locks: then the process is asked for
            return channel;
        } catch (IOException _) {
            return channel;
        }
    }

    /**
     * Deletes what killed processes left in a folder. A file stays if a process of its number is
     * alive, which may be another's by now, or if it is locked, which processes of other containers
     * may do.
     *
     * @throws IOException if the folder cannot be read or a file not be deleted
     */
    static void deleteStale(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, ".*.part")) {
            for (Path file : files) {
                Matcher name = NAME.matcher(file.getFileName().toString());
                if (name.matches()
                        && Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                        && ProcessHandle.of(Long.parseLong(name.group(1))).isEmpty()
                        && unlocked(file)) {
                    Files.deleteIfExists(file);
                }
            }
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
