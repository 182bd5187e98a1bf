#!/usr/bin/env python3
"""Writes a Hugging Face folder with the weights of a GGUF file, for peers that read folders only.

    make_folder.py [--type bf16|f32] IN.gguf OUT

Architecture llama with a byte-level BPE vocabulary. Quantised weights are dequantised, and rounded to bfloat16 unless f32 is
asked for, so that the folder's logits are near the file's, not equal to them.
"""

import argparse
import json
import struct
from pathlib import Path

import numpy as np
from gguf import GGUFReader, TokenType
from gguf.quants import dequantize

DIGITS = {"type": "Digits", "individual_digits": True}
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
PRE_TOKENIZERS = {
    "smollm": {"type": "Sequence", "pretokenizers": [DIGITS, BYTES]},
    "gpt-2": {"type": "Sequence", "pretokenizers": [BYTES]},
    "llama-bpe": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA_3}, "behavior": "Isolated", "invert": False},
            BYTES | {"use_regex": False},
        ],
    },
}
FREQUENCIES = "rope_freqs.weight"

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


class File:
    def __init__(self, path):
        self.reader = GGUFReader(path)
        if self.of("general.architecture") != "llama":
            raise SystemExit(f"{path} is of architecture {self.of('general.architecture')}, not llama")
        if self.of("tokenizer.ggml.model") != "gpt2" or self.of("tokenizer.ggml.pre") not in PRE_TOKENIZERS:
            raise SystemExit(f"{path} has no vocabulary of {', '.join(PRE_TOKENIZERS)}, the ones known here")
        self.heads = self.of("llama.attention.head_count")
        self.kv_heads = self.of("llama.attention.head_count_kv", self.heads)

    def of(self, key, default=None):
        field = self.reader.get_field(key)
        if field is None and default is None:
            raise SystemExit(f"the file has no {key}")
        return default if field is None else field.contents()

    def tensors(self):
        for tensor in self.reader.tensors:
            stem, _, kind = tensor.name.rpartition(".")
            if tensor.name == FREQUENCIES:
                continue
            if kind != "weight":
                raise SystemExit(f"the tensor {tensor.name} has no place in the folder")
            weights = dequantize(tensor.data, tensor.tensor_type)
            if stem.startswith("blk."):
                _, layer, part = stem.split(".")
                if part in ("attn_q", "attn_k"):
                    weights = halves(weights, self.heads if part == "attn_q" else self.kv_heads)
                yield f"model.layers.{layer}.{LAYER_NAMES[part]}.weight", weights
            else:
                yield f"{NAMES[stem]}.weight", weights

    def rope(self):
        """Scaled as Llama 3.1 scales, whose lowest frequencies are divided by the whole factor."""
        for tensor in self.reader.tensors:
            if tensor.name == FREQUENCIES:
                kind = {"rope_type": "llama3", "factor": float(tensor.data.max()), "low_freq_factor": 1.0}
                return {"rope_scaling": kind | {"high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}
        return {}

    def config(self, tied, dtype):
        return self.rope() | {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": self.of("llama.embedding_length"),
            "intermediate_size": self.of("llama.feed_forward_length"),
            "num_hidden_layers": self.of("llama.block_count"),
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": len(self.of("tokenizer.ggml.tokens")),
            "max_position_embeddings": self.of("llama.context_length"),
            "rms_norm_eps": float(f"{self.of('llama.attention.layer_norm_rms_epsilon'):.6g}"),
            "rope_theta": self.of("llama.rope.freq_base", 10_000.0),
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": tied,
            "bos_token_id": self.of("tokenizer.ggml.bos_token_id"),
            "eos_token_id": self.of("tokenizer.ggml.eos_token_id"),
            "torch_dtype": dtype,
        }

    def tokenizer(self):
        tokens = self.of("tokenizer.ggml.tokens")
        kinds = self.of("tokenizer.ggml.token_type")
        added = []
        for i, kind in enumerate(kinds):
            if kind in (TokenType.CONTROL, TokenType.USER_DEFINED):
                token = {"id": i, "content": tokens[i], "special": kind == TokenType.CONTROL, "normalized": False}
                added.append(token | {"single_word": False, "lstrip": False, "rstrip": False})
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": PRE_TOKENIZERS[self.of("tokenizer.ggml.pre")],
            "post_processor": None,
            "decoder": BYTES,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": {token: i for i, token in enumerate(tokens)},
                "merges": self.of("tokenizer.ggml.merges"),
            },
        }

    def tokenizer_config(self):
        tokens = self.of("tokenizer.ggml.tokens")
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": tokens[self.of("tokenizer.ggml.bos_token_id")],
            "eos_token": tokens[self.of("tokenizer.ggml.eos_token_id")],
            "add_bos_token": bool(self.of("tokenizer.ggml.add_bos_token", False)),
        }
        template = self.of("tokenizer.chat_template", "")
        return config | ({"chat_template": template} if template else {})


def halves(weights, heads):
    """GGUF turns neighbours, Hugging Face turns halves: row (head, i, half) goes to (head, half, i)."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def bfloat16(numbers):
    """The upper halves, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def write_safetensors(path, tensors, kind):
    header, blocks, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, weights in tensors:
        block = (bfloat16(weights) if kind == "bf16" else np.ascontiguousarray(weights, np.float32)).tobytes()
        header[name] = {"dtype": kind.upper(), "shape": list(weights.shape), "data_offsets": [at, at + len(block)]}
        blocks.append(block)
        at += len(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for block in blocks:
            file.write(block)
    return header


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--type", choices=["bf16", "f32"], default="bf16")
    parser.add_argument("gguf", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    file = File(arguments.gguf)
    arguments.folder.mkdir(parents=True)
    header = write_safetensors(arguments.folder / "model.safetensors", file.tensors(), arguments.type)
    dtype = {"bf16": "bfloat16", "f32": "float32"}[arguments.type]
    texts = {
        "config.json": file.config("lm_head.weight" not in header, dtype),
        "tokenizer.json": file.tokenizer(),
        "tokenizer_config.json": file.tokenizer_config(),
    }
    for name, content in texts.items():
        (arguments.folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
