package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * 12,000 texts, most of them random Unicode strings, against the tokenizers library (tiny.py and
 * further.py of tools/golden/tokenizer).
 */
class TokenizerGoldenTest {

    static BpeTokenizer tokenizer(String name) throws IOException {
        try (InputStream in = Goldens.open(name + ".tokenizer.json.gz")) {
            return BpeTokenizer.fromJson(in, TokenizerConfig.empty());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "smollm", "llama3", "prefix"})
    void idsAndDecodingsEqualTheReference(String name) throws IOException {
        List<String> texts = Goldens.strings(Goldens.json(Goldens.open("strings.json.gz")));
        TemplateValue golden = Goldens.json(Goldens.open(name + ".golden.json.gz"));

        assertThat(texts).hasSize(2000);
        Goldens.check(tokenizer(name), texts, golden);
    }

    @ParameterizedTest
    @ValueSource(strings = {"gpt2", "smollm", "llama3", "prefix"})
    void tenThousandFurtherTextsEqualTheReference(String name) throws IOException {
        Goldens.checkFurther(tokenizer(name), name);
    }
}
