package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * 12,000 texts, most of them random Unicode strings, and one small vocabulary in three containers,
 * against sentencepiece, llama.cpp and the tokenizers library (spm.py and further.py of
 * tools/golden/tokenizer).
 */
class SentencePieceGoldenTest {

    static byte[] model() throws IOException {
        try (InputStream in = SentencePieceGoldenTest.class.getResourceAsStream("spm.model")) {
            return Objects.requireNonNull(in).readAllBytes();
        }
    }

    static BpeTokenizer fromModel() throws IOException {
        return BpeTokenizer.fromModel(model(), TokenizerConfig.empty());
    }

    /** The model's vocabulary as a converter writes it to GGUF. */
    static BpeTokenizer fromGguf() throws IOException {
        Protobuf file = new Protobuf(model(), "spm.model");
        List<String> tokens = new ArrayList<>();
        List<Float> scores = new ArrayList<>();
        List<Integer> types = new ArrayList<>();
        while (file.next()) {
            if (file.field() != 1) {
                file.skip();
                continue;
            }
            Protobuf piece = file.message();
            int type = 1;
            while (piece.next()) {
                switch (piece.field()) {
                    case 1 -> tokens.add(piece.text());
                    case 2 -> scores.add(piece.real());
                    default -> type = (int) piece.number();
                }
            }
            types.add(type);
        }
        float[] scoreOf = new float[scores.size()];
        for (int i = 0; i < scoreOf.length; i++) {
            scoreOf[i] = scores.get(i);
        }
        return BpeTokenizer.fromGgufScores(
                tokens.toArray(String[]::new),
                scoreOf,
                types.stream().mapToInt(Integer::intValue).toArray(),
                GgufSpaces.ofPrefix(true),
                new BpeTokenizer.TextEnds(OptionalInt.of(1), OptionalInt.of(2), true, false));
    }

    private static List<String> texts() throws IOException {
        List<String> texts = Goldens.strings(Goldens.json(Goldens.open("strings.json.gz")));
        assertThat(texts).hasSize(2000);
        return texts;
    }

    @Test
    void tokenizerModelEqualsSentencePiece() throws IOException {
        Goldens.check(fromModel(), texts(), Goldens.json(Goldens.open("spm.golden.json.gz")));
        Goldens.checkFurther(fromModel(), "spm");
    }

    @Test
    void ggufEqualsLlamaCpp() throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("spm-llamacpp.golden.json.gz"));
        Goldens.checkIds(fromGguf(), texts(), golden);
        Goldens.checkFurther(fromGguf(), "spm-llamacpp");
    }

    @ParameterizedTest
    @ValueSource(strings = {"spm-legacy", "spm-first"})
    void tokenizerJsonEqualsTokenizers(String name) throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open(name + ".golden.json.gz"));
        Goldens.check(TokenizerGoldenTest.tokenizer(name), texts(), golden);
        Goldens.checkFurther(TokenizerGoldenTest.tokenizer(name), name);
    }

    @Test
    void workGrowsWithTheTextAndNotWithItsSquare() throws IOException {
        BpeTokenizerTest.assertWorkGrowsWithTheText(fromModel(), "tokenizer.model");
        BpeTokenizerTest.assertWorkGrowsWithTheText(fromGguf(), "gguf");
    }

    /** SentencePiece's definition on strings, for vocabularies and texts of all kinds. */
    @Test
    void mergesByScoreAreThoseOfTheDefinition() {
        long seed = Seeds.seed();
        Random random = new Random(seed);
        String alphabet = "aab\u2581\u2581\u00e9\u4f60";
        for (int round = 0; round < 400; round++) {
            Map<String, Float> scores = new LinkedHashMap<>();
            int distinct = 1 + random.nextInt(8); // few, so that many are equal
            for (int i = 0; i < 60; i++) {
                String piece = random(random, alphabet, 1 + random.nextInt(5));
                boolean character = piece.length() == 1;
                if (!character || random.nextInt(4) > 0) { // some are made of what is no piece
                    scores.put(piece, (float) -random.nextInt(distinct));
                }
            }
            String[] tokens = scores.keySet().toArray(String[]::new);
            int[] types = new int[tokens.length];
            Arrays.fill(types, 1);
            float[] scoreOf = new float[tokens.length];
            for (int id = 0; id < tokens.length; id++) {
                scoreOf[id] = scores.getOrDefault(tokens[id], 0f);
            }
            BpeTokenizer tokenizer =
                    BpeTokenizer.fromGgufScores(
                            tokens,
                            scoreOf,
                            types,
                            GgufSpaces.ofPrefix(false),
                            BpeTokenizer.TextEnds.none());
            for (int i = 0; i < 5; i++) {
                String text = random(random, alphabet, random.nextInt(80));
                int[] ids = tokenizer.encode(text, ControlTokens.AS_TEXT);
                assertThat(Arrays.stream(ids).mapToObj(tokenizer::token))
                        .as("seed %s, text %s, scores %s", seed, text, scores)
                        .containsExactlyElementsOf(byDefinition(text, scores));
            }
        }
    }

    private static String random(Random random, String alphabet, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        return text.toString();
    }

    /** Whichever two neighbours make the best piece, the leftmost of equals, as long as any do. */
    private static List<String> byDefinition(String text, Map<String, Float> scores) {
        List<String> parts = new ArrayList<>(Arrays.asList(text.split("")));
        parts.remove("");
        while (true) {
            int best = -1;
            float bestScore = Float.NEGATIVE_INFINITY;
            for (int i = 0; i + 1 < parts.size(); i++) {
                Float score = scores.get(parts.get(i) + parts.get(i + 1));
                if (score != null && score > bestScore) {
                    best = i;
                    bestScore = score;
                }
            }
            if (best < 0) {
                break;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
        parts.removeIf(part -> !scores.containsKey(part)); // neither bytes nor an unknown token
        return parts;
    }
}
