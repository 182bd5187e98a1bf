package dev.flagship.hostile;

import static dev.flagship.hostile.LittleEndian.*;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * A valid LLaMA model of one layer in GGUF, wide enough for super-blocks, with weights in every
 * type of blocks that is read.
 */
public final class BlockModel {
    private static final int DIM = 256;
    private static final int FFN = 32;
    private static final int VOCAB = 4;

    /** Number, weights of a block, its bytes, and where its F16 scales lie. */
    @SuppressWarnings("ArrayRecordComponent") // nobody changes it
    private record Type(int number, int weights, int bytes, int... scales) {}

    private static final Type F32 = new Type(0, 1, 4);

    /** Types of rows of {@link #DIM}. */
    private static final List<Type> TYPES =
            List.of(
                    new Type(12, 256, 144, 0, 2), // Q4_K
                    new Type(13, 256, 176, 0, 2), // Q5_K
                    new Type(14, 256, 210, 208), // Q6_K
                    new Type(10, 256, 84, 80, 82), // Q2_K
                    new Type(11, 256, 110, 108), // Q3_K
                    new Type(23, 256, 136, 0), // IQ4_XS
                    new Type(16, 256, 66, 0), // IQ2_XXS
                    new Type(17, 256, 74, 0), // IQ2_XS
                    new Type(22, 256, 82, 0), // IQ2_S
                    new Type(18, 256, 98, 0), // IQ3_XXS
                    new Type(21, 256, 110, 0), // IQ3_S
                    new Type(19, 256, 50, 0), // IQ1_S
                    new Type(29, 256, 56), // IQ1_M, whose scale lies in pieces
                    new Type(8, 32, 34, 0), // Q8_0
                    new Type(2, 32, 18, 0), // Q4_0
                    new Type(3, 32, 20, 0, 2), // Q4_1
                    new Type(6, 32, 22, 0), // Q5_0
                    new Type(7, 32, 24, 0, 2), // Q5_1
                    new Type(20, 32, 18, 0), // IQ4_NL
                    new Type(39, 32, 17), // MXFP4, whose scale is a byte
                    new Type(1, 1, 2), // F16
                    new Type(30, 1, 2)); // BF16

    private record Matrix(String name, Type type, long rows, long cols) {}

    private BlockModel() {}

    /**
     * model.gguf.
     *
     * @param which of three, which together have all types
     */
    public static Map<String, byte[]> gguf(int which) {
        List<String> names =
                List.of(
                        "token_embd",
                        "output",
                        "blk.0.attn_q",
                        "blk.0.attn_k",
                        "blk.0.attn_v",
                        "blk.0.ffn_gate",
                        "blk.0.ffn_up",
                        "blk.0.attn_output");
        List<Matrix> all = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            long rows =
                    switch (i) {
                        case 0, 1 -> VOCAB;
                        case 2 -> 16;
                        case 3, 4 -> 8;
                        case 5, 6 -> FFN;
                        default -> DIM;
                    };
            boolean last = name.endsWith("attn_output"); // 16 wide: no blocks
            Type type = last ? F32 : TYPES.get((which * 8 + i) % TYPES.size());
            all.add(new Matrix(name + ".weight", type, rows, last ? 16 : DIM));
        }
        Type narrow = TYPES.get(13 + which); // rows of 32
        all.add(new Matrix("blk.0.ffn_down.weight", narrow, DIM, FFN));
        for (String norm : List.of("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm")) {
            all.add(new Matrix(norm + ".weight", F32, 0, DIM));
        }
        return Map.of("model.gguf", file(all));
    }

    private static byte[] file(List<Matrix> matrices) {
        List<String> tokens = List.of("<|bos|>", "t", "h", "th");
        LittleEndian file =
                LittleEndian.gguf(3, matrices.size(), 15)
                        .pair("general.architecture", STRING, v -> v.string("llama"))
                        .pair("llama.context_length", U32, v -> v.u32(64))
                        .pair("llama.embedding_length", U32, v -> v.u32(DIM))
                        .pair("llama.block_count", U32, v -> v.u32(1))
                        .pair("llama.feed_forward_length", U32, v -> v.u32(FFN))
                        .pair("llama.attention.head_count", U32, v -> v.u32(2))
                        .pair("llama.attention.head_count_kv", U32, v -> v.u32(1))
                        .pair("llama.attention.key_length", U32, v -> v.u32(8))
                        .pair("llama.rope.scaling.factor", LittleEndian.F32, v -> v.f32(2))
                        .pair(
                                "llama.attention.layer_norm_rms_epsilon",
                                LittleEndian.F32,
                                v -> v.f32(1e-5f))
                        .pair("tokenizer.ggml.model", STRING, v -> v.string("gpt2"))
                        .pair("tokenizer.ggml.pre", STRING, v -> v.string("smollm"))
                        .array(
                                "tokenizer.ggml.tokens",
                                STRING,
                                tokens.size(),
                                v -> tokens.forEach(v::string))
                        .array(
                                "tokenizer.ggml.token_type",
                                I32,
                                tokens.size(),
                                v -> v.u32(3).u32(1).u32(1).u32(1))
                        .array("tokenizer.ggml.merges", STRING, 1, v -> v.string("t h"));
        long at = 0;
        for (Matrix m : matrices) {
            if (m.rows == 0) {
                file.tensor(m.name, m.type.number, at, m.cols);
            } else {
                file.tensor(m.name, m.type.number, at, m.cols, m.rows);
            }
            at += (bytes(m) + 31L) / 32 * 32;
        }
        file.pad(32);
        SplittableRandom random = new SplittableRandom(20261127);
        for (Matrix m : matrices) {
            file.raw(data(m, random)).pad(32);
        }
        return file.bytes();
    }

    private static int bytes(Matrix m) {
        return Math.toIntExact(Math.max(1, m.rows) * m.cols / m.type.weights * m.type.bytes);
    }

    /** Random numbers under small scales; plain weights are 0. */
    private static byte[] data(Matrix m, SplittableRandom random) {
        byte[] data = new byte[bytes(m)];
        if (m.type.weights == 1) {
            return data;
        }
        random.nextBytes(data);
        for (int block = 0; block < data.length; block += m.type.bytes) {
            for (int scale : m.type.scales) {
                data[block + scale] = 1;
                data[block + scale + 1] = 0x10; // 0.0005
            }
            if (m.type.number == 39) {
                data[block] = 120;
            }
            if (m.type.number == 29) { // four bits of the scale on top of each of four small ones
                for (int i = 0; i < 4; i++) {
                    int top = block + 49 + 2 * i;
                    data[top] = (byte) (data[top] & 15 | (i == 3 ? 0x10 : 0));
                }
            }
        }
        return data;
    }
}
