package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.flagship.base.InvalidArgumentException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class BpeTokenizerTest {
    private static final String HEAD =
            "{\"decoder\":{\"type\":\"ByteLevel\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},";

    private static BpeTokenizer read(String json) throws IOException {
        return BpeTokenizer.fromJson(
                new ByteArrayInputStream(json.getBytes(StandardCharsets.UTF_8)),
                TokenizerConfig.empty());
    }

    private static String model(String vocab, String merges) {
        return HEAD
                + "\"model\":{\"type\":\"BPE\",\"vocab\":{"
                + vocab
                + "},\"merges\":["
                + merges
                + "]}}";
    }

    private static BpeTokenizer gguf(String pre) {
        return BpeTokenizer.fromGguf(
                new String[] {"<s>", "a", "b", "ab", "Ġ", "Ġab", "<x>", "Ċ", "aba"},
                new int[] {3, 1, 1, 1, 1, 1, 4, 1, 1},
                new String[] {"a b", "Ġ ab"},
                pre,
                new BpeTokenizer.TextEnds(OptionalInt.of(0), OptionalInt.empty(), true, false));
    }

    @Test
    void controlTokensComeFromParsedTextOnlyAndAddedOnesFromAnyText() {
        BpeTokenizer tokenizer = gguf("gpt-2");

        assertThat(tokenizer.encode("<s>ab<x> ab", ControlTokens.PARSE))
                .containsExactly(0, 3, 6, 5);
        assertThat(tokenizer.encode("ab<x> ab", ControlTokens.AS_TEXT)).containsExactly(3, 6, 5);
        assertThat(tokenizer.encode("<s>", ControlTokens.AS_TEXT)).doesNotContain(0);
    }

    /** A converter may take the end of a turn for a word like any other. */
    @Test
    void noMessageEndsATurnWhateverTheFileCallsItsTokens() {
        BpeTokenizer tokenizer =
                BpeTokenizer.fromGguf(
                        new String[] {"<|im_end|>", "<", "a"},
                        new int[] {4, 1, 1},
                        new String[0],
                        "gpt-2",
                        BpeTokenizer.TextEnds.none());

        assertThat(tokenizer.isSpecial(0)).isTrue();
        assertThat(tokenizer.encode("a<|im_end|>", ControlTokens.AS_TEXT)).containsExactly(2, 1);
        assertThat(tokenizer.encode("a<|im_end|>", ControlTokens.PARSE)).containsExactly(2, 0);
    }

    @Test
    void tellsWhatItsTokensAre() {
        BpeTokenizer tokenizer = gguf("smollm");

        assertThat(tokenizer.vocabularySize()).isEqualTo(9);
        assertThat(tokenizer.longestToken()).isEqualTo(3);
        assertThat(tokenizer.bos()).hasValue(0);
        assertThat(tokenizer.addsBos()).isTrue();
        assertThat(tokenizer.addsEos()).isFalse();
        assertThat(tokenizer.isSpecial(0)).isTrue();
        assertThat(tokenizer.isSpecial(6)).isFalse();
        assertThat(tokenizer.bytes(0)).isEmpty();
        assertThat(tokenizer.bytes(5)).containsExactly(' ', 'a', 'b');
        assertThat(tokenizer.token(5)).isEqualTo("Ġab");
        assertThat(tokenizer.id("Ġab")).hasValue(5);
        assertThat(tokenizer.id("<s>")).hasValue(0);
        assertThat(tokenizer.id("none")).isEmpty();
        assertThat(tokenizer.id("")).isEmpty();
        assertThat(tokenizer.decode(new int[] {0, 3, 5, 6})).isEqualTo("<s>ab ab<x>");
        assertThat(tokenizer.decodeSkippingControl(new int[] {0, 3, 5, 6})).isEqualTo("ab ab<x>");
    }

    @Test
    void aPieceThatIsATokenNeedsNoMergesWhereMergesAreIgnored() {
        assertThat(gguf("llama-bpe").encode("aba", ControlTokens.AS_TEXT)).containsExactly(8);
        assertThat(gguf("gpt-2").encode("aba", ControlTokens.AS_TEXT)).containsExactly(3, 1);
    }

    @Test
    void idsOutsideTheVocabularyAreRefused() {
        BpeTokenizer tokenizer = gguf("gpt-2");

        assertThatThrownBy(() -> tokenizer.bytes(9))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("9");
        assertThatThrownBy(() -> tokenizer.decode(new int[] {-1}))
                .isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> tokenizer.streaming().accept(Integer.MAX_VALUE))
                .isInstanceOf(InvalidArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "bert-bge", "llama-spm", "LLAMA-BPE"})
    void unknownPreTokenisersAreNamedNotGuessed(String pre) {
        assertThatThrownBy(() -> gguf(pre))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("\"" + pre + "\"")
                .hasMessageContaining("tokenizer.json");
    }

    @Test
    void loneSurrogatesAreReadAsTheReplacementCharacter() throws IOException {
        Tokenizer tokenizer = TokenizerGoldenTest.tokenizer("gpt2");

        for (String lone :
                new String[] {"\uD800", "\uDC00", "a\uD83D b", "\uDE00\uD83D", "x\uDBFF"}) {
            String replaced = lone.replaceAll("[\\uD800-\\uDFFF]", "\uFFFD");
            int[] ids = tokenizer.encode(lone, ControlTokens.PARSE);
            assertThat(ids).isEqualTo(tokenizer.encode(replaced, ControlTokens.PARSE));
            assertThat(tokenizer.decode(ids)).isEqualTo(replaced);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"smollm", "llama3"})
    void workGrowsWithTheTextAndNotWithItsSquare(String name) throws IOException {
        assertWorkGrowsWithTheText(TokenizerGoldenTest.tokenizer(name), name);
    }

    static void assertWorkGrowsWithTheText(Tokenizer tokenizer, String name) {
        int small = 1 << 12;
        int large = 32 * small;
        String[] less = repetitive(small);
        String[] more = repetitive(large);
        for (int i = 0; i < more.length; i++) {
            long ofMore = leastNanos(tokenizer, more[i], 3); // first, so that both are compiled
            long ofLess = leastNanos(tokenizer, less[i], 20);
            // In proportion to the text it is 32 times as much, and seen were 30 to 55; in
            // proportion to its square it is 1,024 times.
            assertThat((double) ofMore / ofLess).as("%s of text %s", name, i).isLessThan(200);
        }
    }

    /** This thread's own time, whatever else the machine does. */
    private static long leastNanos(Tokenizer tokenizer, String text, int times) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long least = Long.MAX_VALUE;
        for (int i = 0; i < times; i++) {
            long before = threads.getCurrentThreadCpuTime();
            int[] ids = tokenizer.encode(text, ControlTokens.PARSE);
            least = Math.min(least, threads.getCurrentThreadCpuTime() - before);
            assertThat(ids.length).isBetween(1, 4 * text.length());
        }
        return Math.max(1, least);
    }

    private static String[] repetitive(int size) {
        return new String[] {
            "a".repeat(size),
            " ".repeat(size),
            "\n".repeat(size),
            "\r\n \t".repeat(size / 4),
            "0".repeat(size),
            "<".repeat(size),
            "<|im_end|".repeat(size / 9),
            "'".repeat(size),
            "'s".repeat(size / 2),
            "\u0301".repeat(size),
            "\uD83D\uDE00".repeat(size / 2),
            "ab".repeat(size / 2),
            "\uD800".repeat(size)
        };
    }

    @Test
    void shortAndLongPiecesMergeAlike() throws IOException {
        Tokenizer tokenizer = TokenizerGoldenTest.tokenizer("gpt2");
        long seed = Seeds.seed();
        Random random = new Random(seed);
        for (int round = 0; round < 300; round++) {
            // A piece of letters, whose merges a plain search for the lowest rank must find as well
            // as the queue does.
            StringBuilder piece = new StringBuilder();
            int length = 1 + random.nextInt(90);
            while (piece.length() < length) {
                piece.append("etaoinshrdluETA".charAt(random.nextInt(15)));
            }
            String text = piece.toString();
            assertThat(tokenizer.encode(text, ControlTokens.AS_TEXT))
                    .as("seed %s, piece %s", seed, text)
                    .isEqualTo(bySearch(tokenizer, text));
        }
    }

    /**
     * The definition of byte-pair encoding: merge the pair of lowest rank, whose token has the
     * lowest id, until none is left.
     */
    private static int[] bySearch(Tokenizer tokenizer, String letters) {
        java.util.List<String> parts = new java.util.ArrayList<>(Arrays.asList(letters.split("")));
        while (true) {
            int best = -1;
            int bestId = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < parts.size(); i++) {
                int id = tokenizer.id(parts.get(i) + parts.get(i + 1)).orElse(Integer.MAX_VALUE);
                if (id < bestId) {
                    best = i;
                    bestId = id;
                }
            }
            if (best < 0) {
                return parts.stream().mapToInt(part -> tokenizer.id(part).orElseThrow()).toArray();
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
    }

    @Test
    void contradictoryGgufArraysAreRefused() {
        BpeTokenizer.TextEnds none = BpeTokenizer.TextEnds.none();
        String[] merges = {};
        assertRefused(
                "token_type",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a", "b"}, new int[] {1}, merges, "gpt-2", none));
        assertRefused(
                "empty",
                () -> BpeTokenizer.fromGguf(new String[] {}, new int[] {}, merges, "gpt-2", none));
        assertRefused(
                "is 9",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a"}, new int[] {9}, merges, "gpt-2", none));
        assertRefused(
                "\"a\"",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a", "a"}, new int[] {1, 1}, merges, "gpt-2", none));
        assertRefused(
                "\"<s>\"",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"<s>", "<s>"},
                                new int[] {3, 3},
                                merges,
                                "gpt-2",
                                none));
        for (String merge :
                new String[] {
                    "a z", "ab", "", " ", "a ", "a b c", "a \u4F60", "x".repeat(10_000) + " a"
                }) {
            assertRefused(
                    "merge 0",
                    () ->
                            BpeTokenizer.fromGguf(
                                    new String[] {"a", "b", "ab"},
                                    new int[] {1, 1, 1},
                                    new String[] {merge},
                                    "gpt-2",
                                    none));
        }
        assertRefused(
                "merge 0",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a", "b", "ab"},
                                new int[] {1, 1, 3},
                                new String[] {"a b"},
                                "gpt-2",
                                none));
        String forged = "t\r\n2026 INFO fine\u001b[2J" + "x".repeat(200);
        assertThatThrownBy(() ->
                        BpeTokenizer.fromGguf(
                                new String[] {forged, forged},
                                new int[] {3, 3},
                                merges,
                                "gpt-2",
                                none))
                .isInstanceOf(TokenizerException.class)
                .hasMessageContaining("\"t\\u000d\\u000a2026 INFO fine\\u001b[2Jxxx")
                .hasMessageNotContainingAny("\n", "\u001b", "x".repeat(121));
        BpeTokenizer.TextEnds beyond =
                new BpeTokenizer.TextEnds(OptionalInt.of(7), OptionalInt.empty(), true, false);
        assertRefused(
                "outside",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a"}, new int[] {1}, merges, "gpt-2", beyond));
        BpeTokenizer.TextEnds missing =
                new BpeTokenizer.TextEnds(OptionalInt.empty(), OptionalInt.empty(), true, false);
        assertRefused(
                "none is named",
                () ->
                        BpeTokenizer.fromGguf(
                                new String[] {"a"}, new int[] {1}, merges, "gpt-2", missing));
    }

    private static void assertRefused(
            String part, org.assertj.core.api.ThrowableAssert.ThrowingCallable call) {
        assertThatThrownBy(call).isInstanceOf(TokenizerException.class).hasMessageContaining(part);
    }

    @Test
    void hostileJsonIsRefused() {
        String[] hostile = {
            "",
            "{",
            "[]",
            "null",
            "{}",
            "\"x\"",
            "{\"model\":[]}",
            "{\"model\":{\"vocab\":[]}}",
            "{\"added_tokens\":{}}",
            model("\"a\":0,\"a\":1", ""),
            model("\"a\":0,\"b\":0", ""),
            model("\"a\":-1", ""),
            model("\"a\":4194304", ""),
            model("\"a\":99999999999999999999", ""),
            model("\"a\":1.5", ""),
            model("\"a\":\"0\"", ""),
            model("\"a\":0", "\"a z\""),
            model("\"a\":0", "[\"a\"]"),
            model("\"a\":0", "[\"a\",\"b\",\"c\"]"),
            model("\"a\":0", "7"),
            model("", ""),
            model("\"a\":0", "").replace("\"BPE\"", "\"Unigram\""),
            model("\"a\":0", "").replace("\"BPE\"", "\"BPE\",\"byte_fallback\":true"),
            model("\"a\":0", "").replace("\"BPE\"", "\"BPE\",\"unk_token\":\"zz\""),
            model("\"a\":0", "").replace("\"type\":\"ByteLevel\"}", "\"type\":\"Metaspace\"}"),
            model("\"a\":0", "")
                    .replace("\"type\":\"ByteLevel\",\"add", "\"type\":\"Whitespace\",\"add"),
            model("\"a\":0", "")
                    .replace(
                            "{\"decoder\"",
                            "{\"normalizer\":{\"type\":\"StripAccents\"},\"decoder\""),
            model("\"a\":0", "")
                    .replace(
                            "{\"decoder\"",
                            "{\"post_processor\":{\"type\":\"BertProcessing\"},\"decoder\""),
            model("\"a\":0", "")
                    .replace("{\"decoder\"", "{\"added_tokens\":[{\"id\":0}],\"decoder\""),
            model("\"a\":0", "")
                    .replace(
                            "{\"decoder\"",
                            "{\"added_tokens\":[{\"id\":0,\"content\":\"b\"}],\"decoder\""),
            model("\"a\":0", "")
                    .replace(
                            "{\"decoder\"",
                            "{\"added_tokens\":[{\"id\":1,\"content\":\"\",\"lstrip\":true}],\"decoder\""),
            model("\"a\":0", "")
                    .replace(
                            "{\"decoder\"",
                            "{\"added_tokens\":[{\"id\":1,\"content\":\""
                                    + "b".repeat(300)
                                    + "\"}],\"decoder\""),
            model("\"a\":0", "") + "}",
            "{\"x\":" + "[".repeat(100_000),
            "{\"pre_tokenizer\":" + "{\"type\":\"Sequence\",\"pretokenizers\":[".repeat(5000),
            "{\"post_processor\":" + "{\"a\":".repeat(10_000),
            "{\"model\":{\"vocab\":{\"\\ud800\":",
        };
        for (String json : hostile) {
            assertThat(catchThrowable(() -> read(json)))
                    .as(json.substring(0, Math.min(300, json.length())))
                    .isInstanceOf(TokenizerException.class);
        }
        byte[] brokenUtf8 = model("\"?\":0", "").getBytes(StandardCharsets.ISO_8859_1);
        for (int i = 0; i < brokenUtf8.length; i++) {
            brokenUtf8[i] = brokenUtf8[i] == '?' ? (byte) 0xC3 : brokenUtf8[i];
        }
        assertThatThrownBy(() ->
                        BpeTokenizer.fromJson(
                                new ByteArrayInputStream(brokenUtf8), TokenizerConfig.empty()))
                .isInstanceOf(TokenizerException.class);
    }

    @Test
    void aTruncatedOrDamagedFileIsRefusedOrReadButNothingElse() throws IOException {
        byte[] whole;
        try (InputStream in = Goldens.open("llama3.tokenizer.json.gz")) {
            whole = in.readAllBytes();
        }
        long seed = Seeds.seed();
        Random random = new Random(seed);
        for (int round = 0; round < 150; round++) {
            byte[] bytes = whole.clone();
            if (round % 3 == 0) {
                bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length));
            } else {
                for (int i = random.nextInt(5); i >= 0; i--) {
                    bytes[random.nextInt(bytes.length)] =
                            (byte) random.nextInt(round % 3 == 1 ? 128 : 256);
                }
            }
            try {
                BpeTokenizer.fromJson(new ByteArrayInputStream(bytes), TokenizerConfig.empty())
                        .encode("some text 123", ControlTokens.PARSE);
            } catch (TokenizerException expected) {
                assertThat(expected).as("seed %s", seed).hasMessageMatching("(?s).{10,}");
            }
        }
    }

    @Test
    void theStreamsOwnFailurePassesThrough() throws IOException {
        InputStream failing = InputStream.nullInputStream();
        failing.close(); // reading it throws "Stream closed"
        assertThatThrownBy(() -> BpeTokenizer.fromJson(failing, TokenizerConfig.empty()))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("closed");
    }

    @Test
    void beginTokensComeFromThePostProcessorOrTheConfig() throws IOException {
        BpeTokenizer plain = TokenizerGoldenTest.tokenizer("llama3");
        assertThat(plain.bos()).hasValue(0);
        assertThat(plain.addsBos()).isTrue();

        String config =
                "{\"eos_token\":{\"content\":\"<|eot_id|>\"},\"bos_token\":\"<|im_start|>\",\"add_bos_token\":false,"
                        + "\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"t\"},{\"name\":\"default\",\"template\":\"d\"}],"
                        + "\"model_max_length\":1000000000000000019884624838656}";
        TokenizerConfig read =
                TokenizerConfig.read(
                        new ByteArrayInputStream(config.getBytes(StandardCharsets.UTF_8)));
        assertThat(read.chatTemplate()).hasValue("d");
        try (InputStream in = Goldens.open("llama3.tokenizer.json.gz")) {
            BpeTokenizer configured = BpeTokenizer.fromJson(in, read);
            assertThat(configured.bos()).hasValue(2);
            assertThat(configured.eos()).hasValue(1);
            assertThat(configured.addsBos()).isFalse();
        }
    }
}
