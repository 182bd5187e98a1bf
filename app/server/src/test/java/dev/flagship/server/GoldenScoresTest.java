package dev.flagship.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.flagship.serving.LoadListener;
import dev.flagship.serving.LoadOptions;
import dev.flagship.serving.TextModel;
import dev.flagship.tensor.Numerics;
import dev.flagship.testing.Golden;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Log-probabilities through HTTP against those of the reference implementation's logits. */
class GoldenScoresTest {
    private static final double TOLERANCE = 1e-3;

    @TempDir Path temp;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama",
                "llama1",
                "llama2",
                "llama3",
                "llama31",
                "odd",
                "quantised-q8_0",
                "quantised-q4_k",
                "quantised-q4_1",
                "quantised-q6_k"
            })
    void areTheReferences(String name) throws Exception {
        Golden golden = Golden.read("llama/" + name + ".expected.safetensors");
        int[] ids = golden.ids("input_ids");
        List<float[]> logits = golden.rows("lm_head");
        assertThat(ids).hasSizeGreaterThanOrEqualTo(8);
        var options =
                LoadOptions.of("tiny")
                        .withNumerics(Numerics.EXACT)
                        .withKernels("scalar")
                        .withThreads(1);
        try (var server = FlagshipServer.start(0);
                var client = new Client(server)) {
            server.add(
                    TextModel.open(
                            Golden.extract("llama/" + name + ".gguf", temp),
                            options,
                            LoadListener.SILENT));
            server.ready();
            var reply =
                    client.post(
                            "/v1/completions",
                            "{\"prompt\": %s, \"echo\": true, \"logprobs\": 20, \"max_tokens\": 8, \"temperature\": 0, \"return_tokens_as_token_ids\": true}"
                                    .formatted(Arrays.toString(ids)));
            assertThat(reply.status()).as(reply.json().toString()).isEqualTo(200);
            JsonNode told = reply.json().at("/choices/0/logprobs");
            assertThat(told.at("/token_logprobs/0").isNull()).isTrue();
            for (int at = 1; at < ids.length; at++) {
                float[] row = logits.get(at - 1);
                assertThat(told.get("tokens").get(at).stringValue())
                        .isEqualTo("token_id:" + ids[at]);
                assertThat(told.get("token_logprobs").get(at).doubleValue())
                        .isCloseTo(logprob(row, ids[at]), within(TOLERANCE));
                assertTop(told.get("top_logprobs").get(at), row);
            }
            assertTop(told.get("top_logprobs").get(ids.length), logits.getLast());
            int[] greedy = golden.ids("greedy");
            for (int i = 0; i < told.get("tokens").size() - ids.length; i++) {
                assertThat(told.get("tokens").get(ids.length + i).stringValue())
                        .isEqualTo("token_id:" + greedy[i]);
            }
        }
    }

    private static void assertTop(JsonNode top, float[] row) {
        assertThat(top.size()).isBetween(20, 21);
        for (var each : top.properties()) {
            int id = Integer.parseInt(each.getKey().substring("token_id:".length()));
            assertThat(each.getValue().doubleValue())
                    .isCloseTo(logprob(row, id), within(TOLERANCE));
        }
    }

    /** In double precision, from the definition. */
    private static double logprob(float[] logits, int id) {
        double sum = 0;
        for (float logit : logits) {
            sum += Math.exp((double) logit - logits[id]);
        }
        return -Math.log(sum);
    }
}
