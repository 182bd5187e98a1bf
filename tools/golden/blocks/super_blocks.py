#!/usr/bin/env python3
"""Writes super-blocks of random bits and what the gguf package makes of them, bit for bit.

    super_blocks.py OUT/blocks

`super-blocks.gguf` has a tensor in each type, [3, 768]; `super-blocks.expected.safetensors` the same as F32. The F16 scales are
finite: ordinary, zero of both signs, denormal and the largest. Versions: ../llama/requirements.txt.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize
from safetensors.numpy import save_file

ROWS, COLS, BLOCK = 3, 768, 256

# Type, bytes of a block, places of its F16 scales.
TYPES = {
    "q4_k": (GGMLQuantizationType.Q4_K, 144, [0, 2]),
    "q6_k": (GGMLQuantizationType.Q6_K, 210, [208]),
}

SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF]


def blocks(rng: np.random.Generator, size: int, scales: list[int]) -> np.ndarray:
    count = ROWS * COLS // BLOCK
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for place in scales:
        halves = (rng.standard_normal(count) * 0.01).astype(np.float16).view(np.uint16)
        special = rng.permutation(count)[: len(SPECIAL)]
        halves[special] = SPECIAL
        data[:, place : place + 2] = halves.view(np.uint8).reshape(count, 2)
    return data.reshape(ROWS, -1)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    rng = np.random.default_rng(20261126)
    writer = GGUFWriter(out / "super-blocks.gguf", "none")
    expected = {}
    for name, (kind, size, scales) in TYPES.items():
        data = blocks(rng, size, scales)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = dequantize(data, kind).astype(np.float32)
        assert expected[name].shape == (ROWS, COLS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, out / "super-blocks.expected.safetensors")


if __name__ == "__main__":
    main()
