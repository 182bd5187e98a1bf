package dev.flagship.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LoopbackCheckTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "localhost:8080",
                "LOCALHOST:8080",
                "127.0.0.1:8080",
                "127.9.8.7:8080",
                "[::1]:8080",
                "[0:0:0:0:0:0:0:1]:8080"
            })
    void takesLoopbackHostsWithThePort(String host) {
        assertThatCode(() -> LoopbackCheck.check(8080, List.of(host), List.of()))
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "evil.example:8080",
                "localhost.evil.example:8080",
                "evil-localhost:8080",
                "127.0.0.1.evil.example:8080",
                "127.0.0.256:8080",
                "127.1:8080",
                "0.0.0.0:8080",
                "2130706433:8080",
                "[::]:8080",
                "[::ffff:127.0.0.1]:8080",
                "localhost",
                "localhost:80",
                "localhost:8081",
                "localhost:",
                "localhost:8080:8080",
                "user@localhost:8080",
                "localhost:8080@evil.example",
                "localhost:8080/",
                "localhost:8080?",
                "localhost:8080#",
                "localhost.:8080",
                "",
                " "
            })
    void refusesEveryOtherHost(String host) {
        assertThatThrownBy(() -> LoopbackCheck.check(8080, List.of(host), List.of()))
                .isInstanceOfSatisfying(
                        HttpStatusException.class, e -> assertThat(e.status()).isEqualTo(403));
    }

    @Test
    void refusesNoHostAndTwoHosts() {
        assertThatThrownBy(() -> LoopbackCheck.check(8080, List.of(), List.of()))
                .isInstanceOf(HttpStatusException.class);
        assertThatThrownBy(() ->
                        LoopbackCheck.check(
                                8080, List.of("localhost:8080", "evil:8080"), List.of()))
                .isInstanceOf(HttpStatusException.class);
    }

    @Test
    void takesAHostWithoutPortOnPort80() {
        LoopbackCheck.check(80, List.of("localhost"), List.of());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://localhost:3000",
                "https://127.0.0.1",
                "http://[::1]:8080",
                "http://localhost"
            })
    void takesLoopbackOrigins(String origin) {
        LoopbackCheck.check(8080, List.of("localhost:8080"), List.of(origin));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://evil.example",
                "https://localhost.evil.example",
                "null",
                "file://",
                "ftp://localhost",
                "http://user@localhost",
                "localhost:8080",
                ""
            })
    void refusesEveryOtherOrigin(String origin) {
        assertThatThrownBy(
                        () -> LoopbackCheck.check(8080, List.of("localhost:8080"), List.of(origin)))
                .isInstanceOfSatisfying(
                        HttpStatusException.class,
                        e -> assertThat(e.code()).isEqualTo("origin_not_allowed"));
    }

    @Test
    void worksThroughTheServer() throws Exception {
        try (var server = Servers.start(Servers.hello())) {
            for (var head :
                    List.of(
                            "Host: evil.example:" + server.address().getPort(),
                            "Host: " + Servers.host(server) + "\r\nOrigin: http://evil.example")) {
                try (var raw = new RawClient(server.address())) {
                    var response =
                            raw.send("GET /hello HTTP/1.1\r\n" + head + "\r\n\r\n").response();
                    assertThat(response.status()).isEqualTo(403);
                    assertThat(response.body()).matches("403 (host|origin)_not_allowed: .*");
                }
            }
        }
    }
}
