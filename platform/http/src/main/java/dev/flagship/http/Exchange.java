package dev.flagship.http;

import static dev.flagship.base.Check.check;

import dev.flagship.base.InvalidArgumentException;
import io.helidon.http.HeaderNames;
import io.helidon.http.HeaderValues;
import io.helidon.http.RequestException;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One request and its response. Belongs to the handler's thread, except {@link #isOpen}, which any
 * thread may ask.
 *
 * <p>A client leaves by closing its connection or its sending side; as in nginx and Go, either ends
 * the request. {@link #isOpen} and {@link #onClientGone} tell without writing anything.
 */
public final class Exchange {
    private final ServerRequest request;
    private final ServerResponse response;
    private final Connection connection;
    private final Limits limits;

    private Map<String, String> pathValues = Map.of();
    private byte @Nullable [] body;
    private boolean responded;
    private @Nullable EventStream events;

    Exchange(ServerRequest request, ServerResponse response, Connection connection, Limits limits) {
        this.request = request;
        this.response = response;
        this.connection = connection;
        this.limits = limits;
    }

    /** Upper case, as sent. */
    public String method() {
        return request.prologue().method().text();
    }

    /** The request's path as sent, without its query. */
    public String path() {
        return request.prologue().uriPath().rawPath();
    }

    /** The decoded segment that a brace of the route's path stands for. */
    public String pathValue(String name) {
        String value = pathValues.get(name);
        if (value == null) {
            throw new InvalidArgumentException("http: the route has no {" + name + "}");
        }
        return value;
    }

    /**
     * The first value of a query parameter, decoded; a plus is a space, as in HTML forms.
     *
     * @throws HttpStatusException 400, if an escape is broken
     */
    public Optional<String> query(String name) {
        for (var pair : request.prologue().query().rawValue().split("&", -1)) {
            int equals = pair.indexOf('=');
            var key = equals < 0 ? pair : pair.substring(0, equals);
            if (Percent.decode(key.replace('+', ' ')).equals(name)) {
                var value = equals < 0 ? "" : pair.substring(equals + 1);
                return Optional.of(Percent.decode(value.replace('+', ' ')));
            }
        }
        return Optional.empty();
    }

    /** A header's value; the first one if it was sent several times. Names are case-insensitive. */
    public Optional<String> header(String name) {
        return request.headers().first(HeaderNames.create(name));
    }

    /**
     * The whole body. Reads it at the first call, and only then asks a client that waits for {@code
     * 100 Continue}.
     *
     * @throws HttpStatusException 411 for a POST, PUT or PATCH that states no length; 413 above
     *     {@link Limits#bodyBytes}; 408 if it is not here in time
     * @throws ClientGoneException if the client left before the end of it
     */
    public byte[] body() {
        if (body == null) {
            requireLength();
            connection.beginBody();
            body = readBody();
        }
        return body.clone();
    }

    private void requireLength() {
        boolean framed =
                request.headers().contains(HeaderNames.CONTENT_LENGTH)
                        || request.headers().contains(HeaderNames.TRANSFER_ENCODING);
        if (!framed
                && switch (method()) {
                    case "POST", "PUT", "PATCH" -> true;
                    default -> false;
                }) {
            throw new HttpStatusException(
                    411, "length_required", "The request needs a Content-Length or chunked body");
        }
    }

    private byte[] readBody() {
        if (!request.content().hasEntity()) {
            return new byte[0];
        }
        // Neither a stated length nor chunks beyond the limit get here: Helidon refuses them as
        // they are claimed.
        try (var in = request.content().inputStream()) {
            return in.readAllBytes();
        } catch (RequestException e) {
            throw Refusals.of(e.status().code(), limits);
        } catch (IOException | UncheckedIOException | CloseConnectionException e) {
            throw new ClientGoneException("http: the client left within its request body", e);
        } catch (RuntimeException e) {
            // Helidon's parser fails on broken chunk framing with whatever exception comes up.
            throw Refusals.of(400, limits);
        }
    }

    /** Whether the client was still connected a moment ago. Costs one volatile read. */
    public boolean isOpen() {
        return !connection.gone();
    }

    /**
     * Registers the one action that runs when the client leaves before this exchange ends: on the
     * reader's thread, or at once on this one if the client has left. It must be quick and must not
     * throw; cancelling work is what it is for.
     */
    public void onClientGone(Runnable action) {
        connection.onGone(action);
    }

    /** Sends the whole response, without further headers. */
    public void respond(int status, String contentType, byte[] bytes) {
        respond(status, contentType, bytes, Map.of());
    }

    /**
     * Sends the whole response. An answer to {@code HEAD} keeps its length and loses its bytes.
     *
     * @throws ClientGoneException if it cannot be sent
     */
    public void respond(int status, String contentType, byte[] bytes, Map<String, String> headers) {
        check(!responded, "http: %s %s was answered twice", method(), path());
        responded = true;
        response.status(Status.create(status));
        response.header(HeaderNames.CONTENT_TYPE, contentType);
        headers.forEach((name, value) -> response.header(HeaderNames.create(name), value));
        closeAfterUnreadBody();
        try {
            if (method().equals("HEAD")) {
                response.header(HeaderNames.CONTENT_LENGTH, Integer.toString(bytes.length));
                response.send();
            } else {
                response.send(bytes);
            }
        } catch (CloseConnectionException | UncheckedIOException e) {
            throw new ClientGoneException("http: the client left before its response", e);
        }
    }

    /**
     * Begins a stream of server-sent events (status 200) and sends its head.
     *
     * @throws ClientGoneException if it cannot be sent, or the request was a {@code HEAD}, which
     *     gets the head alone
     */
    public EventStream events() {
        check(!responded, "http: %s %s was answered twice", method(), path());
        responded = true;
        response.status(Status.OK_200);
        response.header(HeaderNames.CONTENT_TYPE, "text/event-stream; charset=utf-8");
        response.header(HeaderNames.CACHE_CONTROL, "no-store");
        // Proxies that buffer by default (nginx) pass events on at once.
        response.header(HeaderNames.create("X-Accel-Buffering"), "no");
        closeAfterUnreadBody();
        if (method().equals("HEAD")) {
            response.send();
            throw new ClientGoneException("http: HEAD asks for no events", null);
        }
        var stream = new EventStream(response.outputStream(), connection);
        events = stream;
        return stream;
    }

    void pathValues(Map<String, String> values) {
        pathValues = values;
    }

    boolean responded() {
        return responded;
    }

    /** Whether an event stream was begun and not ended. */
    boolean leftOpen() {
        return events != null && !events.closed();
    }

    /** Whether either side wants the connection closed after this response. */
    boolean isLast() {
        return bodyUnread()
                || request.headers().all(HeaderNames.CONNECTION, List::of).stream()
                        .flatMap(value -> Stream.of(value.split(",", -1)))
                        .anyMatch(option -> option.strip().equalsIgnoreCase("close"));
    }

    boolean bodyUnread() {
        return body == null && request.content().hasEntity();
    }

    /**
     * What a client sends after we stopped listening cannot be told from its next request, so there
     * is none.
     */
    private void closeAfterUnreadBody() {
        if (bodyUnread()) {
            response.header(HeaderValues.CONNECTION_CLOSE);
        }
    }
}
