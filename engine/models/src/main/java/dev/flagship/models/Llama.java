package dev.flagship.models;

import static dev.flagship.base.Check.check;
import static dev.flagship.nn.Functions.attend;
import static dev.flagship.nn.Functions.swiGlu;

import dev.flagship.nn.CausalLm;
import dev.flagship.nn.Embedding;
import dev.flagship.nn.Linear;
import dev.flagship.nn.RmsNorm;
import dev.flagship.nn.Rope;
import dev.flagship.nn.Step;
import dev.flagship.nn.Weights;
import dev.flagship.tensor.DType;
import dev.flagship.tensor.KvLayout;
import dev.flagship.tensor.Tensor;
import java.util.stream.IntStream;

/**
 * LLaMA 1, 2 and 3 decoders and their look-alikes (TinyLlama, SmolLM2): arXiv:2302.13971; grouped
 * queries arXiv:2307.09288; long-context rotary frequencies arXiv:2407.21783.
 *
 * <p>embed → N × [x + attention(norm x), x + mlp(norm x)] → norm → head. No biases; norms are RMS
 * norms before each part; positions are rotations of queries and keys; the MLP is SwiGLU.
 *
 * <p>Shapes: T rows in this step, R of them with logits wanted, D dim, H heads, K kvHeads, E
 * headSize, F ffn, V vocab.
 */
public final class Llama implements CausalLm {

    /**
     * Sizes and constants of one model, as its config.json or GGUF metadata give them.
     *
     * @param headSize E; not always dim / heads
     * @param tiedHead whether the output head is the embedding table
     */
    public record Config(
            int vocab,
            int dim,
            int ffn,
            int layers,
            int heads,
            int kvHeads,
            int headSize,
            float eps,
            float theta,
            Rope.Scaling scaling,
            boolean tiedHead) {
        /** Far above any published model: blocks are counted before one is looked for. */
        private static final int MOST_LAYERS = 4096;

        public Config {
            check(
                    vocab > 0 && dim > 0 && ffn > 0 && layers > 0 && headSize > 0,
                    "llama: vocab %s, dim %s, ffn %s, layers %s and head size %s must be positive",
                    vocab,
                    dim,
                    ffn,
                    layers,
                    headSize);
            check(
                    kvHeads > 0 && heads > 0 && heads % kvHeads == 0,
                    "llama: %s heads do not divide into %s groups",
                    heads,
                    kvHeads);
            check(
                    layers <= MOST_LAYERS && (long) heads * headSize <= Integer.MAX_VALUE,
                    "llama: layers %s, at most %s can be; %s heads of %s numbers must fit in a row",
                    layers,
                    MOST_LAYERS,
                    heads,
                    headSize);
        }
    }

    /** Grouped-query attention: each of K key-value heads serves H/K query heads. */
    private record Attention(int layer, Linear qkv, Linear o, Rope rope, Config c) {
        static Attention load(Weights w, int layer, Rope rope, Config c) {
            int queries = c.heads * c.headSize;
            int keys = c.kvHeads * c.headSize;
            return new Attention(
                    layer,
                    Linear.joined(
                            w.linear("q_proj", queries, c.dim),
                            w.linear("k_proj", keys, c.dim),
                            w.linear("v_proj", keys, c.dim)),
                    w.linear("o_proj", c.dim, queries),
                    rope,
                    c);
        }

        Tensor forward(Tensor x, Step step) {
            var qkv = this.qkv.applyAll(x); // one pass over x, three products
            var q = qkv.get(0).split(c.heads, c.headSize); // (T, H, E)
            var k = qkv.get(1).split(c.kvHeads, c.headSize); // (T, K, E)
            var v = qkv.get(2); // (T, K·E)
            rope.rotate(q, step);
            rope.rotate(k, step);
            step.append(layer, k, v); // each row after the past of its own sequence
            if (layer == c.layers - 1) { // nobody reads the other rows after this
                q = step.outputRows(qkv.get(0)).split(c.heads, c.headSize); // (R, H, E)
            }
            return o.apply(attend(q, step, layer)); // (T, D), in the last layer (R, D)
        }
    }

    /** SwiGLU feed-forward (arXiv:2002.05202): down(silu(gate x) · up x). */
    private record Mlp(Linear gateUp, Linear down) {
        static Mlp load(Weights w, Config c) {
            return new Mlp(
                    Linear.joined(
                            w.linear("gate_proj", c.ffn, c.dim), w.linear("up_proj", c.ffn, c.dim)),
                    w.linear("down_proj", c.dim, c.ffn));
        }

        Tensor forward(Tensor x) {
            var gateUp = this.gateUp.applyAll(x); // two of (T, F)
            return down.apply(swiGlu(gateUp.get(0), gateUp.get(1))); // (T, D)
        }
    }

    /** Pre-norm residual block. */
    private record Block(RmsNorm attentionNorm, Attention attention, RmsNorm mlpNorm, Mlp mlp) {
        static Block load(Weights w, int layer, Rope rope, Config c) {
            return new Block(
                    w.rmsNorm("input_layernorm", c.dim, c.eps),
                    Attention.load(w.at("self_attn"), layer, rope, c),
                    w.rmsNorm("post_attention_layernorm", c.dim, c.eps),
                    Mlp.load(w.at("mlp"), c));
        }

        /** Residual stream x (T, D), updated in place; the last block's (R, D). */
        Tensor forward(Tensor x, Step step) {
            var attended = attention.forward(attentionNorm.apply(x), step);
            if (attended.rows() < x.rows()) { // the last block: only rows whose logits are wanted
                x = step.outputRows(x);
            }
            x.accumulate(attended);
            x.accumulate(mlp.forward(mlpNorm.apply(x)));
            return x;
        }
    }

    private final Config config;
    private final Embedding embed;
    private final Block[] blocks;
    private final RmsNorm norm;
    private final Linear head;

    public Llama(Config config, Weights w) {
        this.config = config;
        var table = w.matrix("model.embed_tokens", config.vocab, config.dim);
        var rope = new Rope(config.headSize, config.theta, config.scaling);
        this.embed = new Embedding(table);
        this.blocks =
                IntStream.range(0, config.layers)
                        .mapToObj(i -> Block.load(w.at("model.layers." + i), i, rope, config))
                        .toArray(Block[]::new);
        this.norm = w.rmsNorm("model.norm", config.dim, config.eps);
        this.head =
                config.tiedHead ? Linear.of(table) : w.linear("lm_head", config.vocab, config.dim);
    }

    @Override
    public Tensor forward(Step step) {
        var x = embed.apply(step); // (T, D)
        for (int i = 0; i < blocks.length - 1; i++) {
            try (var _ = step.frame()) { // the block's scratch is free again after each layer
                blocks[i].forward(x, step);
            }
        }
        x = blocks[blocks.length - 1].forward(x, step); // (R, D)
        return head.apply(norm.apply(x)); // (R, V)
    }

    @Override
    public KvLayout kvLayout(DType type) {
        return new KvLayout(config.layers, config.kvHeads, config.headSize, type);
    }

    @Override
    public int vocabularySize() {
        return config.vocab;
    }
}
