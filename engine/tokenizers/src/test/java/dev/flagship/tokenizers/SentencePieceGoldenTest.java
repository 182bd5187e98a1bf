package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.Objects;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * 2,000 random Unicode strings and one small vocabulary in three containers, against sentencepiece,
 * llama.cpp and the tokenizers library (tools/golden/tokenizer/spm.py).
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
        List<String> tokens = new java.util.ArrayList<>();
        List<Float> scores = new java.util.ArrayList<>();
        List<Integer> types = new java.util.ArrayList<>();
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
                true,
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
    }

    @Test
    void ggufEqualsLlamaCpp() throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open("spm-llamacpp.golden.json.gz"));
        Goldens.checkIds(fromGguf(), texts(), golden);
    }

    @ParameterizedTest
    @ValueSource(strings = {"spm-legacy", "spm-first"})
    void tokenizerJsonEqualsTokenizers(String name) throws IOException {
        TemplateValue golden = Goldens.json(Goldens.open(name + ".golden.json.gz"));
        Goldens.check(TokenizerGoldenTest.tokenizer(name), texts(), golden);
    }
}
