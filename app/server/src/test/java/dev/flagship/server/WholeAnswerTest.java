package dev.flagship.server;

import static dev.flagship.server.FakeChatModel.end;
import static dev.flagship.server.FakeChatModel.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.TokenLogprob;
import java.util.List;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** Answers in one piece: shape, usage, reasons, log-probabilities. */
class WholeAnswerTest extends ServedTest {
    @Test
    void hasTheShapeOfOpenAis() throws Exception {
        model.says(text("Hel"), text("lo"), end(FinishReason.STOP, 3));
        var reply = client.chat(Client.body("\"model\": \"fake\""));
        assertThat(reply.status()).isEqualTo(200);
        JsonNode json = reply.json();
        assertThat(json.get("id").stringValue()).startsWith("chatcmpl-");
        assertThat(json.get("object").stringValue()).isEqualTo("chat.completion");
        assertThat(json.get("model").stringValue()).isEqualTo("fake");
        assertThat(json.get("created").longValue()).isGreaterThan(1_700_000_000L);
        assertThat(json.get("choices").toString())
                .isEqualTo(
                        "[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]");
        assertThat(json.get("usage").toString())
                .isEqualTo(
                        "{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
        assertThat(json.has("warnings")).isFalse();
    }

    @Test
    void saysLengthAndWhyWhenCut() throws Exception {
        model.says(text("x"), end(FinishReason.LENGTH, 1, "The pool is full."));
        JsonNode json = client.chat(Client.body()).json();
        assertThat(json.at("/choices/0/finish_reason").stringValue()).isEqualTo("length");
        assertThat(json.get("warnings").toString()).isEqualTo("[\"The pool is full.\"]");
    }

    @Test
    void isAnErrorWhenTheModelFails() throws Exception {
        model.says(text("x"), end(FinishReason.ERROR, 1, "No finite logit."));
        var reply = client.chat(Client.body());
        assertThat(reply.status()).isEqualTo(500);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("generation_failed");
        assertThat(reply.error().get("message").stringValue()).isEqualTo("No finite logit.");
    }

    static Stream<Throwable> breaches() {
        return Stream.of(
                new IllegalStateException("breach"),
                new OutOfMemoryError("breach"),
                new StackOverflowError("breach"));
    }

    @ParameterizedTest
    @MethodSource("breaches")
    @Timeout(20)
    void isAnErrorWhenAnAnswerBreaksWhateverBreaksIt(Throwable breach) throws Exception {
        model.says(text("x"), end(FinishReason.STOP, 1)).breaks(breach);
        var log = Logger.getLogger(Choices.class.getName());
        log.setFilter(logged -> !breach.equals(logged.getThrown()));
        try {
            for (int n : new int[] {1, 3}) {
                var reply = client.chat(Client.body("\"n\": " + n));
                assertThat(reply.status()).isEqualTo(500);
                assertThat(reply.error().get("code").stringValue()).isEqualTo("generation_failed");
                assertThat(reply.error().get("message").stringValue())
                        .contains("broke off")
                        .doesNotContain("breach");
            }
            var last = client.stream().chunks().getLast();
            assertThat(last.at("/choices/0/finish_reason").stringValue()).isEqualTo("error");
            assertThat(last.at("/error/code").stringValue()).isEqualTo("generation_failed");
        } finally {
            log.setFilter(null);
        }
    }

    @Test
    void isAnErrorWhenTheModelIsClosed() throws Exception {
        model.says(text("x"), end(FinishReason.CANCELLED, 1));
        var reply = client.chat(Client.body());
        assertThat(reply.status()).isEqualTo(503);
        assertThat(reply.response().headers().firstValue("Retry-After")).contains("10");
    }

    @Test
    void numbersItsChoicesAndGivesEachItsOwnSeed() throws Exception {
        model.says(request ->
                List.of(text("s" + request.sampling().seed()), end(FinishReason.STOP, 2)));
        JsonNode json = client.chat(Client.body("\"n\": 3", "\"seed\": 7")).json();
        for (int i = 0; i < 3; i++) {
            JsonNode choice = json.get("choices").get(i);
            assertThat(choice.get("index").intValue()).isEqualTo(i);
            assertThat(choice.at("/message/content").stringValue()).isEqualTo("s" + (7 + i));
        }
        assertThat(json.get("usage").toString())
                .isEqualTo(
                        "{\"prompt_tokens\":5,\"completion_tokens\":6,\"total_tokens\":11,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
    }

    @Test
    void tellsLogProbabilitiesOfEveryToken() throws Exception {
        var fish =
                new TokenLogprob(
                        3,
                        "\uD83D\uDC1F",
                        List.of(240, 159, 144, 159),
                        0,
                        -0.5f,
                        List.of(
                                new TokenLogprob(
                                        3,
                                        "\uD83D\uDC1F",
                                        List.of(240, 159, 144, 159),
                                        0,
                                        -0.5f,
                                        List.of()),
                                new TokenLogprob(
                                        4,
                                        "a",
                                        List.of(97),
                                        0,
                                        Float.NEGATIVE_INFINITY,
                                        List.of())));
        model.says(text("\uD83D\uDC1F", fish), end(FinishReason.STOP, 2));
        String expected =
                "{\"content\":[{\"token\":\"\uD83D\uDC1F\",\"logprob\":-0.5,\"bytes\":[240,159,144,159],\"top_logprobs\":["
                        + "{\"token\":\"\uD83D\uDC1F\",\"logprob\":-0.5,\"bytes\":[240,159,144,159]},"
                        + "{\"token\":\"a\",\"logprob\":-9999.0,\"bytes\":[97]}]}],\"refusal\":null}";
        String ask = "\"logprobs\": true, \"top_logprobs\": 2";
        assertThat(client.chat(Client.body(ask)).json().at("/choices/0/logprobs").toString())
                .isEqualTo(expected);
        assertThat(client.stream(ask).chunks().get(1).at("/choices/0/logprobs").toString())
                .isEqualTo(expected);
    }
}
