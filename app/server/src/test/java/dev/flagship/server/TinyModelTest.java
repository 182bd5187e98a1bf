package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import dev.flagship.testing.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** A real, tiny model behind the API: what the engine promises holds on the wire. */
class TinyModelTest {
    private static final String ASK =
            "{\"messages\": [{\"role\": \"user\", \"content\": \"the cat in a hat\"}], \"max_tokens\": 24, \"seed\": 3%s}";

    @TempDir Path folder;
    private FlagshipServer server;
    private Client client;

    @BeforeEach
    void start() throws Exception {
        for (String file :
                List.of(
                        "config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "tokenizer_config.json")) {
            Golden.extract("llama/llama3/" + file, folder);
        }
        Files.writeString(
                folder.resolve("chat_template.jinja"),
                "{% for m in messages %}{{ m['content'] + '\\n' }}{% endfor %}");
        server = FlagshipServer.start(0, Duration.ofSeconds(10));
        server.add(
                TextModel.open(
                        folder,
                        LoadOptions.of("tiny").withKernels("scalar").withThreads(1),
                        LoadListener.SILENT));
        server.ready();
        client = new Client(server);
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
    }

    private String whole(String fields) throws Exception {
        var reply = client.chat(ASK.formatted(fields));
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        var usage = reply.json().get("usage");
        assertThat(usage.get("total_tokens").intValue())
                .isEqualTo(
                        usage.get("prompt_tokens").intValue()
                                + usage.get("completion_tokens").intValue());
        return reply.json().at("/choices/0/message/content").stringValue();
    }

    @Test
    void equalSeedsGiveEqualAnswersAndOthersDoNot() throws Exception {
        assertThat(whole("")).isEqualTo(whole("")).isNotEmpty();
        assertThat(whole("")).isNotEqualTo(whole(", \"temperature\": 0"));
    }

    /** Whatever is kept from one request to the next is nobody else's. */
    @Test
    void thirtyTwoClientsAtOnceGetWhatEachGetsAlone() throws Exception {
        List<String> asked = new ArrayList<>();
        List<String> alone = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            String fields = ", \"temperature\": %d, \"logit_bias\": {\"1\": -100}".formatted(i % 2);
            asked.add(
                    ASK.formatted(fields)
                            .replace("the cat in a hat", "the cat in a hat ".repeat(1 + i % 7))
                            .replace("\"seed\": 3", "\"seed\": " + i));
            alone.add(answer(asked.get(i)));
        }
        assertThat(new HashSet<>(alone)).hasSizeGreaterThan(16);
        List<Callable<String>> clients = new ArrayList<>();
        for (String body : asked) {
            clients.add(() -> answer(body));
        }
        List<String> together = new ArrayList<>();
        try (var threads = Executors.newFixedThreadPool(clients.size())) {
            for (Future<String> each : threads.invokeAll(clients)) {
                together.add(each.get());
            }
        }
        assertThat(together).isEqualTo(alone);
    }

    private String answer(String body) throws Exception {
        var reply = client.chat(body);
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        return reply.json().at("/choices/0/message/content").stringValue();
    }

    @Test
    void samplingFieldsHaveAnEffect() throws Exception {
        String greedy = whole(", \"temperature\": 0");
        assertThat(whole(", \"top_k\": 1")).isEqualTo(greedy);
        assertThat(whole(", \"top_p\": 1e-6")).isEqualTo(greedy);
        assertThat(whole(", \"min_p\": 0.999")).isEqualTo(greedy);
        assertThat(whole(", \"temperature\": 0, \"logit_bias\": {\"2\": 100}"))
                .isEqualTo("a".repeat(24));
        assertThat(whole(", \"temperature\": 0, \"logit_bias\": {\"1\": 100}")).isEmpty();
    }

    @Test
    void aStopStringSpreadOverTokensNeverLeaksOut() throws Exception {
        String goOn = ", \"logit_bias\": {\"1\": -100}"; // 1 is the end token
        String text = whole(goOn);
        String stop = text.substring(6, 11);
        String shorter = whole(goOn + ", \"stop\": [\"" + stop.replace("\n", "\\n") + "\"]");
        assertThat(shorter).isEqualTo(text.substring(0, text.indexOf(stop)));
    }

    @Test
    void logProbabilitiesSpellTheAnswer() throws Exception {
        var reply = client.chat(ASK.formatted(", \"logprobs\": true, \"top_logprobs\": 5"));
        var spelt = new StringBuilder();
        for (var token : reply.json().at("/choices/0/logprobs/content")) {
            spelt.append(token.get("token").stringValue());
            assertThat(token.get("logprob").doubleValue()).isLessThanOrEqualTo(0);
            assertThat(token.get("top_logprobs")).hasSize(5);
        }
        assertThat(spelt.toString())
                .isEqualTo(reply.json().at("/choices/0/message/content").stringValue());
    }

    private JsonNode completed(String fields) throws Exception {
        var reply = client.post("/v1/completions", "{" + fields + "}");
        assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
        return reply.json();
    }

    @Test
    void textsAndTheirIdsAreContinuedAndScoredAlike() throws Exception {
        String text = "the cat in a hat";
        var tokens =
                client.post("/tokenize", "{\"prompt\": \"" + text + "\"}").json().get("tokens");
        assertThat(client.post("/detokenize", "{\"tokens\": " + tokens + "}").json().get("prompt"))
                .hasToString("\"" + text + "\"");
        String how =
                ", \"echo\": true, \"logprobs\": 2, \"seed\": 3, \"logit_bias\": {\"1\": -100}";
        JsonNode of = completed("\"prompt\": \"" + text + "\"" + how).at("/choices/0");
        assertThat(completed("\"prompt\": " + tokens + how).at("/choices/0")).isEqualTo(of);
        assertThat(of.get("text").stringValue()).startsWith(text).hasSizeGreaterThan(text.length());
        var offsets = of.at("/logprobs/text_offset");
        assertThat(offsets).hasSize(tokens.size() + 16);
        for (int i = 0; i < offsets.size(); i++) { // this vocabulary has no parts of characters
            assertThat(of.get("text").stringValue().substring(offsets.get(i).intValue()))
                    .startsWith(of.at("/logprobs/tokens").get(i).stringValue());
        }
        JsonNode harness =
                completed(
                        "\"prompt\": "
                                + tokens
                                + ", \"echo\": true, \"logprobs\": 2, \"max_tokens\": 0");
        assertThat(harness.at("/choices/0/text").stringValue()).isEqualTo(text);
        assertThat(harness.at("/usage/completion_tokens").intValue()).isZero();
        for (int i = 0; i < tokens.size(); i++) {
            assertThat(harness.at("/choices/0/logprobs/token_logprobs").get(i))
                    .isEqualTo(of.at("/logprobs/token_logprobs").get(i));
        }
    }

    /** Who scores a text with one token more takes the last value away, whatever that token is. */
    @Test
    void theEndTokenOfATextIsToldAsATokenAndIsNoText() throws Exception {
        JsonNode json =
                completed(
                        "\"prompt\": [5, 6], \"echo\": true, \"logprobs\": 0, \"max_tokens\": 1, \"logit_bias\": {\"1\": 100}, \"temperature\": 0");
        assertThat(json.at("/choices/0/finish_reason").stringValue()).isEqualTo("stop");
        assertThat(json.at("/choices/0/logprobs/tokens")).hasSize(3);
        assertThat(json.at("/usage/completion_tokens").intValue()).isEqualTo(1);
        String text = json.at("/choices/0/text").stringValue();
        assertThat(json.at("/choices/0/logprobs/text_offset/2").intValue())
                .isEqualTo(text.length());
    }

    @Test
    void severalChoicesOfSeveralPromptsAreWhatEachIsAlone() throws Exception {
        JsonNode all = completed("\"prompt\": [\"the cat\", \"a hat\"], \"n\": 2, \"seed\": 4");
        int at = 0;
        for (String prompt : List.of("the cat", "a hat")) {
            for (int seed : new int[] {4, 5}) {
                JsonNode alone = completed("\"prompt\": \"" + prompt + "\", \"seed\": " + seed);
                assertThat(all.get("choices").get(at++).get("text"))
                        .isEqualTo(alone.at("/choices/0/text"));
            }
        }
    }

    @Test
    void aScoredPromptMayFillTheWholeContext() throws Exception {
        String ids = "[7" + ",7".repeat(255) + "]";
        String scored = "{\"prompt\": %s, \"echo\": true, \"logprobs\": 0, \"max_tokens\": %d}";
        var whole = client.post("/v1/completions", scored.formatted(ids, 0));
        assertThat(whole.json().at("/choices/0/logprobs/tokens")).hasSize(256);
        var more = client.post("/v1/completions", scored.formatted(ids, 1));
        assertThat(more.error().get("code").stringValue()).isEqualTo("context_length_exceeded");
        var longer = client.post("/v1/completions", scored.formatted(ids.replace("]", ",7]"), 0));
        assertThat(longer.error().get("message").stringValue()).contains("257 tokens", "holds 256");
    }

    @Test
    void aPromptBeyondTheContextIsRefused() throws Exception {
        var reply = client.chat(ASK.replace("the cat in a hat", "b".repeat(300)).formatted(""));
        assertThat(reply.status()).isEqualTo(400);
        assertThat(reply.error().get("code").stringValue()).isEqualTo("context_length_exceeded");
    }
}
