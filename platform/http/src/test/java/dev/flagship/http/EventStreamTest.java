package dev.flagship.http;

import static dev.flagship.http.Servers.get;
import static dev.flagship.http.Servers.post;
import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EventStreamTest {
    @Test
    void sendsEventsInOrderAndEndsTheResponse() throws Exception {
        var route =
                Route.get(
                        "/events",
                        x -> {
                            try (var events = x.events()) {
                                events.send("one");
                                events.send("two\nlines\r\nthree\rfour\n");
                                events.comment("alive");
                                events.send("");
                            }
                        });
        try (var server = Servers.start(route);
                var client = HttpClient.newHttpClient()) {
            var response =
                    client.send(
                            HttpRequest.newBuilder(
                                            URI.create(
                                                    "http://" + Servers.host(server) + "/events"))
                                    .build(),
                            HttpResponse.BodyHandlers.ofString());
            assertThat(response.body())
                    .isEqualTo(
                            ": \n\ndata: one\n\ndata: two\ndata: lines\ndata: three\ndata: four\ndata: \n\n: alive\n\ndata: \n\n");
            assertThat(response.headers().firstValue("content-type"))
                    .contains("text/event-stream; charset=utf-8");
            assertThat(response.headers().firstValue("cache-control")).contains("no-store");
        }
    }

    @Test
    void eachEventLeavesAtOnceAndTheConnectionServesOn() throws Exception {
        var next = new LinkedBlockingQueue<String>();
        var route =
                Route.post(
                        "/events",
                        x -> {
                            assertThat(x.body()).hasSize(2);
                            try (var events = x.events()) {
                                for (var s = next.take(); !s.isEmpty(); s = next.take()) {
                                    events.send(s);
                                }
                            }
                        });
        try (var server = Servers.start(route, Servers.hello());
                var raw = new RawClient(server.address())) {
            raw.send(post(server, "/events") + "Content-Length: 2\r\n\r\nhi");
            assertThat(raw.head()).contains("HTTP/1.1 200").containsIgnoringCase("chunked");
            readChunk(raw, ": \n\n");
            for (int i = 0; i < 5; i++) {
                next.add("event" + i);
                readChunk(raw, "data: event" + i + "\n\n");
            }
            next.add("");
            assertThat(raw.line()).isEqualTo("0");
            assertThat(raw.line()).isEmpty();
            assertThat(raw.send(get(server, "/hello") + "\r\n").response().body())
                    .isEqualTo("hello");
        }
    }

    private static void readChunk(RawClient raw, String expected) throws Exception {
        assertThat(Integer.parseInt(raw.line(), 16)).isEqualTo(expected.length());
        for (var line : expected.split("\n", -1)) {
            assertThat(raw.line()).isEqualTo(line); // the last, empty one is the chunk's own end
        }
    }

    enum Leaving {
        CLOSE,
        RESET,
        END_SENDING
    }

    @ParameterizedTest
    @org.junit.jupiter.params.provider.EnumSource(Leaving.class)
    void noticesAClientThatLeavesWhileNothingIsReady(Leaving leaving) throws Exception {
        var began = new CountDownLatch(1);
        var cancelled = new CountDownLatch(1);
        var ended = new LinkedBlockingQueue<Class<?>>();
        var route =
                Route.get(
                        "/events",
                        x -> {
                            x.onClientGone(cancelled::countDown);
                            try (var events = x.events()) {
                                events.send("first");
                                began.countDown();
                                cancelled.await(); // as a handler that waits for work to yield
                                // something
                                ended.add(Boolean.class);
                                assertThat(x.isOpen()).isFalse();
                                assertThat(events.isOpen()).isFalse();
                                events.send("second");
                            } catch (ClientGoneException e) {
                                ended.add(e.getClass());
                                throw e;
                            }
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(get(server, "/events") + "\r\n").head();
            began.await();
            long left = System.nanoTime();
            switch (leaving) {
                case CLOSE -> raw.leave();
                case RESET -> raw.reset();
                case END_SENDING -> raw.endSending();
            }
            assertThat(cancelled.await(1, TimeUnit.SECONDS)).isTrue();
            assertThat(Duration.ofNanos(System.nanoTime() - left))
                    .isLessThan(Duration.ofSeconds(1));
            assertThat(ended.poll(2, TimeUnit.SECONDS)).isEqualTo(Boolean.class);
            assertThat(ended.poll(2, TimeUnit.SECONDS)).isEqualTo(ClientGoneException.class);
        }
    }

    @Test
    void noticesAClientThatLeavesBeforeAPlainResponse() throws Exception {
        var began = new CountDownLatch(1);
        var cancelled = new CountDownLatch(1);
        var route =
                Route.post(
                        "/work",
                        x -> {
                            assertThat(x.body()).hasSize(2);
                            x.onClientGone(cancelled::countDown);
                            began.countDown();
                            cancelled.await();
                            x.respond(200, "text/plain", new byte[1 << 20]);
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(post(server, "/work") + "Content-Length: 2\r\n\r\nhi");
            began.await();
            raw.leave();
            assertThat(cancelled.await(1, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void runsTheActionAtOnceForAClientThatHasLeft() throws Exception {
        var ran = new LinkedBlockingQueue<String>();
        var route =
                Route.get(
                        "/late",
                        x -> {
                            while (x.isOpen()) {
                                Thread.sleep(5);
                            }
                            x.onClientGone(() -> ran.add("ran"));
                            x.respond(200, "text/plain", Servers.bytes("anyway"));
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(get(server, "/late") + "\r\n").endSending();
            assertThat(ran.poll(2, TimeUnit.SECONDS)).isEqualTo("ran");
            // A client that only ended its sending side still gets a plain response.
            assertThat(raw.response().body()).isEqualTo("anyway");
        }
    }

    @Test
    void countsAClientThatDoesNotReadAsGone() throws Exception {
        var ended = new LinkedBlockingQueue<Class<?>>();
        var route =
                Route.get(
                        "/flood",
                        x -> {
                            try (var events = x.events()) {
                                var data = "x".repeat(100_000);
                                while (true) {
                                    events.send(data);
                                }
                            } catch (ClientGoneException e) {
                                ended.add(e.getClass());
                                throw e;
                            }
                        });
        try (var server = Servers.start(Servers.SMALL, route);
                var raw = new RawClient(server.address())) {
            raw.send(get(server, "/flood") + "\r\n").head();
            assertThat(ended.poll(5, TimeUnit.SECONDS)).isEqualTo(ClientGoneException.class);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void cutsOffAStreamThatItsHandlerLeavesOpen(boolean throwing) throws Exception {
        var route =
                Route.get(
                        "/broken",
                        x -> {
                            x.events().send("half");
                            if (throwing) {
                                throw new IllegalStateException("broke");
                            }
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send(get(server, "/broken") + "\r\n").head();
            readChunk(raw, ": \n\n");
            readChunk(raw, "data: half\n\n");
            assertThat(raw.closedByServer())
                    .isTrue(); // and not the last chunk, which would say "complete"
        }
    }

    @Test
    void headOfAnEventStreamHasNoEvents() throws Exception {
        var route =
                Route.get(
                        "/events",
                        x -> {
                            try (var events = x.events()) {
                                events.send("never");
                            }
                        });
        try (var server = Servers.start(route);
                var raw = new RawClient(server.address())) {
            raw.send("HEAD /events HTTP/1.1\r\nHost: " + Servers.host(server) + "\r\n\r\n");
            assertThat(raw.head()).startsWith("HTTP/1.1 200").contains("text/event-stream");
        }
    }
}
