package dev.flagship.serving;

import dev.flagship.tensor.Team;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * Digests of files, remembered by path, size, time of change and inode, because hashing costs about
 * a second a GiB of each thread: SHA-256 over the SHA-256 of each {@link #PIECE} bytes, so that the
 * team shares one file.
 */
final class SourceDigest {
    private static final System.Logger LOG = System.getLogger(SourceDigest.class.getName());
    private static final Pattern DIGEST = Pattern.compile("[0-9a-f]{64}");

    private static final long PIECE = 16 << 20;

    private final Path memory;
    private final Team team;
    private final LoadListener listener;

    SourceDigest(Path packedFolder, Team team, LoadListener listener) {
        this.memory = memory(packedFolder);
        this.team = team;
        this.listener = listener;
    }

    static Path memory(Path packedFolder) {
        return packedFolder.resolve("digests");
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
        List<String> digests = new ArrayList<>();
        for (Path file : files) {
            digests.add(of(file));
        }
        return joined(digests, words);
    }

    /** As {@link #of}, if all files were seen before; no byte of them is read. */
    Optional<String> remembered(List<Path> files, List<String> words) throws IOException {
        List<String> digests = new ArrayList<>();
        for (Path file : files) {
            recall(known(file)).ifPresent(digests::add);
        }
        return digests.size() == files.size()
                ? Optional.of(joined(digests, words))
                : Optional.empty();
    }

    private static String joined(List<String> digests, List<String> words) {
        MessageDigest all = sha256();
        for (String word : words) {
            all.update((word + "\n").getBytes(StandardCharsets.UTF_8));
        }
        for (String digest : digests) {
            all.update(digest.getBytes(StandardCharsets.UTF_8));
        }
        return HexFormat.of().formatHex(all.digest());
    }

    private Path known(Path file) throws IOException {
        return known(memory, file);
    }

    /** Where the digest of a file in its present state is remembered. */
    static Path known(Path memory, Path file) throws IOException {
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
        return memory.resolve(key);
    }

    private String of(Path file) throws IOException {
        Path known = known(file);
        Optional<String> remembered = recall(known);
        if (remembered.isPresent()) {
            return remembered.get();
        }
        Path real = file.toRealPath();
        String digest = hash(real, Files.size(real), "Checking " + file.getFileName());
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

    private String hash(Path file, long size, String stage) throws IOException {
        byte[][] pieces = new byte[Math.toIntExact(Math.ceilDiv(size, PIECE))][];
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
            team.run((thread, threads) -> {
                ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
                for (int i = thread; i < pieces.length; i += threads) {
                    if (thread == 0) {
                        listener.progress(stage, i * PIECE, size);
                    }
                    pieces[i] = hash(channel, i * PIECE, Math.min(size, (i + 1) * PIECE), buffer);
                }
            });
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
        listener.progress(stage, size, size);
        MessageDigest all = sha256();
        for (byte[] piece : pieces) {
            all.update(piece);
        }
        return HexFormat.of().formatHex(all.digest());
    }

    private static byte[] hash(FileChannel channel, long from, long to, ByteBuffer buffer) {
        MessageDigest digest = sha256();
        try {
            for (long at = from; at < to; ) {
                buffer.clear().limit((int) Math.min(buffer.capacity(), to - at));
                int read = channel.read(buffer, at);
                if (read < 0) {
                    break; // shorter than it was: what maps it will see
                }
                digest.update(buffer.flip());
                at += read;
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return digest.digest();
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
