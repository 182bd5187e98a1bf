package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Safetensors files, and indexes of them, that lie. */
final class SafetensorsCases {
    private static final String GOOD =
            "\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}";

    private static final String INDEX = "model.safetensors.index.json";

    private SafetensorsCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(
                        in(ARITHMETIC, lengths()),
                        in(MALFORMED, texts()),
                        in(EXPANSION, crowds()),
                        in(ARITHMETIC, fields()),
                        in(ARITHMETIC, layouts()),
                        indexes().map(SafetensorsCases::sharded),
                        Stream.of(manyInAllShards()))
                .flatMap(group -> group);
    }

    private static Stream<HostileCase> in(CveClass covers, Stream<HostileFile> files) {
        return files.map(file -> file.alone(Format.SAFETENSORS, "hostile.safetensors", covers));
    }

    /**
     * What the folder's index says; the shards are {@code one.safetensors} with "a" and {@code
     * two.safetensors} with "b".
     *
     * @param covers null if it is merely broken
     */
    private record Index(String lie, String json, String place, @Nullable CveClass covers) {
        Index(String lie, String json, String place) {
            this(lie, json, place, null);
        }

        Index as(CveClass other) {
            return new Index(lie, json, place, other);
        }
    }

    /** The folder of an index. */
    private static HostileCase sharded(Index index) {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put("one.safetensors", LittleEndian.safetensors("{" + GOOD + "}", 16));
        files.put(
                "two.safetensors",
                LittleEndian.safetensors("{" + GOOD.replace("\"a\"", "\"b\"") + "}", 16));
        files.put("again.safetensors", LittleEndian.safetensors("{" + GOOD + "}", 16));
        files.put(
                "withheld.safetensors",
                LittleEndian.safetensors("{" + GOOD.replace("F32", "F64") + "}", 16));
        files.put("broken.safetensors", new byte[] {1});
        files.put(INDEX, index.json.getBytes(StandardCharsets.UTF_8));
        CveClass covers = index.covers == null ? MALFORMED : index.covers;
        return new HostileCase(
                Format.SAFETENSORS, "index, " + index.lie, covers, files, "", index.place);
    }

    private static HostileCase manyInAllShards() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (String shard : new String[] {"a", "b"}) {
            files.put(
                    shard + ".safetensors",
                    LittleEndian.safetensors("{" + empties(shard, 32_769) + "}", 0));
        }
        files.put(
                INDEX,
                "{\"weight_map\":{\"a0\":\"a.safetensors\",\"b0\":\"b.safetensors\"}}"
                        .getBytes(StandardCharsets.UTF_8));
        return new HostileCase(
                Format.SAFETENSORS,
                "65,538 tensors in all shards",
                EXPANSION,
                files,
                "",
                "b.safetensors: shard 2 of 2: 65538 tensors up to here, at most 65536");
    }

    private static HostileFile length(String lie, long length, String json) {
        return new HostileFile(
                lie, new LittleEndian().u64(length).text(json).bytes(), "header length");
    }

    private static Stream<HostileFile> lengths() {
        return Stream.of(
                new HostileFile("empty", new byte[0], "the file is empty"),
                new HostileFile("seven bytes", new byte[7], "first bytes"),
                new HostileFile("eight bytes", new byte[8], "first bytes"),
                new HostileFile(
                        "no brace", new LittleEndian().u64(2).text("[]").bytes(), "first bytes"),
                new HostileFile(
                        "byte order mark",
                        new LittleEndian().u64(5).raw(0xEF, 0xBB, 0xBF).text("{}").bytes(),
                        "first bytes"),
                length("length 0", 0, "{}"),
                length("length 1", 1, "{}"),
                length("length −1", -1, "{}"),
                length("length 2^63", Long.MIN_VALUE, "{}"),
                length("length 2^32 + 2", (1L << 32) + 2, "{}"),
                length("one byte beyond the file", 3, "{}").as(BEYOND_FILE),
                length("length 100,000,001", 100_000_001, "{}"));
    }

    private static HostileFile json(String lie, String json, String place) {
        return new HostileFile(lie, LittleEndian.safetensors(json, 16), place);
    }

    private static Stream<HostileFile> texts() {
        return Stream.of(
                new HostileFile(
                        "not UTF-8",
                        new LittleEndian().u64(4).text("{\"").raw(0xFF).text("}").bytes(),
                        "not UTF-8"),
                new HostileFile(
                        "overlong",
                        new LittleEndian().u64(5).text("{\"").raw(0xC1, 0x81).text("}").bytes(),
                        "not UTF-8"),
                json("not JSON", "{nonsense}", "header"),
                json("unclosed", "{" + GOOD, "header"),
                json("unclosed text", "{\"a", "header"),
                json("two objects", "{" + GOOD + "}{}", "header"),
                json("junk at the end", "{" + GOOD + "} x", "header"),
                json("comment", "{/**/" + GOOD + "}", "header"),
                json("comma at the end", "{" + GOOD + ",}", "header"),
                json("zero byte at the end", "{" + GOOD + "}\0", "header"),
                json("same name twice", "{" + GOOD + "," + GOOD + "}", "header").as(FAULT),
                json(
                        "same name twice, once escaped",
                        "{" + GOOD + "," + GOOD.replace("\"a\"", "\"\\u0061\"") + "}",
                        "header"),
                json(
                        "__metadata__ twice",
                        "{\"__metadata__\":{},\"__metadata__\":{}," + GOOD + "}",
                        "header"),
                json("empty name", "{" + GOOD.replace("\"a\"", "\"\"") + "}", "a name is empty"),
                json(
                        "half a character",
                        "{" + GOOD.replace("\"a\"", "\"x\\ud800\"") + "}",
                        "surrogate"),
                json(
                        "the other half of a character",
                        "{" + GOOD.replace("\"a\"", "\"x\\udc00\"") + "}",
                        "surrogate"),
                json("metadata no object", "{\"__metadata__\":[]," + GOOD + "}", "__metadata__")
                        .as(FAULT),
                json(
                        "metadata number",
                        "{\"__metadata__\":{\"k\":1}," + GOOD + "}",
                        "__metadata__"),
                json(
                        "metadata key twice",
                        "{\"__metadata__\":{\"k\":\"\",\"k\":\"\"}," + GOOD + "}",
                        "__metadata__"),
                json(
                                "metadata 100,000 deep",
                                "{\"__metadata__\":{\"k\":" + "[".repeat(100_000),
                                "__metadata__")
                        .as(EXPANSION),
                json(
                                "shape 100,000 deep",
                                "{\"a\":{\"shape\":" + "[".repeat(100_000),
                                "tensor \"a\"")
                        .as(EXPANSION),
                json("name of 1 MB", "{\"" + "n".repeat(1_000_000) + "\":1}", "header")
                        .as(EXPANSION));
    }

    private static String empties(String prefix, int count) {
        StringBuilder tensors = new StringBuilder();
        for (int i = 0; i < count; i++) {
            tensors.append(i == 0 ? "" : ",")
                    .append('"')
                    .append(prefix)
                    .append(i)
                    .append("\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}");
        }
        return tensors.toString();
    }

    private static Stream<HostileFile> crowds() {
        return Stream.of(
                json(
                                "65,537 tensors",
                                "{" + empties("t", 65_537) + "}",
                                "more than 65536 tensors, at most so many are allowed. Far more")
                        .as(EXPANSION),
                json(
                        "half a million strings of metadata",
                        IntStream.rangeClosed(0, 1 << 19)
                                .mapToObj("\"%d\":\"\""::formatted)
                                .collect(Collectors.joining(",", "{\"__metadata__\":{", "}}")),
                        "more than 524288 names and values"));
    }

    private static HostileFile field(String lie, String from, String to) {
        return json(lie, "{" + GOOD.replace(from, to) + "}", "tensor \"a\"");
    }

    private static Stream<HostileFile> fields() {
        return Stream.of(
                json("array for a tensor", "{\"a\":[]}", "tensor \"a\"").as(FAULT),
                json("null for a tensor", "{\"a\":null}", "tensor \"a\"").as(FAULT),
                json("nothing about a tensor", "{\"a\":{}}", "tensor \"a\"").as(FAULT),
                field("no dtype", "\"dtype\":\"F32\",", "").as(MALFORMED),
                field("no shape", "\"shape\":[4],", "").as(MALFORMED),
                field("no offsets", ",\"data_offsets\":[0,16]", "").as(MALFORMED),
                field("unknown field", "\"dtype\"", "\"stride\":[1],\"dtype\"").as(MALFORMED),
                field("dtype twice", "\"dtype\"", "\"dtype\":\"F16\",\"dtype\"").as(MALFORMED),
                field("dtype a number", "\"F32\"", "32").as(MALFORMED),
                field("dtype null", "\"F32\"", "null").as(FAULT),
                field("one offset", "[0,16]", "[16]"),
                field("three offsets", "[0,16]", "[0,8,16]"),
                field("negative offset", "[0,16]", "[-16,0]"),
                field("offset 2^63", "[0,16]", "[0,9223372036854775808]"),
                field("offset of text", "[0,16]", "[0,\"16\"]"),
                field("shape a number", "[4]", "4"),
                field("negative dimension", "[4]", "[-4]"),
                field("two negative dimensions", "[4]", "[-2,-2]"),
                field("fraction", "[4]", "[4.0]"),
                field("exponent", "[4]", "[4e0]"),
                field("NaN", "[4]", "[NaN]"),
                field("leading zero", "[4]", "[04]"),
                field("dimension of 10,000 digits", "[4]", "[" + "1".repeat(10_000) + "]"),
                field("dimension 2^64 + 4", "[4]", "[18446744073709551620]"),
                field("9 dimensions", "[4]", "[4,1,1,1,1,1,1,1,1]"),
                field("a million dimensions", "[4]", "[" + "1,".repeat(1_000_000) + "4]")
                        .as(EXPANSION));
    }

    private static String tensor(String name, String type, String shape, int begin, int end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, type, shape, begin, end);
    }

    private static HostileFile layout(String lie, String place, String... tensors) {
        return json(lie, "{" + String.join(",", tensors) + "}", place);
    }

    private static Stream<HostileFile> layouts() {
        String place = "tensor \"a\"";
        return Stream.of(
                layout("end before begin", place, tensor("a", "F32", "[4]", 16, 0)),
                layout("end beyond the file", place, tensor("a", "F32", "[5]", 0, 20))
                        .as(BEYOND_FILE),
                layout("fewer bytes than the shape", place, tensor("a", "F32", "[5]", 0, 16))
                        .as(BEYOND_FILE),
                layout("more bytes than the shape", place, tensor("a", "F16", "[4]", 0, 16)),
                layout(
                        "product 2^64 + 0",
                        place,
                        tensor("a", "F32", "[4294967296,4294967296]", 0, 16)),
                layout(
                        "product wraps to 4",
                        place,
                        tensor("a", "F32", "[4611686018427387905,4]", 0, 16)),
                layout("zero dimension with bytes", place, tensor("a", "F32", "[0,4]", 0, 16))
                        .as(FAULT),
                layout(
                                "overlap",
                                "tensor \"b\"",
                                tensor("a", "F32", "[3]", 0, 12),
                                tensor("b", "F32", "[2]", 8, 16))
                        .as(MALFORMED),
                layout(
                                "same place",
                                "overlaps",
                                tensor("a", "F32", "[4]", 0, 16),
                                tensor("b", "F32", "[4]", 0, 16))
                        .as(MALFORMED),
                layout(
                                "hole",
                                "tensor \"b\"",
                                tensor("a", "F32", "[1]", 0, 4),
                                tensor("b", "F32", "[2]", 8, 16))
                        .as(MALFORMED),
                layout("hole at the front", place, tensor("a", "F32", "[3]", 4, 16)).as(MALFORMED),
                layout("rest", "data section", tensor("a", "F32", "[3]", 0, 12)).as(MALFORMED),
                layout("no tensors but data", "data section"),
                layout("unread type beyond the file", place, tensor("a", "I64", "[4]", 0, 32))
                        .as(BEYOND_FILE),
                layout(
                                "unread type overlaps",
                                "overlaps",
                                tensor("a", "I64", "[2]", 0, 16),
                                tensor("b", "F32", "[2]", 8, 16))
                        .as(MALFORMED));
    }

    private static Index map(String lie, String place, Map<String, String> weights) {
        StringBuilder json = new StringBuilder("{\"weight_map\":{");
        weights.forEach((name, shard) ->
                json.append(json.charAt(json.length() - 1) == '{' ? "" : ",")
                        .append("\"%s\":\"%s\"".formatted(name, shard)));
        return new Index(lie, json.append("}}").toString(), place);
    }

    private static Stream<Index> indexes() {
        String place = "weight_map of tensor \"a\"";
        return Stream.of(
                new Index("empty", "", "index"),
                new Index("not JSON", "\nhello", "index: line 2, column 1: found \"hello\""),
                new Index("array", "[]", "index"),
                new Index("no map", "{\"metadata\":{\"total_size\":16}}", "weight_map is missing"),
                new Index("empty map", "{\"weight_map\":{}}", "weight_map is missing"),
                new Index("map no object", "{\"weight_map\":[]}", "weight_map"),
                new Index("shard a number", "{\"weight_map\":{\"a\":1}}", place),
                new Index(
                        "map twice",
                        "{\"weight_map\":{\"a\":\"one.safetensors\"},\"weight_map\":{}}",
                        "index"),
                new Index(
                        "name twice",
                        "{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"two.safetensors\"}}",
                        "weight_map"),
                new Index("100,000 deep", "{\"metadata\":" + "[".repeat(100_000), "index")
                        .as(EXPANSION),
                new Index(
                                "half a million values in an unread field",
                                "{\"metadata\":[" + "0,".repeat(1 << 19) + "0]}",
                                "more than 524288 names and values")
                        .as(EXPANSION),
                new Index(
                                "half a million unread fields",
                                IntStream.rangeClosed(0, 1 << 18)
                                        .mapToObj(i -> "\"%d\":0".formatted(i))
                                        .collect(Collectors.joining(",", "{", "}")),
                                "more than 524288 names and values")
                        .as(EXPANSION),
                new Index(
                        "65,537 tensors",
                        IntStream.rangeClosed(0, 65_536)
                                .mapToObj("\"t%d\":\"one.safetensors\""::formatted)
                                .collect(Collectors.joining(",", "{\"weight_map\":{", "}}")),
                        "more than 65536 tensors"),
                new Index("rest", "{\"weight_map\":{\"a\":\"one.safetensors\"}} 1", "index"),
                map("parent folder", place, Map.of("a", "../one.safetensors")).as(PATH),
                map("absolute", place, Map.of("a", "/etc/one.safetensors")).as(PATH),
                map("drive", place, Map.of("a", "C:one.safetensors")).as(PATH),
                map("back slash", place, Map.of("a", "..\\\\one.safetensors")).as(PATH),
                map("zero byte", place, Map.of("a", "one\\u0000.safetensors")).as(PATH),
                map("hidden", place, Map.of("a", ".one.safetensors")).as(PATH),
                map("another ending", place, Map.of("a", "pytorch_model.bin")).as(PATH),
                map("no name", place, Map.of("a", "")).as(PATH),
                map("missing shard", "shard three.safetensors", Map.of("a", "three.safetensors")),
                map(
                        "broken shard",
                        "broken.safetensors",
                        Map.of("a", "one.safetensors", "x", "broken.safetensors")),
                map(
                        "tensor in another shard",
                        "tensor \"b\"",
                        Map.of("a", "one.safetensors", "b", "one.safetensors")),
                map("tensor in no shard", "tensor \"c\"", Map.of("c", "two.safetensors")),
                map(
                        "tensor in two shards",
                        "tensor \"a\"",
                        Map.of("a", "one.safetensors", "x", "again.safetensors")),
                map(
                        "withheld in one shard, read in another",
                        "tensor \"a\"",
                        Map.of("a", "one.safetensors", "x", "withheld.safetensors")));
    }
}
