package dev.flagship.hostile;

import static dev.flagship.hostile.LittleEndian.*;

/** Valid files of a few hundred bytes that use every part of their format. */
public final class TinyFiles {
    public static final String SAFETENSORS_HEADER =
            """
            {"__metadata__":{"format":"pt","note":"é"},
             "b":{"dtype":"BF16","shape":[2,3],"data_offsets":[16,28]},
             "a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},
             "s":{"dtype":"F16","shape":[],"data_offsets":[28,30]},
             "ids":{"dtype":"I64","shape":[1],"data_offsets":[30,38]},
             "none":{"dtype":"F32","shape":[0],"data_offsets":[38,38]}}  \
            """;

    private TinyFiles() {}

    public static byte[] gguf(int version) {
        return LittleEndian.gguf(version, 3, 19)
                .pair("general.architecture", STRING, v -> v.string("llama"))
                .pair("general.alignment", U32, v -> v.u32(64))
                .pair("u8", U8, v -> v.u8(200))
                .pair("i8", I8, v -> v.u8(-3))
                .pair("u16", U16, v -> v.u16(60_000))
                .pair("i16", I16, v -> v.u16(-300))
                .pair("u32", U32, v -> v.u32(-1))
                .pair("i32", I32, v -> v.u32(-1))
                .pair("u64", U64, v -> v.u64(1L << 40))
                .pair("i64", I64, v -> v.u64(-(1L << 40)))
                .pair("f32", F32, v -> v.f32(0.1f))
                .pair("f64", F64, v -> v.f64(0.1))
                .pair("yes", BOOL, v -> v.u8(1))
                .array(
                        "tokens",
                        STRING,
                        5,
                        v -> v.string("a").string("").string("é").string("😀").string("\uFFFD"))
                .array("types", I32, 3, v -> v.u32(1).u32(-2).u32(3))
                .array("bytes", U8, 2, v -> v.u8(255).u8(0))
                .array("scores", F32, 2, v -> v.f32(-1.5f).f32(2))
                .array("nothing", STRING, 0, v -> {})
                .array(
                        "nested",
                        ARRAY,
                        2,
                        v -> v.u32(U8).u64(1).u8(7).u32(STRING).u64(1).string("x"))
                .tensor("matrix", 8, 0, 32, 2)
                .tensor("vector", 0, 128, 4)
                .tensor("cube", 30, 192, 4, 3, 2)
                .pad(64)
                .data(68)
                .pad(64)
                .data(16)
                .pad(64)
                .data(48)
                .bytes();
    }

    public static byte[] archive() {
        return PickleBytes.archive(PickleBytes.oneTensor(), PickleBytes.storages(16));
    }

    public static byte[] stream() {
        return PickleBytes.stream(PickleBytes.oneTensor(), PickleBytes.storages(16), 4);
    }

    public static byte[] safetensors() {
        return LittleEndian.safetensors(SAFETENSORS_HEADER, 38);
    }
}
