package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * 12,000 texts, most of them random Unicode strings, in every kind of piece, with a vocabulary whose merges cross all
 * borders that are not drawn, against the tokenizers library and, for "default", against llama.cpp
 * (pre.py and further.py of tools/golden/tokenizer).
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

    /** A tokenizer.json names its pieces by their expressions. */
    @Test
    void expressionsOfTokenizerJsonEqualTheReference() throws IOException {
        Map<String, List<String>> expressions = new LinkedHashMap<>();
        String llama3 =
                "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
        expressions.put("dbrx", List.of(llama3));
        expressions.put("qwen2", List.of(llama3.replace("{1,3}", "")));
        expressions.put(
                "tekken",
                List.of(
                        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
                                + "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}|"
                                + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"));
        expressions.put("viking", List.of(" ?[^(\\s|.,!?…。，、।۔،)]+", "\\p{N}"));
        expressions.put(
                "deepseek-coder",
                List.of("[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", "\\p{N}"));
        for (var kind : expressions.entrySet()) {
            StringBuilder steps = new StringBuilder();
            for (String expression : kind.getValue()) {
                steps.append("{\"type\":\"Split\",\"pattern\":{\"Regex\":\"")
                        .append(
                                expression
                                        .replace("\\", "\\\\")
                                        .replace("\r", "\\r")
                                        .replace("\n", "\\n"))
                        .append("\"},\"behavior\":\"Isolated\",\"invert\":false},");
            }
            byte[] json;
            try (var in = Goldens.open("pre.tokenizer.json.gz")) {
                String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
                String bare = "\"pre_tokenizer\":{\"type\":\"ByteLevel\"";
                assertThat(text).contains(bare);
                json =
                        text.replace(
                                        bare,
                                        "\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
                                                + steps
                                                + "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":false}]},\"x\":{\"type\":\"ByteLevel\"")
                                .replace("\"decoder\":null,", "")
                                .replace(
                                        "\"ignore_merges\":false",
                                        "\"ignore_merges\":" + kind.getKey().equals("tekken"))
                                .getBytes(StandardCharsets.UTF_8);
            }
            BpeTokenizer tokenizer =
                    BpeTokenizer.fromJson(new ByteArrayInputStream(json), TokenizerConfig.empty());
            Goldens.checkIds(tokenizer, texts, golden(kind.getKey()));
        }
    }
}
