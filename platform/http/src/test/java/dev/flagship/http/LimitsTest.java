package dev.flagship.http;

import static dev.flagship.http.Servers.SMALL;
import static dev.flagship.http.Servers.get;
import static dev.flagship.http.Servers.post;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** At each limit, one beyond it, and a hundred times beyond it. */
class LimitsTest {
    @Test
    void takesABodyAtTheLimitAndRefusesOneBeyond() throws Exception {
        try (var server = Servers.start(SMALL, Servers.echo())) {
            for (int size : List.of(0, 1, 1000, 1001, 100_000)) {
                try (var raw = new RawClient(server.address())) {
                    raw.send(post(server, "/echo") + "Content-Length: " + size + "\r\n\r\n");
                    raw.sendWhileTaken(new byte[size]);
                    var response = raw.response();
                    assertThat(response.status())
                            .as("%s", size)
                            .isEqualTo(size <= 1000 ? 200 : 413);
                    if (size > 1000) {
                        assertThat(response.body()).startsWith("413 body_too_large: ");
                        assertThat(raw.closedByServer()).isTrue();
                    }
                }
            }
        }
    }

    @Test
    void boundsChunkedBodiesWhateverTheyClaim() throws Exception {
        try (var server = Servers.start(SMALL, Servers.echo())) {
            for (int size : List.of(1, 1000, 1001, 100_000)) {
                try (var raw = new RawClient(server.address())) {
                    raw.send(post(server, "/echo") + "Transfer-Encoding: chunked\r\n\r\n");
                    raw.sendWhileTaken(Servers.bytes(Integer.toHexString(size) + "\r\n"));
                    raw.sendWhileTaken(new byte[size]);
                    raw.sendWhileTaken(Servers.bytes("\r\n0\r\n\r\n"));
                    var response = raw.response();
                    assertThat(response.status())
                            .as("%s", size)
                            .isEqualTo(size <= 1000 ? 200 : 413);
                }
            }
            try (var raw = new RawClient(server.address())) {
                raw.send(
                        post(server, "/echo")
                                + "Transfer-Encoding: chunked\r\n\r\n7fffffff\r\nabc");
                assertThat(raw.response().status()).isEqualTo(413);
            }
            try (var raw = new RawClient(server.address())) {
                raw.send(post(server, "/echo") + "Transfer-Encoding: chunked\r\n\r\n");
                raw.sendWhileTaken(Servers.bytes("1\r\nx\r\n".repeat(1000) + "0\r\n\r\n"));
                assertThat(raw.response().body()).isEqualTo("x".repeat(1000));
            }
            try (var raw = new RawClient(server.address())) {
                raw.send(post(server, "/echo") + "Transfer-Encoding: chunked\r\n\r\n");
                raw.sendWhileTaken(Servers.bytes("1\r\nx\r\n".repeat(1001) + "0\r\n\r\n"));
                assertThat(raw.response().status()).isEqualTo(413);
            }
            try (var raw = new RawClient(server.address())) { // a size line without an end
                raw.send(post(server, "/echo") + "Transfer-Encoding: chunked\r\n\r\n");
                raw.sendWhileTaken(Servers.bytes("0".repeat(300_000)));
                assertThat(raw.response().status()).isIn(400, 413);
            }
        }
    }

    @Test
    void refusesAmbiguousFraming() throws Exception {
        try (var server = Servers.start(SMALL, Servers.echo())) {
            for (var framing :
                    List.of(
                            "Content-Length: 3\r\nTransfer-Encoding: chunked",
                            "Content-Length: 3\r\nContent-Length: 4",
                            "Content-Length: -1",
                            "Content-Length: +3",
                            "Content-Length: 99999999999999999999",
                            "Transfer-Encoding: gzip",
                            "Transfer-Encoding: chunked, gzip")) {
                try (var raw = new RawClient(server.address())) {
                    raw.send(post(server, "/echo") + framing + "\r\n\r\n0\r\n\r\n");
                    var response = raw.response();
                    assertThat(response.status()).as(framing).isEqualTo(400);
                    assertThat(response.body()).startsWith("400 bad_request: ");
                    assertThat(response.head()).containsIgnoringCase("connection: close");
                }
            }
        }
    }

    @Test
    void asksForALength() throws Exception {
        try (var server = Servers.start(SMALL, Servers.echo());
                var raw = new RawClient(server.address())) {
            var response = raw.send(post(server, "/echo") + "\r\n").response();
            assertThat(response.status()).isEqualTo(411);
            assertThat(response.body()).startsWith("411 length_required: ");
        }
    }

    @Test
    void takesAHeadAtTheLimitAndRefusesOneBeyond() throws Exception {
        try (var server = Servers.start(SMALL, Servers.hello())) {
            for (int size : List.of(2048, 2049, 204_800)) {
                try (var raw = new RawClient(server.address())) {
                    String begin = get(server, "/hello") + "X: ";
                    String head = begin + "x".repeat(size - begin.length() - 4) + "\r\n\r\n";
                    assertThat(head).hasSize(size);
                    raw.sendWhileTaken(Servers.bytes(head));
                    var response = raw.response();
                    assertThat(response.status())
                            .as("%s", size)
                            .isEqualTo(size <= 2048 ? 200 : 431);
                    if (size > 2048) {
                        assertThat(response.body()).startsWith("431 headers_too_large: ");
                    }
                }
            }
        }
    }

    @Test
    void cutsOffHeadsAndBodiesThatDrip() throws Exception {
        try (var server = Servers.start(SMALL, Servers.echo())) {
            for (var begin :
                    List.of(
                            post(server, "/echo") + "X: ",
                            post(server, "/echo") + "Content-Length: 900\r\n\r\n")) {
                try (var raw = new RawClient(server.address())) {
                    raw.send(begin);
                    var response = CompletableFuture.supplyAsync(() -> uncheckedResponse(raw));
                    long start = System.nanoTime();
                    while (!response.isDone()) {
                        raw.sendWhileTaken(Servers.bytes("x"));
                        Thread.sleep(50);
                    }
                    assertThat(Duration.ofNanos(System.nanoTime() - start))
                            .isBetween(Duration.ofMillis(300), Duration.ofSeconds(3));
                    assertThat(response.get().status()).isEqualTo(408);
                    assertThat(response.get().body()).startsWith("408 request_timeout: ");
                }
            }
        }
    }

    private static RawClient.Response uncheckedResponse(RawClient raw) {
        try {
            return raw.response();
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @Test
    void closesConnectionsThatSayNothing() throws Exception {
        try (var server = Servers.start(SMALL, Servers.hello());
                var silent = new RawClient(server.address());
                var used = new RawClient(server.address())) {
            used.send(get(server, "/hello") + "\r\n").response();
            long start = System.nanoTime();
            assertThat(silent.closedByServer()).isTrue();
            assertThat(used.closedByServer()).isTrue();
            assertThat(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start)).isLessThan(3000);
        }
    }

    @Test
    void answersGarbageWith400OrByClosing() throws Exception {
        try (var server = Servers.start(SMALL, Servers.hello())) {
            for (var garbage :
                    List.of(
                            "\r\n\r\n",
                            "GET\r\n\r\n",
                            "GET /hello HTTP/0.9\r\n\r\n",
                            "GET /hello HTTP/1.1\r\nHost\r\n\r\n",
                            "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n",
                            "GET http://other.example/hello HTTP/1.1\r\nHost: localhost\r\n\r\n",
                            "\u0000\u0001\u0002\u0003\r\n\r\n",
                            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) {
                try (var raw = new RawClient(server.address())) {
                    raw.send(garbage).endSending();
                    String head = raw.head();
                    assertThat(head.isEmpty() || head.matches("(?s)HTTP/1.1 (4..|505) .*"))
                            .as("%s -> %s", garbage, head)
                            .isTrue();
                }
            }
            try (var raw = new RawClient(server.address())) {
                assertThat(raw.send(get(server, "/hello") + "\r\n").response().status())
                        .isEqualTo(200);
            }
        }
    }

    @Test
    void everyConnectionComesBackHoweverItEnds() throws Exception {
        var few =
                new Limits(
                        2048,
                        1000,
                        SMALL.headTime(),
                        SMALL.bodyTime(),
                        SMALL.idleTime(),
                        SMALL.writeTime(),
                        SMALL.closeTime(),
                        3);
        var stream =
                Route.get(
                        "/stream",
                        x -> {
                            try (var events = x.events()) {
                                while (true) {
                                    events.send("x");
                                    Thread.sleep(1);
                                }
                            }
                        });
        try (var server = Servers.start(few, Servers.hello(), Servers.echo(), stream)) {
            for (int i = 0; i < 60; i++) {
                try (var raw = new RawClient(server.address())) {
                    switch (i % 6) {
                        case 0 -> raw.send(get(server, "/stream") + "\r\n").head();
                        case 1 -> raw.send(get(server, "/stream")).reset();
                        case 2 -> raw.send(post(server, "/echo") + "Content-Length: 9\r\n\r\nx");
                        case 3 -> raw.send((get(server, "/hello") + "\r\n").repeat(500));
                        case 4 -> raw.send(get(server, "/stream") + "\r\n").reset();
                        default -> raw.endSending();
                    }
                }
            }
            try (var raw = new RawClient(server.address())) {
                assertThat(raw.send(get(server, "/hello") + "\r\n").response().body())
                        .isEqualTo("hello");
            }
        }
    }

    @Test
    void mutatedRequestsNeverCauseAnInternalError() throws Exception {
        String given = System.getProperty("tests.seed", "random");
        long seed = given.equals("random") ? new Random().nextLong() : Long.parseLong(given);
        var random = new Random(seed);
        try (var server = Servers.start(SMALL, Servers.hello(), Servers.echo())) {
            String chunked =
                    post(server, "/echo")
                            + "Transfer-Encoding: chunked\r\nExpect: x\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
            String plain = post(server, "/echo?a=b") + "Content-Length: 3\r\n\r\nabc";
            for (int i = 0; i < 300; i++) {
                var request = new StringBuilder(random.nextBoolean() ? chunked : plain);
                for (int flips = random.nextInt(1, 4); flips > 0; flips--) {
                    int at = random.nextInt(request.length());
                    switch (random.nextInt(3)) {
                        case 0 -> request.setCharAt(at, (char) random.nextInt(256));
                        case 1 -> request.deleteCharAt(at);
                        default -> request.insert(at, request.substring(at));
                    }
                }
                try (var raw = new RawClient(server.address())) {
                    raw.sendWhileTaken(request.toString().getBytes(StandardCharsets.ISO_8859_1));
                    raw.endSending();
                    assertThat(raw.head()).as("seed %s: %s", seed, request).doesNotContain(" 500 ");
                }
            }
        }
    }
}
