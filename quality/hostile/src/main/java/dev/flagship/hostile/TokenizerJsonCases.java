package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Vocabularies in tokenizer.json, and configurations beside them, that lie. */
final class TokenizerJsonCases {
    private static final String DIGITS = "{\"type\": \"Digits\", \"individual_digits\": true}";

    private TokenizerJsonCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(texts(), ids(), kinds(), merges(), parts(), configurations())
                .flatMap(group -> group);
    }

    private static HostileCase file(
            String lie, CveClass covers, String name, byte[] content, String words) {
        Map<String, byte[]> files = new LinkedHashMap<>(TinyModel.huggingFace());
        files.put(name, content);
        return new HostileCase(Format.TOKENIZER_JSON, lie, covers, files, "", words);
    }

    private static HostileCase text(String lie, CveClass covers, String json, String words) {
        return file(lie, covers, TinyModel.TOKENIZER, json.getBytes(StandardCharsets.UTF_8), words);
    }

    /** The good file with some text replaced. */
    private static HostileCase but(
            String lie, CveClass covers, String from, String to, String words) {
        String good =
                new String(
                        TinyModel.tokenizerJson().get(TinyModel.TOKENIZER), StandardCharsets.UTF_8);
        if (!good.contains(from)) {
            throw new IllegalStateException(from + " is not in the good file");
        }
        return text(lie, covers, good.replace(from, to), words);
    }

    private static HostileCase config(String lie, CveClass covers, String json, String words) {
        return file(
                "configuration, " + lie,
                covers,
                TinyModel.TOKENIZER_CONFIG,
                json.getBytes(StandardCharsets.UTF_8),
                words);
    }

    private static Stream<HostileCase> texts() {
        String name = "tokenizer.json";
        return Stream.of(
                text("empty", MALFORMED, "", name),
                text("an array", FAULT, "[]", name),
                text("null", FAULT, "null", name),
                text("nothing in it", MALFORMED, "{}", "model.vocab"),
                text("unclosed", MALFORMED, "{\"model\":{\"vocab\":{\"a\":0", name),
                text("two values", MALFORMED, "{} {}", name),
                text("a byte order mark", MALFORMED, "\uFEFF{}", name),
                text("100,000 deep", EXPANSION, "{\"x\":" + "[".repeat(100_000), name),
                text(
                        "a decoder 100,000 deep",
                        EXPANSION,
                        "{\"decoder\":" + "{\"a\":".repeat(100_000),
                        name),
                text("a name of 100 KB", EXPANSION, "{\"" + "n".repeat(100_000) + "\":1}", name),
                text(
                        "a number of 10,000 digits",
                        EXPANSION,
                        "{\"version\":" + "1".repeat(10_000) + "}",
                        name),
                text(
                        "a million values in a tree",
                        EXPANSION,
                        "{\"decoder\":[" + "0,".repeat(1_000_000) + "0]}",
                        "more than 1000000 values"),
                file(
                        "not UTF-8",
                        MALFORMED,
                        TinyModel.TOKENIZER,
                        new byte[] {'{', '"', (byte) 0xC3, '(', '"', ':', '1', '}'},
                        name),
                file(
                        "UTF-16",
                        MALFORMED,
                        TinyModel.TOKENIZER,
                        "{}".getBytes(StandardCharsets.UTF_16LE),
                        name));
    }

    private static Stream<HostileCase> ids() {
        String letter = "\"a\": 3";
        return Stream.of(
                but("id −1", TOKENIZER, letter, "\"a\": -1", "id -1"),
                but("id 4,194,303 of 30", EXPANSION, letter, "\"a\": 4194303", "4194303"),
                but("id 4,194,304", TOKENIZER, letter, "\"a\": 4194304", "id 4194304"),
                but("id 2^31", TOKENIZER, letter, "\"a\": 2147483648", "id 2147483648"),
                but("id 2^63", TOKENIZER, letter, "\"a\": 9223372036854775808", "out of range"),
                but("id 1.5", TOKENIZER, letter, "\"a\": 1.5", "an id of model.vocab"),
                but("id null", FAULT, letter, "\"a\": null", "an id of model.vocab"),
                but("id of text", FAULT, letter, "\"a\": \"3\"", "an id of model.vocab"),
                but("id of an object", FAULT, letter, "\"a\": {}", "an id of model.vocab"),
                but("an id twice", TOKENIZER, letter, "\"a\": 4", "id 4 is both"),
                but("a token twice", TOKENIZER, letter, "\"a\": 3, \"a\": 99", "are both \"a\""),
                but(
                        "an added id of 4,194,303",
                        EXPANSION,
                        "{\"id\": 0,",
                        "{\"id\": 4194303,",
                        "4194303"),
                but("an added id of −1", TOKENIZER, "{\"id\": 0,", "{\"id\": -1,", "id -1"),
                but("an added id of text", FAULT, "{\"id\": 0,", "{\"id\": \"0\",", "lacks its id"),
                but(
                        "an added token over another",
                        TOKENIZER,
                        "{\"id\": 0,",
                        "{\"id\": 3,",
                        "id 3 is both"),
                but(
                        "an added token without text",
                        FAULT,
                        "\"content\": \"<|bos|>\"",
                        "\"content\": \"\"",
                        "lacks its id or content"),
                but(
                        "added tokens null",
                        FAULT,
                        "\"added_tokens\": [",
                        "\"added_tokens\": null, \"x\": [",
                        "not a list"),
                but(
                        "an added token of 300 characters",
                        EXPANSION,
                        "{\"id\": 0, \"content\": \"<|bos|>\"",
                        "{\"id\": 40, \"content\": \"" + "x".repeat(300) + "\"",
                        "300 characters"),
                normalized("an added token of 8 MB", "x".repeat(8 << 20), "characters", "NFKC"),
                normalized(
                        "an added token of 300 characters, 100 when normalised",
                        "\u1100\u1161\u11A8".repeat(100),
                        "300 characters",
                        "NFC"),
                normalized(
                        "an added token that becomes 18 times as long",
                        "\uFDFA".repeat(255),
                        "longer",
                        "NFKD"),
                normalized(
                        "a normalizer that lowers letters 16 times",
                        "X".repeat(256),
                        "steps",
                        Collections.nCopies(16, "Lowercase").toArray(String[]::new)),
                normalized(
                        "a normalizer with a step twice", "x", "twice", "NFC", "Lowercase", "NFC"));
    }

    /** The good file with an added token that goes through a normalizer. */
    private static HostileCase normalized(
            String lie, String content, String words, String... steps) {
        String added = "\"added_tokens\": [";
        Map<String, byte[]> files =
                TinyModel.tokenizerJson(
                        Map.of(
                                "\"normalizer\": null",
                                TinyModel.normalizer(steps),
                                added,
                                added
                                        + "{\"id\": 30, \"normalized\": true, \"content\": \""
                                        + content
                                        + "\"},"));
        return new HostileCase(
                Format.TOKENIZER_JSON, lie, EXPANSION, TinyModel.with(files), "", words);
    }

    private static Stream<HostileCase> kinds() {
        return Stream.of(
                but("vocabulary a list", FAULT, "\"vocab\": {", "\"vocab\": [], \"x\": {", "vocab"),
                but("vocabulary null", FAULT, "\"vocab\": {", "\"vocab\": null, \"x\": {", "vocab"),
                but("model a list", FAULT, "\"model\": {", "\"model\": [], \"x\": {", "model"),
                but("a flag that is a list", FAULT, "\"fuse_unk\": false", "\"fuse_unk\": [1]", ""),
                but(
                        "a flag that is an object",
                        FAULT,
                        "\"byte_fallback\": false",
                        "\"byte_fallback\": {\"vocab\": {\"zz\": 0}}",
                        ""),
                but(
                        "an unknown token of a list",
                        FAULT,
                        "\"unk_token\": null",
                        "\"unk_token\": [\"a\"]",
                        ""),
                but(
                        "an unknown token that is none",
                        TOKENIZER,
                        "\"unk_token\": null",
                        "\"unk_token\": \"zz\"",
                        "model.unk_token"),
                but("a type of a list", FAULT, "\"type\": \"BPE\"", "\"type\": [\"BPE\"]", "model"),
                but("Unigram", MALFORMED, "\"type\": \"BPE\"", "\"type\": \"Unigram\"", "model"),
                but("dropout", MALFORMED, "\"dropout\": null", "\"dropout\": 0.1", "dropout"),
                but(
                        "dropout of a list",
                        FAULT,
                        "\"dropout\": null",
                        "\"dropout\": [[]]",
                        "dropout"));
    }

    private static Stream<HostileCase> merges() {
        String merge = "[\"t\",\"h\"]";
        return Stream.of(
                but(
                        "merges of an object",
                        FAULT,
                        "\"merges\": [",
                        "\"merges\": {}, \"x\": [",
                        "merges"),
                but("a merge of one", TOKENIZER, merge, "[\"t\"]", "a merge's right"),
                but("a merge of three", TOKENIZER, merge, "[\"t\",\"h\",\"e\"]", "merge's end"),
                but("a merge of numbers", FAULT, merge, "[1,2]", "a merge's left"),
                but("a merge null", FAULT, merge, "null", "a merge"),
                but("a merge without a space", TOKENIZER, merge, "\"th\"", "merge 0"),
                but("a merge of nothing", TOKENIZER, merge, "\"\"", "merge 0"),
                but("a merge of spaces", TOKENIZER, merge, "\"   \"", "merge 0"),
                but("a merge of strangers", TOKENIZER, merge, "[\"z\",\"z\"]", "merge 0"),
                but("a merge to a stranger", TOKENIZER, merge, "[\"h\",\"t\"]", "merge 0"),
                but(
                        "a merge of 1 MB",
                        EXPANSION,
                        merge,
                        "\"" + "t".repeat(1 << 19) + " " + "t".repeat(1 << 19) + "\"",
                        "merge 0"),
                but(
                        "100,000 merges of strangers",
                        EXPANSION,
                        merge,
                        "\"z z\",".repeat(100_000) + merge,
                        "merge 0"));
    }

    private static Stream<HostileCase> parts() {
        String decoder = "\"decoder\": {\"type\": \"ByteLevel\"}";
        return Stream.of(
                but("no decoder", FAULT, decoder, "\"decoder\": null", "decoder"),
                but("a decoder of no type", FAULT, decoder, "\"decoder\": {}", "decoder"),
                but(
                        "decoders that are no list",
                        FAULT,
                        decoder,
                        "\"decoder\": {\"type\": \"Sequence\", \"decoders\": 1}",
                        "pre_tokenizer"),
                but(
                        "decoders that are numbers",
                        FAULT,
                        decoder,
                        "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [1,2,3]}",
                        "pre_tokenizer"),
                but(
                        "a normalizer",
                        MALFORMED,
                        "\"normalizer\": null",
                        "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"\"}",
                        "normalizer"),
                but(
                        "a normalizer of 10,000 steps",
                        EXPANSION,
                        "\"normalizer\": null",
                        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["
                                + "{\"type\":\"NFKD\"},{\"type\":\"NFC\"},".repeat(5_000)
                                + "{\"type\":\"NFC\"}]}",
                        "normalizer"),
                but(
                        "an expression that backtracks",
                        TOKENIZER,
                        DIGITS,
                        "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a+)+$\"}, \"behavior\": \"Isolated\"}",
                        "pre_tokenizer Split"),
                but("a step that is a number", FAULT, DIGITS, "7", "pre_tokenizer"),
                but(
                        "10,000 steps",
                        EXPANSION,
                        DIGITS,
                        (DIGITS + ",").repeat(10_000) + DIGITS,
                        "steps"),
                but(
                        "a post-processor that names a stranger",
                        TOKENIZER,
                        "{\"SpecialToken\": {\"id\": \"<|bos|>\"",
                        "{\"SpecialToken\": {\"id\": \"<|zz|>\"",
                        "post_processor"),
                but(
                        "a post-processor of text",
                        FAULT,
                        "\"post_processor\": {",
                        "\"post_processor\": \"x\", \"x\": {",
                        "post_processor"),
                but(
                        "200,000 pieces in a post-processor",
                        EXPANSION,
                        "{\"SpecialToken\": {\"id\": \"<|bos|>\", \"type_id\": 0}}",
                        "{\"SpecialToken\":{\"id\":\"<|bos|>\"}},".repeat(200_000) + "{}",
                        "several tokens at one end"));
    }

    private static Stream<HostileCase> configurations() {
        String name = "tokenizer_config.json";
        String[] many =
                IntStream.range(0, 60_000).mapToObj("\"x%d\""::formatted).toArray(String[]::new);
        String vocabulary =
                IntStream.range(0, 60_000)
                        .mapToObj(i -> "\"y%d\":%d".formatted(i, i))
                        .collect(Collectors.joining(",", "{", "}"));
        Map<String, byte[]> slow = new LinkedHashMap<>(TinyModel.vocabulary());
        slow.put(TinyModel.VOCABULARY, vocabulary.getBytes(StandardCharsets.UTF_8));
        slow.put(TinyModel.MERGES, "no merge".getBytes(StandardCharsets.UTF_8));
        slow.put(
                TinyModel.TOKENIZER_CONFIG,
                ("{\"tokenizer_class\":\"GPT2Tokenizer\",\"additional_special_tokens\":["
                                + String.join(",", many)
                                + "]}")
                        .getBytes(StandardCharsets.UTF_8));
        Map<String, byte[]> sparse = new LinkedHashMap<>(TinyModel.sentencePiece());
        sparse.put(
                TinyModel.TOKENIZER_CONFIG,
                "{\"added_tokens_decoder\":{\"4194303\":{\"content\":\"zz\"}}}"
                        .getBytes(StandardCharsets.UTF_8));
        return Stream.of(
                config("empty", MALFORMED, "", "JSON"),
                config("an array", FAULT, "[]", name),
                config("unclosed", MALFORMED, "{\"bos_token\":", name),
                config("100,000 deep", EXPANSION, "{\"x\":" + "[".repeat(100_000), name),
                config("rest", MALFORMED, "{}}", name),
                config("a begin that is none", TOKENIZER, "{\"bos_token\":\"zz\"}", "bos_token"),
                config("an end that is none", TOKENIZER, "{\"eos_token\":\"zz\"}", "eos_token"),
                config(
                        "an added id of text",
                        FAULT,
                        "{\"added_tokens_decoder\":{\"one\":{\"content\":\"x\"}}}",
                        "no number"),
                config(
                        "an added id of ten digits",
                        TOKENIZER,
                        "{\"added_tokens_decoder\":{\"9999999999\":{\"content\":\"x\"}}}",
                        "no number"),
                config(
                        "an added token of text",
                        FAULT,
                        "{\"added_tokens_decoder\":{\"1\":\"x\"}}",
                        "lacks its content"),
                new HostileCase(
                        Format.TOKENIZER_JSON,
                        "configuration, 60,000 special tokens, none of 60,000 tokens",
                        EXPANSION,
                        TinyModel.with(slow),
                        "",
                        "merge 0"),
                new HostileCase(
                        Format.TOKENIZER_JSON,
                        "configuration, an added id of 4,194,303 beside 13",
                        EXPANSION,
                        TinyModel.with(sparse),
                        "",
                        "4194303"));
    }
}
