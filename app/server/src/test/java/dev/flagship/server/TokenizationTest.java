package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.api.Prompt;
import dev.flagship.serving.api.RequestException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code /tokenize} and {@code /detokenize}, in vLLM's form. */
class TokenizationTest extends ServedTest {
    private String answer(String path, String body) throws Exception {
        var reply = client.post(path, body);
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        return reply.json().toString();
    }

    @Test
    void tellsTheTokensOfAText() throws Exception {
        assertThat(answer("/tokenize", "{\"prompt\": \"AB\"}"))
                .isEqualTo(
                        "{\"count\":2,\"max_model_len\":2048,\"tokens\":[65,66],\"token_strs\":null}");
        assertThat(
                        answer(
                                "/tokenize",
                                "{\"model\": \"fake\", \"prompt\": \"AB\", \"return_token_strs\": true, \"add_special_tokens\": false}"))
                .contains("\"token_strs\":[\"<A>\",\"<B>\"]");
        assertThat(model.asked).last().isEqualTo(new Prompt.Raw("AB", Prompt.Raw.Begin.NOTHING));
    }

    @Test
    void tellsTheTokensOfAChat() throws Exception {
        assertThat(
                        answer(
                                "/tokenize",
                                "{\"messages\": [{\"role\": \"user\", \"content\": \"a\", \"name\": \"Zoe\"}], \"add_generation_prompt\": true, \"add_special_tokens\": false}"))
                .contains("\"count\":1", "messages[0].name is not shown");
        assertThat(model.asked.getLast()).isInstanceOf(Prompt.Conversation.class);
    }

    @Test
    void tellsTheTextOfTokens() throws Exception {
        assertThat(answer("/detokenize", "{\"tokens\": [65, 66]}"))
                .isEqualTo("{\"prompt\":\"AB\"}");
        assertThat(answer("/detokenize", "{\"tokens\": []}")).isEqualTo("{\"prompt\":\"\"}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "/tokenize   | prompt                | {}",
                "/tokenize   | prompt                | {\"prompt\": [\"a\"]}",
                "/tokenize   | prompt                | {\"prompt\": \"a\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
                "/tokenize   | content               | {\"prompt\": \"a\", \"content\": \"a\"}",
                "/tokenize   | add_generation_prompt | {\"prompt\": \"a\", \"add_generation_prompt\": true}",
                "/tokenize   | add_generation_prompt | {\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"add_generation_prompt\": false}",
                "/tokenize   | add_special_tokens    | {\"messages\": [{\"role\": \"user\", \"content\": \"a\"}], \"add_special_tokens\": true}",
                "/tokenize   | messages[0].role      | {\"messages\": [{\"content\": \"a\"}]}",
                "/tokenize   | return_token_strs     | {\"prompt\": \"a\", \"return_token_strs\": 1}",
                "/detokenize | tokens                | {}",
                "/detokenize | tokens                | {\"tokens\": 5}",
                "/detokenize | tokens                | {\"tokens\": [100]}",
                "/detokenize | tokens                | {\"tokens\": [\"a\"]}",
                "/detokenize | skip_special_tokens   | {\"tokens\": [1], \"skip_special_tokens\": true}",
            })
    void whatCannotBeHonouredIsRefusedByName(String path, String param, String body)
            throws Exception {
        var reply = client.post(path, body);
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("param").stringValue()).isEqualTo(param);
        assertThat(reply.error().get("message").stringValue()).contains(param);
    }

    @Test
    void aModelsOwnRefusalNamesTheField() throws Exception {
        model.refuses(RequestException.promptTooLong(5000, 2048));
        var reply = client.post("/tokenize", "{\"prompt\": \"a\"}");
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("param").stringValue()).isEqualTo("prompt");
        assertThat(
                        client.post("/detokenize", "{\"tokens\": [1]}")
                                .error()
                                .get("param")
                                .stringValue())
                .isEqualTo("tokens");
    }

    @Test
    void theModelIsFoundByItsName() throws Exception {
        server.add(new FakeChatModel("other"));
        assertThat(client.post("/tokenize", "{\"prompt\": \"a\"}").status()).isEqualTo(400);
        assertThat(client.post("/tokenize", "{\"model\": \"x\", \"prompt\": \"a\"}").status())
                .isEqualTo(404);
        answer("/tokenize", "{\"model\": \"other\", \"prompt\": \"a\"}");
        assertThat(model.asked).isEmpty();
    }
}
