package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Much of what a format allows: no lie in them, so that they may be read, if at a fair price. */
final class HeavyCases {
    /** Just below the limit of a template's words and signs. */
    private static final int MOST_WORDS = 23_900;

    private HeavyCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(templates(), texts(), vocabularies(), descriptions(), containers())
                .flatMap(group -> group);
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

    /** A text in which trusted and untrusted characters take turns, and what is done with it. */
    private static HostileCase marked(String what, String then) {
        return template(
                what,
                "{%- set ns = namespace(x='') %}{%- set r = messages[1].role %}"
                        + "{%- for i in range(1500) %}{%- set ns.x = ns.x + '|' + r %}{%- endfor %}",
                "",
                1,
                then);
    }

    private static Stream<HostileCase> templates() {
        return Stream.of(
                template(
                        "marks in a sum of 5,000",
                        "{%- set r = messages[1].role %}{{ ",
                        "'|'+r+",
                        4,
                        "'' }}"),
                template(
                        "marks in sums of sums",
                        "{%- set ns = namespace(x='') %}{%- set r = messages[1].role %}",
                        "{%-set ns.x=ns.x+'|'+r%}",
                        13,
                        "{{ ns.x }}"),
                marked("marks in sums of a loop", "{{ ns.x }}"),
                marked("marks cut apart", "{{ ns.x.split('|')|length }}"),
                marked("marks replaced by marks", "{{ ns.x|replace('|', ns.x[:8]) }}"),
                marked("marks cut character by character", "{{ ns.x|list|length }}"),
                marked(
                        "marks repeated",
                        "{% for i in range(9000) %}{% set y = ns.x * 2 %}{% endfor %}"),
                marked(
                        "marks turned round",
                        "{% for i in range(9000) %}{% set y = ns.x[::-1] %}{% endfor %}"),
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

    /**
     * Added tokens that a normalizer makes anew.
     *
     * @param first of so many characters that stand one behind the other in Unicode
     */
    private static Map<String, byte[]> normalized(
            int count, int first, int characters, String... steps) {
        SplittableRandom random = new SplittableRandom(2);
        StringBuilder json = new StringBuilder("\"added_tokens\": [");
        for (int i = 0; i < count; i++) {
            json.append("{\"id\":").append(30 + i).append(",\"content\":\"");
            for (int k = 0; k < 250; k++) {
                json.append((char) (first + random.nextInt(characters)));
            }
            json.append("\",\"normalized\":true},");
        }
        return TinyModel.tokenizerJson(
                Map.of(
                        "\"normalizer\": null",
                        TinyModel.normalizer(steps),
                        "\"added_tokens\": [",
                        json.toString()));
    }

    private static Map<String, byte[]> changed(String from, String to) {
        return TinyModel.tokenizerJson(Map.of(from, to));
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
                of(
                        json,
                        "4,000 added tokens of 250 capitals to be lowered",
                        normalized(4_000, 'A', 26, "Lowercase")),
                of(
                        json,
                        "2,000 added tokens of 250 syllables in all forms, back and forth",
                        normalized(2_000, 0xAC00, 11_172, "NFKD", "NFC", "NFD", "NFKC")),
                of(
                        json,
                        "2,000 added tokens of 250 letters with two accents, back and forth",
                        normalized(2_000, 0x1D5, 8, "NFKD", "NFC", "NFD", "NFKC")),
                of(json, "400,000 objects that nobody reads", ignored("{\"\":0},", 400_000)),
                of(json, "400,000 objects of one", postProcessors("{\"\":0},", 400_000)),
                of(json, "900,000 empty objects", postProcessors("{},", 900_000)),
                of(json, "400,000 lists of lists", postProcessors("[[]],", 400_000)),
                of(Format.SENTENCE_PIECE, "30,000 pieces", pieces(30_000)),
                of(Format.TIKTOKEN, "40,000 ranks", ranks(40_000)));
    }

    /** Templates that make as much text as their steps allow. */
    private static Stream<HostileCase> texts() {
        String x = "{% set x = 'x' * 16000 %}";
        return Stream.of(
                source(
                        "a text that grows by 100 in each of 5,000 turns",
                        "{% set n = namespace(s='') %}{% for i in range(5000) %}"
                                + "{% if n.s | length > 16000 %}{% set n.s = '' %}{% endif %}"
                                + "{% set n.s = n.s ~ 'y' * 100 %}{% endfor %}"),
                source(
                        "1,500 texts of 16,000 in capitals",
                        x + "{% for i in range(1500) %}{% set y = x | upper %}{% endfor %}"),
                source(
                        "1,500 texts of 16,000 put together",
                        x + "{% for i in range(1500) %}{% set y = x ~ '' %}{% endfor %}"),
                source(
                        "700 texts of 16,000 with other letters",
                        x
                                + "{% for i in range(700) %}{% set y = x.replace('x', 'y') %}{% endfor %}"),
                source(
                        "700 lists of 16,000 letters",
                        x + "{% for i in range(700) %}{% set y = x | list %}{% endfor %}"),
                source(
                        "700 texts of 16,000 as JSON",
                        x + "{% for i in range(700) %}{% set y = x | tojson %}{% endfor %}"),
                source(
                        "30,000 lists of ten",
                        "{% for i in range(30000) %}{% set y = [1,2,3,4,5,6,7,8,9,0] %}{% endfor %}"));
    }

    private static HostileCase source(String what, String source) {
        byte[] bytes = source.getBytes(StandardCharsets.UTF_8);
        return of(Format.TEMPLATE, what, Map.of(TinyModel.TEMPLATE, bytes));
    }

    private static Stream<HostileCase> descriptions() {
        Format format = Format.DESCRIPTION;
        return Stream.of(
                of(format, "400,000 settings that nobody reads", field("\"x\": [", "0,", 400_000)),
                of(format, "100,000 settings", numbered(100_000)),
                of(format, "a million brackets", field("\"x\": [", "[],", 400_000)),
                of(
                        format,
                        "100,000 tokens that end an answer",
                        Map.of(
                                TinyModel.GENERATION,
                                ("{\"eos_token_id\": [" + "1,".repeat(100_000) + "1]}")
                                        .getBytes(StandardCharsets.UTF_8))),
                of(
                        format,
                        "a front matter of 30,000 lines",
                        Map.of(
                                TinyModel.README,
                                ("---\n" + "a\n".repeat(30_000) + "---\n")
                                        .getBytes(StandardCharsets.UTF_8))),
                of(
                        format,
                        "a front matter that does not end",
                        Map.of(
                                TinyModel.README,
                                ("---\nlicense: " + "x".repeat(1 << 20))
                                        .getBytes(StandardCharsets.UTF_8))));
    }

    private static Map<String, byte[]> field(String begin, String unit, int count) {
        String good =
                new String(TinyModel.huggingFace().get(TinyModel.CONFIG), StandardCharsets.UTF_8);
        String text =
                "{" + begin + unit.repeat(count) + "0]," + good.substring(good.indexOf('{') + 1);
        return Map.of(TinyModel.CONFIG, text.getBytes(StandardCharsets.UTF_8));
    }

    private static Map<String, byte[]> numbered(int count) {
        String good =
                new String(TinyModel.huggingFace().get(TinyModel.CONFIG), StandardCharsets.UTF_8);
        StringBuilder text = new StringBuilder("{");
        for (int i = 0; i < count; i++) {
            text.append('"').append(i).append("\":0,");
        }
        text.append(good, good.indexOf('{') + 1, good.length());
        return Map.of(TinyModel.CONFIG, text.toString().getBytes(StandardCharsets.UTF_8));
    }

    /** GGUF files with much in their headers, and no tensors: they are refused, at a fair price. */
    private static Stream<HostileCase> containers() {
        return Stream.of(
                gguf(
                        "60,000 pairs",
                        LittleEndian.gguf(3, 0, 60_000),
                        file -> {
                            for (int i = 0; i < 60_000; i++) {
                                file.pair("k" + i, LittleEndian.U8, v -> v.u8(1));
                            }
                        }),
                gguf(
                        "a list of 500,000 texts",
                        LittleEndian.gguf(3, 0, 1),
                        file ->
                                file.array(
                                        "a",
                                        LittleEndian.STRING,
                                        500_000,
                                        v -> {
                                            for (int i = 0; i < 500_000; i++) {
                                                v.string("");
                                            }
                                        })),
                gguf(
                        "a list of 4 million numbers",
                        LittleEndian.gguf(3, 0, 1),
                        file ->
                                file.array(
                                        "a",
                                        LittleEndian.U8,
                                        4_000_000,
                                        v -> v.raw(new byte[4_000_000]))),
                gguf(
                        "30,000 tensors",
                        LittleEndian.gguf(3, 30_000, 0),
                        file -> {
                            for (int i = 0; i < 30_000; i++) {
                                file.tensor("t" + i, 0, 32L * i, 8);
                            }
                            file.pad(32).data(32 * 30_000);
                        }));
    }

    private static HostileCase gguf(
            String what, LittleEndian file, Consumer<LittleEndian> content) {
        content.accept(file);
        return new HostileCase(
                Format.GGUF, what, EXPANSION, Map.of("heavy.gguf", file.bytes()), "heavy.gguf", "");
    }
}
