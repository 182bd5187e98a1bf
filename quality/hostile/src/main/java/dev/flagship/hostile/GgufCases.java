package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;
import static dev.flagship.hostile.LittleEndian.*;

import java.util.function.Consumer;
import java.util.stream.Stream;

/** GGUF files that lie about counts, lengths, types, places and vocabularies. */
final class GgufCases {
    private static final int ALIGNED = 32;

    private GgufCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(
                        in(MALFORMED, starts()),
                        in(ARITHMETIC, counts()),
                        in(ARITHMETIC, pairs()),
                        in(MALFORMED, keys()),
                        in(ARITHMETIC, values()),
                        in(ARITHMETIC, tensors()),
                        in(FAULT, layouts()))
                .flatMap(group -> group);
    }

    private static Stream<HostileCase> in(CveClass covers, Stream<HostileFile> files) {
        return files.map(file -> file.alone(Format.GGUF, "hostile.gguf", covers));
    }

    private static HostileFile of(String lie, LittleEndian bytes, String place) {
        return new HostileFile(lie, bytes.bytes(), place);
    }

    private static HostileFile text(String lie, String text, String place) {
        return of(lie, new LittleEndian().text(text), place);
    }

    private static Stream<HostileFile> starts() {
        return Stream.of(
                text("empty", "", "the file is empty"),
                text("half a magic", "GGU", "first bytes"),
                text("another magic", "XXXXXXXXXXXXXXXX", "first bytes"),
                text("LFS pointer", "version https://git-lfs.github.com/spec/v1\noid", "Git LFS"),
                text("web page", "\n<!DOCTYPE html><html>", "web page"),
                text("zip", "PK\3\4.................", "zip directory"),
                of("pickle", new LittleEndian().raw(0x80, 2).data(60), "a pickle"),
                text("old GGML", "tjgg............", "before GGUF"),
                text("forged log line", "A\n2026 INFO fine", "\"A\\u000a2026"),
                text("magic only", "GGUF", "version"),
                of("version 0", gguf(0, 0, 0), "version"),
                of("version 1", gguf(1, 0, 0), "GGUF version 1"),
                of("version 4", gguf(4, 0, 0), "GGUF version 4"),
                of("version −1", gguf(-1, 0, 0), "GGUF version 4294967295"),
                of("big-endian", gguf(Integer.reverseBytes(3), 0, 0), "big-endian"));
    }

    private static Stream<HostileFile> counts() {
        return Stream.of(
                of("2^63 − 1 tensors", gguf(3, Long.MAX_VALUE, 0), "tensor count"),
                of("−1 tensors", gguf(3, -1, 0), "tensor count"),
                of(
                        "no pair count",
                        new LittleEndian().text("GGUF").u32(3).u64(0),
                        "metadata count"),
                of("tensors beyond the file", gguf(3, 2, 0).data(32), "tensor count"),
                of(
                                "65,537 tensors, and bytes enough",
                                gguf(3, 65_537, 0).raw(new byte[65_537 * 40]),
                                "65537 tensors, at most 65536 are allowed. Far more than any known model")
                        .as(EXPANSION),
                of(
                                "65,537 pairs, and bytes enough",
                                gguf(3, 0, 65_537).raw(new byte[65_537 * 20]),
                                "65537 metadata pairs, at most 65536 are allowed")
                        .as(EXPANSION),
                of("2^62 pairs", gguf(3, 0, 1L << 62), "metadata count"),
                of("−1 pairs", gguf(3, 0, -1), "metadata count"));
    }

    private static Stream<HostileFile> pairs() {
        return Stream.of(
                of(
                        "a missing pair",
                        gguf(3, 0, 2).pair("a", STRING, v -> v.string("0123456789")),
                        "after \"a\""),
                of("key length −1", gguf(3, 0, 1).u64(-1).data(32), "metadata key after"),
                of("key length 2^31", gguf(3, 0, 1).u64(1L << 31).data(32), "metadata key after"),
                of("key beyond the file", gguf(3, 0, 1).u64(33).data(32), "33 bytes of text"),
                of("empty key", gguf(3, 0, 1).pair("", U64, v -> v.u64(1)), "the key is empty"),
                of(
                        "key of 65,536 bytes",
                        gguf(3, 0, 1).pair("k".repeat(65_536), U8, v -> v.u8(1)),
                        "65536"),
                of("keys of 5 MB together", longKeys(80), "bytes, at most 4194304 are allowed")
                        .as(EXPANSION));
    }

    private static Stream<HostileFile> keys() {
        return Stream.of(
                of("key not UTF-8", gguf(3, 0, 1).u64(2).raw(0xC3, 0x28).data(32), "not UTF-8"),
                of("overlong key", gguf(3, 0, 1).u64(2).raw(0xC0, 0x80).data(32), "not UTF-8"),
                of(
                        "surrogate in key",
                        gguf(3, 0, 1).u64(3).raw(0xED, 0xA0, 0x80).data(32),
                        "not UTF-8"),
                of(
                        "key beyond Unicode",
                        gguf(3, 0, 1).u64(4).raw(0xF4, 0x90, 0x80, 0x80).data(32),
                        "not UTF-8"),
                of(
                                "same key twice",
                                gguf(3, 0, 2)
                                        .pair("k", U8, v -> v.u8(1))
                                        .pair("k", U64, v -> v.u64(2)),
                                "metadata key \"k\"")
                        .as(FAULT),
                of("value type 13", gguf(3, 0, 1).pair("k", 13, v -> v.u64(1)), "value type 13")
                        .as(FAULT),
                of(
                                "value type −1",
                                gguf(3, 0, 1).pair("k", -1, v -> v.u64(1)),
                                "value type 4294967295")
                        .as(FAULT),
                of(
                        "half a number",
                        gguf(3, 0, 1).pair("k", U64, v -> v.u32(1)),
                        "metadata key \"k\""));
    }

    private static LittleEndian longKeys(int count) {
        LittleEndian file = gguf(3, 0, count);
        for (int i = 0; i < count; i++) {
            file.pair("k".repeat(65_000) + i, U8, v -> v.u8(1));
        }
        return file;
    }

    private static HostileFile value(
            String lie, int type, Consumer<LittleEndian> value, String problem) {
        return of(lie, gguf(3, 0, 1).pair("k", type, value), problem);
    }

    private static HostileFile array(
            String lie, int type, long count, Consumer<LittleEndian> elements, String problem) {
        return of(lie, gguf(3, 0, 1).array("k", type, count, elements), problem);
    }

    private static void nest(LittleEndian bytes, int depth) {
        for (int i = 0; i < depth; i++) {
            bytes.u32(ARRAY).u64(1);
        }
        bytes.u32(U8).u64(0);
    }

    private static Stream<HostileFile> values() {
        String place = "metadata key \"k\"";
        return Stream.of(
                value("string beyond the file", STRING, v -> v.u64(5).data(4), place),
                value("string of 2^63 bytes", STRING, v -> v.u64(Long.MIN_VALUE).data(4), place),
                value(
                        "string of 2^32 + 1 bytes",
                        STRING,
                        v -> v.u64((1L << 32) + 1).data(4),
                        place),
                value("string not UTF-8", STRING, v -> v.u64(1).u8(0xFF), "not UTF-8")
                        .as(MALFORMED),
                value("boolean 2", BOOL, v -> v.u8(2), "a boolean of value 2").as(FAULT),
                value("u64 beyond long", U64, v -> v.u64(-1), "18446744073709551615"),
                array("elements of type 13", 13, 0, v -> {}, "value type 13").as(FAULT),
                array("elements of type −2", -2, 0, v -> {}, "value type 4294967294").as(FAULT),
                array("2^62 bytes", U8, 1L << 62, v -> v.data(16), "4611686018427387904"),
                array("2^61 u64s, whose size wraps to 0", U64, 1L << 61, v -> v.data(16), place),
                array("−1 elements", U32, -1, v -> v.data(16), place),
                array("2^32 + 1 elements", U8, (1L << 32) + 1, v -> v.data(16), place),
                array("3 strings in 16 bytes", STRING, 3, v -> v.data(16), place),
                array(
                        "second string beyond the file",
                        STRING,
                        2,
                        v -> v.string("a").u64(9).data(8),
                        place),
                array(
                        "second string of length −1",
                        STRING,
                        2,
                        v -> v.string("a").u64(-1).data(8),
                        place),
                array(
                        "third string without a length",
                        STRING,
                        3,
                        v -> v.string("abcdefgh").string("a").data(7),
                        place),
                array(
                                "string element not UTF-8",
                                STRING,
                                2,
                                v -> v.string("a").u64(1).u8(0x80),
                                "element 1 is not UTF-8")
                        .as(MALFORMED),
                array("nested 5 deep", ARRAY, 1, v -> nest(v, 3), "nested").as(EXPANSION),
                array("nested 5,000 deep", ARRAY, 1, v -> nest(v, 5_000), "nested").as(EXPANSION),
                array("inner array beyond the file", ARRAY, 1, v -> v.u32(U8).u64(99), place),
                array(
                                "4,194,305 elements",
                                U8,
                                (1 << 22) + 1,
                                v -> v.raw(new byte[(1 << 22) + 1]),
                                "4194304")
                        .as(EXPANSION),
                array("token beyond int", U32, 1, v -> v.u32(-1), "4294967295 found"));
    }

    private static HostileFile tensor(
            String lie, int type, long offset, long[] dimensions, String place) {
        return of(
                lie,
                gguf(3, 1, 0).tensor("t", type, offset, dimensions).pad(ALIGNED).data(64),
                place);
    }

    private static long[] dims(long... dimensions) {
        return dimensions;
    }

    private static Stream<HostileFile> tensors() {
        String place = "tensor \"t\"";
        return Stream.of(
                of("empty name", gguf(3, 1, 0).tensor("", 0, 0, 4).data(64), "name is empty")
                        .as(MALFORMED),
                of(
                        "name of 1,025 bytes",
                        gguf(3, 1, 0).tensor("n".repeat(1_025), 0, 0, 4).data(64),
                        "1025"),
                of("name not UTF-8", gguf(3, 1, 0).u64(1).u8(0xFE).data(64), "tensor info after")
                        .as(MALFORMED),
                tensor("no dimension", 0, 0, dims(), "0 dimensions").as(FAULT),
                tensor("5 dimensions", 0, 0, dims(1, 1, 1, 1, 1), "5 dimensions"),
                of(
                        "2^32 − 1 dimensions",
                        gguf(3, 1, 0).string("t").u32(-1).data(64),
                        "4294967295 dimensions"),
                tensor("dimension 0", 0, 0, dims(0), place).as(FAULT),
                tensor("inner dimension 0", 0, 0, dims(4, 0), place).as(FAULT),
                tensor("dimension −1", 0, 0, dims(-1), place),
                tensor("two negative dimensions", 0, 0, dims(-2, -2), place),
                tensor("product 2^64", 0, 0, dims(1L << 32, 1L << 32), place),
                tensor("product wraps to 4", 0, 0, dims(4, 1L << 62, 1L << 2, 1), place),
                tensor("bytes wrap", 0, 0, dims(1L << 62), place),
                // What three mends of the same sum left open: CVE-2025-53630, 2026-27940,
                // 2026-33298,
                // 2026-42627. The product fits, and bytes, padding or the sum of all tensors do
                // not.
                tensor("bytes of blocks wrap", 12, 0, dims(1L << 32, 1L << 31), place),
                tensor("bytes end at 2^63 - 1 before padding", 24, 0, dims(Long.MAX_VALUE), place),
                of(
                        "two tensors of 2^62 bytes each, and two more",
                        gguf(3, 4, 0)
                                .tensor("t", 0, 0, dims(1L << 60))
                                .tensor("u", 0, 1L << 62, dims(1L << 60))
                                .tensor("v", 0, 1L << 63, dims(1L << 60))
                                .tensor("w", 0, 3L << 62, dims(1L << 60))
                                .data(64),
                        place),
                tensor("Q8_0 row of 33", 8, 0, dims(33), "multiple of 32").as(FAULT),
                tensor("Q4_0 row of 16, 2 rows", 2, 0, dims(16, 2), "multiple of 32").as(FAULT),
                tensor("Q4_1 row of 1", 3, 0, dims(1), "multiple of 32").as(FAULT),
                tensor("MXFP4 row of 31", 39, 0, dims(31), "multiple of 32").as(FAULT),
                tensor("Q4_K row of 128, 2 rows", 12, 0, dims(128, 2), "multiple of 256").as(FAULT),
                tensor("Q6_K row of 288", 14, 0, dims(288), "multiple of 256").as(FAULT),
                tensor("Q2_K row of 255", 10, 0, dims(255), "multiple of 256").as(FAULT),
                tensor("IQ2_XXS row of 128, 2 rows", 16, 0, dims(128, 2), "multiple of 256")
                        .as(FAULT),
                tensor("IQ1_M row of 257", 29, 0, dims(257), "multiple of 256").as(FAULT),
                tensor("Q4_K, a block too many", 12, 0, dims(256, 2), "288 bytes at offset 0")
                        .as(BEYOND_FILE),
                tensor("TQ1_0", 34, 0, dims(256), "ggml type 34 (TQ1_0). This version reads F32")
                        .as(MALFORMED),
                tensor("Q8_1", 9, 0, dims(32), "Q8_1").as(MALFORMED),
                tensor("I32", 26, 0, dims(4), "I32").as(MALFORMED),
                tensor("withdrawn type 31", 31, 0, dims(4), "31 (unknown)").as(MALFORMED),
                tensor("type −1", -1, 0, dims(4), "4294967295 (unknown)").as(MALFORMED),
                tensor("offset off by one", 0, 1, dims(4), "not aligned"),
                tensor("offset −32", 0, -32, dims(4), place),
                tensor("offset beyond the file", 0, 96, dims(4), place).as(BEYOND_FILE),
                tensor("offset 2^63 − 32", 0, Long.MAX_VALUE - 31, dims(4), place).as(BEYOND_FILE),
                tensor("one element too many", 0, 0, dims(17), place).as(BEYOND_FILE),
                tensor("2^40 elements", 0, 0, dims(1L << 40), place).as(BEYOND_FILE));
    }

    private static HostileFile alignment(
            String lie, int type, Consumer<LittleEndian> value, String place) {
        return of(
                lie,
                gguf(3, 1, 1)
                        .pair("general.alignment", type, value)
                        .tensor("t", 0, 0, 4)
                        .pad(32)
                        .data(64),
                place);
    }

    private static Stream<HostileFile> layouts() {
        String place = "\"general.alignment\"";
        return Stream.of(
                alignment("alignment 0", U32, v -> v.u32(0), place),
                alignment("alignment 4", U32, v -> v.u32(4), place),
                alignment("alignment 24", U32, v -> v.u32(24), place),
                alignment("alignment −32", I32, v -> v.u32(-32), place),
                alignment("alignment 2^32 − 1", U32, v -> v.u32(-1), place),
                alignment("alignment 2^62", U64, v -> v.u64(1L << 62), place),
                alignment("alignment 2^63", U64, v -> v.u64(1L << 63), place),
                alignment(
                                "alignment 2^30, beyond the file",
                                U32,
                                v -> v.u32(1 << 30),
                                "tensor \"t\"")
                        .as(BEYOND_FILE),
                alignment("alignment of text", STRING, v -> v.string("32"), "expected an integer"),
                of(
                        "part of a split",
                        gguf(3, 0, 1).pair("split.count", U16, v -> v.u16(3)),
                        "split.count"),
                of(
                        "part of 2^64 − 1",
                        gguf(3, 0, 1).pair("split.count", U64, v -> v.u64(-1)),
                        "metadata"),
                of(
                        "same name twice",
                        gguf(3, 2, 0).tensor("t", 0, 0, 4).tensor("t", 0, 32, 4).pad(32).data(64),
                        "tensor \"t\""),
                of(
                        "overlap",
                        gguf(3, 2, 0).tensor("t", 0, 0, 9).tensor("u", 0, 32, 4).pad(32).data(64),
                        "overlaps that of \"t\""),
                of(
                        "overlap, reversed",
                        gguf(3, 2, 0).tensor("t", 0, 32, 4).tensor("u", 0, 0, 9).pad(32).data(64),
                        "overlaps that of \"u\""),
                of(
                        "one inside another",
                        gguf(3, 3, 0)
                                .tensor("t", 0, 0, 16)
                                .tensor("u", 0, 32, 1)
                                .tensor("v", 0, 64, 4)
                                .pad(32)
                                .data(96),
                        "tensor \"u\""),
                of(
                        "same place",
                        gguf(3, 2, 0).tensor("t", 0, 0, 4).tensor("u", 0, 0, 4).pad(32).data(64),
                        "overlaps"),
                of("no data section", gguf(3, 1, 0).tensor("t", 0, 0, 4), "tensor \"t\"")
                        .as(BEYOND_FILE),
                of(
                        "a missing tensor",
                        gguf(3, 2, 0).tensor("t", 0, 0, 4).data(44),
                        "tensor info after \"t\""),
                of(
                        "table cut short",
                        gguf(3, 1, 0).string("tensor.of.long.name").u32(2).u64(4),
                        "tensor"));
    }
}
