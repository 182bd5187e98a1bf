#!/usr/bin/env python3
"""Writes blocks of random bits and what the gguf package makes of them, bit for bit.

    blocks.py OUT/blocks

`blocks.gguf` has a tensor in each type, [3, 768], or as many rows as it takes to name all that a type's codebook holds;
`blocks.expected.safetensors` the same as F32. The F16 scales are finite:
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
    "iq2_xxs": [0],
    "iq2_xs": [0],
    "iq2_s": [0],
    "iq3_xxs": [0],
    "iq3_s": [0],
    "iq1_s": [0],
    "iq1_m": [],
    "q8_0": [0],
    "q4_0": [0],
    "q4_1": [0, 2],
    "f16": [],
    "bf16": [],
    "f32": [],
}

# Types without blocks, with the bits of their exponents: random bits that are no number lose the lowest of these.
EXPONENTS = {"f16": (np.uint16, 0x7C00), "bf16": (np.uint16, 0x7F80), "f32": (np.uint32, 0x7F800000)}

# Rows of more than three.
MORE_ROWS = {"iq2_xs": 6, "iq2_s": 11, "iq1_s": 22}

SPECIAL = [0x0000, 0x8000, 0x0001, 0x83FF, 0x7BFF]
SPECIAL_EXPONENTS = [0, 1, 252]


def put_bits(data: np.ndarray, byte: int, shift: int, bits: int, values: np.ndarray) -> None:
    mask = (1 << bits) - 1 << shift
    data[:, byte] = data[:, byte] & (0xFF ^ mask) | (values << shift).astype(np.uint8) & mask


def name_all(name: str, data: np.ndarray) -> None:
    """The low bits of a name lie in a byte, its high ones as ggml-common.h says."""
    many = {"iq2_xxs": 256, "iq2_xs": 512, "iq2_s": 1024, "iq3_xxs": 256, "iq3_s": 512, "iq1_s": 2048}
    if name not in many:
        return
    per_block = 64 if name.startswith("iq3") else 32
    first = np.arange(data.shape[0]) * per_block
    for i in range(per_block):
        n = (first + i) % many[name]
        match name:
            case "iq2_xxs":
                data[:, 2 + i // 4 * 8 + i % 4] = n
            case "iq2_xs":
                data[:, 2 + 2 * i] = n & 255
                put_bits(data, 3 + 2 * i, 0, 1, n >> 8)
            case "iq2_s":
                data[:, 2 + i] = n & 255
                put_bits(data, 66 + i // 4, i % 4 * 2, 2, n >> 8)
            case "iq1_s":
                data[:, 2 + i] = n & 255
                halves = data[:, 34 + i // 4 * 2 : 36 + i // 4 * 2].copy().view(np.uint16)[:, 0]
                shift = i % 4 * 3
                halves = halves & (0xFFFF ^ 7 << shift) | (n >> 8 << shift).astype(np.uint16)
                data[:, 34 + i // 4 * 2 : 36 + i // 4 * 2] = halves.view(np.uint8).reshape(-1, 2)
            case _:
                data[:, 2 + i] = n & 255
                if name == "iq3_s":
                    put_bits(data, 66 + i // 8, i % 8, 1, n >> 8)
    assert per_block * data.shape[0] >= many[name]


def special_halves(rng: np.random.Generator, count: int) -> np.ndarray:
    halves = (rng.standard_normal(count) * 0.01).astype(np.float16).view(np.uint16)
    special = rng.permutation(count)[: len(SPECIAL)]
    halves[special] = SPECIAL
    return halves


def plain(rng: np.random.Generator, name: str) -> np.ndarray:
    bits, exponent = EXPONENTS[name]
    top = 8 * np.dtype(bits).itemsize - 1
    data = rng.integers(0, 1 << top + 1, (ROWS, COLS), dtype=bits)
    data[0, :6] = [0, 1 << top, 1, (1 << top) + 1, exponent - 1, (1 << top) + exponent - 1]  # zeros, least, largest
    return np.where(data & exponent == exponent, data ^ (exponent & -exponent), data).astype(bits)


def blocks(rng: np.random.Generator, name: str, elements: int, size: int, scales: list[int]) -> np.ndarray:
    rows = MORE_ROWS.get(name, ROWS)
    count = rows * COLS // elements
    data = rng.integers(0, 256, (count, size), dtype=np.uint8)
    name_all(name, data)
    if name == "iq1_m":  # four bits of the scale on top of each of four small ones
        halves = special_halves(rng, count)
        for i in range(4):
            put_bits(data, 49 + 2 * i, 4, 4, halves >> 4 * i & 15)
        return data.reshape(rows, -1)
    for place in scales:
        halves = special_halves(rng, count)
        data[:, place : place + 2] = halves.view(np.uint8).reshape(count, 2)
    if not scales:
        data[:, 0] = rng.integers(110, 130, count, dtype=np.uint8)
        data[rng.permutation(count)[: len(SPECIAL_EXPONENTS)], 0] = SPECIAL_EXPONENTS
    return data.reshape(rows, -1)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    rng = np.random.default_rng(20261126)
    writer = GGUFWriter(out / "blocks.gguf", "none")
    expected = {}
    for name, scales in SCALES.items():
        kind = GGMLQuantizationType[name.upper()]
        data = plain(rng, name).view(np.uint8) if name in EXPONENTS else blocks(rng, name, *GGML_QUANT_SIZES[kind], scales)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[name] = dequantize(data, kind).astype(np.float32)
        assert expected[name].shape == (MORE_ROWS.get(name, ROWS), COLS)
        assert np.isfinite(expected[name]).all()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(expected, out / "blocks.expected.safetensors")


if __name__ == "__main__":
    main()
