package dev.flagship.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Text on standard input, read to its end on a thread of its own from the moment this is made, so
 * that a model can be loaded meanwhile. Under ssh or in a program's child it may be open with
 * nobody there to write to it or to end it, which no system call tells from a writer who takes his
 * time: so it is waited for, and after a while that is said.
 */
final class PipedText {
    /** More text than this fits no context. */
    private static final int MOST = 16 << 20;

    private final FutureTask<byte[]> all;
    private volatile boolean begun;

    private PipedText(InputStream in) {
        all = new FutureTask<>(() -> read(in));
    }

    static PipedText from(InputStream in) {
        var text = new PipedText(in);
        Thread.ofPlatform()
                .daemon() // does not keep the process alive if it waits for ever
                .name("standard-input")
                .start(text.all);
        return text;
    }

    private byte[] read(InputStream in) throws IOException {
        var bytes = new ByteArrayOutputStream();
        byte[] chunk = new byte[1 << 16];
        int count = in.read(chunk);
        while (count >= 0 && bytes.size() <= MOST) {
            begun = true;
            bytes.write(chunk, 0, count);
            count = in.read(chunk);
        }
        return bytes.toByteArray();
    }

    /**
     * All of it, however long that takes; without what is blank at its end.
     *
     * @throws CliException if it is no UTF-8 text, or more than any context holds
     * @throws IOException if it cannot be read
     */
    String toEnd() throws IOException, InterruptedException {
        try {
            return text("standard input", all.get()).stripTrailing();
        } catch (ExecutionException e) {
            throw unreadable(e);
        }
    }

    /**
     * As {@link #toEnd()}, with a word about a long wait.
     *
     * @param patience after which {@code err} is told, once, what is waited for
     */
    String toEnd(Duration patience, PrintStream err) throws IOException, InterruptedException {
        try {
            return text("standard input", bytes(patience, err)).stripTrailing();
        } catch (ExecutionException e) {
            throw unreadable(e);
        }
    }

    /** As {@link #toEnd(Duration, PrintStream)}, and as it is, blanks at its end included. */
    String asItIs(Duration patience, PrintStream err) throws IOException, InterruptedException {
        try {
            return text("standard input", bytes(patience, err));
        } catch (ExecutionException e) {
            throw unreadable(e);
        }
    }

    /**
     * A file's text, as it is.
     *
     * @throws CliException if it is no UTF-8 text, or more than 16 MiB
     * @throws IOException if it cannot be read
     */
    static String of(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return text(file.toString(), in.readNBytes(MOST + 1));
        }
    }

    private static IOException unreadable(ExecutionException e) {
        return new IOException("standard input: " + e.getCause(), e);
    }

    private byte[] bytes(Duration patience, PrintStream err)
            throws InterruptedException, ExecutionException {
        try {
            return all.get(patience.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            err.println(
                    begun
                            ? "Note: waiting for the end of standard input."
                            : "Note: waiting for standard input, where nothing has come yet. If nothing will, start with < /dev/null.");
            return all.get();
        }
    }

    private static String text(String source, byte[] bytes) {
        if (bytes.length > MOST) {
            throw new CliException(
                    "input_too_long",
                    source + " has more than 16 MiB, which fits no context",
                    null);
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new CliException("input_no_text", source + " is no UTF-8 text", e);
        }
    }
}
