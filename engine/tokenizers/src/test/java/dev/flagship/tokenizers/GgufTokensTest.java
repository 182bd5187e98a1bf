package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Vocabularies of every container written as GGUF has them and read again: 12,000 texts give the
 * ids that the reference gives with the file that they came from.
 */
class GgufTokensTest {

    /** As the reader of GGUF files does it. */
    static BpeTokenizer read(GgufTokens gguf, BpeTokenizer.TextEnds ends) {
        String[] tokens = gguf.tokens().toArray(String[]::new);
        int[] types = gguf.types().stream().mapToInt(Integer::intValue).toArray();
        if (gguf.model().equals("gpt2")) {
            return BpeTokenizer.fromGguf(
                    tokens,
                    types,
                    gguf.merges().toArray(String[]::new),
                    gguf.pre().orElseThrow(),
                    ends);
        }
        float[] scores = new float[tokens.length];
        for (int id = 0; id < scores.length; id++) {
            scores[id] = gguf.scores().get(id);
        }
        GgufSpaces spaces = gguf.spaces().orElseThrow();
        boolean added = spaces.addsSpace();
        return BpeTokenizer.fromGgufScores(
                tokens,
                scores,
                types,
                spaces.words()
                        .map(words -> GgufSpaces.of(added, words))
                        .orElseGet(() -> GgufSpaces.ofPrefix(added)),
                ends);
    }

    /** With five rows of the embedding that no token has. */
    static BpeTokenizer roundTrip(BpeTokenizer tokenizer) {
        GgufTokens gguf = GgufTokens.of(tokenizer, tokenizer.vocabularySize() + 5);
        return read(
                gguf,
                new BpeTokenizer.TextEnds(
                        tokenizer.bos(),
                        tokenizer.eos(),
                        tokenizer.addsBos(),
                        tokenizer.addsEos()));
    }

    private static BpeTokenizer tokenizer(String kind) throws IOException {
        return switch (kind) {
            case "spm" -> SentencePieceGoldenTest.fromModel();
            case "spm-llamacpp" -> SentencePieceGoldenTest.fromGguf();
            case "ranks" -> {
                try (InputStream in = Goldens.open("ranks.model.gz")) {
                    yield BpeTokenizer.fromModel(in.readAllBytes(), TokenizerConfig.empty());
                }
            }
            default -> TokenizerGoldenTest.tokenizer(kind);
        };
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "gpt2",
                "smollm",
                "llama3",
                "ranks",
                "spm",
                "spm-llamacpp",
                "spm-legacy",
                "spm-first"
            })
    void aVocabularyWrittenAndReadAgainGivesTheReferencesIds(String kind) throws IOException {
        List<String> texts = Goldens.strings(Goldens.json(Goldens.open("strings.json.gz")));
        BpeTokenizer source = tokenizer(kind);
        BpeTokenizer again = roundTrip(source);

        TemplateValue golden = Goldens.json(Goldens.open(kind + ".golden.json.gz"));
        if (kind.equals("spm-llamacpp")) {
            Goldens.checkIds(again, texts, golden);
        } else {
            Goldens.check(again, texts, golden);
        }
        Goldens.checkFurther(again, kind);
        assertThat(again.vocabularySize()).isEqualTo(source.vocabularySize() + 5);
        assertThat(again.bos()).isEqualTo(source.bos());
        assertThat(again.eos()).isEqualTo(source.eos());
        assertThat(again.addsBos()).isEqualTo(source.addsBos());
        for (int id = 0; id < source.vocabularySize(); id++) {
            assertThat(again.token(id)).isEqualTo(source.token(id));
            assertThat(again.isSpecial(id)).as("token %s", id).isEqualTo(source.isSpecial(id));
        }
    }

    /** What the format's own keys say needs no key of Flagship's. */
    @Test
    void onlyRulesThatLlamaCppLacksGetAKeyOfTheirOwn() throws IOException {
        assertThat(words("spm-llamacpp")).isEmpty();
        assertThat(words("spm-legacy")).isEmpty();
        assertThat(words("spm-first")).hasValue("first unless-space");
        assertThat(words("spm")).hasValue("symbols");
        for (boolean added : new boolean[] {true, false}) {
            GgufSpaces plain = GgufSpaces.ofPrefix(added);
            assertThat(plain.words()).isEmpty();
            assertThat(plain.addsSpace()).isEqualTo(added);
        }
        assertThat(GgufSpaces.of(true, "first unless-space split symbols keep").words())
                .hasValue("first unless-space split symbols keep");
        assertThat(GgufSpaces.of(false, "drop").words()).hasValue("drop");
        assertThat(GgufSpaces.of(true, "normalized").words()).hasValue("normalized");
    }

    private static Optional<String> words(String kind) throws IOException {
        return GgufTokens.of(tokenizer(kind), 2000).spaces().orElseThrow().words();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "none",
                "first,split",
                "keep drop",
                "first  split",
                "symbols normalized"
            })
    void unknownRulesForSpacesAreRefused(String words) {
        assertThatThrownBy(() -> GgufSpaces.of(true, words))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll(GgufSpaces.KEY, "Quantise");
        assertThatThrownBy(() -> GgufSpaces.of(false, "first"))
                .isInstanceOf(TokenizerException.class);
    }

    @Test
    void whatGgufCannotExpressIsRefused() throws IOException {
        BpeTokenizer prefix = TokenizerGoldenTest.tokenizer("prefix");
        assertThatThrownBy(() -> GgufTokens.of(prefix, 2000))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("GGUF has no name", "converter");
        BpeTokenizer gpt2 = TokenizerGoldenTest.tokenizer("gpt2");
        assertThatThrownBy(() -> GgufTokens.of(gpt2, 1000))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("1000 rows");
        assertThat(GgufTokens.of(gpt2, 1201).unknown()).isEqualTo(OptionalInt.empty());
    }
}
