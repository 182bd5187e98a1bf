package dev.flagship.serving;

import static org.assertj.core.api.Assertions.assertThat;

import dev.flagship.models.Llama;
import dev.flagship.nn.Weights;
import dev.flagship.tensor.BandMatrix;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.Shape;
import dev.flagship.tensor.Tensor;
import dev.flagship.testing.Golden;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Every published size, from its description alone: what the model asks for are the tensors that
 * were published, as many of them and with as many parameters. Sizes and numbers are those of
 * arXiv:2302.13971, 2307.09288 and 2407.21783, of the published config.json and params.json, and of
 * the published index files (total_size / 2), to the unit.
 */
class PublishedSizesTest {
    private static final Path NOWHERE = Path.of("config.json");

    /** Notes what a model asks for and hands out placeholders. */
    private record Asked(String prefix, Map<String, List<Integer>> shapes) implements Weights {
        @Override
        public Weights at(String name) {
            return new Asked(prefix + name + ".", shapes);
        }

        @Override
        public BandMatrix matrix(String name, int out, int in) {
            note(name, List.of(out, in));
            return new BandMatrix(
                    name, DType.F32, 1, 1, MemorySegment.ofArray(new byte[64]), MemorySegment.NULL);
        }

        @Override
        public Tensor vector(String name, int size) {
            note(name, List.of(size));
            return Tensor.of(Shape.of(1, 1), MemorySegment.ofArray(new byte[4]));
        }

        private void note(String name, List<Integer> shape) {
            assertThat(shapes.put(prefix + name + ".weight", shape)).isNull();
        }
    }

    private static Map<String, List<Integer>> asked(Llama.Config config) {
        Map<String, List<Integer>> shapes = new LinkedHashMap<>();
        assertThat(new Llama(config, new Asked("", shapes))).isNotNull();
        return shapes;
    }

    private static long total(Map<String, List<Integer>> shapes) {
        return shapes.values().stream()
                .mapToLong(shape -> shape.stream().mapToLong(n -> n).reduce(1, (a, b) -> a * b))
                .sum();
    }

    private static Settings settings(String json) {
        return new Settings(NOWHERE, JsonMapper.shared().readTree(json));
    }

    private static Llama.Config huggingFace(
            int hidden, int layers, int heads, int kv, int ffn, int vocab, boolean tied) {
        // head_dim is left out, as in the older of the published files.
        return HuggingFaceLlama.config(
                NOWHERE,
                settings(
                        """
                        {"model_type": "llama", "hidden_size": %d, "num_hidden_layers": %d,
                         "num_attention_heads": %d, "num_key_value_heads": %d,
                         "intermediate_size": %d, "vocab_size": %d, "tie_word_embeddings": %b}\
                        """
                                .formatted(hidden, layers, heads, kv, ffn, vocab, tied)));
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "LLaMA 1 and 2 7B,     4096,  32,  32,  32, 11008,  32000, false,   6738415616,  291",
        "LLaMA 1 and 2 13B,    5120,  40,  40,  40, 13824,  32000, false,  13015864320,  363",
        "LLaMA 1 33B,          6656,  60,  52,  52, 17920,  32000, false,  32528943616,  543",
        "LLaMA 1 65B,          8192,  80,  64,  64, 22016,  32000, false,  65285660672,  723",
        "Llama 2 70B,          8192,  80,  64,   8, 28672,  32000, false,  68976648192,  723",
        "Code Llama 7B,        4096,  32,  32,  32, 11008,  32016, false,   6738546688,  291",
        "Llama 3 and 3.1 8B,   4096,  32,  32,   8, 14336, 128256, false,   8030261248,  291",
        "Llama 3 to 3.3 70B,   8192,  80,  64,   8, 28672, 128256, false,  70553706496,  723",
        "Llama 3.1 405B,      16384, 126, 128,   8, 53248, 128256, false, 405853388800, 1137",
        "Llama 3.2 1B,         2048,  16,  32,   8,  8192, 128256, true,    1235814400,  146",
        "Llama 3.2 3B,         3072,  28,  24,   8,  8192, 128256, true,    3212749824,  254",
        "TinyLlama 1.1B,       2048,  22,  32,   4,  5632,  32000, false,   1100048384,  201",
        "SmolLM 1 and 2 135M,   576,  30,   9,   3,  1536,  49152, true,     134515008,  272",
        "SmolLM 1 and 2 360M,   960,  32,  15,   5,  2560,  49152, true,     361821120,  290",
        "SmolLM 1 and 2 1.7B,  2048,  24,  32,  32,  8192,  49152, true,    1711376384,  218"
    })
    void configJsonGivesThePublishedTensors(
            String name,
            int hidden,
            int layers,
            int heads,
            int kv,
            int ffn,
            int vocab,
            boolean tied,
            long parameters,
            int tensors)
            throws IOException {
        Map<String, List<Integer>> asked =
                asked(huggingFace(hidden, layers, heads, kv, ffn, vocab, tied));
        assertThat(total(asked)).as(name).isEqualTo(parameters);
        assertThat(asked).as(name).hasSize(tensors);
        assertThat(asked).as(name).containsExactlyInAnyOrderEntriesOf(published(name, layers));
    }

    /** Shapes as transformers builds them (tools/golden/llama/published_shapes.py). */
    private static Map<String, List<Integer>> published(String size, int layers)
            throws IOException {
        JsonNode of =
                JsonMapper.shared()
                        .readTree(Golden.text("llama/published-shapes.json"))
                        .required(size);
        Map<String, List<Integer>> shapes = new LinkedHashMap<>();
        String first = "model.layers.0.";
        for (var tensor : of.required("without_other_layers").properties()) {
            List<Integer> shape = tensor.getValue().valueStream().map(JsonNode::intValue).toList();
            String name = tensor.getKey();
            shapes.put(name, shape);
            for (int layer = 1; layer < layers && name.startsWith(first); layer++) {
                shapes.put("model.layers." + layer + "." + name.substring(first.length()), shape);
            }
        }
        assertThat(shapes).hasSize(of.required("tensors").intValue());
        return shapes;
    }

    /** The params.json of Meta's own downloads; vocabularies of −1 come from the embedding. */
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            value = {
                "7B       | 32000 | 6738415616   | {\"dim\": 4096, \"multiple_of\": 256, \"n_heads\": 32, \"n_layers\": 32, \"norm_eps\": 1e-06, \"vocab_size\": -1}",
                "13B      | 32000 | 13015864320  | {\"dim\": 5120, \"multiple_of\": 256, \"n_heads\": 40, \"n_layers\": 40, \"norm_eps\": 1e-05, \"vocab_size\": -1}",
                "30B      | 32000 | 32528943616  | {\"dim\": 6656, \"multiple_of\": 256, \"n_heads\": 52, \"n_layers\": 60, \"norm_eps\": 1e-06, \"vocab_size\": -1}",
                "65B      | 32000 | 65285660672  | {\"dim\": 8192, \"multiple_of\": 256, \"n_heads\": 64, \"n_layers\": 80, \"norm_eps\": 1e-05, \"vocab_size\": -1}",
                "2-70B    | 32000 | 68976648192  | {\"dim\": 8192, \"multiple_of\": 4096, \"ffn_dim_multiplier\": 1.3, \"n_heads\": 64, \"n_kv_heads\": 8, \"n_layers\": 80, \"norm_eps\": 1e-05, \"vocab_size\": -1}",
                "3-8B     | 1     | 8030261248   | {\"dim\": 4096, \"n_layers\": 32, \"n_heads\": 32, \"n_kv_heads\": 8, \"vocab_size\": 128256, \"multiple_of\": 1024, \"ffn_dim_multiplier\": 1.3, \"norm_eps\": 1e-05, \"rope_theta\": 500000.0}",
                "3-70B    | 1     | 70553706496  | {\"dim\": 8192, \"ffn_dim_multiplier\": 1.3, \"multiple_of\": 4096, \"n_heads\": 64, \"n_kv_heads\": 8, \"n_layers\": 80, \"norm_eps\": 1e-05, \"vocab_size\": 128256, \"rope_theta\": 500000.0}",
                "3.1-405B | 1     | 405853388800 | {\"dim\": 16384, \"ffn_dim_multiplier\": 1.2, \"multiple_of\": 4096, \"n_heads\": 128, \"n_kv_heads\": 8, \"n_layers\": 126, \"norm_eps\": 1e-05, \"rope_theta\": 500000.0, \"use_scaled_rope\": true, \"vocab_size\": 128256}",
                "3.2-1B   | 1     | 1235814400   | {\"dim\": 2048, \"ffn_dim_multiplier\": 1.5, \"multiple_of\": 256, \"n_heads\": 32, \"n_kv_heads\": 8, \"n_layers\": 16, \"norm_eps\": 1e-05, \"rope_theta\": 500000.0, \"use_scaled_rope\": true, \"vocab_size\": 128256}",
                "3.2-3B   | 1     | 3212749824   | {\"dim\": 3072, \"ffn_dim_multiplier\": 1.0, \"multiple_of\": 256, \"n_heads\": 24, \"n_kv_heads\": 8, \"n_layers\": 28, \"norm_eps\": 1e-05, \"rope_theta\": 500000.0, \"use_scaled_rope\": true, \"vocab_size\": 128256}"
            })
    void paramsJsonGivesThePublishedTensors(
            String name, long embeddings, long parameters, String json) {
        boolean tied = name.startsWith("3.2"); // the head is the embedding, counted once
        Llama.Config config = MetaLlama.config(NOWHERE, settings(json), embeddings, tied);
        assertThat(total(asked(config))).as(name).isEqualTo(parameters);
    }

    /** As the index of Meta-Llama-3-8B lists them: nine in each layer, and three. */
    @Test
    void namesAreThoseOfThePublishedIndex() {
        Set<String> published =
                new TreeSet<>(
                        Set.of("lm_head.weight", "model.embed_tokens.weight", "model.norm.weight"));
        for (int layer = 0; layer < 32; layer++) {
            for (String part :
                    List.of(
                            "input_layernorm",
                            "mlp.down_proj",
                            "mlp.gate_proj",
                            "mlp.up_proj",
                            "post_attention_layernorm",
                            "self_attn.k_proj",
                            "self_attn.o_proj",
                            "self_attn.q_proj",
                            "self_attn.v_proj")) {
                published.add("model.layers." + layer + "." + part + ".weight");
            }
        }
        Map<String, List<Integer>> asked =
                asked(huggingFace(4096, 32, 32, 8, 14336, 128256, false));
        assertThat(asked.keySet()).containsExactlyInAnyOrderElementsOf(published);
        assertThat(2 * total(asked)).as("total_size").isEqualTo(16_060_522_496L);
    }
}
