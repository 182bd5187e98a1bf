package dev.flagship.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Text on standard input. Under cron, ssh or xargs it may be open with nobody there to write to it
 * or to end it, which no system call tells from a writer who takes his time.
 */
final class PipedText {
    /** More text than this fits no context. */
    private static final int MOST = 16 << 20;

    private PipedText() {}

    /**
     * All of it, however long that takes.
     *
     * @throws CliException if it is no UTF-8 text, or more than any context holds
     */
    static String toEnd(InputStream in) throws IOException {
        return text(in.readNBytes(MOST + 1));
    }

    /**
     * All of it, if its first byte or its end comes soon; else nothing is read and the stream is
     * not to be used again.
     *
     * @throws CliException as {@link #toEnd}
     */
    static Optional<String> ifItBegins(InputStream in, Duration soon)
            throws IOException, InterruptedException {
        var begun = new CountDownLatch(1);
        var bytes = new CompletableFuture<byte[]>();
        Thread.ofPlatform()
                .daemon() // does not keep the process alive if it waits for ever
                .name("standard-input")
                .start(() -> {
                    try {
                        int first = in.read();
                        begun.countDown();
                        byte[] rest = first < 0 ? new byte[0] : in.readNBytes(MOST);
                        ByteBuffer all = ByteBuffer.allocate(rest.length + (first < 0 ? 0 : 1));
                        if (first >= 0) {
                            all.put((byte) first).put(rest);
                        }
                        bytes.complete(all.array());
                    } catch (Throwable t) {
                        begun.countDown();
                        bytes.completeExceptionally(t);
                    }
                });
        if (!begun.await(soon.toNanos(), TimeUnit.NANOSECONDS)) {
            return Optional.empty();
        }
        try {
            return Optional.of(text(bytes.get()));
        } catch (ExecutionException e) {
            throw new IOException("standard input: " + e.getCause(), e);
        }
    }

    private static String text(byte[] bytes) {
        if (bytes.length > MOST) {
            throw new CliException(
                    "input_too_long",
                    "standard input has more than 16 MiB, which fits no context",
                    null);
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString()
                    .stripTrailing();
        } catch (CharacterCodingException e) {
            throw new CliException("input_no_text", "standard input is no UTF-8 text", e);
        }
    }
}
