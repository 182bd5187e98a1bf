package dev.flagship.launch;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Files by what is in them. A file under its final name has the digest that the name says: it was
 * renamed into place, and is never changed afterwards, so that it can be mapped.
 *
 * @param folder {@code blobs/} of the store
 */
record Blobs(Path folder) {
    private static final String PREFIX = "sha256-";
    private static final String LOCKS = ".locks";
    private static final String SCRATCH = "scratch-";

    Path path(String sha256) {
        return folder.resolve(PREFIX + sha256);
    }

    /** Whether it is here and whole; the size tells when something else cut it later. */
    boolean has(String sha256, long bytes) {
        try {
            Path file = path(sha256);
            return Files.isRegularFile(file)
                    && (bytes == RemoteFile.UNKNOWN || Files.size(file) == bytes);
        } catch (IOException e) {
            return false;
        }
    }

    boolean haveAll(List<RemoteFile> files) {
        return files.stream().allMatch(file -> has(file.sha256(), file.bytes()));
    }

    /** Where a file is written whose fetch may take several attempts. */
    PartFile part(String key, Path scratch) {
        return new PartFile(
                folder.resolve(key + ".part"), folder.resolve(key + ".ranges"), scratch);
    }

    /** What attempts at one file have in common, whichever process makes them. */
    static String key(RemoteFile file, String origin) {
        return PREFIX
                + file.digest()
                        .sha256()
                        .orElseGet(
                                () -> "of-" + hash(origin + "\n" + file.path()).substring(0, 32));
    }

    /** SHA-256 of a text. */
    static String hash(String text) {
        MessageDigest digest = FileDigest.sums(0).sha256();
        return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    StoreLock lock(String key, String title, Progress progress)
            throws IOException, InterruptedException {
        StoreLock lock =
                StoreLock.acquire(
                        folder.resolve(LOCKS).resolve(key),
                        "Waiting for another process to fetch " + title,
                        progress);
        removeScratch(key);
        return lock;
    }

    /** A folder for the fetch of one file; a later fetch of it removes it if this one is killed. */
    Path newScratch(String key) throws IOException {
        return Files.createTempDirectory(folder, SCRATCH + key + "-");
    }

    private void removeScratch(String key) throws IOException {
        try (var left = Files.newDirectoryStream(folder, SCRATCH + key + "-*")) {
            left.forEach(Blobs::delete);
        }
    }

    /** Deletes a folder, as far as that is possible. */
    static void delete(Path folder) {
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException | UncheckedIOException e) {
            return; // it is gone already
        }
    }

    /** Gives a complete file its name. */
    void take(PartFile part, String sha256) throws IOException {
        Files.move(
                part.file(),
                path(sha256),
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
        Files.deleteIfExists(part.ranges());
        force(folder);
    }

    /** What fetches left that never came to their end. */
    List<Path> unfinished() throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(
                            file -> {
                                String name = file.getFileName().toString();
                                return name.endsWith(".part")
                                        || name.endsWith(".ranges")
                                        || name.startsWith(SCRATCH);
                            })
                    .toList();
        }
    }

    /** Deletes what is unfinished, if it is there and nobody is at work on it. */
    boolean deleteUnlessBusy(Path unfinished) throws IOException {
        if (!Files.exists(unfinished)) {
            return false;
        }
        String key =
                unfinished
                        .getFileName()
                        .toString()
                        .replaceFirst("^" + SCRATCH, "")
                        .replaceFirst("(\\.part|\\.ranges|-\\d+)$", "");
        Optional<StoreLock> lock = StoreLock.tryAcquire(folder.resolve(LOCKS).resolve(key));
        if (lock.isEmpty()) {
            return false;
        }
        try (var _ = lock.get()) {
            delete(unfinished);
            return true;
        }
    }

    /** Makes a rename survive a power cut, where the platform can open a folder. */
    static void force(Path folder) {
        try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            return; // Windows opens no folders; its rename is journalled
        }
    }
}
