package dev.flagship.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What was typed in earlier chats: a file that its owner alone can read, one entry a line, {@code
 * \n} for a line's end in an entry and {@code \\} for a backslash. Chats at the same time add their
 * entries one after the other.
 */
final class ChatHistory {
    /** Entries that are kept. */
    static final int MOST_ENTRIES = 1_000;

    /** A longer one is not kept beyond the chat: it is a text that was pasted. */
    static final int LONGEST_ENTRY = 8_192;

    /** What is read, from the end; a file of twice as much is made shorter. */
    private static final int MOST_BYTES = 1 << 20;

    private static final Set<PosixFilePermission> OWNER =
            PosixFilePermissions.fromString("rw-------");

    private final Path file;
    private String last = "";

    ChatHistory(Path file) {
        this.file = file;
    }

    /**
     * The entries, oldest first.
     *
     * @throws IOException if the file is there and cannot be read
     */
    List<String> read() throws IOException {
        byte[] bytes;
        boolean whole;
        try (SeekableByteChannel channel = Files.newByteChannel(file)) {
            long size = channel.size();
            whole = size <= MOST_BYTES;
            channel.position(Math.max(0, size - MOST_BYTES));
            var buffer = ByteBuffer.allocate((int) Math.min(size, MOST_BYTES));
            int count = 0;
            while (count >= 0 && buffer.hasRemaining()) {
                count = channel.read(buffer);
            }
            bytes = Arrays.copyOf(buffer.array(), buffer.position());
            if (size > 2L * MOST_BYTES) {
                shorten(entries(bytes, false));
            }
        } catch (NoSuchFileException e) {
            return List.of();
        }
        List<String> entries = entries(bytes, whole);
        last = entries.isEmpty() ? "" : entries.getLast();
        return entries;
    }

    /** The first line may be half of one. */
    private static List<String> entries(byte[] bytes, boolean whole) {
        List<String> lines = new String(bytes, StandardCharsets.UTF_8).lines().toList();
        int from = Math.max(whole ? 0 : 1, lines.size() - MOST_ENTRIES);
        return lines.subList(Math.min(from, lines.size()), lines.size()).stream()
                .filter(line -> !line.isBlank() && line.length() <= 2 * LONGEST_ENTRY)
                .map(ChatHistory::entry)
                .toList();
    }

    /**
     * Keeps an entry. Left out are what begins with a space, is very long, or is the last again.
     *
     * @throws IOException if the file cannot be written
     */
    void add(String entry) throws IOException {
        boolean wanted =
                !entry.isBlank()
                        && !entry.startsWith(" ")
                        && entry.length() <= LONGEST_ENTRY
                        && !entry.equals(last);
        if (!wanted) {
            return;
        }
        last = entry;
        Files.createDirectories(file.toAbsolutePath().getParent());
        Set<OpenOption> options = Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        try (SeekableByteChannel channel = Files.newByteChannel(file, options, ownersOnly())) {
            write(channel, line(entry));
        }
        if (posix() && !Files.getPosixFilePermissions(file).equals(OWNER)) {
            Files.setPosixFilePermissions(file, OWNER);
        }
    }

    private void shorten(List<String> entries) throws IOException {
        Path part = Files.createTempFile(file.toAbsolutePath().getParent(), "history", ".part");
        try {
            Files.writeString(
                    part, entries.stream().map(ChatHistory::line).collect(Collectors.joining()));
            Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    private static void write(SeekableByteChannel channel, String text) throws IOException {
        var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static String line(String entry) {
        return entry.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r") + "\n";
    }

    private static String entry(String line) {
        var entry = new StringBuilder(line.length());
        for (int i = 0; i < line.length(); i++) {
            char c = line.charAt(i);
            if (c == '\\' && i + 1 < line.length()) {
                i++;
                char escaped = line.charAt(i);
                entry.append(escaped == 'n' ? '\n' : escaped == 'r' ? '\r' : escaped);
            } else {
                entry.append(c);
            }
        }
        return entry.toString();
    }

    private boolean posix() {
        return file.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    private FileAttribute<?>[] ownersOnly() {
        return posix()
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(OWNER)}
                : new FileAttribute<?>[0];
    }
}
