package dev.flagship.hostile;

import static dev.flagship.hostile.CveClass.*;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Descriptions in JSON that lie beside good weights. */
final class DescriptionCases {
    private static final int TOO_LARGE = (16 << 20) + 1;

    private DescriptionCases() {}

    static Stream<HostileCase> all() {
        return Stream.of(texts(), sizes(), constants(), generations(), params(), links(), spaces())
                .flatMap(group -> group);
    }

    private static HostileCase file(
            String lie, CveClass covers, String name, byte[] content, String words) {
        boolean meta = name.equals(TinyModel.PARAMS);
        Map<String, byte[]> files =
                new LinkedHashMap<>(meta ? TinyModel.meta() : TinyModel.huggingFace());
        files.put(name, content);
        return new HostileCase(Format.DESCRIPTION, name + ", " + lie, covers, files, "", words);
    }

    private static HostileCase text(String lie, CveClass covers, String text, String words) {
        return file(lie, covers, TinyModel.CONFIG, text.getBytes(StandardCharsets.UTF_8), words);
    }

    private static HostileCase spaces(
            String lie, CveClass covers, int type, Consumer<LittleEndian> value, String words) {
        return new HostileCase(
                Format.DESCRIPTION,
                "spaces in GGUF, " + lie,
                covers,
                TinyModel.ggufSpaces(head -> head.pair(TinyModel.SPACES, type, value)),
                "model.gguf",
                words);
    }

    /** What quantising writes in a key of its own, and anybody may. */
    private static Stream<HostileCase> spaces() {
        String key = TinyModel.SPACES;
        return Stream.of(
                spaces("a number", FAULT, LittleEndian.U32, v -> v.u32(1), key),
                spaces(
                        "unknown words",
                        TOKENIZER,
                        LittleEndian.STRING,
                        v -> v.string("first always"),
                        key + " is \"first always\""),
                spaces("none", TOKENIZER, LittleEndian.STRING, v -> v.string(""), key),
                spaces(
                        "words that contradict each other",
                        TOKENIZER,
                        LittleEndian.STRING,
                        v -> v.string("keep drop"),
                        key),
                spaces(
                        "a million words",
                        EXPANSION,
                        LittleEndian.STRING,
                        v -> v.string("split ".repeat(1 << 20) + "zz"),
                        key));
    }

    /** The good file with one field said otherwise. */
    private static HostileCase said(
            String name, String field, String value, CveClass covers, String words) {
        Map<String, byte[]> good =
                name.equals(TinyModel.PARAMS) ? TinyModel.meta() : TinyModel.huggingFace();
        String json = new String(good.get(name), StandardCharsets.UTF_8);
        String from = "\"" + field + "\": ";
        int at = json.indexOf(from);
        String other;
        if (at < 0) {
            other = json.replaceFirst("\\{", "{" + from + value + ", ");
        } else {
            int end = at + from.length();
            int depth = 0;
            while (depth > 0 || (json.charAt(end) != ',' && json.charAt(end) != '}')) {
                depth += json.charAt(end) == '[' ? 1 : json.charAt(end) == ']' ? -1 : 0;
                end++;
            }
            other = json.substring(0, at) + from + value + json.substring(end);
        }
        String shown = value.length() > 120 ? value.length() + " characters" : value;
        return file(
                field + " " + shown, covers, name, other.getBytes(StandardCharsets.UTF_8), words);
    }

    private static HostileCase config(String field, String value, CveClass covers, String words) {
        return said(TinyModel.CONFIG, field, value, covers, words);
    }

    private static Stream<HostileCase> texts() {
        String json = "it is not JSON";
        return Stream.of(
                text("empty", MALFORMED, "", "model_type"),
                text("white space", MALFORMED, " \n", "model_type"),
                text("an array", FAULT, "[]", "model_type"),
                text("null", FAULT, "null", "model_type"),
                text("a number", FAULT, "7", "model_type"),
                text("unclosed", MALFORMED, "{\"model_type\":\"llama\"", json),
                text("a comment", MALFORMED, "{/* */}", json),
                text(
                        "control characters",
                        MALFORMED,
                        "{\"model_type\": ll\u0001\u001b[2Jama}",
                        "it is not JSON"),
                text("100,000 deep", EXPANSION, "{\"a\":" + "[".repeat(100_000), json),
                text(
                        "100,000 deep, closed",
                        EXPANSION,
                        "[".repeat(100_000) + "]".repeat(100_000),
                        json),
                text(
                        "a number of 100,000 digits",
                        EXPANSION,
                        "{\"hidden_size\":" + "9".repeat(100_000) + "}",
                        json),
                text("a name of 1 MB", EXPANSION, "{\"" + "n".repeat(1 << 20) + "\":1}", json),
                file(
                        "not UTF-8",
                        MALFORMED,
                        TinyModel.CONFIG,
                        new byte[] {'{', '"', (byte) 0xFF, '"', ':', '1', '}'},
                        "not UTF-8"),
                file(
                        "16 MiB and one byte",
                        EXPANSION,
                        TinyModel.CONFIG,
                        new byte[TOO_LARGE],
                        "larger than 16 MiB"),
                config("model_type", "\"bert\"", MALFORMED, "model_type is"),
                config("model_type", "\"\\u001b[2Jllama\"", MALFORMED, "\\u001b"),
                config("model_type", "7", FAULT, "model_type"),
                config("hidden_act", "\"relu\"", MALFORMED, "hidden_act"),
                config("hidden_act", "[\"gelu\"]", FAULT, "hidden_act is"),
                config("rope_scaling", "\"llama3\"", FAULT, "rope_scaling is"),
                config("rope_scaling", "[{\"factor\": 8}]", FAULT, "rope_scaling is"),
                config("rope_scaling", "{\"rope_type\": {}}", FAULT, "rope_type is"),
                config("attention_bias", "true", MALFORMED, "attention_bias"),
                config("mlp_bias", "\"yes\"", FAULT, "mlp_bias"),
                config("rope_scaling", "{\"rope_type\": \"yarn\"}", MALFORMED, "rope_type"),
                config("partial_rotary_factor", "0.5", MALFORMED, "partial_rotary_factor"));
    }

    private static Stream<HostileCase> sizes() {
        return Stream.of(
                config("hidden_size", "0", FAULT, "llama"),
                config("hidden_size", "-8", ARITHMETIC, "llama"),
                config("hidden_size", "2147483647", ARITHMETIC, "[8, 2147483647]"),
                config("hidden_size", "2147483648", ARITHMETIC, "hidden_size is"),
                config("hidden_size", "1e400", ARITHMETIC, "hidden_size is"),
                config("hidden_size", "8.0", MALFORMED, "hidden_size is"),
                config("hidden_size", "\"8\"", MALFORMED, "hidden_size is"),
                config("hidden_size", "{\"a\": 8}", FAULT, "hidden_size is"),
                config("num_attention_heads", "0", FAULT, "0 heads"),
                config("num_attention_heads", "-2", ARITHMETIC, "-2 heads"),
                config("num_attention_heads", "null", FAULT, "num_attention_heads is"),
                // (2^30 + 2) · 4 is 8 in 32 bits: all shapes would fit.
                config("num_attention_heads", "1073741826", ARITHMETIC, "heads"),
                config("num_key_value_heads", "0", FAULT, "2 heads do not divide into 0"),
                config("num_key_value_heads", "-1", ARITHMETIC, "into -1 groups"),
                config("num_key_value_heads", "3", MALFORMED, "do not divide"),
                config("head_dim", "0", FAULT, "head size 0"),
                config("head_dim", "-4", ARITHMETIC, "head size -4"),
                config("head_dim", "3", ARITHMETIC, "even head size"),
                config("head_dim", "2147483647", EXPANSION, "at most 4096"),
                config("num_hidden_layers", "0", FAULT, "layers 0"),
                config("num_hidden_layers", "-1", ARITHMETIC, "layers -1"),
                config("num_hidden_layers", "2147483647", EXPANSION, "at most 4096"),
                config("num_hidden_layers", "4096", EXPANSION, "model.layers.1."),
                config("intermediate_size", "0", FAULT, "ffn 0"),
                config("intermediate_size", "2147483647", ARITHMETIC, "[2147483647, 8]"),
                config("vocab_size", "0", FAULT, "vocab 0"),
                config("vocab_size", "2147483647", BEYOND_FILE, "[2147483647, 8]"),
                config("vocab_size", "-2147483648", ARITHMETIC, "vocab -2147483648"),
                config("max_position_embeddings", "0", FAULT, "0 positions"),
                config("max_position_embeddings", "-1", ARITHMETIC, "-1 positions"),
                config(
                        "max_position_embeddings",
                        "99999999999999999999",
                        ARITHMETIC,
                        "max_position_embeddings is"));
    }

    private static Stream<HostileCase> constants() {
        return Stream.of(
                config("rms_norm_eps", "-1", ARITHMETIC, "epsilon is -1"),
                config("rms_norm_eps", "1", ARITHMETIC, "epsilon is 1"),
                config("rms_norm_eps", "1e39", ARITHMETIC, "rms_norm_eps is"),
                config("rms_norm_eps", "\"NaN\"", FAULT, "rms_norm_eps is"),
                config("rms_norm_eps", "NaN", FAULT, "it is not JSON"),
                config("rope_theta", "0", FAULT, "rotary frequencies 0"),
                config("rope_theta", "-10000", ARITHMETIC, "rotary frequencies -10000"),
                config("rope_theta", "1e-30", ARITHMETIC, "rope theta"),
                config("rope_theta", "1e39", ARITHMETIC, "rope_theta is"),
                config("rope_scaling", "{\"type\":\"linear\",\"factor\":0}", FAULT, "divisor 0"),
                config("rope_scaling", llama3("0", "1", "64"), FAULT, "llama3 rope scaling"),
                config("rope_scaling", llama3("8", "0", "64"), FAULT, "llama3 rope scaling"),
                config("rope_scaling", llama3("8", "1", "-1"), ARITHMETIC, "original context -1"),
                text(
                        "a scaling past all numbers",
                        ARITHMETIC,
                        new String(
                                        TinyModel.huggingFace().get(TinyModel.CONFIG),
                                        StandardCharsets.UTF_8)
                                .replace("10000.0", "1e12")
                                .replace(
                                        "\"rope_scaling\": null",
                                        "\"rope_scaling\": " + llama3("3e38", "1", "1")),
                        "rope theta"),
                config("rope_scaling", "{\"rope_type\":\"llama3\"}", FAULT, "factor is missing"),
                config("rope_parameters", "{\"partial_rotary_factor\":\"1\"}", FAULT, "rotary"));
    }

    private static String llama3(String factor, String low, String original) {
        return "{\"rope_type\":\"llama3\",\"factor\":%s,\"low_freq_factor\":%s,\"high_freq_factor\":4,\"original_max_position_embeddings\":%s}"
                .formatted(factor, low, original);
    }

    private static Stream<HostileCase> generations() {
        String name = TinyModel.GENERATION;
        return Stream.of(
                file("an unclosed text", MALFORMED, name, new byte[] {'{', '"'}, "it is not JSON"),
                said(name, "temperature", "-1", ARITHMETIC, "temperature"),
                said(name, "temperature", "1e39", ARITHMETIC, "temperature is"),
                said(name, "temperature", "\"hot\"", FAULT, "temperature is"),
                said(name, "top_k", "-5", ARITHMETIC, "top_k"),
                said(name, "top_k", "1.5", MALFORMED, "top_k is"),
                said(name, "top_p", "2", ARITHMETIC, "top_p"),
                said(name, "top_p", "-0.1", ARITHMETIC, "top_p"),
                said(name, "min_p", "7", ARITHMETIC, "min_p"),
                said(name, "repetition_penalty", "0", FAULT, "repetition"),
                said(name, "do_sample", "\"yes\"", FAULT, "do_sample is"));
    }

    private static Stream<HostileCase> params() {
        String name = TinyModel.PARAMS;
        return Stream.of(
                file("empty", MALFORMED, name, new byte[0], "dim is"),
                file("an array", FAULT, name, new byte[] {'[', ']'}, "dim is"),
                said(name, "dim", "0", FAULT, "width"),
                said(name, "dim", "-8", ARITHMETIC, "width"),
                said(name, "dim", "2147483647", ARITHMETIC, ""),
                said(name, "n_heads", "0", FAULT, "head size 0"),
                said(name, "n_heads", "1073741826, \"head_dim\": 4", ARITHMETIC, "heads"),
                said(name, "n_kv_heads", "0", FAULT, "into 0 groups"),
                said(name, "head_dim", "1000000000", EXPANSION, "at most 4096"),
                said(name, "multiple_of", "0", FAULT, "multiple_of 0"),
                said(name, "multiple_of", "-8", ARITHMETIC, "multiple_of -8"),
                said(name, "ffn_dim_multiplier", "1e30", ARITHMETIC, "ffn_dim_multiplier"),
                said(name, "ffn_dim_multiplier", "-1", ARITHMETIC, "ffn_dim_multiplier"),
                said(name, "n_layers", "2147483647", EXPANSION, "at most 4096"),
                said(name, "vocab_size", "0", FAULT, "vocab 0"),
                said(name, "norm_eps", "7", ARITHMETIC, "epsilon is 7"),
                said(name, "moe_args", "{}", MALFORMED, "moe_args"));
    }

    /** Links, which archives and repositories can hold, to what has no end or is no file. */
    private static Stream<HostileCase> links() {
        String endless = "/dev/zero";
        Stream<HostileCase> folders =
                Stream.of(
                                TinyModel.CONFIG,
                                TinyModel.GENERATION,
                                TinyModel.TOKENIZER,
                                TinyModel.TOKENIZER_CONFIG)
                        .flatMap(name ->
                                Stream.of(
                                        text(name + " without end", FAULT, "", "not a regular file")
                                                .link(name, endless),
                                        text(name + " a folder", FAULT, "", "not a regular file")
                                                .link(name, ".")));
        Stream<HostileCase> others =
                Stream.of(
                        of(TinyModel.sentencePiece(), TinyModel.TOKENIZER_MODEL, endless),
                        of(TinyModel.vocabulary(), TinyModel.VOCABULARY, endless),
                        of(TinyModel.vocabulary(), TinyModel.MERGES, endless),
                        of(TinyModel.template(), TinyModel.TEMPLATE, endless),
                        of(Map.of(), "model.safetensors", endless),
                        of(Map.of(), "model.safetensors", "."));
        return Stream.concat(folders.map(DescriptionCases::withGoodConfig), others);
    }

    private static HostileCase withGoodConfig(HostileCase linked) {
        Map<String, byte[]> files = new LinkedHashMap<>(linked.files());
        if (!linked.links().containsKey(TinyModel.CONFIG)) {
            files.put(TinyModel.CONFIG, TinyModel.huggingFace().get(TinyModel.CONFIG));
        }
        return new HostileCase(
                linked.format(),
                linked.lie(),
                linked.covers(),
                files,
                linked.links(),
                "",
                linked.words());
    }

    private static HostileCase of(Map<String, byte[]> more, String name, String target) {
        return new HostileCase(
                        Format.DESCRIPTION,
                        name + " a link to " + target,
                        FAULT,
                        TinyModel.with(more),
                        "",
                        "not a regular file")
                .link(name, target);
    }
}
