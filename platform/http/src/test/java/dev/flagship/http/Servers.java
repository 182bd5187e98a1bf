package dev.flagship.http;

import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/** Servers for tests, whose errors read {@code status code: message}. */
final class Servers {
    static final Limits SMALL =
            new Limits(
                    2048,
                    1000,
                    Duration.ofMillis(400),
                    Duration.ofMillis(400),
                    Duration.ofMillis(700),
                    Duration.ofMillis(500),
                    Duration.ofMillis(500),
                    64);

    private Servers() {}

    static HttpServer start(Limits limits, Route... routes) {
        return HttpServer.start(
                new HttpServer.Config(InetAddress.ofLiteral("127.0.0.1"), 0, limits),
                List.of(routes),
                Servers::render);
    }

    static HttpServer start(Route... routes) {
        return start(Limits.DEFAULT, routes);
    }

    static Route echo() {
        return Route.post("/echo", x -> x.respond(200, "application/octet-stream", x.body()));
    }

    static Route hello() {
        return Route.get("/hello", x -> x.respond(200, "text/plain", bytes("hello")));
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String get(HttpServer server, String path) {
        return "GET " + path + " HTTP/1.1\r\nHost: " + host(server) + "\r\n";
    }

    static String post(HttpServer server, String path) {
        return "POST " + path + " HTTP/1.1\r\nHost: " + host(server) + "\r\n";
    }

    static String host(HttpServer server) {
        return "127.0.0.1:" + server.address().getPort();
    }

    private static ErrorRenderer.Body render(int status, String code, String message) {
        return new ErrorRenderer.Body("text/x-error", bytes(status + " " + code + ": " + message));
    }
}
