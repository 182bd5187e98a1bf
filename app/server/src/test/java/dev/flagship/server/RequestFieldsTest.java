package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.ChatRequest;
import dev.flagship.serving.api.Message;
import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.Sampling;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every field has its effect or is refused by name; C10 and C13 of the conformance list. */
class RequestFieldsTest extends ServedTest {
    @Test
    void allFieldsReachTheModel() throws Exception {
        var reply =
                client.chat(
                        Client.body(
                                "\"max_tokens\": 12, \"temperature\": 0.5, \"top_p\": 0.75, \"top_k\": 9",
                                "\"min_p\": 0.25, \"repetition_penalty\": 1.5, \"presence_penalty\": -1",
                                "\"frequency_penalty\": 2, \"logit_bias\": {\"3\": -100, \"99\": 1}",
                                "\"stop\": [\"a\", \"b\"], \"seed\": -4, \"logprobs\": true, \"top_logprobs\": 4"));
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        assertThat(model.requests)
                .containsExactly(
                        new ChatRequest(
                                new Prompt.Conversation(List.of(Message.user("Hi"))),
                                new Sampling(
                                        0.5f,
                                        9,
                                        0.75f,
                                        0.25f,
                                        1.5f,
                                        -1,
                                        2,
                                        Map.of(3, -100f, 99, 1f),
                                        -4),
                                OptionalInt.of(12),
                                List.of("a", "b"),
                                OptionalInt.of(4)));
    }

    @Test
    void whatIsAbsentOrNullTakesItsDefault() throws Exception {
        client.chat(Client.body());
        client.chat(
                Client.body(
                        "\"temperature\": null, \"top_p\": null, \"max_tokens\": null, \"stop\": null, \"n\": null, \"seed\": null, \"tools\": null, \"logit_bias\": null, \"stream\": null, \"response_format\": null"));
        assertThat(model.requests).hasSize(2);
        for (ChatRequest request : model.requests) {
            Sampling s = request.sampling();
            assertThat(s)
                    .isEqualTo(new Sampling(0.8f, 40, 0.95f, 0.05f, 1, 0, 0, Map.of(), s.seed()));
            assertThat(request.maxTokens()).isEmpty();
            assertThat(request.stop()).isEmpty();
            assertThat(request.topLogprobs()).isEmpty();
        }
        assertThat(model.requests.get(0).sampling().seed())
                .isNotEqualTo(model.requests.get(1).sampling().seed());
    }

    @Test
    void whatIsAbsentTakesWhatTheModelsMakersRecommend() throws Exception {
        model.recommends(new Sampling(0.6f, 7, 0.9f, 0.1f, 1.1f, 0, 0, Map.of(), 0));
        client.chat(Client.body());
        client.chat(Client.body("\"temperature\": 1.5, \"repetition_penalty\": 1"));
        Sampling first = model.requests.get(0).sampling();
        Sampling second = model.requests.get(1).sampling();
        assertThat(first)
                .isEqualTo(new Sampling(0.6f, 7, 0.9f, 0.1f, 1.1f, 0, 0, Map.of(), first.seed()));
        assertThat(second)
                .isEqualTo(new Sampling(1.5f, 7, 0.9f, 0.1f, 1, 0, 0, Map.of(), second.seed()));
    }

    @Test
    void rolesAndTextPartsAreRead() throws Exception {
        var reply =
                client.chat(
                        """
                        {"messages": [
                          {"role": "developer", "content": "Be kind."},
                          {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                          {"role": "assistant", "content": "", "refusal": null, "tool_calls": [], "annotations": []},
                          {"role": "user", "content": "c", "name": "Zoe"}]}\
                        """);
        assertThat(model.requests.getFirst().prompt())
                .isEqualTo(
                        new Prompt.Conversation(
                                List.of(
                                        Message.system("Be kind."),
                                        Message.user("a\nb"),
                                        Message.assistant(""),
                                        Message.user("c"))));
        assertThat(reply.json().get("warnings").toString())
                .isEqualTo("[\"messages[3].name is not shown to the model.\"]");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"user\": \"u\"",
                "\"metadata\": {\"a\": \"b\"}",
                "\"store\": false",
                "\"service_tier\": \"auto\"",
                "\"service_tier\": \"default\"",
                "\"tool_choice\": \"none\"",
                "\"tool_choice\": \"auto\"",
                "\"tools\": []",
                "\"tools\": [], \"tool_choice\": \"auto\", \"parallel_tool_calls\": true",
                "\"parallel_tool_calls\": false",
                "\"functions\": [], \"function_call\": \"auto\"",
                "\"function_call\": \"none\"",
                "\"modalities\": [\"text\"]",
                "\"response_format\": {\"type\": \"text\"}",
                "\"max_tokens\": 5, \"max_completion_tokens\": 5",
                "\"max_completion_tokens\": 1",
                "\"stop\": \"x\"",
                "\"stop\": []",
                "\"top_k\": -1",
                "\"temperature\": 0",
                "\"temperature\": 2",
                "\"temperature\": 1e-300",
                "\"logprobs\": false",
                "\"seed\": 9223372036854775807",
                "\"n\": 8",
                "\"prompt_cache_key\": \"k\"",
                "\"safety_identifier\": \"s\"",
            })
    void harmlessFieldsAreAccepted(String field) throws Exception {
        var reply = client.chat(Client.body(field));
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "temperature           | \"temperature\": -0.1",
                "temperature           | \"temperature\": 2.01",
                "temperature           | \"temperature\": \"1\"",
                "temperature           | \"temperature\": 1e999",
                "top_p                 | \"top_p\": 0",
                "top_p                 | \"top_p\": 1e-60",
                "top_p                 | \"top_p\": 1.1",
                "top_k                 | \"top_k\": -2",
                "top_k                 | \"top_k\": 1.5",
                "min_p                 | \"min_p\": 1",
                "min_p                 | \"min_p\": 0.99999999999",
                "repetition_penalty    | \"repetition_penalty\": 0",
                "presence_penalty      | \"presence_penalty\": 2.1",
                "frequency_penalty     | \"frequency_penalty\": -2.1",
                "max_tokens            | \"max_tokens\": 0",
                "max_tokens            | \"max_tokens\": -1",
                "max_tokens            | \"max_tokens\": 2147483648",
                "max_completion_tokens | \"max_tokens\": 4, \"max_completion_tokens\": 5",
                "seed                  | \"seed\": 1.5",
                "seed                  | \"seed\": 9223372036854775808",
                "stop                  | \"stop\": \"\"",
                "stop                  | \"stop\": 4",
                "stop                  | \"stop\": [null]",
                "stop                  | \"stop\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\",\"16\",\"17\"]",
                "logit_bias            | \"logit_bias\": {\"x\": 1}",
                "logit_bias            | \"logit_bias\": {\"-1\": 1}",
                "logit_bias            | \"logit_bias\": {\"1\": 101}",
                "logit_bias            | \"logit_bias\": {\"1\": null}",
                "logit_bias            | \"logit_bias\": {\"1\": 1, \"01\": 2}",
                "logit_bias            | \"logit_bias\": {\"100\": 1}",
                "logit_bias            | \"logit_bias\": {\"99999999999\": 1}",
                "logit_bias            | \"logit_bias\": []",
                "top_logprobs          | \"top_logprobs\": 1",
                "top_logprobs          | \"logprobs\": true, \"top_logprobs\": 21",
                "logprobs              | \"logprobs\": 3",
                "n                     | \"n\": 9",
                "n                     | \"n\": 0",
                "stream                | \"stream\": \"yes\"",
                "stream_options        | \"stream_options\": {\"include_usage\": true}",
                "stream_options.x      | \"stream\": true, \"stream_options\": {\"x\": true}",
                "stream_options.include_obfuscation | \"stream\": true, \"stream_options\": {\"include_obfuscation\": true}",
                "tools                 | \"tools\": [{\"type\": \"function\"}]",
                "tools                 | \"tools\": {}",
                "tools                 | \"tool_choice\": \"none\", \"tools\": [{\"type\": \"function\"}]",
                "tool_choice           | \"tool_choice\": \"required\"",
                "tool_choice           | \"tools\": [], \"tool_choice\": \"required\"",
                "tool_choice           | \"tool_choice\": {\"type\": \"function\"}",
                "functions             | \"functions\": [{\"name\": \"f\"}]",
                "function_call         | \"function_call\": {\"name\": \"f\"}",
                "parallel_tool_calls   | \"parallel_tool_calls\": 1",
                "response_format       | \"response_format\": {\"type\": \"json_object\"}",
                "response_format       | \"response_format\": {\"type\": \"json_schema\", \"json_schema\": {}}",
                "response_format       | \"response_format\": \"text\"",
                "store                 | \"store\": true",
                "modalities            | \"modalities\": [\"text\", \"audio\"]",
                "service_tier          | \"service_tier\": \"flex\"",
                "reasoning_effort      | \"reasoning_effort\": \"low\"",
                "best_of               | \"best_of\": 1",
                "tempreature           | \"tempreature\": 1",
                "model                 | \"model\": 7",
            })
    void whatCannotBeHonouredIsRefusedByName(String param, String field) throws Exception {
        var reply = client.chat(Client.body(field));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("param").stringValue()).isEqualTo(param);
        assertThat(reply.error().get("type").stringValue()).isEqualTo("invalid_request_error");
        assertThat(reply.error().get("message").stringValue()).contains(param);
        assertThat(model.requests).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "messages                  | {}",
                "messages                  | {\"messages\": []}",
                "messages                  | {\"messages\": null}",
                "messages                  | {\"messages\": \"Hi\"}",
                "messages[0]               | {\"messages\": [\"Hi\"]}",
                "messages[0].role          | {\"messages\": [{\"content\": \"Hi\"}]}",
                "messages[0].role          | {\"messages\": [{\"role\": \"tool\", \"content\": \"Hi\"}]}",
                "messages[0].content       | {\"messages\": [{\"role\": \"user\"}]}",
                "messages[0].content       | {\"messages\": [{\"role\": \"assistant\", \"content\": null}]}",
                "messages[0].content       | {\"messages\": [{\"role\": \"user\", \"content\": 4}]}",
                "messages[0].content       | {\"messages\": [{\"role\": \"user\", \"content\": \"\\ud83d\"}]}",
                "messages[0].content       | {\"messages\": [{\"role\": \"user\", \"content\": \"\\udc1f\\ud83d\"}]}",
                "messages[0].content[0]    | {\"messages\": [{\"role\": \"user\", \"content\": [\"x\"]}]}",
                "messages[0].content[0].type | {\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {}}]}]}",
                "messages[0].content[1].text | {\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}, {\"type\": \"text\"}]}]}",
                "messages[1].tool_calls    | {\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"a\", \"tool_calls\": [{}]}]}",
                "messages[0].tool_calls    | {\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"tool_calls\": []}]}",
            })
    void brokenMessagesAreRefusedByPath(String param, String body) throws Exception {
        var reply = client.chat(body);
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("param").stringValue()).isEqualTo(param);
        assertThat(model.requests).isEmpty();
    }

    @Test
    void stopsAreAllowedUpToTheLimit() throws Exception {
        String most = "\"" + "s".repeat(64) + "\"";
        String all = String.join(",", Collections.nCopies(16, most));
        assertThat(client.chat(Client.body("\"stop\": [" + all + "]")).status()).isEqualTo(200);
        assertThat(client.chat(Client.body("\"stop\": \"" + "s".repeat(65) + "\"")).status())
                .isEqualTo(400);
    }

    @ParameterizedTest
    @CsvSource({"300, 200", "301, 400", "30000, 400"})
    void biasesAreCounted(int count, int status) throws Exception {
        var biases = new StringBuilder();
        for (int i = 0; i < count; i++) {
            biases.append(i == 0 ? "" : ",").append('"').append(i).append("\":1");
        }
        String body = Client.body("\"logit_bias\": {" + biases + "}");
        assertThat(statusOfReading(body)).isEqualTo(status);
    }

    /** Without a model's vocabulary in the way. */
    private static int statusOfReading(String body) {
        try {
            ChatCompletionRequest.of(
                    Wire.read(body.getBytes(StandardCharsets.UTF_8)), Sampling.usual(0));
            return 200;
        } catch (ApiException e) {
            return e.status();
        }
    }
}
