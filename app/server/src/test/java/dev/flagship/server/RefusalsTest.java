package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.RequestException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Refusals: OpenAI's shape, the right status, at the limit and beyond; C10 and C11. */
class RefusalsTest extends ServedTest {
    @ParameterizedTest
    @CsvSource({
        "GET,    /,                      404, not_found",
        "GET,    /v1/nothing,            404, not_found",
        "GET,    /v1/models/nobody,      404, model_not_found",
        "GET,    /v1/chat/completions,   405, method_not_allowed",
        "DELETE, /v1/models,             405, method_not_allowed",
        "PUT,    /health,                405, method_not_allowed",
    })
    void everyErrorHasOpenAisShape(String method, String path, int status, String code)
            throws Exception {
        var reply = client.send(method, path, BodyPublishers.noBody());
        assertThat(reply.status()).isEqualTo(status);
        assertThat(reply.error().propertyNames())
                .containsExactly("message", "type", "param", "code");
        assertThat(reply.error().get("code").stringValue()).isEqualTo(code);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "{",
                "[]",
                "1",
                "null",
                "\"x\"",
                "{} {}",
                "{\"a\": 1, \"a\": 2}",
                "{'a': 1}",
                "{\"a\": NaN}",
                "{\"a\": 01}",
                "{\"messages\": [}",
                "{\"a\": \"\u0001\"}",
                "\uFEFF{}x"
            })
    void whatIsNoJsonObjectIsRefused(String body) throws Exception {
        var reply = client.chat(body);
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("type").stringValue()).isEqualTo("invalid_request_error");
        assertThat(reply.error().get("message").stringValue()).doesNotContain("Source", "#UNKNOWN");
    }

    @Test
    void brokenUtf8IsRefused() throws Exception {
        byte[] body = Client.body().getBytes(StandardCharsets.UTF_8);
        body[body.length - 5] = (byte) 0xC0;
        assertThat(client.chat(body).error().get("code").stringValue()).isEqualTo("invalid_json");
    }

    @Test
    void aBodyBeyondTheLimitIsRefused() throws Exception {
        String padding = " ".repeat((1 << 20) - Client.body().length());
        assertThat(client.chat(Client.body() + padding).status()).isEqualTo(200);
        var reply = client.chat(Client.body() + padding + " ");
        assertThat(reply.status()).isEqualTo(413);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("body_too_large");
    }

    /**
     * Bodies whose one unknown field is at a limit are refused for the field, beyond it as JSON.
     */
    @ParameterizedTest
    @CsvSource({
        "depth,   63,     unsupported_parameter",
        "depth,   64,     invalid_json",
        "depth,   6400,   invalid_json",
        "string,  262144, unsupported_parameter",
        "string,  262145, invalid_json",
        "array,   131072, unsupported_parameter",
        "array,   131073, invalid_json",
        "array,   500000, invalid_json",
        "number,  100,    unsupported_parameter",
        "number,  101,    invalid_json",
        "number,  10000,  invalid_json",
    })
    void jsonIsBounded(String kind, int size, String code) throws Exception {
        String value =
                switch (kind) {
                    case "depth" -> "[".repeat(size) + "]".repeat(size);
                    case "string" -> "\"" + "x".repeat(size) + "\"";
                    case "array" -> "[" + String.join(",", Collections.nCopies(size, "1")) + "]";
                    default -> "1".repeat(size);
                };
        var reply = client.chat(Client.body("\"x\": " + value));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("code").stringValue()).isEqualTo(code);
    }

    @Test
    void anUnknownModelIsNotFoundAndTheServedOnesAreNamed() throws Exception {
        server.add(new FakeChatModel("other"));
        var reply = client.chat(Client.body("\"model\": \"nobody\""));
        assertThat(reply.status()).isEqualTo(404);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("model_not_found");
        assertThat(reply.error().get("param").stringValue()).isEqualTo("model");
        assertThat(reply.error().get("message").stringValue()).contains("fake, other");
    }

    @Test
    void aModelMustBeNamedWhereThereIsAChoice() throws Exception {
        assertThat(client.chat(Client.body()).status()).isEqualTo(200);
        server.add(new FakeChatModel("other"));
        var reply = client.chat(Client.body());
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("missing_required_parameter");
    }

    @Test
    void aPromptThatDoesNotFitIsRefusedNotCut() throws Exception {
        model.says(_ -> {
            throw RequestException.contextLengthExceeded(3000, 2048);
        });
        for (String body : new String[] {Client.body(), Client.body("\"stream\": true")}) {
            var reply = client.chat(body);
            assertThat(reply.status()).isEqualTo(400);
            assertThat(reply.error().get("code").stringValue())
                    .isEqualTo("context_length_exceeded");
            assertThat(reply.error().get("param").stringValue()).isEqualTo("messages");
            assertThat(reply.error().get("message").stringValue()).contains("3000", "2048");
        }
    }

    @Test
    void overloadIsTypedAndSaysWhenToComeBack() throws Exception {
        model.says(_ -> {
            throw RequestException.overloaded("64 requests are waiting.");
        });
        long began = System.nanoTime();
        var reply = client.chat(Client.body());
        assertThat(System.nanoTime() - began).isLessThan(2_000_000_000L); // the host may be busy
        assertThat(reply.status()).isEqualTo(503);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("overloaded");
        assertThat(reply.response().headers().firstValue("Retry-After")).contains("2");
    }

    @Test
    void aRequestThatTheServersEndCancelsMayBeSentAgain() throws Exception {
        model.says(_ -> {
            throw RequestException.cancelled("fake");
        });
        var reply = client.chat(Client.body());
        assertThat(reply.status()).isEqualTo(503);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("request_cancelled");
        assertThat(reply.response().headers().firstValue("Retry-After")).contains("10");
    }

    @Test
    void aBugInAModelTellsNoInternals() throws Exception {
        model.says(_ -> {
            throw new IllegalStateException("secret");
        });
        var reply = client.chat(Client.body());
        assertThat(reply.status()).isEqualTo(500);
        assertThat(reply.json().toString()).doesNotContain("secret");
    }
}
