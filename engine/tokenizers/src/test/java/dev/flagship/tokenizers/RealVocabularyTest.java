package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Real vocabularies against the tokenizers library on 10,000 random strings and a corpus. Runs
 * where FLAGSHIP_TEST_SMOLLM2 names the default model, or the environment the files that
 * tools/golden/tokenizer/real.py needs and writes.
 */
@Tag("weights")
class RealVocabularyTest {

    static BpeTokenizer fromGguf(GgufFile file) {
        return BpeTokenizer.fromGguf(
                file.strings("tokenizer.ggml.tokens"),
                file.ints("tokenizer.ggml.token_type"),
                file.strings("tokenizer.ggml.merges"),
                file.string("tokenizer.ggml.pre"),
                new BpeTokenizer.TextEnds(
                        OptionalInt.of(file.number("tokenizer.ggml.bos_token_id")),
                        OptionalInt.of(file.number("tokenizer.ggml.eos_token_id")),
                        false,
                        false));
    }

    private static Path file(String variable) {
        String file = System.getenv().getOrDefault(variable, "");
        assumeFalse(file.isEmpty(), variable + " is not set");
        return Path.of(file);
    }

    private static TemplateValue corpus() throws IOException {
        try (InputStream in =
                new GZIPInputStream(Files.newInputStream(file("FLAGSHIP_TOKENIZER_GOLDEN")))) {
            return Goldens.json(in);
        }
    }

    private static int compare(Tokenizer tokenizer, TemplateValue golden) {
        List<String> texts = Goldens.strings(Goldens.field(golden, "texts"));
        Goldens.check(tokenizer, texts, golden);
        return texts.size();
    }

    /** Needs the default model alone: its golden is committed. */
    @Test
    void smolLm2EqualsTheReferenceOnTenThousandStrings() throws IOException {
        BpeTokenizer tokenizer = fromGguf(GgufFile.open(file("FLAGSHIP_TEST_SMOLLM2")));

        assertThat(compare(tokenizer, Goldens.json(Goldens.open("smollm2.golden.json.gz"))))
                .isGreaterThanOrEqualTo(10_000);
    }

    /** Needs the default model alone: prose and code as people write them. */
    @Test
    void smolLm2EqualsTheReferenceOnText() throws IOException {
        BpeTokenizer tokenizer = fromGguf(GgufFile.open(file("FLAGSHIP_TEST_SMOLLM2")));
        TemplateValue golden = Goldens.json(Goldens.open("smollm2-text.golden.json.gz"));

        assertThat(compare(tokenizer, golden)).isGreaterThan(100);
        assertThat(Goldens.ids(Goldens.item(Goldens.field(golden, "plain"), 0)).length)
                .isGreaterThan(16_000);
    }

    /** The published template as the default model brings it. */
    @Test
    void smolLm2sTemplateEqualsTransformers() throws IOException {
        GgufFile file = GgufFile.open(file("FLAGSHIP_TEST_SMOLLM2"));

        ChatTemplateGoldenTest.compareAll(
                "smollm2",
                file.string("tokenizer.chat_template"),
                file.strings("tokenizer.ggml.tokens")[file.number("tokenizer.ggml.bos_token_id")],
                file.strings("tokenizer.ggml.tokens")[file.number("tokenizer.ggml.eos_token_id")]);
    }

    @Test
    void smolLm2EqualsTheReferenceOnACorpus() throws IOException {
        BpeTokenizer tokenizer = fromGguf(GgufFile.open(file("FLAGSHIP_TEST_SMOLLM2")));

        assertThat(compare(tokenizer, corpus())).isGreaterThan(10_000);
    }

    @Test
    void tokenizerJsonEqualsTheReferenceOnTenThousandStringsAndACorpus() throws IOException {
        BpeTokenizer tokenizer = BpeTokenizer.fromJson(file("FLAGSHIP_TOKENIZER_JSON"));

        assertThat(compare(tokenizer, corpus())).isGreaterThan(10_000);
    }

    @Test
    void tokenizerModelEqualsSentencePieceOnTenThousandStringsAndACorpus() throws IOException {
        BpeTokenizer tokenizer = model();
        Path golden = file("FLAGSHIP_TOKENIZER_MODEL_GOLDEN");
        try (InputStream in = new GZIPInputStream(Files.newInputStream(golden))) {
            assertThat(compare(tokenizer, Goldens.json(in))).isGreaterThan(10_000);
        }
    }

    /** What a quantised file's vocabulary is when it is read again. */
    @Test
    void tokenizerJsonWrittenAsGgufEqualsTheReference() throws IOException {
        BpeTokenizer tokenizer = BpeTokenizer.fromJson(file("FLAGSHIP_TOKENIZER_JSON"));

        assertThat(compare(GgufTokensTest.roundTrip(tokenizer), corpus())).isGreaterThan(10_000);
    }

    @Test
    void tokenizerModelWrittenAsGgufEqualsSentencePiece() throws IOException {
        BpeTokenizer tokenizer = GgufTokensTest.roundTrip(model());
        Path golden = file("FLAGSHIP_TOKENIZER_MODEL_GOLDEN");
        try (InputStream in = new GZIPInputStream(Files.newInputStream(golden))) {
            assertThat(compare(tokenizer, Goldens.json(in))).isGreaterThan(10_000);
        }
    }

    /** A file that quantising wrote, against llama.cpp (tools/golden/tokenizer/quantised.py). */
    @Test
    void aQuantisedFilesTokenizerEqualsLlamaCpp() throws IOException {
        GgufFile file = GgufFile.open(file("FLAGSHIP_TOKENIZER_GGUF"));
        Path golden = file("FLAGSHIP_TOKENIZER_GGUF_GOLDEN");
        try (InputStream in = new GZIPInputStream(Files.newInputStream(golden))) {
            TemplateValue expected = Goldens.json(in);
            List<String> texts = Goldens.strings(Goldens.field(expected, "texts"));
            assertThat(texts).hasSize(1000);
            BpeTokenizer tokenizer =
                    file.string("tokenizer.ggml.model").equals("gpt2")
                            ? fromGguf(file)
                            : BpeTokenizer.fromGgufScores(
                                    file.strings("tokenizer.ggml.tokens"),
                                    file.floats("tokenizer.ggml.scores"),
                                    file.ints("tokenizer.ggml.token_type"),
                                    GgufSpaces.ofPrefix(true),
                                    BpeTokenizer.TextEnds.none());
            Goldens.checkIds(tokenizer, texts, expected);
            assertThat(Goldens.field(expected, "adds_bos")).isEqualTo(TemplateValue.Bool.TRUE);
            assertThat(file.number("tokenizer.ggml.add_bos_token")).isOne();
        }
    }

    private static BpeTokenizer model() throws IOException {
        return BpeTokenizer.fromModel(
                Files.readAllBytes(file("FLAGSHIP_TOKENIZER_MODEL")), TokenizerConfig.empty());
    }

    /** Vectors of llama-tokenizer-js, one of which transformers documents, without begin token. */
    @Test
    void llama2GivesThePublishedIds() throws IOException {
        BpeTokenizer tokenizer = model();
        assumeTrue(tokenizer.vocabularySize() == 32000, "the vocabulary is not LLaMA 2's");
        Map<String, int[]> vectors =
                Map.ofEntries(
                        Map.entry("Hello world", new int[] {15043, 3186}),
                        Map.entry("Hello this is a test", new int[] {15043, 445, 338, 263, 1243}),
                        Map.entry(
                                "Hello, world! 1234567 don't",
                                new int[] {
                                    15043, 29892, 3186, 29991, 29871, 29896, 29906, 29941, 29946,
                                    29945, 29953, 29955, 1016, 29915, 29873
                                }),
                        Map.entry(" leading space", new int[] {29871, 8236, 2913}),
                        Map.entry("  two", new int[] {259, 1023}),
                        Map.entry(
                                "The quick brown fox jumps over the lazy dog.",
                                new int[] {
                                    450, 4996, 17354, 1701, 29916, 432, 17204, 975, 278, 17366,
                                    11203, 29889
                                }),
                        Map.entry(
                                "naïve café 你好 😀",
                                new int[] {
                                    1055, 30085, 345, 274, 28059, 29871, 30919, 31076, 29871, 243,
                                    162, 155, 131
                                }),
                        Map.entry("\n\n", new int[] {29871, 13, 13}),
                        Map.entry(
                                "def f(x):\n    return x+1\n",
                                new int[] {
                                    822, 285, 29898, 29916, 1125, 13, 1678, 736, 921, 29974, 29896,
                                    13
                                }),
                        Map.entry("grabbed", new int[] {2646, 1327, 287}),
                        Map.entry("<s>", new int[] {529, 29879, 29958}));
        vectors.forEach((text, ids) -> {
            assertThat(tokenizer.encode(text, ControlTokens.AS_TEXT)).as(text).isEqualTo(ids);
            assertThat(tokenizer.decode(ids)).isEqualTo(text);
        });
        assertThat(tokenizer.bos()).hasValue(1);
        assertThat(tokenizer.eos()).hasValue(2);
        assertThat(tokenizer.addsBos()).isTrue();
        assertThat(tokenizer.encode("<s>", ControlTokens.PARSE)).containsExactly(1);
    }

    /** Vectors of llama3-tokenizer-js and of Meta's own tokenizer, without begin token. */
    @Test
    void llama3GivesThePublishedIds() throws IOException {
        BpeTokenizer tokenizer = BpeTokenizer.fromJson(file("FLAGSHIP_TOKENIZER_JSON"));
        assumeTrue(tokenizer.vocabularySize() == 128256, "the vocabulary is not Llama 3's");
        Map<String, int[]> vectors =
                Map.of(
                        "Hello world", new int[] {9906, 1917},
                        "Hello, world! 1234567 don't",
                                new int[] {9906, 11, 1917, 0, 220, 4513, 10961, 22, 1541, 956},
                        "  leading spaces\n\n\tTabs",
                                new int[] {220, 6522, 12908, 271, 10473, 3518},
                        "The quick brown fox jumps over the lazy dog.",
                                new int[] {
                                    791, 4062, 14198, 39935, 35308, 927, 279, 16053, 5679, 13
                                },
                        "naïve café 你好 😀",
                                new int[] {3458, 38672, 588, 53050, 118195, 53901, 91416},
                        "\n\n", new int[] {271},
                        "def f(x):\n    return x+1\n",
                                new int[] {755, 282, 2120, 997, 262, 471, 865, 10, 16, 198},
                        "a'S I'LL", new int[] {64, 13575, 358, 6, 4178},
                        "<|begin_of_text|>This is a test sentence.<|end_of_text|>",
                                new int[] {128000, 2028, 374, 264, 1296, 11914, 13, 128001});
        vectors.forEach((text, ids) ->
                assertThat(tokenizer.encode(text, ControlTokens.PARSE)).as(text).isEqualTo(ids));
        assertThat(tokenizer.bos()).hasValue(128000);
        assertThat(tokenizer.addsBos()).isTrue();
    }
}
