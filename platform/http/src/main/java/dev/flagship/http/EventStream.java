package dev.flagship.http;

import io.helidon.webserver.CloseConnectionException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Server-sent events (WHATWG HTML, section 9.2) on a chunked response. Every call leaves at once as
 * one chunk. Used by one thread at a time. Whoever begins a stream closes it; one that is not
 * closed is cut off, so that the client can tell a broken answer from a complete one.
 */
public final class EventStream implements AutoCloseable {
    private final OutputStream out;
    private final Connection connection;
    private boolean closed;

    EventStream(OutputStream out, Connection connection) {
        this.out = out;
        this.connection = connection;
        comment(""); // the head leaves now, not with the first event
    }

    /**
     * Sends one event. Lines of the data become {@code data:} lines of their own, as the format
     * demands.
     *
     * @throws ClientGoneException if the client has left
     */
    public void send(String data) {
        write("data: ", data);
    }

    /**
     * Sends a comment, which clients ignore: a sign of life while no event is ready.
     *
     * @throws ClientGoneException if the client has left
     */
    public void comment(String text) {
        write(": ", text);
    }

    /** Whether the client was still connected a moment ago. Writes nothing. */
    public boolean isOpen() {
        return !connection.gone();
    }

    /**
     * Ends the stream in order; its last bytes leave when the handler returns. Further calls do
     * nothing.
     *
     * @throws ClientGoneException if the client has left
     */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            out.close();
        } catch (IOException | UncheckedIOException | CloseConnectionException e) {
            throw gone(e);
        }
    }

    boolean closed() {
        return closed;
    }

    private void write(String field, String text) {
        if (connection.gone()) {
            throw gone(null);
        }
        var event = new StringBuilder(text.length() + 16);
        // A lone CR ends a line too, so it must not reach the wire inside one.
        for (var line : text.replace("\r\n", "\n").replace('\r', '\n').split("\n", -1)) {
            event.append(field).append(line).append('\n');
        }
        event.append('\n');
        try {
            out.write(event.toString().getBytes(StandardCharsets.UTF_8));
            out.flush();
        } catch (IOException | UncheckedIOException | CloseConnectionException e) {
            throw gone(e);
        }
    }

    private static ClientGoneException gone(@Nullable Throwable cause) {
        return new ClientGoneException("http: the client left its event stream", cause);
    }
}
