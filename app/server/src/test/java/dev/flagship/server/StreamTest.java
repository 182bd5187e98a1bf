package dev.flagship.server;

import static dev.flagship.server.FakeChatModel.end;
import static dev.flagship.server.FakeChatModel.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.Event;
import dev.flagship.serving.api.FinishReason;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** Streams as clients of OpenAI read them; C1 to C5 and C15 of the conformance list. */
class StreamTest extends ServedTest {
    private static final String USAGE = "\"stream_options\": {\"include_usage\": true}";

    @Test
    void beginsWithTheRoleAndEndsWithOneReasonAndDone() throws Exception {
        model.says(text("Hel"), text("lo"), end(FinishReason.STOP, 3));
        var streamed = client.stream();
        assertThat(streamed.chunks()).hasSize(4);
        JsonNode first = streamed.chunks().getFirst().get("choices").get(0);
        assertThat(first.get("delta").get("role").stringValue()).isEqualTo("assistant");
        assertThat(first.get("finish_reason").isNull()).isTrue();
        assertThat(streamed.chunks().getLast().get("choices").get(0).get("delta")).isEmpty();
        assertThat(streamed.text(0)).isEqualTo("Hello");
        assertThat(streamed.reasons(0)).containsExactly("stop");
        assertThat(streamed.last()).isEqualTo("[DONE]");
    }

    @Test
    void sendsUsageOnlyWhenAskedAndWithoutChoices() throws Exception {
        model.says(text("Hello"), end(FinishReason.STOP, 3));
        for (JsonNode chunk : client.stream().chunks()) {
            assertThat(chunk.has("usage")).isFalse();
        }
        List<JsonNode> chunks = client.stream(USAGE).chunks();
        for (JsonNode chunk : chunks.subList(0, chunks.size() - 1)) {
            assertThat(chunk.get("usage").isNull()).isTrue();
        }
        JsonNode last = chunks.getLast();
        assertThat(last.get("choices").isArray()).isTrue();
        assertThat(last.get("choices")).isEmpty();
        assertThat(last.get("usage").toString())
                .isEqualTo(
                        "{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
    }

    @Test
    void givesEveryChunkTheSameIdentity() throws Exception {
        model.says(text("a"), text("b"), text("c"), end(FinishReason.LENGTH, 3));
        var identities =
                client.stream(USAGE).chunks().stream()
                        .map(c ->
                                List.of(
                                        c.get("id"),
                                        c.get("created"),
                                        c.get("model"),
                                        c.get("object"),
                                        c.get("system_fingerprint")))
                        .collect(Collectors.toSet());
        assertThat(identities).hasSize(1);
        assertThat(identities.iterator().next().get(2).stringValue()).isEqualTo("fake");
    }

    @Test
    void givesTwoStreamsDifferentIds() throws Exception {
        assertThat(client.stream().chunks().getFirst().get("id"))
                .isNotEqualTo(client.stream().chunks().getFirst().get("id"));
    }

    @Test
    void numbersChoicesAndEndsEachOnce() throws Exception {
        model.says(request -> {
            String name = "c" + request.sampling().seed();
            return List.of(text(name), text("-"), text(name), end(FinishReason.STOP, 3));
        });
        var streamed = client.stream("\"n\": 3", "\"seed\": 40", USAGE);
        for (int i = 0; i < 3; i++) {
            String name = "c" + (40 + i);
            assertThat(streamed.text(i)).isEqualTo(name + "-" + name);
            assertThat(streamed.reasons(i)).containsExactly("stop");
        }
        assertThat(streamed.chunks().getLast().get("usage").toString())
                .isEqualTo(
                        "{\"prompt_tokens\":5,\"completion_tokens\":9,\"total_tokens\":14,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
    }

    @Test
    void keepsTheOrderOfTokensUnderLoad() throws Exception {
        var events = new ArrayList<Event>();
        var expected = new StringBuilder();
        for (int i = 0; i < 200; i++) {
            events.add(text(i + " "));
            expected.append(i).append(' ');
        }
        events.add(end(FinishReason.STOP, 200));
        model.says(_ -> events);
        try (var callers = Executors.newVirtualThreadPerTaskExecutor()) {
            Callable<Client.Streamed> call = () -> client.stream("\"n\": 2");
            for (var each : callers.invokeAll(Collections.nCopies(12, call))) {
                assertThat(each.get().text(0)).isEqualTo(expected.toString());
                assertThat(each.get().text(1)).isEqualTo(expected.toString());
            }
        }
    }

    @Test
    void saysWhatAWholeAnswerSays() throws Exception {
        model.says(request ->
                List.of(
                        text("line\r\none\n\n"),
                        text("\"q\" \\ \u2028 \uD83D\uDC1F data: x\n"),
                        text("seed " + request.sampling().seed()),
                        end(FinishReason.STOP, 3)));
        String whole =
                client.chat(Client.body("\"seed\": 9"))
                        .json()
                        .at("/choices/0/message/content")
                        .stringValue();
        assertThat(client.stream("\"seed\": 9").text(0)).isEqualTo(whole).endsWith("seed 9");
    }

    @Test
    void endsABrokenAnswerWithAnErrorAndDone() throws Exception {
        model.says(text("Hel"), end(FinishReason.ERROR, 1, "The best logit is NaN."));
        var streamed = client.stream();
        JsonNode last = streamed.chunks().getLast();
        assertThat(last.get("error").get("message").stringValue())
                .isEqualTo("The best logit is NaN.");
        assertThat(last.get("error").get("type").stringValue()).isEqualTo("server_error");
        assertThat(streamed.reasons(0)).containsExactly("error");
        assertThat(streamed.last()).isEqualTo("[DONE]");
    }

    @Test
    void passesWarningsOnWithTheEnd() throws Exception {
        model.says(text("x"), end(FinishReason.LENGTH, 1, "The pool is full."));
        JsonNode last = client.stream().chunks().getLast();
        assertThat(last.get("warnings").toString()).isEqualTo("[\"The pool is full.\"]");
    }

    @Test
    void showsSignsOfLifeWhileNothingIsReady() throws Exception {
        model.slowly(HEARTBEAT.multipliedBy(4));
        assertThat(client.stream().comments())
                .filteredOn(c -> c.equals("waiting"))
                .hasSizeGreaterThan(2);
        model.slowly(Duration.ZERO);
        assertThat(client.stream().comments()).doesNotContain("waiting");
    }

    @Test
    void endsInOrderWhenTheServerIsClosed() throws Exception {
        model.says(text("and so on"));
        try (var other = Executors.newVirtualThreadPerTaskExecutor()) {
            var streamed = other.submit(() -> client.stream());
            while (model.answers.isEmpty()) {
                Thread.sleep(5);
            }
            Thread.sleep(50);
            server.close();
            JsonNode last = streamed.get().chunks().getLast();
            assertThat(last.get("error").get("code").stringValue())
                    .isEqualTo("generation_cancelled");
            assertThat(streamed.get().last()).isEqualTo("[DONE]");
        }
    }
}
