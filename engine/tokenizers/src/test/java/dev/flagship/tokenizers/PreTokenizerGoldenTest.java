package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * 12,000 texts, most of them random Unicode strings, in every kind of piece, with a vocabulary
 * whose merges cross all borders that are not drawn, against the tokenizers library and, for
 * "default", against llama.cpp (pre.py and further.py of tools/golden/tokenizer).
 */
class PreTokenizerGoldenTest {
    private final String[] tokens;
    private final int[] types;
    private final String[] merges;
    private final List<String> texts;

    PreTokenizerGoldenTest() throws IOException {
        TemplateValue model = Goldens.field(description(), "model");
        Map<String, TemplateValue> ids =
                ((TemplateValue.Mapping) Goldens.field(model, "vocab")).entries();
        tokens = new String[ids.size()];
        ids.forEach((token, id) -> tokens[(int) ((TemplateValue.Int) id).value()] = token);
        types = new int[tokens.length];
        for (int id = 0; id < types.length; id++) {
            types[id] = tokens[id].startsWith("<|") && tokens[id].endsWith("|>") ? 3 : 1;
        }
        List<String> pairs = new ArrayList<>();
        for (TemplateValue pair : ((TemplateValue.Items) Goldens.field(model, "merges")).values()) {
            pairs.add(String.join(" ", Goldens.strings(pair)));
        }
        merges = pairs.toArray(String[]::new);
        texts = new ArrayList<>(Goldens.strings(Goldens.json(Goldens.open("strings.json.gz"))));
        assertThat(texts).hasSize(2000);
        // The token that no merges make, alone and in words.
        List<String> whole = List.of("hello", "hello hello", "ahello", "hello1hello!");
        for (int i = 0; i < whole.size(); i++) {
            texts.set(i, whole.get(i));
        }
    }

    private BpeTokenizer fromGguf(String pre) {
        return BpeTokenizer.fromGguf(tokens, types, merges, pre, BpeTokenizer.TextEnds.none());
    }

    private static TemplateValue description() throws IOException {
        return Goldens.json(Goldens.open("pre.tokenizer.json.gz"));
    }

    private static TemplateValue golden(String name) throws IOException {
        return Goldens.json(Goldens.open("pre-" + name + ".golden.json.gz"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bloom",
                "dbrx",
                "deepseek-coder",
                "deepseek-llm",
                "default",
                "gpt-2",
                "gpt-4o",
                "llama-bpe",
                "qwen2",
                "seed-coder",
                "smollm",
                "tekken",
                "viking"
            })
    void piecesOfGgufEqualTheReference(String pre) throws IOException {
        Goldens.checkIds(fromGguf(pre), texts, golden(pre));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bloom",
                "dbrx",
                "deepseek-coder",
                "deepseek-llm",
                "default",
                "gpt-2",
                "gpt-4o",
                "llama-bpe",
                "qwen2",
                "seed-coder",
                "smollm",
                "tekken",
                "viking"
            })
    void tenThousandFurtherTextsEqualTheReference(String pre) throws IOException {
        Goldens.checkFurther(fromGguf(pre), "pre-" + pre);
    }

    /** Names for one kind, as llama.cpp has them. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-bpe llama3 llama-v3 falcon3 falcon-h1 midm-2.0 lfm2 glm4",
                "dbrx smaug-bpe chatglm-bpe",
                "gpt-2 phi-2 mpt olmo jais trillion granite-docling gigachat mellum",
                "smollm starcoder refact command-r codeshell exaone minerva-7b",
                "qwen2 stablelm2 megrez hunyuan deepseek-r1-qwen kormo",
                "gpt-4o llama4",
                "bloom poro-chat gpt3-finnish"
            })
    void furtherNamesAreOfTheSameKind(String names) throws IOException {
        List<String> all = Arrays.asList(names.split(" "));
        TemplateValue golden = golden(all.get(0));
        for (String name : all.subList(1, all.size())) {
            Goldens.checkIds(fromGguf(name), texts, golden);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "bloom",
                "deepseek-coder",
                "deepseek-llm",
                "default",
                "gpt-4o",
                "seed-coder",
                "tekken",
                "viking"
            })
    void workGrowsWithTheTextAndNotWithItsSquare(String pre) {
        BpeTokenizerTest.assertWorkGrowsWithTheText(fromGguf(pre), pre);
    }

    /**
     * A tokenizer.json names its pieces by their expressions, here as the reference writes them; a
     * GGUF file made of it names them, and gives the same ids again.
     */
    @ParameterizedTest
    @CsvSource({
        "bloom, bloom",
        "dbrx, smaug-bpe",
        "deepseek-coder, deepseek-coder",
        "deepseek-llm, deepseek-llm",
        "gpt-2, gpt-2",
        "gpt-4o, gpt-4o",
        "llama-bpe, llama-bpe",
        "qwen2, qwen2",
        "seed-coder, seed-coder",
        "smollm, smollm",
        "tekken, tekken",
        "viking, viking"
    })
    void expressionsOfTokenizerJsonEqualTheReferenceAlsoByTheirNameInGguf(String kind, String name)
            throws IOException {
        String steps = Goldens.further("pre-" + kind, "pre_tokenizer").toString();
        boolean ignoreMerges = kind.equals("llama-bpe") || kind.equals("tekken");
        BpeTokenizer tokenizer = fromJson(steps, ignoreMerges);

        Goldens.checkIds(tokenizer, texts, golden(kind));
        Goldens.checkFurther(tokenizer, "pre-" + kind);
        GgufTokens gguf = GgufTokens.of(tokenizer, tokenizer.vocabularySize());
        assertThat(gguf.pre()).hasValue(name);
        BpeTokenizer again = GgufTokensTest.read(gguf, BpeTokenizer.TextEnds.none());
        Goldens.checkIds(again, texts, golden(kind));
        Goldens.checkFurther(again, "pre-" + kind);
    }

    private BpeTokenizer fromJson(String preTokenizer, boolean ignoreMerges) throws IOException {
        try (var in = Goldens.open("pre.tokenizer.json.gz")) {
            String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            String bare = "\"pre_tokenizer\":{\"type\":\"ByteLevel\"";
            assertThat(text).contains(bare, "\"decoder\":null,", "\"ignore_merges\":false");
            String whole =
                    text.replace(
                                    bare,
                                    "\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":"
                                            + preTokenizer
                                            + ",\"x\":{\"type\":\"ByteLevel\"")
                            .replace("\"decoder\":null,", "")
                            .replace(
                                    "\"ignore_merges\":false", "\"ignore_merges\":" + ignoreMerges);
            return BpeTokenizer.fromJson(
                    new ByteArrayInputStream(whole.getBytes(StandardCharsets.UTF_8)),
                    TokenizerConfig.empty());
        }
    }

    private static String split(String expression) {
        return "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"%s\"},\"behavior\":\"Isolated\",\"invert\":false},"
                .formatted(
                        expression.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n"));
    }

    private BpeTokenizer fromSteps(String steps) throws IOException {
        return fromJson(
                "{\"type\":\"Sequence\",\"pretokenizers\":["
                        + steps
                        + "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}",
                false);
    }

    /** The step for digits does what an expression for single numbers does. */
    @Test
    void digitsOneByOneAreNamedAsTheirExpression() throws IOException {
        String words = split("[\r\n]") + split("\\s?\\p{L}+") + split("\\s?\\p{P}+");
        String han = split("[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+");
        String single = "{\"type\":\"Digits\",\"individual_digits\":true},";
        String runs = "{\"type\":\"Digits\",\"individual_digits\":false},";
        BpeTokenizer digits = fromSteps(words + han + single);

        assertThat(GgufTokens.of(digits, 4000).pre()).hasValue("deepseek-coder");
        Goldens.checkFurther(digits, "pre-deepseek-coder");
        // This vocabulary has tokens of several digits, so that runs of them are another thing.
        BpeTokenizer many = fromSteps(words + han + runs);
        assertThatThrownBy(() -> GgufTokens.of(many, 4000))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("GGUF has no name");
    }

    /** Where newlines are no pieces of their own, the expression would look for them. */
    @Test
    void trailingSpacesNeedNewlinesApart() throws IOException {
        fromSteps(split("[\r\n]") + split("\\s+$"));
        assertThatThrownBy(() -> fromSteps(split("\\s+$")))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("Split");
    }
}
