package dev.flagship.serving;

import java.io.IOException;
import java.io.InputStream;
import java.lang.System.Logger.Level;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * SHA-256 of files, remembered by path, size, time of change and inode, because hashing costs more
 * than a second a GiB.
 */
final class SourceDigest {
    private static final System.Logger LOG = System.getLogger(SourceDigest.class.getName());
    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");

    private final Path memory;
    private final LoadListener listener;

    SourceDigest(Path packedFolder, LoadListener listener) {
        this.memory = packedFolder.resolve("digests");
        this.listener = listener;
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    /** One digest for several files and words, in order. */
    String of(List<Path> files, List<String> words) throws IOException {
        MessageDigest all = sha256();
        for (String word : words) {
            all.update((word + "\n").getBytes(StandardCharsets.UTF_8));
        }
        for (Path file : files) {
            all.update(of(file).getBytes(StandardCharsets.UTF_8));
        }
        return HexFormat.of().formatHex(all.digest());
    }

    private String of(Path file) throws IOException {
        Path real = file.toRealPath();
        BasicFileAttributes attributes = Files.readAttributes(real, BasicFileAttributes.class);
        String state =
                "%s\t%d\t%s\t%s"
                        .formatted(
                                real,
                                attributes.size(),
                                attributes.lastModifiedTime().toInstant(),
                                attributes.fileKey());
        String key =
                HexFormat.of().formatHex(sha256().digest(state.getBytes(StandardCharsets.UTF_8)));
        Path known = memory.resolve(key);
        Optional<String> remembered = recall(known);
        if (remembered.isPresent()) {
            return remembered.get();
        }
        String digest = hash(real, attributes.size());
        remember(known, digest);
        return digest;
    }

    /** The digest in a small file, if it is there and looks like one. */
    static Optional<String> recall(Path known) {
        try {
            String digest = Files.readString(known, StandardCharsets.ISO_8859_1).strip();
            return DIGEST.matcher(digest).matches() ? Optional.of(digest) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // not there, or not readable: then it is computed
        }
    }

    private String hash(Path file, long size) throws IOException {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[1 << 20];
        long done = 0;
        try (InputStream in = Files.newInputStream(file)) {
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
                done += n;
                listener.progress("Checking " + file.getFileName(), done, size);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void remember(Path known, String digest) {
        try {
            write(known, digest);
        } catch (IOException e) {
            // A read-only store only costs the next start its time; packing says so itself.
            LOG.log(Level.DEBUG, "the digest of a source is not remembered", e);
        }
    }

    /** Writes a small file in one piece, for readers at any time. */
    static void write(Path file, String text) throws IOException {
        Path folder = Objects.requireNonNull(file.getParent(), "files of the store are in folders");
        Files.createDirectories(folder);
        Path part = Files.createTempFile(folder, "new", ".part");
        try {
            Files.writeString(part, text);
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
    }
}
