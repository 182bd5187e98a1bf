package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Real vocabularies against the tokenizers library on 10,000 random strings and a corpus. Runs
 * where the environment names the files that tools/golden/tokenizer/real.py needs and writes.
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

    private static int compare(Tokenizer tokenizer) throws IOException {
        TemplateValue golden;
        try (InputStream in =
                new GZIPInputStream(Files.newInputStream(file("FLAGSHIP_TOKENIZER_GOLDEN")))) {
            golden = Goldens.json(in);
        }
        List<String> texts = Goldens.strings(Goldens.field(golden, "texts"));
        Goldens.check(tokenizer, texts, golden);
        return texts.size();
    }

    @Test
    void smolLm2EqualsTheReferenceOnTenThousandStringsAndACorpus() throws IOException {
        BpeTokenizer tokenizer = fromGguf(GgufFile.open(file("FLAGSHIP_SMOLLM2_GGUF")));

        assertThat(compare(tokenizer)).isGreaterThan(10_000);
    }

    @Test
    void tokenizerJsonEqualsTheReferenceOnTenThousandStringsAndACorpus() throws IOException {
        BpeTokenizer tokenizer = BpeTokenizer.fromJson(file("FLAGSHIP_TOKENIZER_JSON"));

        assertThat(compare(tokenizer)).isGreaterThan(10_000);
    }
}
