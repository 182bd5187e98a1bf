package dev.flagship.server;

import static dev.flagship.server.FakeChatModel.end;
import static dev.flagship.server.FakeChatModel.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.ChatRequest.Echo;
import dev.flagship.serving.api.FinishReason;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Prompt.Raw.Begin;
import dev.flagship.serving.api.RequestException;
import dev.flagship.serving.api.Sampling;
import dev.flagship.serving.api.TokenLogprob;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** {@code POST /v1/completions} on a scripted model: fields, shapes, streams. */
class TextCompletionTest extends ServedTest {
    private static final String PATH = "/v1/completions";

    private static String body(String... fields) {
        return "{\"prompt\": \"Hi\", " + String.join(", ", fields) + "}";
    }

    private JsonNode answer(String body) throws Exception {
        var reply = client.post(PATH, body);
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        return reply.json();
    }

    @Test
    void hasTheShapeOfOpenAis() throws Exception {
        model.says(text("Hel"), text("lo"), end(FinishReason.LENGTH, 3));
        JsonNode json = answer(body("\"model\": \"fake\""));
        assertThat(json.get("id").stringValue()).startsWith("cmpl-");
        assertThat(json.get("object").stringValue()).isEqualTo("text_completion");
        assertThat(json.get("model").stringValue()).isEqualTo("fake");
        assertThat(json.get("choices").toString())
                .isEqualTo(
                        "[{\"index\":0,\"text\":\"Hello\",\"logprobs\":null,\"finish_reason\":\"length\"}]");
        assertThat(json.get("usage").toString())
                .isEqualTo(
                        "{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8,\"prompt_tokens_details\":{\"cached_tokens\":2}}");
        assertThat(json.has("warnings")).isFalse();
    }

    @Test
    void allFieldsReachTheModel() throws Exception {
        answer(
                body(
                        "\"max_tokens\": 0, \"temperature\": 0.5, \"top_p\": 0.75, \"top_k\": 9",
                        "\"min_p\": 0.25, \"repetition_penalty\": 1.5, \"presence_penalty\": -1",
                        "\"frequency_penalty\": 2, \"logit_bias\": {\"3\": -100}, \"stop\": \"a\"",
                        "\"seed\": -4, \"logprobs\": 20, \"echo\": true, \"add_special_tokens\": false"));
        assertThat(model.requests)
                .containsExactly(
                        new ChatRequest(
                                new Prompt.Raw("Hi", Begin.NOTHING),
                                new Sampling(
                                        0.5f, 9, 0.75f, 0.25f, 1.5f, -1, 2, Map.of(3, -100f), -4),
                                OptionalInt.of(0),
                                List.of("a"),
                                OptionalInt.of(20),
                                Echo.PROMPT));
    }

    @Test
    void whatIsAbsentTakesItsDefault() throws Exception {
        model.recommends(new Sampling(0.6f, 7, 0.9f, 0.1f, 1.1f, 0, 0, Map.of(), 0));
        answer(body("\"suffix\": null, \"best_of\": null, \"logprobs\": null"));
        ChatRequest request = model.requests.getFirst();
        assertThat(request.prompt()).isEqualTo(new Prompt.Raw("Hi", Begin.AS_TRAINED));
        assertThat(request.maxTokens()).as("OpenAI's").hasValue(16);
        assertThat(request.topLogprobs()).isEmpty();
        assertThat(request.echo()).isEqualTo(Echo.NOTHING);
        assertThat(request.sampling().temperature()).isEqualTo(0.6f);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"a\"                  | Raw[text=a, begin=AS_TRAINED]",
                "[\"a\"]                | Raw[text=a, begin=AS_TRAINED]",
                "[\"a\", \"b\"]         | Raw[text=a, begin=AS_TRAINED] Raw[text=b, begin=AS_TRAINED]",
                "[4, 5]                 | Tokens[ids=[4, 5]]",
                "[[4, 5]]               | Tokens[ids=[4, 5]]",
                "[[4], [5, 99]]         | Tokens[ids=[4]] Tokens[ids=[5, 99]]",
                "[\"a\", [5]]           | Raw[text=a, begin=AS_TRAINED] Tokens[ids=[5]]",
            })
    void promptsComeInAllForms(String prompt, String read) throws Exception {
        answer("{\"prompt\": " + prompt + "}");
        assertThat(String.join(" ", model.requests.stream().map(r -> r.prompt() + "").toList()))
                .isEqualTo(read);
    }

    @Test
    void choicesAreNumberedPromptByPromptAndEachHasItsSeed() throws Exception {
        model.says(request ->
                List.of(
                        text(request.prompt() + " s" + request.sampling().seed()),
                        end(FinishReason.STOP, 2)));
        String body = "{\"prompt\": [[1], [2]], \"n\": 2, \"seed\": 7%s}";
        JsonNode json = answer(body.formatted(""));
        List<String> expected =
                List.of(
                        "Tokens[ids=[1]] s7",
                        "Tokens[ids=[1]] s8",
                        "Tokens[ids=[2]] s7",
                        "Tokens[ids=[2]] s8");
        var streamed = client.stream(PATH, body.formatted(", \"stream\": true"));
        for (int i = 0; i < 4; i++) {
            JsonNode choice = json.get("choices").get(i);
            assertThat(choice.get("index").intValue()).isEqualTo(i);
            assertThat(choice.get("text").stringValue()).isEqualTo(expected.get(i));
            assertThat(streamed.text(i)).isEqualTo(expected.get(i));
            assertThat(streamed.reasons(i)).containsExactly("stop");
        }
        assertThat(json.get("usage").toString())
                .as("each prompt once")
                .isEqualTo(
                        "{\"prompt_tokens\":10,\"completion_tokens\":8,\"total_tokens\":18,\"prompt_tokens_details\":{\"cached_tokens\":4}}");
    }

    @Test
    void aRequestWhoseLastPromptIsRefusedLeavesNothingRunning() throws Exception {
        model.says(request -> {
            if (request.prompt().equals(new Prompt.Raw("bad"))) {
                throw RequestException.contextLengthExceeded(3000, 2048);
            }
            return List.of(text("and so on")); // for ever
        });
        var reply = client.post(PATH, "{\"prompt\": [\"good\", \"bad\"]}");
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("context_length_exceeded");
        assertThat(reply.error().get("param").stringValue()).isEqualTo("prompt");
        assertThat(model.answers).singleElement().matches(answer -> answer.cancelled);
    }

    private static TokenLogprob token(
            int id, String text, int offset, double logprob, TokenLogprob... top) {
        List<Integer> bytes =
                IntStream.range(0, text.length()).mapToObj(i -> (int) text.charAt(i)).toList();
        return new TokenLogprob(id, text, bytes, offset, (float) logprob, List.of(top));
    }

    private FakeChatModel scored() {
        var half = new TokenLogprob(7, "\uFFFD", List.of(0xE2, 0x82), 2, -0.25f, List.of());
        var other = new TokenLogprob(8, "\uFFFD", List.of(0xE2, 0x83), 2, -0.5f, List.of());
        return model.says(
                text("Hi", token(1, "Hi", 0, Double.NaN)),
                text("x", token(2, "x", 2, -2, token(3, "y", 2, -0.125), token(4, "y", 2, -9))),
                text(
                        "€",
                        new TokenLogprob(
                                7, "\uFFFD", List.of(0xE2, 0x82), 3, -0.25f, List.of(half, other)),
                        new TokenLogprob(
                                9, "\uFFFD", List.of(0xAC), 3, Float.NEGATIVE_INFINITY, List.of())),
                end(FinishReason.LENGTH, 3));
    }

    @Test
    void tellsLogProbabilitiesInFourArrays() throws Exception {
        scored();
        assertThat(answer(body("\"echo\": true, \"logprobs\": 2")).at("/choices/0").toString())
                .isEqualTo(
                        "{\"index\":0,\"text\":\"Hix€\",\"logprobs\":{"
                                + "\"tokens\":[\"Hi\",\"x\",\"bytes:\\\\xe2\\\\x82\",\"bytes:\\\\xac\"],"
                                + "\"token_logprobs\":[null,-2.0,-0.25,-9999.0],"
                                + "\"top_logprobs\":[null,{\"y\":-0.125,\"x\":-2.0},"
                                + "{\"bytes:\\\\xe2\\\\x82\":-0.25,\"bytes:\\\\xe2\\\\x83\":-0.5},"
                                + "{\"bytes:\\\\xac\":-9999.0}],"
                                + "\"text_offset\":[0,2,3,3]},\"finish_reason\":\"length\"}");
    }

    @Test
    void writesTokensAsIdsWhereAskedTo() throws Exception {
        scored();
        JsonNode logprobs =
                answer(
                                body(
                                        "\"echo\": true, \"logprobs\": 2, \"return_tokens_as_token_ids\": true"))
                        .at("/choices/0/logprobs");
        assertThat(logprobs.get("tokens").toString())
                .isEqualTo("[\"token_id:1\",\"token_id:2\",\"token_id:7\",\"token_id:9\"]");
        assertThat(logprobs.at("/top_logprobs/1").toString())
                .isEqualTo("{\"token_id:3\":-0.125,\"token_id:4\":-9.0,\"token_id:2\":-2.0}");
    }

    @Test
    void aStreamSaysWhatTheWholeAnswerSays() throws Exception {
        scored();
        String fields = "\"echo\": true, \"logprobs\": 2";
        JsonNode whole = answer(body(fields)).at("/choices/0");
        var streamed =
                client.stream(
                        PATH,
                        body(
                                fields,
                                "\"stream\": true, \"stream_options\": {\"include_usage\": true}"));
        assertThat(streamed.text(0)).isEqualTo(whole.get("text").stringValue());
        assertThat(streamed.last()).isEqualTo("[DONE]");
        assertThat(streamed.reasons(0)).containsExactly("length");
        List<JsonNode> chunks = streamed.chunks();
        assertThat(chunks).hasSize(5); // three of text, the end, usage
        assertThat(chunks.stream().map(c -> c.get("id")).distinct()).hasSize(1);
        assertThat(chunks).allMatch(c -> c.get("object").stringValue().equals("text_completion"));
        for (String part : List.of("tokens", "token_logprobs", "top_logprobs", "text_offset")) {
            var joined = Wire.object().arrayNode();
            chunks.subList(0, 3)
                    .forEach(c -> c.at("/choices/0/logprobs/" + part).forEach(joined::add));
            assertThat(joined).as(part).isEqualTo(whole.at("/logprobs/" + part));
        }
        assertThat(chunks.get(3).at("/choices/0").toString())
                .isEqualTo(
                        "{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}");
        assertThat(chunks.getLast().get("choices")).isEmpty();
        assertThat(chunks.getLast().at("/usage/total_tokens").intValue()).isEqualTo(8);
    }

    @Test
    void endsABrokenStreamWithAnErrorAndDone() throws Exception {
        model.says(text("Hel"), end(FinishReason.ERROR, 1, "The best logit is NaN."));
        var streamed = client.stream(PATH, body("\"stream\": true"));
        assertThat(streamed.chunks().getLast().at("/error/message").stringValue())
                .isEqualTo("The best logit is NaN.");
        assertThat(streamed.reasons(0)).containsExactly("error");
        assertThat(streamed.last()).isEqualTo("[DONE]");
    }

    @Test
    void saysThatIdsTakeNoSpecialTokens() throws Exception {
        JsonNode json = answer("{\"prompt\": [1], \"add_special_tokens\": true}");
        assertThat(json.get("warnings").toString()).contains("add_special_tokens has no effect");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"suffix\": \"\"",
                "\"best_of\": 1",
                "\"n\": 3, \"best_of\": 3",
                "\"user\": \"u\"",
                "\"max_tokens\": 0, \"echo\": true",
                "\"logprobs\": 0",
                "\"echo\": false",
                "\"return_tokens_as_token_ids\": false",
            })
    void harmlessFieldsAreAccepted(String field) throws Exception {
        answer(body(field));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "suffix                     | \"suffix\": \"end\"",
                "best_of                    | \"best_of\": 2",
                "best_of                    | \"n\": 3, \"best_of\": 2",
                "best_of                    | \"best_of\": 0",
                "max_tokens                 | \"max_tokens\": 0",
                "max_tokens                 | \"max_tokens\": -1, \"echo\": true",
                "max_completion_tokens      | \"max_completion_tokens\": 4",
                "logprobs                   | \"logprobs\": 21",
                "logprobs                   | \"logprobs\": -1",
                "logprobs                   | \"logprobs\": true",
                "top_logprobs               | \"top_logprobs\": 3",
                "echo                       | \"echo\": 1",
                "return_tokens_as_token_ids | \"return_tokens_as_token_ids\": true",
                "add_special_tokens         | \"add_special_tokens\": \"no\"",
                "n                          | \"n\": 9",
                "stop                       | \"stop\": \"\"",
                "temperature                | \"temperature\": 3",
                "logit_bias                 | \"logit_bias\": {\"100\": 1}",
                "stream_options             | \"stream_options\": {\"include_usage\": true}",
                "messages                   | \"messages\": []",
                "prompt_logprobs            | \"prompt_logprobs\": 1",
                "min_tokens                 | \"min_tokens\": 1",
                "truncate_prompt_tokens     | \"truncate_prompt_tokens\": 5",
                "tempreature                | \"tempreature\": 1",
            })
    void whatCannotBeHonouredIsRefusedByName(String param, String field) throws Exception {
        refused(param, body(field));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "prompt    | {}",
                "prompt    | {\"prompt\": null}",
                "prompt    | {\"prompt\": []}",
                "prompt    | {\"prompt\": 7}",
                "prompt    | {\"prompt\": {}}",
                "prompt    | {\"prompt\": \"\\ud83d\"}",
                "prompt    | {\"prompt\": [1, \"a\"]}",
                "prompt    | {\"prompt\": [1, -1]}",
                "prompt    | {\"prompt\": [100]}",
                "prompt    | {\"prompt\": [1.5]}",
                "prompt    | {\"prompt\": [4294967297]}",
                "prompt[1] | {\"prompt\": [\"a\", 1]}",
                "prompt[1] | {\"prompt\": [[1], [1, 100]]}",
                "prompt[0] | {\"prompt\": [null]}",
                "prompt[0] | {\"prompt\": [[[1]]]}",
            })
    void brokenPromptsAreRefusedByPath(String param, String body) throws Exception {
        refused(param, body);
    }

    private void refused(String param, String body) throws Exception {
        var reply = client.post(PATH, body);
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("param").stringValue()).isEqualTo(param);
        assertThat(reply.error().get("message").stringValue()).contains(param);
        assertThat(model.requests).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"32, 1, 200", "33, 1, 400", "4, 8, 200", "5, 8, 400", "100000, 1, 400"})
    void promptsAndChoicesAreBoundedTogether(int prompts, int n, int status) throws Exception {
        String all = String.join(",", Collections.nCopies(prompts, "\"a\""));
        String body = "{\"prompt\": [" + all + "], \"n\": " + n + "}";
        assertThat(client.post(PATH, body).status()).isEqualTo(status);
    }

    @ParameterizedTest
    @CsvSource({"1, 8, 20, 200", "1, 9, 20, 400", "4, 4, 9, 200", "4, 4, 10, 400", "32, 1, 4, 200"})
    void alternativesAreBoundedForAllChoicesTogether(int prompts, int n, int logprobs, int status)
            throws Exception {
        String all = String.join(",", Collections.nCopies(prompts, "\"a\""));
        String body = "{\"prompt\": [%s], \"n\": %d, \"logprobs\": %d}".formatted(all, n, logprobs);
        assertThat(client.post(PATH, body).status()).isEqualTo(status);
    }

    @Test
    void longArraysOfIdsAreRead() throws Exception {
        String ids = String.join(",", Collections.nCopies(120_000, "42"));
        answer("{\"prompt\": [" + ids + "]}");
        assertThat(((Prompt.Tokens) model.requests.getFirst().prompt()).ids()).hasSize(120_000);
    }
}
