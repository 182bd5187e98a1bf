package dev.flagship.http;

import static dev.flagship.http.Servers.bytes;
import static dev.flagship.http.Servers.get;
import static dev.flagship.http.Servers.host;
import static dev.flagship.http.Servers.post;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HttpServerTest {
    private static HttpRequest.Builder request(HttpServer server, String path) {
        return HttpRequest.newBuilder(URI.create("http://" + host(server) + path));
    }

    @Test
    void answersWithStatusTypeBytesAndHeaders() throws Exception {
        var route =
                Route.get(
                        "/a",
                        x ->
                                x.respond(
                                        201,
                                        "text/odd",
                                        bytes("grüße"),
                                        Map.of("Retry-After", "7")));
        try (var server = Servers.start(route);
                var client = HttpClient.newHttpClient()) {
            var response =
                    client.send(
                            request(server, "/a").build(), HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).isEqualTo(201);
            assertThat(response.body()).isEqualTo("grüße");
            assertThat(response.headers().firstValue("content-type")).contains("text/odd");
            assertThat(response.headers().firstValue("retry-after")).contains("7");
        }
    }

    @Test
    void runsHandlersOnVirtualThreads() throws Exception {
        var route =
                Route.get(
                        "/",
                        x ->
                                x.respond(
                                        200,
                                        "text/plain",
                                        bytes("" + Thread.currentThread().isVirtual())));
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            assertThat(raw.send(get(server, "/") + "\r\n").response().body()).isEqualTo("true");
        }
    }

    @Test
    void decodesPathSegmentsAndQueryParameters() throws Exception {
        var route =
                Route.get(
                        "/things/{id}/x",
                        x ->
                                x.respond(
                                        200,
                                        "text/plain",
                                        bytes(
                                                x.pathValue("id")
                                                        + "|"
                                                        + x.query("q").orElse("-")
                                                        + "|"
                                                        + x.query("r").orElse("-")
                                                        + "|"
                                                        + x.header("x-one").orElse("-"))));
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(
                    get(server, "/things/a%2Fb%C3%A4/x?s&q=1%202+%2B%26&q=3")
                            + "X-One: yes\r\n\r\n");
            assertThat(raw.response().body()).isEqualTo("a/bä|1 2 +&|-|yes");
        }
    }

    @Test
    void keepsTheConnectionForFurtherRequestsAndForPipelinedOnes() throws Exception {
        try (var server = Servers.start(Servers.hello(), Servers.echo());
                var raw = new RawClient(server.address())) {
            for (int i = 0; i < 3; i++) {
                raw.send(post(server, "/echo") + "Content-Length: 3\r\n\r\nab" + i);
                assertThat(raw.response().body()).isEqualTo("ab" + i);
            }
            raw.send((get(server, "/hello") + "\r\n").repeat(20));
            for (int i = 0; i < 20; i++) {
                assertThat(raw.response().body()).isEqualTo("hello");
            }
            raw.send(get(server, "/hello") + "Connection: x, Close\r\n\r\n");
            assertThat(raw.response().body()).isEqualTo("hello");
            assertThat(raw.closedByServer()).isTrue();
        }
    }

    @Test
    void answersHeadWithTheLengthAndWithoutTheBytes() throws Exception {
        try (var server = Servers.start(Servers.hello());
                var raw = new RawClient(server.address())) {
            raw.send("HEAD /hello HTTP/1.1\r\nHost: " + host(server) + "\r\n\r\n");
            assertThat(raw.head())
                    .startsWith("HTTP/1.1 200")
                    .containsIgnoringCase("content-length: 5");
            // Bytes after the head would be taken for the next response.
            assertThat(raw.send(get(server, "/hello") + "\r\n").response().body())
                    .isEqualTo("hello");
        }
    }

    @Test
    void namesWhatIsNotServedAndWhatAPathAllows() throws Exception {
        try (var server = Servers.start(Servers.hello(), Servers.echo());
                var raw = new RawClient(server.address())) {
            var missing = raw.send(get(server, "/nothing") + "\r\n").response();
            assertThat(missing.status()).isEqualTo(404);
            assertThat(missing.body()).startsWith("404 not_found: ").contains("there are GET /");
            assertThat(missing.head()).containsIgnoringCase("content-type: text/x-error");

            var wrong = raw.send(get(server, "/echo") + "\r\n").response();
            assertThat(wrong.status()).isEqualTo(405);
            assertThat(wrong.head()).contains("Allow: POST\n");
            var wrongToo =
                    raw.send(post(server, "/hello") + "Content-Length: 2\r\n\r\nhi").response();
            assertThat(wrongToo.status()).isEqualTo(405);
            assertThat(wrongToo.head()).contains("Allow: GET, HEAD\n");
        }
    }

    @Test
    void refusesBrokenEscapesInThePath() throws Exception {
        try (var server = Servers.start(Servers.hello())) {
            for (var path : List.of("/%", "/%4", "/%zz", "/%ff", "/%C3")) {
                try (var raw = new RawClient(server.address())) {
                    assertThat(raw.send(get(server, path) + "\r\n").response().status())
                            .as(path)
                            .isEqualTo(400);
                }
            }
        }
    }

    @Test
    void sends100ContinueOnlyWhenTheBodyIsWanted() throws Exception {
        try (var server = Servers.start(Servers.echo());
                var raw = new RawClient(server.address())) {
            raw.send(post(server, "/echo") + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
            assertThat(raw.head()).startsWith("HTTP/1.1 100");
            assertThat(raw.send("hi").response().body()).isEqualTo("hi");

            raw.send(post(server, "/none") + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
            assertThat(raw.response().status()).isEqualTo(404);
        }
    }

    @Test
    void hidesInternalsOfFailuresBehindAnId() throws Exception {
        var route =
                Route.get(
                        "/boom",
                        x -> {
                            throw new IllegalStateException("secret detail");
                        });
        var silent = Route.get("/silent", x -> {});
        try (var server = Servers.start(route, silent);
                var raw = new RawClient(server.address())) {
            var response = raw.send(get(server, "/boom") + "\r\n").response();
            assertThat(response.status()).isEqualTo(500);
            assertThat(response.body()).matches("500 internal_error: Internal error [0-9a-f]{8}");
            assertThat(raw.send(get(server, "/silent") + "\r\n").response().status())
                    .isEqualTo(500);
        }
    }

    @Test
    void passesStatusExceptionsThroughTheRenderer() throws Exception {
        var route =
                Route.get(
                        "/busy",
                        x -> {
                            throw new HttpStatusException(
                                    429, "busy", "later", Map.of("Retry-After", "3"));
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            var response = raw.send(get(server, "/busy") + "\r\n").response();
            assertThat(response.status()).isEqualTo(429);
            assertThat(response.body()).isEqualTo("429 busy: later");
            assertThat(response.head()).contains("Retry-After: 3\n");
        }
    }

    @Test
    void refusesToListenBeyondLoopback() throws Exception {
        for (var address : List.of("0.0.0.0", "::", "192.0.2.1", "10.0.0.1")) {
            var config = new HttpServer.Config(InetAddress.ofLiteral(address), 0, Limits.DEFAULT);
            assertThatThrownBy(() ->
                            HttpServer.start(
                                    config,
                                    List.of(),
                                    (s, c, m) -> new ErrorRenderer.Body("a/b", bytes(m))))
                    .isInstanceOf(HttpStartException.class)
                    .hasMessageContaining("no authentication")
                    .hasMessageContaining("127.0.0.1");
        }
    }

    @Test
    void saysThatThePortIsTaken() {
        try (var server = Servers.start(Servers.hello())) {
            int port = server.address().getPort();
            assertThatThrownBy(() ->
                            HttpServer.start(
                                    HttpServer.Config.loopback(port),
                                    List.of(),
                                    (s, c, m) -> new ErrorRenderer.Body("a/b", bytes(m))))
                    .isInstanceOf(HttpStartException.class)
                    .hasMessageContaining("port " + port)
                    .hasMessageContaining("choose another");
        }
    }

    @Test
    void closesWithinItsTimeAndInterruptsWhatStillRuns() throws Exception {
        var began = new CountDownLatch(1);
        var interrupted = new CountDownLatch(1);
        var route =
                Route.get(
                        "/long",
                        x -> {
                            began.countDown();
                            try {
                                Thread.sleep(Duration.ofMinutes(5));
                            } catch (InterruptedException e) {
                                interrupted.countDown();
                                throw e;
                            }
                        });
        var server = Servers.start(Servers.SMALL, route, Servers.hello());
        try (var raw = new RawClient(server.address());
                var idle = new RawClient(server.address())) {
            idle.send(get(server, "/hello") + "\r\n").response();
            raw.send(get(server, "/long") + "\r\n");
            began.await();
            long start = System.nanoTime();
            server.close();
            assertThat(Duration.ofNanos(System.nanoTime() - start))
                    .isLessThan(Duration.ofSeconds(3));
            assertThat(interrupted.await(2, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
            assertThat(raw.closedByServer()).isTrue();
            assertThat(idle.closedByServer()).isTrue();
            assertThatThrownBy(() -> new RawClient(server.address()))
                    .isInstanceOf(IOException.class);
            server.close();
        }
    }

    @Test
    void letsARequestInFlightEndWhenItCloses() throws Exception {
        var began = new CountDownLatch(1);
        var route =
                Route.get(
                        "/short",
                        x -> {
                            began.countDown();
                            Thread.sleep(150);
                            x.respond(200, "text/plain", bytes("done"));
                        });
        var server = Servers.start(route);
        try (var raw = new RawClient(server.address())) {
            raw.send(get(server, "/short") + "\r\n");
            began.await();
            var closing = Thread.ofVirtual().start(server::close);
            assertThat(raw.response().body()).isEqualTo("done");
            closing.join();
        }
    }

    @Test
    void servesManyConnectionsAtOnce() throws Exception {
        var inside = new AtomicInteger();
        var all = new CountDownLatch(50);
        var route =
                Route.get(
                        "/",
                        x -> {
                            inside.incrementAndGet();
                            all.countDown();
                            all.await();
                            x.respond(200, "text/plain", bytes("" + inside.get()));
                        });
        try (var server = Servers.start(route);
                var client = HttpClient.newHttpClient()) {
            var answers =
                    java.util.stream.IntStream.range(0, 50)
                            .mapToObj(i ->
                                    client.sendAsync(
                                            request(server, "/").build(),
                                            HttpResponse.BodyHandlers.ofString()))
                            .toList();
            for (var answer : answers) {
                assertThat(answer.get(10, java.util.concurrent.TimeUnit.SECONDS).body())
                        .isEqualTo("50");
            }
        }
    }

    @Test
    void neverSendsAHeaderThatHoldsALineBreak() throws Exception {
        var route =
                Route.get(
                        "/split",
                        x ->
                                x.respond(
                                        200,
                                        "text/plain",
                                        bytes("x"),
                                        Map.of("X-A", x.query("v").orElseThrow())));
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(get(server, "/split?v=a%0d%0aX-Evil:%20b") + "\r\n");
            assertThat(raw.head()).doesNotContain("X-Evil");
        }
    }

    @Test
    void aSecondResponseIsTheHandlersMistakeAndNotTheClients() throws Exception {
        var route =
                Route.get(
                        "/twice",
                        x -> {
                            x.respond(200, "text/plain", bytes("first"));
                            x.respond(200, "text/plain", bytes("second"));
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            assertThat(raw.send(get(server, "/twice") + "\r\n").response().body())
                    .isEqualTo("first");
            assertThat(raw.closedByServer()).isTrue();
        }
    }
}
