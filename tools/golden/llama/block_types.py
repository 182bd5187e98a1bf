"""Makes a tiny checkpoint in each block type that the gguf package reads and mostly cannot write. See README.md.

    python block_types.py OUT LIBGGML      LIBGGML is llama.cpp's libggml-base.so, whose quantisers write the blocks
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from transformers import LlamaConfig, LlamaForCausalLM

import formula
import llama_gguf
import tiny

# By llama.cpp's rule, what a matrix gets whose rows are no whole super-blocks.
NAMED = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M"]
FALLBACK = {"Q2_K": "IQ4_NL", "Q3_K": "IQ4_NL", "IQ4_XS": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
            **dict.fromkeys(NAMED, "IQ4_NL")}
NARROW = dict(hidden_size=64, intermediate_size=128, vocab_size=64)
# Rows of o_proj are 64 long, all others a super-block.
WIDE = dict(hidden_size=256, intermediate_size=256, vocab_size=64)


def quantiser(library: str):
    ggml = ctypes.CDLL(library)
    ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
    ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                         ctypes.c_int64, ctypes.c_void_p]

    def quantise(w: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
        elements, size = GGML_QUANT_SIZES[kind]
        rows, cols = w.shape
        blocks = np.zeros((rows, cols // elements * size), dtype=np.uint8)
        # Some quantisers ask how much each column matters: all do alike.
        importance = np.ones(cols, dtype=np.float32)
        written = ggml.ggml_quantize_chunk(int(kind), w.ctypes.data, blocks.ctypes.data, 0, rows, cols,
                                           importance.ctypes.data if kind.name in NAMED else None)
        assert written == blocks.nbytes
        return blocks

    return quantise


def make(out: Path, name: str, quantise) -> None:
    kind = GGMLQuantizationType[name]
    spec = tiny.shape(f"quantised-{name.lower()}", num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                      num_hidden_layers=1, **(WIDE if name in FALLBACK else NARROW))
    config = LlamaConfig(**{k: v for k, v in tiny.config_json(spec).items()
                            if k not in ("architectures", "model_type", "torch_dtype")})
    config.name_or_path = spec["name_or_path"]
    blank = LlamaForCausalLM(config).state_dict()
    weights = {n: formula.weight(n, tuple(blank[n].shape), 0.5)
               for n in llama_gguf.names(config.num_hidden_layers, config.tie_word_embeddings)}
    types = {n: kind if w.shape[-1] % GGML_QUANT_SIZES[kind][0] == 0 else GGMLQuantizationType[FALLBACK[name]]
             for n, w in weights.items()}
    tokens, merges = tiny.vocabulary(config.vocab_size)
    path = out / f"{spec['name_or_path']}.gguf"
    llama_gguf.write(path, config, dict(config.rope_parameters), weights, types, tokens, merges, quantise)
    # self_attn and mlp are what o_proj and down_proj give: left out to keep the file small.
    tiny.expect(out / f"{spec['name_or_path']}.expected.safetensors",
                tiny.model_of(config, llama_gguf.read(path, config)), tiny.SHORT,
                keep=lambda module: not module.endswith((".self_attn", ".mlp")))


def main() -> None:
    torch.set_num_threads(1)
    quantise = quantiser(sys.argv[2])
    for name in ["Q5_0", "Q5_1", "IQ4_NL", "MXFP4", *FALLBACK]:
        make(Path(sys.argv[1]) / "llama", name, quantise)


if __name__ == "__main__":
    main()
