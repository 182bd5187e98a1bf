"""Shapes of every tensor of the published LLaMA sizes, as transformers builds them, without weights. See README.md.

    python published_shapes.py OUT        writes OUT/llama/published-shapes.json
"""

import json
import sys
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

# hidden, layers, heads, KV heads, ffn, vocabulary, tied; and the parameters that were published
SIZES = {
    "LLaMA 1 and 2 7B": (4096, 32, 32, 32, 11008, 32000, False, 6738415616),
    "LLaMA 1 and 2 13B": (5120, 40, 40, 40, 13824, 32000, False, 13015864320),
    "LLaMA 1 33B": (6656, 60, 52, 52, 17920, 32000, False, 32528943616),
    "LLaMA 1 65B": (8192, 80, 64, 64, 22016, 32000, False, 65285660672),
    "Llama 2 70B": (8192, 80, 64, 8, 28672, 32000, False, 68976648192),
    "Code Llama 7B": (4096, 32, 32, 32, 11008, 32016, False, 6738546688),
    "Llama 3 and 3.1 8B": (4096, 32, 32, 8, 14336, 128256, False, 8030261248),
    "Llama 3 to 3.3 70B": (8192, 80, 64, 8, 28672, 128256, False, 70553706496),
    "Llama 3.1 405B": (16384, 126, 128, 8, 53248, 128256, False, 405853388800),
    "Llama 3.2 1B": (2048, 16, 32, 8, 8192, 128256, True, 1235814400),
    "Llama 3.2 3B": (3072, 28, 24, 8, 8192, 128256, True, 3212749824),
    "TinyLlama 1.1B": (2048, 22, 32, 4, 5632, 32000, False, 1100048384),
    "SmolLM 1 and 2 135M": (576, 30, 9, 3, 1536, 49152, True, 134515008),
    "SmolLM 1 and 2 360M": (960, 32, 15, 5, 2560, 49152, True, 361821120),
    "SmolLM 1 and 2 1.7B": (2048, 24, 32, 32, 8192, 49152, True, 1711376384),
}


def main() -> None:
    result = {}
    for name, (hidden, layers, heads, kv, ffn, vocab, tied, parameters) in SIZES.items():
        config = LlamaConfig(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv,
                             intermediate_size=ffn, vocab_size=vocab, tie_word_embeddings=tied)
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        assert sum(p.numel() for p in model.parameters()) == parameters, name
        shapes = {key: list(p.shape) for key, p in model.named_parameters()}  # tied ones once
        first = {key: shape for key, shape in shapes.items() if not key.startswith("model.layers.")
                 or key.startswith("model.layers.0.")}
        for key, shape in shapes.items():
            parts = key.split(".")
            if parts[1] == "layers":
                assert shape == first[".".join(["model.layers.0", *parts[3:]])]
        result[name] = {"tensors": len(shapes), "without_other_layers": first}
    (Path(sys.argv[1]) / "llama" / "published-shapes.json").write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
