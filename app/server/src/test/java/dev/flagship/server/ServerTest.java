package dev.flagship.server;

import static dev.flagship.server.FakeChatModel.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.flagship.base.InvalidArgumentException;
import dev.flagship.http.HttpStartException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The server's life: loading, listing, clients that leave (C12), closing. */
class ServerTest extends ServedTest {
    @Test
    void listsItsModels() throws Exception {
        server.add(new FakeChatModel("other"));
        var list = client.get("/v1/models").json();
        assertThat(list.get("object").stringValue()).isEqualTo("list");
        assertThat(list.get("data")).hasSize(2);
        var one = client.get("/v1/models/other").json();
        assertThat(one).isEqualTo(list.get("data").get(1));
        assertThat(one.get("id").stringValue()).isEqualTo("other");
        assertThat(one.get("object").stringValue()).isEqualTo("model");
        assertThat(one.at("/flagship/context_length").intValue()).isEqualTo(2048);
    }

    @Test
    void answers503UntilItsModelsAreLoaded() throws Exception {
        try (var young = FlagshipServer.start(0);
                var its = new Client(young)) {
            assertThat(its.get("/health").status()).isEqualTo(503);
            var reply = its.chat(Client.body());
            assertThat(reply.status()).isEqualTo(503);
            assertThat(reply.error().get("code").stringValue()).isEqualTo("model_loading");
            assertThat(reply.response().headers().firstValue("Retry-After")).isPresent();
            young.add(model);
            assertThat(its.chat(Client.body()).status()).isEqualTo(200);
            assertThat(its.get("/health").status()).isEqualTo(503);
            young.ready();
            var health = its.get("/health");
            assertThat(health.status()).isEqualTo(200);
            assertThat(health.json().toString())
                    .isEqualTo("{\"status\":\"ok\",\"models\":[\"fake\"]}");
        }
    }

    @Test
    void isUnhealthyOnceAModelHasFailedAndSaysWhy() throws Exception {
        server.add(new FakeChatModel("other"));
        model.fail("The model has stopped.");
        var health = client.get("/health");
        assertThat(health.status()).isEqualTo(503);
        assertThat(health.json().toString())
                .isEqualTo(
                        "{\"status\":\"failed\",\"models\":[\"fake\",\"other\"],\"failed\":{\"fake\":\"The model has stopped.\"}}");
    }

    @Test
    void refusesASecondModelOfTheSameName() {
        assertThatThrownBy(() -> server.add(new FakeChatModel("fake")))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("fake");
    }

    @Test
    void refusesAPortThatIsTaken() {
        int taken = server.address().getPort();
        assertThatThrownBy(() -> FlagshipServer.start(taken))
                .isInstanceOf(HttpStartException.class)
                .hasMessageContaining(Integer.toString(taken));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void freesTheSlotOfAClientThatLeaves(boolean stream) throws Exception {
        model.says(text("and so on")); // for ever
        String body = Client.body("\"n\": 2", "\"stream\": " + stream);
        try (var socket = new Socket(server.address().getAddress(), server.address().getPort())) {
            socket.getOutputStream()
                    .write(
                            ("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:"
                                            + server.address().getPort()
                                            + "\r\nContent-Length: "
                                            + body.length()
                                            + "\r\n\r\n"
                                            + body)
                                    .getBytes(StandardCharsets.US_ASCII));
            while (model.answers.size() < 2) {
                Thread.sleep(2);
            }
            Thread.sleep(50);
            assertThat(model.answers).noneMatch(answer -> answer.cancelled);
        }
        long left = System.nanoTime();
        while (!model.answers.stream().allMatch(answer -> answer.cancelled)) {
            assertThat(System.nanoTime() - left).isLessThan(Duration.ofSeconds(1).toNanos());
            Thread.sleep(2);
        }
    }
}
