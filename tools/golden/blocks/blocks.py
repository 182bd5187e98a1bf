#!/usr/bin/env python3
"""Writes blocks of random bits and what the gguf package makes of them, bit for bit.

    blocks.py OUT/blocks

`blocks.gguf` has a tensor in each type, [3, 768]; `blocks.expected.safetensors` the same as F32. The F16 scales are finite:
ordinary, zero of both signs, denormal and the largest; MXFP4's exponents are ordinary, the two smallest, and the largest with
which all its levels are finite. Versions: ../llama/requirements.txt.
"""

import sys
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize
from safetensors.numpy import save_file

ROWS, COLS = 3, 768

# Places of a block's F16 scales.
SCALES = {
    "q4_k": [0, 2],
    "q6_k": [208],
    "q5_0": [0],
    "q5_1": [0, 2],
    "iq4_nl": [0],
    "mxfp4": [],
    "q2_k": [80, 82],
    "q3_k": [108],
    "q5_k": [0, 2],
    "iq4_xs": [0],
}

SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF]
SPECIAL_EXPONENTS = [0, 1, 252]


def blocks(rng: np.random.Generator, elements: int, size: int, scales: list[int]) -> np.ndarray:
    count = ROWS * COLS // elements
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    for place in scales:
        halves = (rng.standard_normal(count) * 0.01).astype(np.float16).view(np.uint16)
        special = rng.permutation(count)[: len(SPECIAL)]
        halves[special] = SPECIAL
        data[:, place : place + 2] = halves.view(np.uint8).reshape(count, 2)
    if not scales:
        data[:, 0] = rng.integers(110, 130, count, dtype=np.uint8)
        data[rng.permutation(count)[: len(SPECIAL_EXPONENTS)], 0] = SPECIAL_EXPONENTS
    return data.reshape(ROWS, -1)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    rng = np.random.default_rng(20261126)
    writer = GGUFWriter(out / "blocks.gguf", "none")
    expected = {}
    for name, scales in SCALES.items():
        kind = GGMLQuantizationType[name.upper()]
        data = blocks(rng, *GGML_QUANT_SIZES[kind], scales)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = dequantize(data, kind).astype(np.float32)
        assert expected[name].shape == (ROWS, COLS)
        assert np.isfinite(expected[name]).all()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, out / "blocks.expected.safetensors")


if __name__ == "__main__":
    main()
