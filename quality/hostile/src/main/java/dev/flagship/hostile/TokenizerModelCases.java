package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** Vocabularies of SentencePiece, of Llama 3 and of GPT-2 that lie. */
final class TokenizerModelCases {
    private static final byte[] PIECE = {0x0A, 3, 0x0A, 1, 'a'};
    private static final byte[] BPE = {0x12, 2, 0x18, 2};
    private static final byte[] SPACES = {0x1A, 2, 0x20, 0};

    private TokenizerModelCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(pieces(), ranks(), pairs()).flatMap(group -> group);
    }

    private static HostileCase of(
            Format format,
            String lie,
            CveClass covers,
            Map<String, byte[]> vocabulary,
            String words) {
        return new HostileCase(format, lie, covers, TinyModel.with(vocabulary), "", words);
    }

    private static byte[] bytes(int... values) {
        return new LittleEndian().raw(values).bytes();
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private static HostileCase piece(String lie, CveClass covers, byte[] model, String words) {
        Map<String, byte[]> files = Map.of(TinyModel.TOKENIZER_MODEL, model);
        return of(Format.SENTENCE_PIECE, lie, covers, files, words);
    }

    /** A varint of 32 bits or less. */
    private static byte[] varint(int value) {
        LittleEndian out = new LittleEndian();
        int left = value;
        while (left >= 0x80) {
            out.u8(left | 0x80);
            left >>>= 7;
        }
        return out.u8(left).bytes();
    }

    private static byte[] longPiece(int length) {
        byte[] text = "a".repeat(length).getBytes(StandardCharsets.UTF_8);
        byte[] content = join(bytes(0x0A), varint(length), text);
        return join(bytes(0x0A), varint(content.length), content);
    }

    private static Stream<HostileCase> pieces() {
        String damaged = "it is damaged";
        byte[] long31 = bytes(0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x07);
        byte[] nested = new byte[200_000];
        for (int i = 0; i < nested.length; i++) {
            nested[i] = 0x0B; // a group begins
        }
        return Stream.of(
                piece("empty", MALFORMED, bytes(), "no pieces"),
                piece("a zero byte", MALFORMED, bytes(0), damaged),
                piece("no length", TOKENIZER, bytes(0x0A), damaged),
                piece("half a length", TOKENIZER, bytes(0x0A, 0x80), damaged),
                piece("2^31 − 1 bytes", TOKENIZER, long31, damaged),
                piece(
                        "−1 bytes",
                        TOKENIZER,
                        bytes(0x0A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
                        damaged),
                piece(
                        "a length of eleven bytes",
                        TOKENIZER,
                        bytes(0x0A, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1),
                        "more than ten bytes"),
                piece("200,000 groups", EXPANSION, nested, damaged),
                piece("no kind of field", FAULT, bytes(0x0E), damaged),
                piece("field 0", FAULT, bytes(0x02, 0), damaged),
                piece("a number cut short", TOKENIZER, bytes(0x09, 1, 2, 3), damaged),
                piece("an empty piece", TOKENIZER, bytes(0x0A, 2, 0x0A, 0), "piece 0 is empty"),
                piece("a piece not UTF-8", TOKENIZER, bytes(0x0A, 3, 0x0A, 1, 255), "not UTF-8"),
                piece(
                        "a piece beyond its message",
                        TOKENIZER,
                        bytes(0x0A, 3, 0x0A, 2, 'a'),
                        damaged),
                piece("a score cut short", TOKENIZER, bytes(0x0A, 2, 0x15, 0), damaged),
                piece("a score of another kind", FAULT, bytes(0x0A, 2, 0x10, 0), damaged),
                piece(
                        "a score that is no number",
                        FAULT,
                        join(bytes(0x0A, 8, 0x0A, 1, 'a', 0x15, 0, 0, 0xC0, 0x7F), BPE, SPACES),
                        "score of token 0"),
                piece(
                        "type 9",
                        FAULT,
                        join(bytes(0x0A, 5, 0x0A, 1, 'a', 0x18, 9), BPE, SPACES),
                        "type 9"),
                piece(
                        "type −1",
                        FAULT,
                        join(
                                bytes(
                                        0x0A, 14, 0x0A, 1, 'a', 0x18, 255, 255, 255, 255, 255, 255,
                                        255, 255, 255, 1),
                                BPE,
                                SPACES),
                        "type -1"),
                piece("a piece twice", TOKENIZER, join(PIECE, PIECE, BPE, SPACES), "both \"a\""),
                piece(
                        "a byte that is none",
                        TOKENIZER,
                        join(bytes(0x0A, 5, 0x0A, 1, 'a', 0x18, 6), BPE, SPACES),
                        "a byte's token"),
                piece("Unigram", MALFORMED, join(PIECE, SPACES), "Unigram"),
                piece("spaces collapse", MALFORMED, join(PIECE, BPE), "spaces are collapsed"),
                piece(
                        "texts are normalised",
                        MALFORMED,
                        join(PIECE, BPE, bytes(0x1A, 5, 0x20, 0, 0x12, 1, 'x')),
                        "normalised"),
                piece(
                        "pieces whose squares are 2^32",
                        EXPANSION,
                        join(longPiece(46_341), longPiece(46_342), longPiece(4), BPE, SPACES),
                        "too long"),
                piece("two halves of a merge bomb", EXPANSION, merges(3_000), ""));
    }

    /** Pieces a, aa, aaa …: each is made in as many ways as it is long. */
    private static byte[] merges(int count) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (int length = 1; length <= count; length++) {
            out.writeBytes(longPiece(length));
        }
        out.writeBytes(BPE);
        return out.toByteArray(); // collapses spaces, so that it is refused
    }

    private static HostileCase rank(String lie, CveClass covers, String lines, String words) {
        Map<String, byte[]> files =
                Map.of(TinyModel.TOKENIZER_MODEL, lines.getBytes(StandardCharsets.ISO_8859_1));
        return of(Format.TIKTOKEN, lie, covers, files, words);
    }

    private static Stream<HostileCase> ranks() {
        String good =
                new String(
                        TinyModel.tiktoken().get(TinyModel.TOKENIZER_MODEL),
                        StandardCharsets.ISO_8859_1);
        return Stream.of(
                rank("one rank", TOKENIZER, "IQ== 0\n", "no token for byte"),
                rank("no rank", TOKENIZER, "IQ==\n", "line 1 has rank"),
                rank("a rank of 1", TOKENIZER, "IQ== 1\n", "expected 0"),
                rank("a rank twice", TOKENIZER, "IQ== 0\nIg== 0\n", "expected 1"),
                rank("a rank of −1", TOKENIZER, "IQ== -1\n", "line 1 has rank"),
                rank("a rank of 2^64", TOKENIZER, "IQ== 18446744073709551616\n", "has rank"),
                rank("a rank with a letter", MALFORMED, "IQ== 0x\n", "line 1 has rank"),
                rank("no base64", MALFORMED, "I!== 0\n", "not base64"),
                rank("words", MALFORMED, "hello world\n", "line 1 has rank"),
                rank("a line without end", EXPANSION, "I".repeat(1 << 20), "has rank"),
                rank("a token twice", TOKENIZER, good + "IQ== 258\n", "both"),
                rank("a token of nothing", TOKENIZER, good + " 258\n", "has no bytes"),
                rank("a rank left out", TOKENIZER, good.replace(" 100\n", "\n"), "line 101"),
                rank(
                        "a token of 100,000 bytes",
                        EXPANSION,
                        good + TinyModel.rank(new byte[100_000], 258),
                        "too long"),
                rank("a web page", MALFORMED, "<!DOCTYPE html>\n<html>", "line 1 has rank"));
    }

    private static HostileCase pair(
            String lie, CveClass covers, String vocabulary, String merges, String words) {
        Map<String, byte[]> files = new LinkedHashMap<>(TinyModel.vocabulary());
        files.put(TinyModel.VOCABULARY, vocabulary.getBytes(StandardCharsets.UTF_8));
        files.put(TinyModel.MERGES, merges.getBytes(StandardCharsets.ISO_8859_1));
        return of(Format.VOCABULARY, lie, covers, files, words);
    }

    private static HostileCase added(String lie, CveClass covers, String added, String words) {
        Map<String, byte[]> files = new LinkedHashMap<>(TinyModel.vocabulary());
        files.put("added_tokens.json", added.getBytes(StandardCharsets.UTF_8));
        return of(Format.VOCABULARY, "added tokens, " + lie, covers, files, words);
    }

    private static Stream<HostileCase> pairs() {
        String name = "vocab.json";
        String one = "{\"a\":0}";
        return Stream.of(
                pair("empty", MALFORMED, "", "", name),
                pair("an array", FAULT, "[]", "", name),
                pair("unclosed", MALFORMED, "{\"a\":", "", name),
                pair("id −1", TOKENIZER, "{\"a\":-1}", "", "\"a\""),
                pair("id 4,194,304", TOKENIZER, "{\"a\":4194304}", "", "\"a\""),
                pair("id 4,194,303 alone", EXPANSION, "{\"a\":4194303}", "", "4194303"),
                pair("id 2^64", TOKENIZER, "{\"a\":18446744073709551616}", "", name),
                pair("id 1.5", TOKENIZER, "{\"a\":1.5}", "", "\"a\""),
                pair("id null", FAULT, "{\"a\":null}", "", "\"a\""),
                pair("id of a list", FAULT, "{\"a\":[0]}", "", "\"a\""),
                pair("an id twice", TOKENIZER, "{\"a\":0,\"b\":0}", "", "id 0 is both"),
                pair("a token twice", TOKENIZER, "{\"a\":0,\"a\":1}", "", "both"),
                pair("rest", MALFORMED, one + "}", "", name),
                pair("100,000 deep", EXPANSION, "{\"a\":" + "[".repeat(100_000), "", name),
                pair("a merge of a stranger", TOKENIZER, one, "a b", "merge 0"),
                pair("a merge of one", TOKENIZER, one, "a", "merge 0"),
                pair("two versions", TOKENIZER, one, "#version: 1\n#version: 2\n", "merge 0"),
                pair("merges not UTF-8", MALFORMED, one, "a\u00FF", "not UTF-8"),
                pair("a merge of 1 MB", EXPANSION, one, "a ".repeat(1 << 19), "merge 0"),
                added("a list", FAULT, "[]", "added_tokens.json"),
                added("unclosed", MALFORMED, "{", "added_tokens.json"),
                added("an id of text", FAULT, "{\"x\":\"1\"}", "no whole number"),
                added("an id of −1", TOKENIZER, "{\"x\":-1}", "id -1"),
                added("an id of 2^40", TOKENIZER, "{\"x\":1099511627776}", "no whole number"),
                added("an id of 4,194,303", EXPANSION, "{\"x\":4194303}", "4194303"),
                added("no text", FAULT, "{\"\":99}", "not empty"));
    }
}
