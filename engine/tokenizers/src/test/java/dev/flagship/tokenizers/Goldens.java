package dev.flagship.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;

/** Reads the committed goldens, and compares a tokenizer with them. */
final class Goldens {
    private static final String FURTHER = "further.golden.json.gz";

    private Goldens() {}

    static InputStream open(String name) throws IOException {
        InputStream in = Goldens.class.getResourceAsStream(name);
        return new GZIPInputStream(Objects.requireNonNull(in, name));
    }

    static TemplateValue json(InputStream in) throws IOException {
        try (in) {
            return TemplateValue.parseJson(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
    }

    static List<String> strings(TemplateValue list) {
        List<String> strings = new ArrayList<>();
        for (TemplateValue item : ((TemplateValue.Items) list).values()) {
            strings.add(((TemplateValue.Text) item).string());
        }
        return strings;
    }

    static int[] ids(TemplateValue list) {
        return ((TemplateValue.Items) list)
                .values().stream().mapToInt(id -> (int) ((TemplateValue.Int) id).value()).toArray();
    }

    static TemplateValue field(TemplateValue object, String name) {
        TemplateValue value = ((TemplateValue.Mapping) object).entries().get(name);
        return Objects.requireNonNull(value, name);
    }

    static TemplateValue item(TemplateValue list, int index) {
        return ((TemplateValue.Items) list).values().get(index);
    }

    /** Every string's ids in both ways of encoding. */
    static void checkIds(Tokenizer tokenizer, List<String> texts, TemplateValue golden) {
        TemplateValue.Mapping parsed = (TemplateValue.Mapping) field(golden, "parsed");
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            String key = Integer.toString(i);
            int[] plain = ids(item(field(golden, "plain"), i));
            assertThat(tokenizer.encode(text, ControlTokens.AS_TEXT))
                    .as("text %s: %s", i, text)
                    .isEqualTo(plain);
            int[] special = parsed.entries().containsKey(key) ? ids(field(parsed, key)) : plain;
            assertThat(tokenizer.encode(text, ControlTokens.PARSE))
                    .as("parsed text %s: %s", i, text)
                    .isEqualTo(special);
        }
    }

    /**
     * Every string's ids in both ways of encoding, its decoding, and the decodings of random ids.
     */
    static void check(Tokenizer tokenizer, List<String> texts, TemplateValue golden) {
        checkIds(tokenizer, texts, golden);
        TemplateValue.Mapping decoded = (TemplateValue.Mapping) field(golden, "decoded");
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            String key = Integer.toString(i);
            int[] plain = ids(item(field(golden, "plain"), i));
            String back =
                    decoded.entries().containsKey(key) ? field(decoded, key).toString() : text;
            assertThat(tokenizer.decode(plain)).as("decoded text %s", i).isEqualTo(back);
            assertThat(streamed(tokenizer, plain))
                    .as("streamed text %s", i)
                    .isEqualTo(tokenizer.decodeSkippingControl(plain));
        }
        TemplateValue.Items sequences = (TemplateValue.Items) field(golden, "sequences");
        for (int i = 0; i < sequences.values().size(); i++) {
            int[] ids = ids(item(sequences, i));
            assertThat(tokenizer.decode(ids))
                    .as("sequence %s", i)
                    .isEqualTo(item(field(golden, "decodings"), i).toString());
            String skipping = item(field(golden, "skipping"), i).toString();
            assertThat(tokenizer.decodeSkippingControl(ids))
                    .as("sequence %s", i)
                    .isEqualTo(skipping);
            assertThat(streamed(tokenizer, ids)).as("streamed sequence %s", i).isEqualTo(skipping);
        }
    }

    /** What the goldens of the further texts say of a kind. */
    static TemplateValue further(String kind, String field) throws IOException {
        return field(field(field(json(open(FURTHER)), "kinds"), kind), field);
    }

    /**
     * 10,000 further texts' ids in both ways of encoding, and their decodings where the reference
     * decodes, against checksums (tools/golden/tokenizer/further.py, which prints the reference's
     * ids of one text).
     */
    static void checkFurther(Tokenizer tokenizer, String kind) throws IOException {
        TemplateValue file = json(open(FURTHER));
        List<String> texts = strings(field(file, "texts"));
        assertThat(texts).hasSize(10_000);
        checkSums(tokenizer, kind, texts, field(field(file, "kinds"), kind));
    }

    /** Ids in both ways of encoding, and decodings where the golden has them, by checksums. */
    static void checkSums(
            Tokenizer tokenizer, String kind, List<String> texts, TemplateValue golden) {
        ByteBuffer plain =
                ByteBuffer.wrap(Base64.getDecoder().decode(field(golden, "plain").toString()))
                        .order(ByteOrder.LITTLE_ENDIAN);
        Map<String, TemplateValue> parsed =
                ((TemplateValue.Mapping) field(golden, "parsed")).entries();
        assertThat(parsed.size()).isGreaterThan(200);
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.get(i);
            String key = Integer.toString(i);
            int[] ids = tokenizer.encode(text, ControlTokens.AS_TEXT);
            int[] special = tokenizer.encode(text, ControlTokens.PARSE);
            long expected = Integer.toUnsignedLong(plain.getInt());
            assertSum(kind, "ids", i, text, Arrays.toString(ids), checksum(ids), expected);
            long withControl =
                    parsed.get(key) instanceof TemplateValue.Int sum ? sum.value() : expected;
            assertSum(
                    kind,
                    "parsed ids",
                    i,
                    text,
                    Arrays.toString(special),
                    checksum(special),
                    withControl);
            if (((TemplateValue.Mapping) golden).entries().get("decoded")
                    instanceof TemplateValue.Mapping decoded) {
                String back = tokenizer.decode(ids);
                if (decoded.entries().get(key) instanceof TemplateValue.Int sum) {
                    byte[] utf8 = back.getBytes(StandardCharsets.UTF_8);
                    assertSum(kind, "decoding", i, text, back, checksum(utf8), sum.value());
                } else {
                    assertThat(back).as("%s: decoding of text %s", kind, i).isEqualTo(text);
                }
            }
        }
    }

    private static void assertSum(
            String kind, String what, int i, String text, String found, long sum, long expected) {
        assertThat(sum)
                .as("%s: %s of text %s: %s are %s", kind, what, i, text, found)
                .isEqualTo(expected);
    }

    private static long checksum(int[] ids) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids);
        return checksum(bytes.array());
    }

    private static long checksum(byte[] bytes) {
        CRC32 sum = new CRC32();
        sum.update(bytes);
        return sum.getValue();
    }

    static String streamed(Tokenizer tokenizer, int[] ids) {
        StreamingDecoder decoder = tokenizer.streaming();
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.accept(id));
        }
        return text.append(decoder.finish()).toString();
    }
}
