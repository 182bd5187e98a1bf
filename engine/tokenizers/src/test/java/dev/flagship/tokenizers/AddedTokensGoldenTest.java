package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Added tokens that look at what stands beside them, and normalizers: 4,000 texts against the
 * tokenizers library (tools/golden/tokenizer/added.py).
 */
class AddedTokensGoldenTest {

    private static TemplateValue golden() throws IOException {
        return Goldens.json(Goldens.open("added.golden.json.gz"));
    }

    private static BpeTokenizer tokenizer(TemplateValue kind) throws IOException {
        return fromJson(Goldens.field(kind, "tokenizer").toString());
    }

    private static BpeTokenizer fromJson(String json) throws IOException {
        return BpeTokenizer.fromJson(
                new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)),
                TokenizerConfig.empty());
    }

    private static BpeTokenizer tokenizer(String kind) throws IOException {
        return tokenizer(Goldens.field(Goldens.field(golden(), "kinds"), kind));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "options",
                "options-llama3",
                "nfc",
                "nfd",
                "nfkc",
                "nfkd",
                "lowercase",
                "nfkc-lowercase",
                "spaces",
                "spaces-nfkc",
                "spaces-normalized",
                "first",
                "first-nfkc-lowercase"
            })
    void idsEqualTheReference(String kind) throws IOException {
        TemplateValue golden = golden();
        List<String> texts = Goldens.strings(Goldens.field(golden, "texts"));
        assertThat(texts).hasSize(4000);
        TemplateValue expected = Goldens.field(Goldens.field(golden, "kinds"), kind);
        Goldens.checkSums(tokenizer(expected), kind, texts, expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"options", "nfkc", "spaces", "first-nfkc-lowercase"})
    void ggufCannotSayWhatTheyDoAndNothingElseIsWrittenForIt(String kind) throws IOException {
        BpeTokenizer tokenizer = tokenizer(kind);
        assertThatThrownBy(() -> GgufTokens.of(tokenizer, 3000))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("GGUF has no key", "--quantize");
    }

    @Test
    void tokensInNormalisedTextWrittenAndReadAgainGiveTheReferencesIds() throws IOException {
        TemplateValue golden = golden();
        TemplateValue expected = Goldens.field(Goldens.field(golden, "kinds"), "spaces-normalized");
        BpeTokenizer source = tokenizer(expected);
        assertThat(GgufTokens.of(source, 3000).spaces().flatMap(GgufSpaces::words))
                .hasValue("normalized");
        BpeTokenizer again = GgufTokensTest.roundTrip(source);
        Goldens.checkSums(
                again, "again", Goldens.strings(Goldens.field(golden, "texts")), expected);
        assertThat(again.id("no rm")).isEqualTo(source.id("no rm")).isPresent();
    }

    /** A file says it of all or of none. */
    @Test
    void someTokensInNormalisedTextAndSomeNotAreRefused() throws IOException {
        String all =
                Goldens.field(
                                Goldens.field(
                                        Goldens.field(golden(), "kinds"), "spaces-normalized"),
                                "tokenizer")
                        .toString();
        String some = all.replaceFirst("(\"content\": \"NORM\".*?\"normalized\": )true", "$1false");
        assertThat(some).isNotEqualTo(all);
        BpeTokenizer tokenizer = fromJson(some);
        assertThatThrownBy(() -> GgufTokens.of(tokenizer, 3000))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("normalized", "NORM", "--quantize");
    }

    /**
     * Without a normalizer it shows only where tokens overlap: of {@code <a>} and {@code >b} in
     * {@code <a>b}, the one that is not normalised comes first, whichever it is.
     */
    @Test
    void tokensInNormalisedTextThatOthersMayHideAreRefused() throws IOException {
        for (String hiding : List.of(">b", "a", "<", "<a>", "a>b")) {
            BpeTokenizer tokenizer = gpt2With("<a>", hiding);
            assertThatThrownBy(() -> GgufTokens.of(tokenizer, 3000))
                    .as(hiding)
                    .isInstanceOf(TokenizerException.class)
                    .hasMessageContainingAll("normalized", "<a>", "--quantize");
        }
        for (String other : List.of("b<", "<a>b", "<b>", "x")) {
            BpeTokenizer tokenizer = gpt2With("<a>", other);
            BpeTokenizer again = GgufTokensTest.roundTrip(tokenizer);
            for (String text : List.of("b<a>b", "b<a><a>b<b>x", "<a")) {
                assertThat(again.encode(text, ControlTokens.AS_TEXT))
                        .as("%s beside %s", text, other)
                        .isEqualTo(tokenizer.encode(text, ControlTokens.AS_TEXT));
            }
        }
    }

    private static BpeTokenizer gpt2With(String normalized, String other) throws IOException {
        String json;
        try (InputStream in = Goldens.open("gpt2.tokenizer.json.gz")) {
            json = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
        String token =
                ",{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":%s,\"special\":false}";
        String tokens =
                token.formatted(1201, normalized, true) + token.formatted(1202, other, false);
        return fromJson(json.replace("],\"normalizer\":null", tokens + "],\"normalizer\":null"));
    }

    /** Spaces that a token takes, marks that change places, capitals: no square of the text. */
    @ParameterizedTest
    @ValueSource(strings = {"options", "nfkc", "lowercase", "spaces-nfkc", "first-nfkc-lowercase"})
    void workIsNoSquareOfTheText(String kind) throws IOException {
        BpeTokenizer tokenizer = tokenizer(kind);
        for (String part :
                List.of(
                        " ",
                        "\u2004",
                        "\u2004 ",
                        "<R> ",
                        " <L>",
                        "wørd",
                        "a\u0301\u0323",
                        "\u0301\u0323",
                        "\uFDFA",
                        "A")) {
            String text = part.repeat(400_000 / part.length());
            Assertions.assertTimeout(
                    Duration.ofSeconds(20),
                    () -> assertThat(tokenizer.encode(text, ControlTokens.PARSE)).isNotEmpty(),
                    part);
        }
    }

    /** A message's own white space goes where the template's token takes it, its tokens do not. */
    @Test
    void controlTokensThatTakeSpacesComeFromTrustedTextAlone() throws IOException {
        BpeTokenizer tokenizer = tokenizer("options");
        int left = tokenizer.id("<|L|>").orElseThrow();
        int right = tokenizer.id("<|R|>").orElseThrow();
        assertThat(tokenizer.encode(" \n<|R|> \n", ControlTokens.PARSE)).endsWith(right);
        assertThat(tokenizer.encode(" \n<|L|> \n", ControlTokens.PARSE)).startsWith(left);
        assertThat(tokenizer.encode("<|R|>", ControlTokens.AS_TEXT)).doesNotContain(right);
    }
}
