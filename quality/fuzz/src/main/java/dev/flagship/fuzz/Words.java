package dev.flagship.fuzz;

import dev.flagship.hostile.Format;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What a format's own readers look for, which chance alone does not find. */
final class Words {
    private static final String[] JSON = {
        "null",
        "true",
        "[]",
        "{}",
        "[[",
        "]]",
        "{\"a\":",
        "\"\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "1e999",
        "-1",
        "0",
        "4194303",
        "4194304",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "1.5",
        "0.0000000001",
        "\"a\"",
        ",",
        ":",
        "\"id\": 4194303",
        "NaN"
    };
    private static final String[] TOKENIZER = {
        "\"vocab\"",
        "\"merges\"",
        "\"added_tokens\"",
        "\"unk_token\"",
        "\"fuse_unk\"",
        "\"byte_fallback\"",
        "\"ignore_merges\"",
        "\"type\"",
        "\"Sequence\"",
        "\"Digits\"",
        "\"Split\"",
        "\"ByteLevel\"",
        "\"Metaspace\"",
        "\"pretokenizers\"",
        "\"normalizers\"",
        "\"content\"",
        "\"special\"",
        "\"NFC\"",
        "\"NFD\"",
        "\"NFKC\"",
        "\"NFKD\"",
        "\"Lowercase\"",
        "\"Prepend\"",
        "\"Replace\"",
        "\"normalized\": true,",
        "\"lstrip\": true,",
        "\"rstrip\": true,",
        "\"single_word\": true,",
        "\"SpecialToken\"",
        "\"single\"",
        "\"processors\"",
        "{\"type\": \"Digits\"},",
        "\"added_tokens_decoder\": {\"9\": {\"content\": \"z\"}},",
        "\"additional_special_tokens\"",
        "\"chat_template\": [{\"name\": \"default\"}],",
        "\u2581",
        "<0x00>",
        "<0xFF>",
        "\u0120",
        "t h"
    };
    private static final String[] DESCRIPTION = {
        "\"rope_scaling\": {\"rope_type\": \"llama3\"},",
        "\"rope_parameters\": {",
        "\"factor\": 0,",
        "\"linear\"",
        "\"head_dim\": 0,",
        "\"tie_word_embeddings\": true,",
        "\"eos_token_id\": [",
        "\"original_max_position_embeddings\"",
        "\"use_scaled_rope\": true,",
        "\"partial_rotary_factor\""
    };
    private static final String[] SAFETENSORS = {
        "\"dtype\"",
        "\"F16\"",
        "\"BF16\"",
        "\"I64\"",
        "\"shape\"",
        "\"data_offsets\"",
        "\"__metadata__\"",
        "\"weight_map\"",
        "../",
        ".safetensors",
        "self_attn.qkv_proj.weight",
        "mlp.gate_up_proj.weight",
        "lm_head.weight",
        ".rotary_emb.inv_freq"
    };
    private static final String[] GGUF = {
        "GGUF",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.scores",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.add_space_prefix",
        "flagship.tokenizer.spaces",
        "first",
        "unless-space",
        "split",
        "symbols",
        "keep",
        "drop",
        "general.alignment",
        "split.count",
        "split.no",
        "llama.rope.scaling.type",
        "linear",
        "llama.attention.key_length",
        "rope_freqs.weight",
        "blk.0.attn_q.weight",
        "output.weight",
        "\t\0\0\0\t\0\0\0\1\0\0\0\0\0\0\0",
        "<0x00>"
    };
    private static final String[] TORCH = {
        "PK\1\2",
        "PK\3\4",
        "PK\5\6",
        "PK\6\6",
        "PK\6\7",
        "m/data/",
        "data.pkl",
        "byteorder",
        "ccollections\nOrderedDict\n)R",
        "ctorch._utils\n_rebuild_tensor_v2\n",
        "ctorch\nSize\n",
        "ctorch\nHalfStorage\n",
        "cos\nsystem\n",
        "ctorch._utils\n_rebuild_parameter\n",
        "(",
        "t",
        "R",
        "Q",
        "]",
        "}",
        "u",
        "s",
        "e",
        "a",
        "h\0",
        "q\0",
        "r\0\0\0\1",
        "X\4\0\0\0",
        "X\uFFFF",
        "J\uFFFF",
        ".",
        "b",
        "layers.0.",
        "tok_embeddings.weight",
        "rope.freqs"
    };
    private static final String[] PIECES = {
        "\n\7\n\5<0x4",
        "\22\2\30\2",
        "\32\2\40\0",
        "\30\6",
        "\30\4",
        "\n\3\n\1a",
        "\u2581",
        "\n\u007f",
        "\25\0\0\300\177"
    };
    private static final String[] RANKS = {
        "IQ== ", "\n", " 258\n", "AAAA 258\n", "=", "==", " -1\n"
    };
    private static final String[] MERGES = {
        " ", "\n", "#version: 0.2\n", "t h\n", "\r\n", "th e", "\u0120 a"
    };
    private static final String[] TEMPLATE = {
        "{{",
        "}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "{%-",
        "-%}",
        "{% for x in range(9) %}",
        "{% endfor %}",
        "{% if x %}",
        "{% elif y %}",
        "{% else %}",
        "{% endif %}",
        "{% set x = [x, x] %}",
        "{% set ns.x = ns.x + ns.x %}",
        "namespace(x=1)",
        "{% macro f(a, b=f) %}",
        "{% endmacro %}",
        "f(f)",
        "{% filter upper %}",
        "{% endfilter %}",
        "{% raw %}",
        "{% break %}",
        "loop.index",
        "loop.previtem",
        "loop.cycle(1, 2)",
        "|tojson(indent=9)",
        "|join('x')",
        "|replace('a', 'bb')",
        "|indent(99)",
        "|batch(3)",
        "|groupby('role')",
        "|selectattr('role')",
        "|map(attribute='x')",
        "|sort",
        "|unique",
        "|slice(0)",
        "|format(1)",
        "|round(400)",
        "|int(base=99)",
        "|dictsort",
        "|first",
        "|last",
        "|length",
        "|trim",
        "|title",
        "|items",
        "|list",
        "|string",
        "|reject",
        "|default(1)",
        "|wordwrap(0)",
        "|truncate(0)",
        "|center(9999999)",
        "range(9)",
        "[::-1]",
        "[1:2:3]",
        ".split('')",
        ".strip()",
        ".startswith(('a', 1))",
        ".format(x)",
        ".items()",
        ".get('a')",
        ".upper()",
        ".replace('', 'x')",
        ".count('')",
        ".find('')",
        ".join([1])",
        ".splitlines()",
        ".zfill(99999)",
        ".ljust(9, '')",
        "is defined",
        "is mapping",
        "is eq(1)",
        "is divisibleby 0",
        "not in",
        " in ",
        " and ",
        " or ",
        " ~ ",
        " ** ",
        " // ",
        " % ",
        " * ",
        " if 1 else 2",
        "messages",
        "message.role",
        "'a' * 9999",
        "9 ** 99",
        "{'a': {'a': 1}}",
        "(1,)",
        "strftime_now('%Y%j%U')",
        "raise_exception('x')",
        "1e308 * 10",
        "-0.0",
        "none",
        "9223372036854775807",
        "\"\\x41\\u0041\"",
        "'%s' % x",
        "'%999d' % 1",
        "dict(a=1)",
        "cycler(1)",
        "joiner(',')",
        "lipsum()",
        "x.__class__",
        "caller()",
        "{% call f() %}",
        "{% include 'x' %}"
    };

    private Words() {}

    static List<byte[]> of(Format format) {
        return switch (format) {
            case GGUF -> bytes(GGUF);
            case SAFETENSORS -> bytes(JSON, SAFETENSORS);
            case TORCH_ARCHIVE, TORCH_STREAM -> bytes(TORCH);
            case DESCRIPTION -> bytes(JSON, DESCRIPTION);
            case TOKENIZER_JSON -> bytes(JSON, TOKENIZER);
            case SENTENCE_PIECE -> bytes(PIECES);
            case TIKTOKEN -> bytes(RANKS);
            case VOCABULARY -> bytes(JSON, MERGES);
            case TEMPLATE -> bytes(TEMPLATE);
        };
    }

    /**
     * Letters up to U+00FF that stand for bytes in formats of bytes come out as UTF-8 elsewhere.
     */
    private static List<byte[]> bytes(String[]... groups) {
        List<byte[]> words = new ArrayList<>();
        for (String[] group : groups) {
            boolean binary = List.of(GGUF, TORCH, PIECES).contains(group);
            for (String word : group) {
                words.add(
                        word.getBytes(
                                binary && word.chars().allMatch(c -> c < 256)
                                        ? StandardCharsets.ISO_8859_1
                                        : StandardCharsets.UTF_8));
            }
        }
        return words;
    }
}
