"""Whether the blocks of a file that `flagship quantize` wrote are as near to the weights as llama.cpp's. See README.md.

    python block_errors.py SOURCE OURS.gguf LIBGGML     SOURCE: the Hugging Face folder that was quantised, in one file

Each matrix is rounded again by llama.cpp's quantiser, to the type that it has in our file. Prints for each type the
root mean squared errors over all its matrices, the matrix that compares worst, and how many blocks are worse.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open

import block_types
import llama_gguf

PLAIN = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)


def pairs_from_halves(w: np.ndarray, heads: int) -> np.ndarray:
    """Rows of q and k in GGUF's order."""
    rows, cols = w.shape
    return w.reshape(heads, 2, rows // heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)


def squared(w: np.ndarray, blocks: np.ndarray, kind: GGMLQuantizationType) -> np.ndarray:
    """Each block's sum of squared errors."""
    error = dequantize(blocks, kind).astype(np.float64) - w
    return (error**2).reshape(-1, GGML_QUANT_SIZES[kind][0]).sum(axis=-1)


def main() -> None:
    source = safe_open(Path(sys.argv[1]) / "model.safetensors", "pt")
    reader = GGUFReader(sys.argv[2])
    quantise = block_types.quantiser(sys.argv[3])
    ours = {t.name: t for t in reader.tensors}
    heads = {part: int(reader.fields[f"llama.attention.{key}"].contents())
             for part, key in (("q_proj", "head_count"), ("k_proj", "head_count_kv"))}
    sums, worst, worse, blocks = defaultdict(lambda: np.zeros(2)), defaultdict(float), defaultdict(int), defaultdict(int)
    for name in source.keys():
        tensor = ours.get(llama_gguf.gguf_name(name))
        if tensor is None or tensor.tensor_type in PLAIN:
            continue
        w = np.ascontiguousarray(source.get_tensor(name).to(torch.float32).numpy())
        part = name.split(".")[-2]
        if part in heads:
            w = np.ascontiguousarray(pairs_from_halves(w, heads[part]))
        kind = tensor.tensor_type
        own = squared(w, tensor.data, kind)
        theirs = squared(w, quantise(w, kind), kind)
        sums[kind] += own.sum(), theirs.sum()
        worst[kind] = max(worst[kind], np.sqrt(own.sum() / theirs.sum()))
        worse[kind] += int((own > theirs * (1 + 1e-6)).sum())
        blocks[kind] += own.size
    for kind, (own, theirs) in sums.items():
        print(f"{kind.name}: error {np.sqrt(own / theirs):.4f} of llama.cpp's, in the worst matrix {worst[kind]:.4f}; "
              f"{worse[kind]} of {blocks[kind]} blocks worse")


main()
