package dev.flagship.hostile;

import static dev.flagship.hostile.LittleEndian.*;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A valid LLaMA model of one layer and a few kilobytes, in every container and with every
 * vocabulary: what hostile ones are made of. Each method gives the files of one folder.
 */
public final class TinyModel {
    public static final String CONFIG = "config.json";
    public static final String GENERATION = "generation_config.json";
    public static final String PARAMS = "params.json";
    public static final String TOKENIZER = "tokenizer.json";
    public static final String TOKENIZER_CONFIG = "tokenizer_config.json";
    public static final String TOKENIZER_MODEL = "tokenizer.model";
    public static final String VOCABULARY = "vocab.json";
    public static final String MERGES = "merges.txt";
    public static final String ADDED_TOKENS = "added_tokens.json";
    public static final String TEMPLATE = "chat_template.jinja";
    public static final String README = "README.md";
    static final String SPACES = "flagship.tokenizer.spaces";
    public static final String FIRST_PART = "model-00001-of-00002.gguf";
    public static final String SECOND_PART = "model-00002-of-00002.gguf";

    private static final int DIM = 8;
    private static final int FFN = 24;
    private static final int KEYS = 4;
    private static final int VOCAB = 8;

    private static final String CONFIG_JSON =
            """
            {"model_type": "llama", "hidden_act": "silu", "attention_bias": false, "mlp_bias": false,
             "hidden_size": 8, "intermediate_size": 24, "num_attention_heads": 2,
             "num_key_value_heads": 1, "head_dim": 4, "num_hidden_layers": 1, "vocab_size": 8,
             "rms_norm_eps": 1e-05, "max_position_embeddings": 64, "tie_word_embeddings": false,
             "rope_theta": 10000.0, "rope_scaling": null, "eos_token_id": [1, 2]}
            """;

    private static final String GENERATION_JSON =
            """
            {"do_sample": true, "temperature": 0.7, "top_k": 40, "top_p": 0.9, "min_p": 0.05,
             "repetition_penalty": 1.1, "eos_token_id": 1}
            """;

    private static final String PARAMS_JSON =
            """
            {"dim": 8, "n_layers": 1, "n_heads": 2, "n_kv_heads": 1, "multiple_of": 8,
             "ffn_dim_multiplier": 1.0, "norm_eps": 1e-05, "rope_theta": 500000.0,
             "use_scaled_rope": false, "vocab_size": -1}
            """;

    private static final String TEMPLATE_TEXT =
            """
            {{- bos_token }}{%- set ns = namespace(count=0) %}
            {%- for message in messages if message['role'] != 'tool' %}
            {%- set ns.count = ns.count + 1 %}
            {{- '<|' + message.role + '|>' ~ (message['content'] | trim) }}
            {%- if loop.last and add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}
            {%- endfor %}
            {%- macro close(x, y=2) %}{{ x | tojson }}{{ [1, 2.5, none][-y:] | join(',') }}{% endmacro %}
            {{- close({'a': ns.count}) if ns.count > 8 else '' }}\
            """;

    private static final String LETTERS = "abcdefghinorstw\u0120\u010A0123.,";

    private static final List<String> MERGED = List.of("t h", "th e", "i n", "\u0120 t");

    private TinyModel() {}

    @SuppressWarnings("ArrayRecordComponent") // nobody changes it
    private record Piece(String huggingFace, String meta, String gguf, long... shape) {
        int elements() {
            int product = 1;
            for (long dimension : shape) {
                product *= Math.toIntExact(dimension);
            }
            return product;
        }
    }

    private static final List<Piece> PIECES =
            List.of(
                    new Piece("model.embed_tokens", "tok_embeddings", "token_embd", VOCAB, DIM),
                    new Piece("model.norm", "norm", "output_norm", DIM),
                    new Piece("lm_head", "output", "output", VOCAB, DIM),
                    layer("input_layernorm", "attention_norm", "attn_norm", DIM),
                    layer("self_attn.q_proj", "attention.wq", "attn_q", DIM, DIM),
                    layer("self_attn.k_proj", "attention.wk", "attn_k", KEYS, DIM),
                    layer("self_attn.v_proj", "attention.wv", "attn_v", KEYS, DIM),
                    layer("self_attn.o_proj", "attention.wo", "attn_output", DIM, DIM),
                    layer("post_attention_layernorm", "ffn_norm", "ffn_norm", DIM),
                    layer("mlp.gate_proj", "feed_forward.w1", "ffn_gate", FFN, DIM),
                    layer("mlp.up_proj", "feed_forward.w3", "ffn_up", FFN, DIM),
                    layer("mlp.down_proj", "feed_forward.w2", "ffn_down", DIM, FFN));

    private static Piece layer(String huggingFace, String meta, String gguf, long... shape) {
        return new Piece(
                "model.layers.0." + huggingFace, "layers.0." + meta, "blk.0." + gguf, shape);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** config.json, generation_config.json, tokenizer.json and its configuration; no weights. */
    private static Map<String, byte[]> described() {
        Map<String, byte[]> files = new LinkedHashMap<>();
        files.put(CONFIG, utf8(CONFIG_JSON));
        files.put(GENERATION, utf8(GENERATION_JSON));
        files.putAll(tokenizerJson());
        return files;
    }

    /** Hugging Face's layout: one safetensors file. */
    public static Map<String, byte[]> huggingFace() {
        Map<String, byte[]> files = described();
        files.put("model.safetensors", safetensors(PIECES));
        return files;
    }

    /** Hugging Face's layout: an index and two safetensors files. */
    public static Map<String, byte[]> sharded() {
        Map<String, byte[]> files = described();
        StringBuilder index =
                new StringBuilder("{\"metadata\":{\"total_size\":1},\"weight_map\":{");
        List<List<Piece>> shards = List.of(PIECES.subList(0, 4), PIECES.subList(4, PIECES.size()));
        for (int i = 0; i < shards.size(); i++) {
            String name = "model-%05d-of-00002.safetensors".formatted(i + 1);
            files.put(name, safetensors(shards.get(i)));
            for (Piece piece : shards.get(i)) {
                index.append(index.toString().endsWith("{") ? "" : ",\n")
                        .append("\"%s.weight\":\"%s\"".formatted(piece.huggingFace, name));
            }
        }
        files.put("model.safetensors.index.json", utf8(index.append("}}").toString()));
        return files;
    }

    private static byte[] safetensors(List<Piece> pieces) {
        StringBuilder header = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        int at = 0;
        for (Piece piece : pieces) {
            int end = at + 4 * piece.elements();
            header.append(
                    ",\n\"%s.weight\":{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                            .formatted(piece.huggingFace, Arrays.toString(piece.shape), at, end));
            at = end;
        }
        return LittleEndian.safetensors(header.append('}').toString(), at);
    }

    /** The pickle of Hugging Face's names, or of Meta's. */
    public static byte[] pickle(boolean meta) {
        return PickleBytes.dictionary(p -> {
            for (int i = 0; i < PIECES.size(); i++) {
                Piece piece = PIECES.get(i);
                long[] strides = new long[piece.shape.length];
                long stride = 1;
                for (int d = strides.length - 1; d >= 0; d--) {
                    strides[d] = stride;
                    stride *= piece.shape[d];
                }
                p.text((meta ? piece.meta : piece.huggingFace) + ".weight")
                        .tensor(
                                "FloatStorage",
                                Integer.toString(i),
                                piece.elements(),
                                0,
                                piece.shape,
                                strides);
            }
        });
    }

    /** The storages of {@link #pickle}, by key. */
    public static Map<String, byte[]> storages() {
        return PickleBytes.storages(PIECES.stream().mapToInt(p -> 4 * p.elements()).toArray());
    }

    /** Hugging Face's layout: pytorch_model.bin, a zip archive. */
    public static Map<String, byte[]> torchArchive() {
        Map<String, byte[]> files = described();
        files.put("pytorch_model.bin", PickleBytes.archive(pickle(false), storages()));
        return files;
    }

    /** Hugging Face's layout: pytorch_model.bin, a stream. */
    public static Map<String, byte[]> torchStream() {
        Map<String, byte[]> files = described();
        files.put("pytorch_model.bin", PickleBytes.stream(pickle(false), storages(), 4));
        return files;
    }

    /** Meta's layout, with Llama 3's ranks. */
    public static Map<String, byte[]> meta() {
        Map<String, byte[]> files = new LinkedHashMap<>(tiktoken());
        files.put(PARAMS, utf8(PARAMS_JSON));
        files.put("consolidated.00.pth", PickleBytes.archive(pickle(true), storages()));
        return files;
    }

    /** model.gguf with a byte-level vocabulary. */
    public static Map<String, byte[]> gguf() {
        return Map.of("model.gguf", gguf(PIECES, 5, TinyModel::byteLevel));
    }

    /** As llama-gguf-split writes it: two files, a part of the tensors in each. */
    public static Map<String, byte[]> splitGguf() {
        byte[] first =
                gguf(
                        PIECES.subList(0, 5),
                        8,
                        head -> {
                            byteLevel(head);
                            part(head, 0)
                                    .pair("split.tensors.count", I32, v -> v.u32(PIECES.size()));
                        });
        List<Piece> rest = PIECES.subList(5, PIECES.size());
        LittleEndian second = part(LittleEndian.gguf(3, rest.size(), 2), 1);
        return Map.of(FIRST_PART, first, SECOND_PART, tensors(second, rest));
    }

    private static LittleEndian part(LittleEndian head, int number) {
        return head.pair("split.no", U32, v -> v.u32(number))
                .pair("split.count", U32, v -> v.u32(2));
    }

    private static void byteLevel(LittleEndian head) {
        List<String> tokens = tokens();
        head.pair("tokenizer.ggml.model", STRING, v -> v.string("gpt2"))
                .pair("tokenizer.ggml.pre", STRING, v -> v.string("llama-bpe"))
                .array(
                        "tokenizer.ggml.tokens",
                        STRING,
                        tokens.size(),
                        v -> tokens.forEach(v::string))
                .array(
                        "tokenizer.ggml.token_type",
                        I32,
                        tokens.size(),
                        v -> tokens.forEach(t -> v.u32(t.startsWith("<") ? 3 : 1)))
                .array(
                        "tokenizer.ggml.merges",
                        STRING,
                        MERGED.size(),
                        v -> MERGED.forEach(v::string));
    }

    /** model.gguf with SentencePiece's scores. */
    public static Map<String, byte[]> ggufScores() {
        return ggufScores(0, head -> {});
    }

    /** The same as {@code flagship quantize} writes it, with a key of its own for spaces. */
    public static Map<String, byte[]> ggufSpaces() {
        return ggufSpaces(head ->
                head.pair(SPACES, STRING, v -> v.string("first unless-space split symbols keep")));
    }

    /**
     * The same with another value of that key.
     *
     * @param spaces adds the pair
     */
    static Map<String, byte[]> ggufSpaces(Consumer<LittleEndian> spaces) {
        return ggufScores(1, spaces);
    }

    private static Map<String, byte[]> ggufScores(int more, Consumer<LittleEndian> pairs) {
        List<String> tokens = List.of("<unk>", "<s>", "</s>", "<0x41>", "\u2581", "t", "h", "th");
        int[] types = {2, 3, 3, 6, 1, 1, 1, 1};
        return Map.of(
                "model.gguf",
                gguf(
                        PIECES,
                        4 + more,
                        head -> {
                            pairs.accept(head);
                            head.pair("tokenizer.ggml.model", STRING, v -> v.string("llama"))
                                    .array(
                                            "tokenizer.ggml.tokens",
                                            STRING,
                                            tokens.size(),
                                            v -> tokens.forEach(v::string))
                                    .array(
                                            "tokenizer.ggml.scores",
                                            F32,
                                            tokens.size(),
                                            v -> tokens.forEach(t -> v.f32(-t.length())))
                                    .array(
                                            "tokenizer.ggml.token_type",
                                            I32,
                                            tokens.size(),
                                            v -> {
                                                for (int type : types) {
                                                    v.u32(type);
                                                }
                                            });
                        }));
    }

    private static byte[] gguf(List<Piece> pieces, int pairs, Consumer<LittleEndian> vocabulary) {
        LittleEndian file =
                LittleEndian.gguf(3, pieces.size(), 13 + pairs)
                        .pair("general.architecture", STRING, v -> v.string("llama"))
                        .pair("general.alignment", U32, v -> v.u32(32))
                        .pair("llama.context_length", U32, v -> v.u32(64))
                        .pair("llama.embedding_length", U32, v -> v.u32(DIM))
                        .pair("llama.block_count", U32, v -> v.u32(1))
                        .pair("llama.feed_forward_length", U32, v -> v.u32(FFN))
                        .pair("llama.attention.head_count", U32, v -> v.u32(2))
                        .pair("llama.attention.head_count_kv", U32, v -> v.u32(1))
                        .pair("llama.rope.dimension_count", U32, v -> v.u32(KEYS))
                        .pair("llama.rope.freq_base", F32, v -> v.f32(10_000))
                        .pair("llama.attention.layer_norm_rms_epsilon", F32, v -> v.f32(1e-5f))
                        .pair("tokenizer.ggml.bos_token_id", U32, v -> v.u32(0))
                        .pair("tokenizer.chat_template", STRING, v -> v.string(TEMPLATE_TEXT));
        vocabulary.accept(file);
        return tensors(file, pieces);
    }

    private static byte[] tensors(LittleEndian file, List<Piece> pieces) {
        int at = 0;
        for (Piece piece : pieces) {
            long[] innermostFirst = new long[piece.shape.length];
            for (int i = 0; i < innermostFirst.length; i++) {
                innermostFirst[i] = piece.shape[innermostFirst.length - 1 - i];
            }
            file.tensor(piece.gguf + ".weight", 0, at, innermostFirst);
            at += 4 * piece.elements(); // each a multiple of 32
        }
        return file.pad(32).data(at).bytes();
    }

    private static List<String> tokens() {
        List<String> tokens = new ArrayList<>(List.of("<|bos|>", "<|eos|>", "<|user|>"));
        for (int i = 0; i < LETTERS.length(); i++) {
            tokens.add(LETTERS.substring(i, i + 1));
        }
        MERGED.forEach(merge -> tokens.add(merge.replace(" ", "")));
        return tokens;
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    private static String vocabularyJson() {
        StringBuilder json = new StringBuilder("{");
        List<String> tokens = tokens();
        for (int id = 0; id < tokens.size(); id++) {
            json.append(id == 0 ? "" : ", ").append(quoted(tokens.get(id))).append(": ").append(id);
        }
        return json.append('}').toString();
    }

    /** tokenizer.json, byte-level, and tokenizer_config.json with a chat template. */
    public static Map<String, byte[]> tokenizerJson() {
        String merges =
                MERGED.stream()
                        .map(m -> "[" + quoted(m).replace(" ", "\",\"") + "]")
                        .collect(Collectors.joining(", "));
        String added =
                List.of("<|bos|>", "<|eos|>", "<|user|>").stream()
                        .map(t ->
                                "{\"id\": %d, \"content\": \"%s\", \"single_word\": false, \"special\": true}"
                                        .formatted(tokens().indexOf(t), t))
                        .collect(Collectors.joining(", "));
        String json =
                """
                {"version": "1.0", "truncation": null, "added_tokens": [%s], "normalizer": null,
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                   {"type": "Digits", "individual_digits": true},
                   {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
                 "post_processor": {"type": "TemplateProcessing", "single": [
                   {"SpecialToken": {"id": "<|bos|>", "type_id": 0}}, {"Sequence": {"id": "A"}}]},
                 "decoder": {"type": "ByteLevel"},
                 "model": {"type": "BPE", "dropout": null, "unk_token": null, "fuse_unk": false,
                   "byte_fallback": false, "ignore_merges": false, "vocab": %s,
                   "merges": [%s]}}
                """
                        .formatted(added, vocabularyJson(), merges);
        String config =
                """
                {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>",
                 "eos_token": {"content": "<|eos|>"}, "add_bos_token": true,
                 "additional_special_tokens": ["<|user|>"],
                 "added_tokens_decoder": {"0": {"content": "<|bos|>", "special": true}},
                 "chat_template": %s}
                """
                        .formatted(quoted(TEMPLATE_TEXT));
        return Map.of(TOKENIZER, utf8(json), TOKENIZER_CONFIG, utf8(config));
    }

    /** The same with a normalizer, and added tokens that are found by each of their options. */
    public static Map<String, byte[]> normalizedJson() {
        return normalized(
                tokenizerJson(),
                "\"normalizer\": null",
                normalizer("NFKC", "Lowercase"),
                tokens().size());
    }

    /** The normalizer of a tokenizer.json. */
    static String normalizer(String... steps) {
        return Stream.of(steps)
                .map("{\"type\": \"%s\"}"::formatted)
                .collect(
                        Collectors.joining(
                                ", ",
                                "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [",
                                "]}"));
    }

    /** {@link #tokenizerJson} with some of its text replaced, which must be there. */
    static Map<String, byte[]> tokenizerJson(Map<String, String> replaced) {
        return replaced(tokenizerJson(), replaced);
    }

    private static Map<String, byte[]> replaced(
            Map<String, byte[]> files, Map<String, String> replaced) {
        Map<String, byte[]> changed = new LinkedHashMap<>(files);
        String json =
                new String(Objects.requireNonNull(files.get(TOKENIZER)), StandardCharsets.UTF_8);
        for (Map.Entry<String, String> each : replaced.entrySet()) {
            if (!json.contains(each.getKey())) {
                throw new IllegalStateException(each.getKey() + " is not in the good file");
            }
            json = json.replace(each.getKey(), each.getValue());
        }
        changed.put(TOKENIZER, utf8(json));
        return changed;
    }

    /** {@link #spacesJson} with such a normalizer before its own, and such tokens. */
    public static Map<String, byte[]> normalizedSpacesJson() {
        String steps = "\"normalizers\": [";
        return normalized(spacesJson(), steps, steps + "{\"type\": \"NFD\"}, ", 7);
    }

    private static Map<String, byte[]> normalized(
            Map<String, byte[]> files, String old, String replacement, int id) {
        String added =
                """
                "added_tokens": [
                  {"id": %d, "content": "THin\u00e9", "normalized": true, "single_word": true},
                  {"id": %d, "content": "<Left>", "normalized": true, "lstrip": true},
                  {"id": %d, "content": "<Right>", "normalized": true, "rstrip": true},
                  {"id": %d, "content": "<Both>", "lstrip": true, "rstrip": true},
                """
                        .formatted(id, id + 1, id + 2, id + 3);
        return replaced(files, Map.of(old, replacement, "\"added_tokens\": [", added));
    }

    /** tokenizer.json with SentencePiece's spaces, as LLaMA 2 has it. */
    public static Map<String, byte[]> spacesJson() {
        String json =
                """
                {"added_tokens": [{"id": 1, "content": "<s>", "special": true}],
                 "normalizer": {"type": "Sequence", "normalizers": [
                   {"type": "Prepend", "prepend": "\u2581"},
                   {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]},
                 "pre_tokenizer": null, "post_processor": null,
                 "decoder": {"type": "Sequence", "decoders": [
                   {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                   {"type": "ByteFallback"}, {"type": "Fuse"},
                   {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
                 "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                   "vocab": {"<unk>": 0, "<s>": 1, "<0x41>": 2, "\u2581": 3, "t": 4, "h": 5, "th": 6},
                   "merges": ["t h"]}}
                """;
        return Map.of(TOKENIZER, utf8(json));
    }

    /** tokenizer.model of SentencePiece. */
    public static Map<String, byte[]> sentencePiece() {
        ByteArrayOutputStream model = new ByteArrayOutputStream();
        model.writeBytes(piece("<unk>", 0, 2));
        model.writeBytes(piece("<s>", 0, 3));
        model.writeBytes(piece("</s>", 0, 3));
        model.writeBytes(piece("<0x41>", 0, 6));
        model.writeBytes(piece("<mask>", 0, 4));
        for (String text : List.of("\u2581", "t", "h", "e", "th", "the", "\u2581the", "\u00E9")) {
            model.writeBytes(piece(text, -text.length(), 1));
        }
        model.writeBytes(new byte[] {0x12, 2, 0x18, 2}); // BPE
        model.writeBytes(new byte[] {0x1A, 4, 0x18, 1, 0x20, 0}); // a space in front, runs kept
        return Map.of(TOKENIZER_MODEL, model.toByteArray());
    }

    /** A piece of SentencePiece's model, short enough for lengths of one byte. */
    static byte[] piece(String text, float score, int type) {
        byte[] bytes = utf8(text);
        LittleEndian message =
                new LittleEndian().raw(0x0A, bytes.length).raw(bytes).raw(0x15).f32(score);
        byte[] content = message.raw(0x18, type).bytes();
        return new LittleEndian().raw(0x0A, content.length).raw(content).bytes();
    }

    /** tokenizer.model of Llama 3: ranks. */
    public static Map<String, byte[]> tiktoken() {
        StringBuilder ranks = new StringBuilder();
        for (int rank = 0; rank < 256; rank++) {
            ranks.append(rank(new byte[] {(byte) rank}, rank));
        }
        ranks.append(rank(utf8("th"), 256)).append(rank(utf8("the"), 257));
        return Map.of(TOKENIZER_MODEL, utf8(ranks.toString()));
    }

    static String rank(byte[] token, int rank) {
        return Base64.getEncoder().encodeToString(token) + " " + rank + "\n";
    }

    /** vocab.json, merges.txt, and the configuration that says how they are used. */
    public static Map<String, byte[]> vocabulary() {
        return Map.of(
                VOCABULARY, utf8(vocabularyJson()),
                MERGES, utf8("#version: 0.2\n" + String.join("\n", MERGED) + "\n"),
                TOKENIZER_CONFIG, utf8("{\"tokenizer_class\": \"GPT2Tokenizer\"}"));
    }

    /** The same with tokens of its own in added_tokens.json. */
    public static Map<String, byte[]> addedTokens() {
        Map<String, byte[]> files = new LinkedHashMap<>(vocabulary());
        int next = tokens().size();
        files.put(
                ADDED_TOKENS,
                utf8(
                        "{\"<|tool|>\": %d, \" two words\": %d, \"th\\u00e9\": %d}"
                                .formatted(next, next + 1, next + 2)));
        return files;
    }

    /** README.md with the front matter that Hugging Face reads. */
    public static Map<String, byte[]> readme() {
        String text =
                """
                ---
                license: other
                license_name: "tiny"
                license_link: https://example.org/LICENSE
                base_model: tiny/model
                tags: [a, b]
                ---
                # A model
                """;
        return Map.of(README, utf8(text));
    }

    /** chat_template.jinja. */
    public static Map<String, byte[]> template() {
        return Map.of(TEMPLATE, utf8(TEMPLATE_TEXT));
    }

    /** The Hugging Face folder with another vocabulary, or further files. */
    public static Map<String, byte[]> with(Map<String, byte[]> vocabulary) {
        Map<String, byte[]> files = huggingFace();
        if (vocabulary.containsKey(TOKENIZER_MODEL) || vocabulary.containsKey(VOCABULARY)) {
            files.remove(TOKENIZER);
            files.remove(TOKENIZER_CONFIG);
        }
        if (vocabulary.containsKey(TOKENIZER)) {
            files.remove(TOKENIZER_CONFIG);
        }
        files.putAll(vocabulary);
        return files;
    }
}
