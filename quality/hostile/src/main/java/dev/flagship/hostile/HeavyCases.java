package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Much of what a format allows: no lie in them, so that they may be read, if at a fair price. */
final class HeavyCases {
    /** Just below the limit of a template's words and signs. */
    private static final int MOST_WORDS = 23_900;

    private HeavyCases() {}

    static Stream<HostileCase> all() {
        return Stream.concat(templates(), vocabularies());
    }

    private static HostileCase of(Format format, String what, Map<String, byte[]> changed) {
        return new HostileCase(format, what, EXPANSION, TinyModel.with(changed), "", "");
    }

    private static HostileCase template(
            String what, String begin, String unit, int words, String end) {
        String source = begin + unit.repeat(MOST_WORDS / words) + end;
        byte[] bytes = source.getBytes(StandardCharsets.UTF_8);
        return of(Format.TEMPLATE, what, Map.of(TinyModel.TEMPLATE, bytes));
    }

    private static Stream<HostileCase> templates() {
        return Stream.of(
                template("a sum of 12,000", "{{ ", "1+", 2, "1 }}"),
                template("12,000 names joined", "{{ ", "a~", 2, "1 }}"),
                template("12,000 choices", "{{ ", "a or ", 2, "1 }}"),
                template("12,000 comparisons", "{{ ", "1<", 2, "1 }}"),
                template("a list of 12,000", "{{ [", "1,", 2, "1] }}"),
                template("a map of 6,000", "{{ {", "1:1,", 4, "1:1} }}"),
                template("12,000 powers", "{{ ", "9**", 2, "1 }}"),
                template("8,000 outputs", "", "{{a}}", 3, "1"),
                template("4,000 assignments", "", "{%set a=1%}", 6, "1"));
    }

    private static Map<String, byte[]> addedTokens(int count, int length, String options) {
        StringBuilder added = new StringBuilder("\"added_tokens\": [");
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < count; i++) {
            added.append("{\"id\":").append(30 + i).append(",\"content\":\"");
            if (length == 1) {
                added.append((char) (0xD7FF - i));
            }
            for (int k = 1; k < length; k++) {
                added.append((char) ('a' + random.nextInt(26)));
            }
            added.append('"').append(options).append("},");
        }
        return changed("\"added_tokens\": [", added.toString());
    }

    private static Map<String, byte[]> changed(String from, String to) {
        Map<String, byte[]> files = new LinkedHashMap<>(TinyModel.tokenizerJson());
        String good = new String(files.get(TinyModel.TOKENIZER), StandardCharsets.UTF_8);
        files.put(TinyModel.TOKENIZER, good.replace(from, to).getBytes(StandardCharsets.UTF_8));
        return files;
    }

    private static Map<String, byte[]> ignored(String unit, int count) {
        return changed("\"truncation\": null", "\"truncation\": [" + unit.repeat(count) + "0]");
    }

    private static Map<String, byte[]> postProcessors(String unit, int count) {
        return changed(
                "\"post_processor\": {",
                "\"post_processor\": [" + unit.repeat(count) + "0], \"x\": {");
    }

    private static Map<String, byte[]> pieces(int count) {
        LittleEndian model = new LittleEndian();
        for (int i = 0; i < count; i++) {
            model.raw(TinyModel.piece((char) (0x4E00 + i % 20_000) + "x".repeat(i / 20_000), 0, 1));
        }
        return Map.of(
                TinyModel.TOKENIZER_MODEL, model.raw(0x12, 2, 0x18, 2, 0x1A, 2, 0x20, 0).bytes());
    }

    private static Map<String, byte[]> ranks(int count) {
        StringBuilder ranks = new StringBuilder();
        for (int rank = 0; rank < count; rank++) {
            byte[] token =
                    rank < 256
                            ? new byte[] {(byte) rank}
                            : new byte[] {(byte) (rank >> 8), (byte) rank};
            ranks.append(Base64.getEncoder().encodeToString(token))
                    .append(' ')
                    .append(rank)
                    .append('\n');
        }
        return Map.of(
                TinyModel.TOKENIZER_MODEL, ranks.toString().getBytes(StandardCharsets.US_ASCII));
    }

    private static Stream<HostileCase> vocabularies() {
        Format json = Format.TOKENIZER_JSON;
        return Stream.of(
                of(json, "40,000 added tokens of a letter", addedTokens(40_000, 1, "")),
                of(
                        json,
                        "40,000 added tokens of a letter with spaces",
                        addedTokens(40_000, 1, ",\"lstrip\":true,\"normalized\":true")),
                of(json, "4,000 added tokens of 250 letters", addedTokens(4_000, 250, "")),
                of(json, "400,000 objects that nobody reads", ignored("{\"\":0},", 400_000)),
                of(json, "400,000 objects of one", postProcessors("{\"\":0},", 400_000)),
                of(json, "900,000 empty objects", postProcessors("{},", 900_000)),
                of(json, "400,000 lists of lists", postProcessors("[[]],", 400_000)),
                of(Format.SENTENCE_PIECE, "30,000 pieces", pieces(30_000)),
                of(Format.TIKTOKEN, "40,000 ranks", ranks(40_000)));
    }
}
