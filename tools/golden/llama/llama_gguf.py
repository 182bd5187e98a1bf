"""LLaMA between its two spellings: HF names and row order, and GGUF names and row order."""

import gguf
import numpy as np
from gguf import quants

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TOP_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def gguf_name(hf_name: str) -> str:
    if hf_name in TOP_NAMES:
        return TOP_NAMES[hf_name]
    _, _, layer, rest = hf_name.split(".", 3)
    return f"blk.{layer}.{LAYER_NAMES[rest.removesuffix('.weight')]}.weight"


def names(layers: int, tied: bool) -> list[str]:
    """Every HF tensor name of a LLaMA with this many layers."""
    result = ["model.embed_tokens.weight"]
    for layer in range(layers):
        result += [f"model.layers.{layer}.{part}.weight" for part in LAYER_NAMES]
    result.append("model.norm.weight")
    if not tied:
        result.append("lm_head.weight")
    return result


def pairs_adjacent(w: np.ndarray, heads: int) -> np.ndarray:
    """HF rows (pairs i, i + d/2) to GGUF rows (pairs 2i, 2i + 1)."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(w.shape)


def pairs_halved(w: np.ndarray, heads: int) -> np.ndarray:
    """GGUF rows (pairs 2i, 2i + 1) to HF rows (pairs i, i + d/2)."""
    return w.reshape(heads, w.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)


def heads_of(hf_name: str, config) -> int | None:
    """How many heads' rows RoPE turns in this tensor; None when it turns none."""
    if hf_name.endswith("q_proj.weight"):
        return config.num_attention_heads
    if hf_name.endswith("k_proj.weight"):
        return config.num_key_value_heads
    return None


def llama3_divisors(rope: dict, head_dim: int) -> np.ndarray:
    """`rope_freqs.weight`: what each inverse frequency is divided by under llama3 scaling."""
    factor, low, high = rope["factor"], rope["low_freq_factor"], rope["high_freq_factor"]
    old = rope["original_max_position_embeddings"]
    divisors = []
    for i in range(head_dim // 2):
        wavelength = 2 * np.pi * rope["rope_theta"] ** (2 * i / head_dim)
        if wavelength < old / high:
            divisors.append(1.0)
        elif wavelength > old / low:
            divisors.append(factor)
        else:
            smooth = (old / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(divisors, dtype=np.float32)


def write(path, config, rope: dict, weights: dict[str, np.ndarray], types: dict, tokens, merges,
          quantise=quants.quantize) -> None:
    """Writes `weights` (HF names, HF row order, float32). `types` maps an HF name to its GGML type; norms are F32."""
    out = gguf.GGUFWriter(path, "llama")
    out.add_name(config.name_or_path)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_rope_dimension_count(config.head_dim)
    out.add_rope_freq_base(rope["rope_theta"])
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_key_length(config.head_dim)
    out.add_value_length(config.head_dim)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_vocab_size(config.vocab_size)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(tokens)
    out.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    out.add_token_merges(merges)
    out.add_bos_token_id(0)
    out.add_eos_token_id(1)
    out.add_add_bos_token(False)
    if rope["rope_type"] == "llama3":
        out.add_tensor("rope_freqs.weight", llama3_divisors(rope, config.head_dim))
    for name, w in weights.items():
        heads = heads_of(name, config)
        if heads is not None:
            w = pairs_adjacent(w, heads)
        kind = gguf.GGMLQuantizationType.F32 if w.ndim == 1 else types[name]
        w = np.ascontiguousarray(w)
        if kind == gguf.GGMLQuantizationType.F32:
            out.add_tensor(gguf_name(name), w)
        elif kind == gguf.GGMLQuantizationType.F16:
            out.add_tensor(gguf_name(name), w.astype(np.float16))
        else:
            out.add_tensor(gguf_name(name), quantise(w, kind), raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def read(path, config, halve: bool = True) -> dict[str, np.ndarray]:
    """The file's weights as float32 under HF names; `halve` False leaves the rows of q and k in GGUF order."""
    tensors = {t.name: t for t in gguf.GGUFReader(path).tensors}
    weights = {}
    for name in names(config.num_hidden_layers, tied="output.weight" not in tensors):
        t = tensors[gguf_name(name)]
        w = quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        w = w.reshape(tuple(int(n) for n in reversed(t.shape)))
        heads = heads_of(name, config)
        if heads is not None and halve:
            w = pairs_halved(w, heads)
        weights[name] = np.ascontiguousarray(w)
    return weights
