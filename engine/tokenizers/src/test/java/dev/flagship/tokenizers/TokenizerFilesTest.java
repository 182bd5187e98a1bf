package dev.flagship.tokenizers;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Vocabularies in files other than tokenizer.json: right ones, wrong ones, and which one is read.
 */
@Timeout(60)
class TokenizerFilesTest {
    private static final String CONFIG = "tokenizer_config.json";

    @TempDir Path folder;

    private static byte[] ranks() throws IOException {
        try (InputStream in = Goldens.open("ranks.model.gz")) {
            return in.readAllBytes();
        }
    }

    private static List<String> texts() throws IOException {
        return Goldens.strings(Goldens.json(Goldens.open("strings.json.gz")));
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    private BpeTokenizer read() throws IOException {
        return BpeTokenizer.fromFolder(folder).orElseThrow();
    }

    /** The parser's messages name its own classes, switches and the places of its sources. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            textBlock =
                    """
                    {"a": 1,~ "b": }      | line 2, column 7: found "}", expected a value
                    {"a": 1,}              | line 1, column 9: found "}", expected a name in double quotes
                    {"a" 1}                | line 1, column 6: found "1", expected a colon behind the name
                    {"a":1 "b":2}          | line 1, column 8: found "\\"", expected a comma or }
                    [1 2]                  | line 1, column 4: found "2", expected a comma or ]
                    {"a": tru}             | line 1, column 7: found "tru", expected a value
                    {"a": NaN}             | found "NaN", expected a value
                    {"a": 1                | found the end, expected a comma or }
                    [1,                    | found the end, expected a comma or ]
                    {"a": "x               | found the end, expected the quote that ends a text
                    {"a                    | found the end, expected the quote that ends a name
                    {"a": "~"}             | found "\\u000a", expected an escape for it, as \\n
                    {"a": "\\x"}            | found "x", expected a character that JSON has behind \\
                    {"a": "\\u1"}           | found "\\"", expected four hexadecimal digits behind \\u
                    {"a": [1}              | found "}", expected a comma or ]
                    {"a": 1]               | found "]", expected a comma or }
                    {"a": 01}              | found a number with a 0 in front, expected a number as JSON writes it
                    {"a": 1.}              | found "}", expected a number as JSON writes it
                    {"a": +1}              | found "+", expected a number as JSON writes it
                    {"a": 1e}              | found "}", expected a number as JSON writes it
                    // a comment           | found "/", expected a value; JSON has no comments
                    ]                      | found "]", expected nothing that closes
                    <html>                 | line 1, column 1: found "<", expected a value
                    """)
    void textThatIsNoJsonIsToldByItsPlaceAndInPlainWords(String text, String told)
            throws IOException {
        byte[] utf8 = text.replace('~', '\n').getBytes(UTF_8);
        assertThatThrownBy(() -> TokenizerConfig.read(new ByteArrayInputStream(utf8)))
                .isInstanceOf(TokenizerException.class)
                .message()
                .startsWith("tokenizer_config.json is not JSON: line ")
                .endsWith(told);
    }

    @Test
    void jsonBeyondALimitIsToldByTheLimit() {
        byte[] deep = "[".repeat(100).getBytes(UTF_8);
        assertThatThrownBy(() -> TokenizerConfig.read(new ByteArrayInputStream(deep)))
                .hasMessageEndingWith(
                        "is not JSON: 65 brackets within each other, at most 64 are read");
    }

    @Test
    void aValueOfAnotherKindIsNamedInPlainWords() throws IOException {
        write("tokenizer.json", "{\"model\": {\"vocab\": [1]}}");
        assertThatThrownBy(this::read)
                .hasMessage("tokenizer.json: model.vocab: found a list, expected an object");
        write("tokenizer.json", "{\"model\": {\n\"vocab\": {\"a\" 1}}}");
        assertThatThrownBy(this::read)
                .hasMessageContaining("tokenizer.json is not JSON: line 2, column 15: found \"1\"");
    }

    /** The pair of files from which a tokenizer.json of the goldens could have been made. */
    private void writePair(String name) throws IOException {
        TemplateValue model =
                Goldens.field(Goldens.json(Goldens.open(name + ".tokenizer.json.gz")), "model");
        StringBuilder vocabulary = new StringBuilder("{");
        ((TemplateValue.Mapping) Goldens.field(model, "vocab"))
                .entries()
                .forEach((token, id) ->
                        vocabulary
                                .append(vocabulary.length() > 1 ? ",\n" : "")
                                .append('"')
                                .append(token.replace("\\", "\\\\").replace("\"", "\\\""))
                                .append('"')
                                .append(": ")
                                .append(((TemplateValue.Int) id).value()));
        write("vocab.json", vocabulary.append('}').toString());
        StringBuilder merges = new StringBuilder("#version: 0.2\n");
        for (TemplateValue pair : ((TemplateValue.Items) Goldens.field(model, "merges")).values()) {
            merges.append(String.join(" ", Goldens.strings(pair))).append('\n');
        }
        write("merges.txt", merges.toString());
    }

    /** Ids of a dialogue's control tokens as Meta documents them for 128,000 ranks. */
    @Test
    void ranksEqualTiktokenAndControlTokensFollowThem() throws IOException {
        BpeTokenizer tokenizer = BpeTokenizer.fromModel(ranks(), TokenizerConfig.empty());

        Goldens.check(tokenizer, texts(), Goldens.json(Goldens.open("ranks.golden.json.gz")));
        Goldens.checkFurther(tokenizer, "ranks");
        int first = tokenizer.vocabularySize() - 256;
        Map.of(
                        "<|begin_of_text|>", 0,
                        "<|end_of_text|>", 1,
                        "<|start_header_id|>", 6,
                        "<|end_header_id|>", 7,
                        "<|eom_id|>", 8,
                        "<|eot_id|>", 9,
                        "<|python_tag|>", 10)
                .forEach((token, place) ->
                        assertThat(tokenizer.id(token)).as(token).hasValue(first + place));
        assertThat(tokenizer.bos()).hasValue(first);
        assertThat(tokenizer.eos()).hasValue(first + 1);
        assertThat(tokenizer.addsBos()).isTrue();
    }

    @Test
    void vocabularyAndMergesEqualTheReference() throws IOException {
        writePair("gpt2");
        write(
                CONFIG,
                "{\"tokenizer_class\": \"GPT2Tokenizer\", \"bos_token\": \"<|begin_of_text|>\","
                        + " \"additional_special_tokens\": [\"<|eot_id|>\", \"<|im_start|>\", \"<|im_end|>\"]}");
        write("added_tokens.json", "{\"<think>\": 1200}");

        BpeTokenizer tokenizer = read();

        Goldens.check(tokenizer, texts(), Goldens.json(Goldens.open("gpt2.golden.json.gz")));
        Goldens.checkFurther(tokenizer, "gpt2");
        assertThat(tokenizer.bos()).hasValue(0);
        assertThat(tokenizer.addsBos()).isFalse();
    }

    @Test
    void vocabularyAndMergesNeedToKnowHowTextIsCut() throws IOException {
        writePair("gpt2");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("tokenizer_class", "missing", "tokenizer.json");
        write(CONFIG, "{\"tokenizer_class\": \"OtherTokenizer\"}");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("\"OtherTokenizer\"", "GPT2Tokenizer");
    }

    @Test
    void aFolderWithoutATokenizerHasNone() throws IOException {
        assertThat(BpeTokenizer.fromFolder(folder)).isEmpty();
        write("vocab.json", "{}");
        assertThat(BpeTokenizer.fromFolder(folder)).isEmpty();
        write("merges.txt", "");
        write(CONFIG, "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
        assertThat(read().vocabularySize()).isZero();
        Files.write(folder.resolve("tokenizer.model"), SentencePieceGoldenTest.model());
        assertThat(read().vocabularySize()).isEqualTo(1500);
    }

    @Test
    void theConfigurationAddsTokensToAModel() throws IOException {
        Files.write(folder.resolve("tokenizer.model"), SentencePieceGoldenTest.model());
        write(
                CONFIG,
                "{\"add_bos_token\": false, \"add_eos_token\": true, \"added_tokens_decoder\": {"
                        + "\"1\": {\"content\": \"<s>\", \"special\": true},"
                        + "\"1500\": {\"content\": \"<|end|>\", \"special\": true},"
                        + "\"1502\": {\"content\": \"<tool>\", \"special\": false}}, \"eos_token\": \"<|end|>\"}");

        BpeTokenizer tokenizer = read();

        assertThat(tokenizer.vocabularySize()).isEqualTo(1503);
        assertThat(tokenizer.eos()).hasValue(1500);
        assertThat(tokenizer.addsEos()).isTrue();
        assertThat(tokenizer.bos()).hasValue(1);
        assertThat(tokenizer.addsBos()).isFalse();
        assertThat(tokenizer.encode("<|end|>", ControlTokens.PARSE)).containsExactly(1500);
        assertThat(tokenizer.encode("<|end|>", ControlTokens.AS_TEXT)).doesNotContain(1500);
        assertThat(tokenizer.encode("x<tool>", ControlTokens.AS_TEXT)).endsWith(1502);
        assertThat(tokenizer.token(1501)).isEmpty();

        write(CONFIG, "{\"added_tokens_decoder\": {\"9\": {\"content\": \"zz\"}}}");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("id 9", "\"zz\"");
        write(
                CONFIG,
                "{\"added_tokens_decoder\": {\"1500\": {\"content\": \"zz\", \"rstrip\": true}}}");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("\"zz\"", "rstrip");
        write(CONFIG, "{\"eos_token\": \"<|none|>\"}");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("<|none|>", "tokenizer.model");
    }

    /** Byte fallback, unused pieces and the unknown token of a vocabulary written by hand. */
    @Test
    void tellsWhatSentencePiecesTokensAre() {
        String[] tokens = {"<unk>", "<s>", "<0x41>", "▁", "a", "▁a", "b", "aé", "ab", "[PAD1]"};
        int[] types = {2, 3, 6, 1, 1, 1, 1, 1, 1, 5};
        float[] scores = {0, 0, 0, -9, -9, -1, -9, 0, -3, 0};
        BpeTokenizer tokenizer =
                BpeTokenizer.fromGgufScores(
                        tokens,
                        scores,
                        types,
                        GgufSpaces.ofPrefix(true),
                        BpeTokenizer.TextEnds.none());

        // "é" is no piece, yet "aé" is; what no piece has becomes the unknown token, once in a row.
        assertThat(tokenizer.encode("ab aé", ControlTokens.AS_TEXT)).containsExactly(5, 6, 3, 7);
        assertThat(tokenizer.encode("bxyé", ControlTokens.AS_TEXT)).containsExactly(3, 6, 0);
        assertThat(tokenizer.encode("[PAD1]", ControlTokens.PARSE)).containsExactly(3, 0);
        assertThat(tokenizer.encode("a<s>a", ControlTokens.PARSE)).containsExactly(5, 1, 5);
        assertThat(tokenizer.encode("", ControlTokens.PARSE)).isEmpty();
        assertThat(tokenizer.bytes(2)).containsExactly('A');
        assertThat(tokenizer.bytes(5)).containsExactly(' ', 'a');
        assertThat(tokenizer.bytes(1)).isEmpty();
        assertThat(tokenizer.id("<0x41>")).hasValue(2);
        assertThat(tokenizer.id("▁a")).hasValue(5);
        assertThat(tokenizer.id("é")).isEmpty();
        assertThat(tokenizer.decode(new int[] {1, 5, 2, 3})).isEqualTo("<s> aA ");
        assertThat(tokenizer.decodeSkippingControl(new int[] {1, 5, 2, 5})).isEqualTo("aA a");
        StreamingDecoder continuing = tokenizer.continuing();
        assertThat(continuing.accept(5) + continuing.accept(5)).isEqualTo(" a a");
    }

    @Test
    void contradictoryGgufScoresAreRefused() {
        BpeTokenizer.TextEnds none = BpeTokenizer.TextEnds.none();
        Map<String, org.assertj.core.api.ThrowableAssert.ThrowingCallable> wrong =
                Map.of(
                        "tokenizer.ggml.scores 1",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"a", "b"},
                                        new float[1],
                                        new int[] {1, 1},
                                        GgufSpaces.ofPrefix(true),
                                        none),
                        "not a number",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"a"},
                                        new float[] {Float.NaN},
                                        new int[] {1},
                                        GgufSpaces.ofPrefix(true),
                                        none),
                        "token 0 is \"a\"",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"a"},
                                        new float[1],
                                        new int[] {6},
                                        GgufSpaces.ofPrefix(true),
                                        none),
                        "both \"<0x00>\"",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"<0x00>", "<0x00>"},
                                        new float[2],
                                        new int[] {6, 6},
                                        GgufSpaces.ofPrefix(true),
                                        none),
                        "both \"a\"",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"a", "a"},
                                        new float[2],
                                        new int[] {1, 1},
                                        GgufSpaces.ofPrefix(true),
                                        none),
                        "too long",
                        () ->
                                BpeTokenizer.fromGgufScores(
                                        new String[] {"a", "a".repeat(100_000)},
                                        new float[2],
                                        new int[] {1, 1},
                                        GgufSpaces.ofPrefix(true),
                                        none));
        wrong.forEach((part, call) ->
                assertThatThrownBy(call)
                        .isInstanceOf(TokenizerException.class)
                        .hasMessageContaining(part));
    }

    /** Files of any size of "a", "aa", "aaa" …, and any text of them: no square of the text. */
    @Test
    void mergesByScoreTakeNoSquareOfTheText() {
        String[] tokens = new String[1_000];
        int[] types = new int[tokens.length];
        float[] scores = new float[tokens.length];
        Arrays.fill(types, 1);
        for (int id = 0; id < tokens.length; id++) {
            tokens[id] = "a".repeat(id + 1);
            scores[id] = id;
        }
        BpeTokenizer tokenizer =
                BpeTokenizer.fromGgufScores(
                        tokens,
                        scores,
                        types,
                        GgufSpaces.ofPrefix(false),
                        BpeTokenizer.TextEnds.none());
        // The two leftmost merge, and what they make is the best merge there is, to the longest.
        assertThat(tokenizer.encode("a".repeat(1_000_000), ControlTokens.AS_TEXT))
                .hasSize(1_000)
                .containsOnly(999);
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static byte[] bytes(int... values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }

    /** As T5 and its like have; the specification's default where a file says nothing. */
    @Test
    void unigramIsRefusedByNameWithARemedy() throws IOException {
        byte[] piece = bytes(0x0A, 3, 0x0A, 1, 'a');
        for (byte[] model : List.of(piece, join(piece, bytes(0x12, 2, 0x18, 1)))) {
            assertThatThrownBy(() -> BpeTokenizer.fromModel(model, TokenizerConfig.empty()))
                    .isInstanceOf(TokenizerException.class)
                    .hasMessageContainingAll("tokenizer.model", "Unigram", "take a model")
                    .extracting(e -> ((TokenizerException) e).code())
                    .isEqualTo("tokenizer_unsupported");
        }
        write(
                "tokenizer.json",
                "{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0.0], [\"a\", -1.5]]}}");
        assertThatThrownBy(this::read)
                .isInstanceOf(TokenizerException.class)
                .hasMessageContainingAll("tokenizer.json", "Unigram", "take a model");
    }

    @Test
    void hostileModelsAreRefused() throws IOException {
        byte[] piece = bytes(0x0A, 3, 0x0A, 1, 'a');
        byte[] bpe = bytes(0x12, 2, 0x18, 2);
        byte[] spaces = bytes(0x1A, 2, 0x20, 0);
        assertThat(
                        BpeTokenizer.fromModel(join(piece, bpe, spaces), TokenizerConfig.empty())
                                .vocabularySize())
                .isOne();
        List<byte[]> hostile =
                List.of(
                        bytes(),
                        bytes(0),
                        bytes(0x0A),
                        bytes(0x0A, 0x80),
                        bytes(0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07), // 2^31 - 1 bytes
                        bytes(0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01),
                        bytes(
                                0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                0x01),
                        bytes(0x0B), // a group
                        bytes(0x0E), // no kind of field
                        bytes(0x02, 0), // field 0
                        bytes(0x09, 1, 2, 3),
                        bytes(0x0A, 2, 0x0A, 0), // an empty piece
                        bytes(0x0A, 3, 0x0A, 1, 0xFF), // not UTF-8
                        bytes(0x0A, 3, 0x0A, 2, 'a'), // a piece beyond its message
                        bytes(0x0A, 2, 0x15, 0), // a score cut short
                        bytes(0x0A, 2, 0x10, 0), // a score of another kind
                        join(bytes(0x0A, 5, 0x0A, 1, 'a', 0x18, 9), bpe, spaces), // type 9
                        join(piece, piece, bpe, spaces), // twice the same
                        join(piece, spaces), // Unigram
                        join(piece, bpe), // collapses spaces
                        join(piece, bpe, bytes(0x1A, 5, 0x20, 0, 0x12, 1, 'x')), // normalises
                        join(piece, bpe, bytes(0x1A, 4, 0x20, 0, 0x28, 0)), // does not escape
                        join(piece, bytes(0x12, 5, 0x18, 2, 0xC0, 0x01, 1), spaces)); // suffixes
        for (byte[] file : hostile) {
            assertThat(catchThrowable(() -> BpeTokenizer.fromModel(file, TokenizerConfig.empty())))
                    .as(Arrays.toString(file))
                    .isInstanceOf(TokenizerException.class);
        }
    }

    @Test
    void hostileRanksAreRefused() throws IOException {
        String good = new String(ranks(), StandardCharsets.ISO_8859_1);
        for (String file :
                new String[] {
                    "IQ== 0\n",
                    "IQ==\n",
                    "IQ== 1\n",
                    "IQ== 0\nIg== 0\n",
                    "IQ== -1\n",
                    "IQ== 99999999999\n",
                    "IQ== 0x\n",
                    "I!== 0\n",
                    "hello world\n",
                    good.replace(" 700\n", "\n"),
                    good + "IQ== " + good.lines().count() + "\n",
                    good + " " + good.lines().count() + "\n",
                }) {
            assertThat(
                            catchThrowable(() ->
                                    BpeTokenizer.fromModel(
                                            file.getBytes(StandardCharsets.ISO_8859_1),
                                            TokenizerConfig.empty())))
                    .as(file.substring(0, Math.min(50, file.length())))
                    .isInstanceOf(TokenizerException.class);
        }
        StringBuilder many = new StringBuilder();
        for (int i = 0; i < 200_000; i++) {
            many.append(Base64.getEncoder().encodeToString(bytes(i >> 16, i >> 8, i)))
                    .append(' ')
                    .append(i)
                    .append('\n');
        }
        assertThatThrownBy(() ->
                        BpeTokenizer.fromModel(
                                many.toString().getBytes(StandardCharsets.ISO_8859_1),
                                TokenizerConfig.empty()))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("Llama 4");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aTruncatedOrDamagedModelIsRefusedOrReadButNothingElse(boolean pieces) throws IOException {
        byte[] whole = pieces ? SentencePieceGoldenTest.model() : ranks();
        long seed = Seeds.seed();
        Random random = new Random(seed);
        for (int round = 0; round < 400; round++) {
            byte[] file = whole.clone();
            if (round % 3 == 0) {
                file = Arrays.copyOf(file, random.nextInt(file.length));
            } else {
                for (int i = random.nextInt(5); i >= 0; i--) {
                    file[random.nextInt(file.length)] = (byte) random.nextInt(256);
                }
            }
            try {
                BpeTokenizer.fromModel(file, TokenizerConfig.empty())
                        .encode("some text 123", ControlTokens.PARSE);
            } catch (TokenizerException expected) {
                assertThat(expected).as("seed %s", seed).hasMessageMatching("(?s).{10,}");
            }
        }
    }

    @Test
    void hostilePairsAreRefused() throws IOException {
        write(CONFIG, "{\"tokenizer_class\": \"GPT2Tokenizer\"}");
        write("merges.txt", "");
        for (String vocabulary :
                new String[] {
                    "",
                    "[]",
                    "{\"a\":",
                    "{\"a\":-1}",
                    "{\"a\":4194304}",
                    "{\"a\":1.5}",
                    "{\"a\":\"0\"}",
                    "{\"a\":0,\"b\":0}",
                    "{\"a\":0,\"a\":1}",
                    "{\"a\":0}}"
                }) {
            write("vocab.json", vocabulary);
            assertThat(catchThrowable(this::read))
                    .as(vocabulary)
                    .isInstanceOf(TokenizerException.class);
        }
        write("vocab.json", "{\"a\":0}");
        for (String merges : new String[] {"a b", "a", "#version: 0.2\n#version: 0.2\n"}) {
            write("merges.txt", merges);
            assertThat(catchThrowable(this::read))
                    .as(merges)
                    .isInstanceOf(TokenizerException.class);
        }
        Files.write(folder.resolve("merges.txt"), bytes('a', 0xFF));
        assertThat(catchThrowable(this::read)).isInstanceOf(TokenizerException.class);
        for (String added : new String[] {"[]", "{", "{\"x\":\"1\"}", "{\"x\":-1}", "{\"\":1}"}) {
            write("merges.txt", "");
            write("added_tokens.json", added);
            assertThat(catchThrowable(this::read)).as(added).isInstanceOf(TokenizerException.class);
        }
    }
}
