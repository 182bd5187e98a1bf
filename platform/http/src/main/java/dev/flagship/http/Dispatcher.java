package dev.flagship.http;

import io.helidon.common.uri.UriPath;
import io.helidon.http.DirectHandler.EventType;
import io.helidon.http.DirectHandler.TransportRequest;
import io.helidon.http.DirectHandler.TransportResponse;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.ServerResponseHeaders;
import io.helidon.http.Status;
import io.helidon.webserver.CloseConnectionException;
import io.helidon.webserver.http.ServerRequest;
import io.helidon.webserver.http.ServerResponse;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/** From Helidon's request to the caller's handler, and from whatever that throws to a response. */
final class Dispatcher {
    private static final System.Logger LOG = System.getLogger(Dispatcher.class.getName());

    private final Router router;
    private final Limits limits;
    private final ErrorRenderer errors;

    Dispatcher(Router router, Limits limits, ErrorRenderer errors) {
        this.router = router;
        this.limits = limits;
        this.errors = errors;
    }

    /** Answers one request, on its connection's thread. */
    void dispatch(ServerRequest request, ServerResponse response) {
        Connection connection = Connection.CURRENT.get();
        connection.beginExchange();
        var exchange = new Exchange(request, response, connection, limits);
        boolean last = true;
        try {
            answer(request, exchange);
            last = exchange.isLast();
        } catch (ClientGoneException e) {
            LOG.log(
                    Level.DEBUG,
                    "{0} {1}: {2}",
                    exchange.method(),
                    exchange.path(),
                    e.getMessage());
            throw new CloseConnectionException("the client left", e);
        } finally {
            connection.endExchange(last, exchange.bodyUnread());
        }
    }

    private void answer(ServerRequest request, Exchange exchange) {
        try {
            run(request, exchange);
        } catch (HttpStatusException e) {
            refuse(exchange, e);
        } catch (ClientGoneException e) {
            LOG.log(
                    Level.DEBUG,
                    "{0} {1}: {2}",
                    exchange.method(),
                    exchange.path(),
                    e.getMessage());
            throw new CloseConnectionException("the client left", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CloseConnectionException("the server is closing", e);
        } catch (Exception e) {
            fail(exchange, e);
        }
        if (exchange.leftOpen()) {
            throw new CloseConnectionException("the event stream was not ended");
        }
        if (!exchange.responded()) {
            fail(exchange, new IllegalStateException("the handler gave no response"));
        }
    }

    private void run(ServerRequest request, Exchange exchange)
            throws IOException, InterruptedException {
        LoopbackCheck.check(
                request.localPeer().port(),
                all(request, HeaderNames.HOST),
                all(request, HeaderNames.ORIGIN));
        UriPath path = request.prologue().uriPath();
        var match = router.match(exchange.method(), Router.split(path.rawPath()));
        exchange.pathValues(match.values());
        match.route().handler().handle(exchange);
    }

    private static List<String> all(ServerRequest request, HeaderName name) {
        return request.headers().all(name, List::of);
    }

    private void refuse(Exchange exchange, HttpStatusException e) {
        if (exchange.responded()) {
            fail(exchange, e);
            return;
        }
        var body = errors.render(e.status(), e.code(), String.valueOf(e.getMessage()));
        exchange.respond(e.status(), body.contentType(), body.bytes(), e.headers());
    }

    /**
     * An error that is nobody's answer: the client gets an id, the log gets the id and the cause.
     */
    private void fail(Exchange exchange, Exception e) {
        var id = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt());
        LOG.log(Level.ERROR, "error " + id + " in " + exchange.method() + " " + exchange.path(), e);
        if (exchange.responded()) {
            throw new CloseConnectionException("failed within the response", e);
        }
        refuse(exchange, new HttpStatusException(500, "internal_error", "Internal error " + id));
    }

    /** The response to a request that Helidon itself refuses, in the caller's shape. */
    TransportResponse refusal(
            TransportRequest request,
            EventType type,
            Status status,
            ServerResponseHeaders headers,
            String message) {
        // Helidon's parser fails on some malformed heads as on a bug; before a handler runs it is
        // the client's mistake.
        boolean malformed =
                type == EventType.INTERNAL_ERROR && Connection.CURRENT.get().betweenExchanges();
        var refusal = Refusals.of(malformed ? 400 : status.code(), limits);
        var body =
                errors.render(
                        refusal.status(), refusal.code(), String.valueOf(refusal.getMessage()));
        return TransportResponse.builder()
                .status(Status.create(refusal.status()))
                .headers(headers)
                .header(HeaderNames.CONTENT_TYPE, body.contentType())
                .entity(body.bytes())
                .keepAlive(false)
                .build();
    }
}
