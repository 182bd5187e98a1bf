#!/usr/bin/env python3
"""Writes a GGUF file with the shape of a real model and random weights, for measuring speed.

    make_synthetic_gguf.py --shape llama-3.2-1b --type q8_0 OUT.gguf

Speed depends on shapes and types only, so no download is needed. Weights have a standard deviation near 1/sqrt(inputs), which
keeps logits finite and small. The same arguments give the same bytes. Flagship and llama.cpp both load the result: byte-level BPE
with all 256 bytes, a few merges, and filler tokens that no text reaches.
"""

import argparse
import math
import zlib
from dataclasses import dataclass

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType


@dataclass(frozen=True)
class Shape:
    width: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    vocabulary: int
    context: int
    rope_base: float
    llama3_rope: bool
    pre_tokenizer: str


SHAPES = {
    "llama-3.2-1b": Shape(2048, 16, 32, 8, 8192, 128256, 131072, 500_000.0, True, "llama-bpe"),
    "smollm2-135m": Shape(576, 30, 9, 3, 1536, 49152, 8192, 100_000.0, False, "gpt-2"),
}

TYPES = {
    "q8_0": (GGMLQuantizationType.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "q4_0": (GGMLQuantizationType.Q4_0, LlamaFileType.MOSTLY_Q4_0),
    "q4_1": (GGMLQuantizationType.Q4_1, LlamaFileType.MOSTLY_Q4_1),
    "q4_k": (GGMLQuantizationType.Q4_K, LlamaFileType.MOSTLY_Q4_K_M),
    "q5_0": (GGMLQuantizationType.Q5_0, LlamaFileType.MOSTLY_Q5_0),
    "q5_1": (GGMLQuantizationType.Q5_1, LlamaFileType.MOSTLY_Q5_1),
    "q2_k": (GGMLQuantizationType.Q2_K, LlamaFileType.MOSTLY_Q2_K_S),
    "q3_k": (GGMLQuantizationType.Q3_K, LlamaFileType.MOSTLY_Q3_K_S),
    "q5_k": (GGMLQuantizationType.Q5_K, LlamaFileType.MOSTLY_Q5_K_S),
    "iq4_nl": (GGMLQuantizationType.IQ4_NL, LlamaFileType.MOSTLY_IQ4_NL),
    "iq4_xs": (GGMLQuantizationType.IQ4_XS, LlamaFileType.MOSTLY_IQ4_XS),
    "mxfp4": (GGMLQuantizationType.MXFP4, LlamaFileType.MOSTLY_MXFP4_MOE),
    "f16": (GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
}

BLOCK = 32
SUPER_BLOCK = 256

# Deviation of the 16 levels of IQ4_NL and IQ4_XS, used alike.
LEVELS = 66.9


def matrix(name: str, rows: int, cols: int, kind: str) -> np.ndarray:
    """Random weights [rows, cols] in the file's type, made as blocks: quantising a billion numbers would take minutes."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    deviation = 1 / math.sqrt(cols)
    if kind == "f16":
        return (rng.standard_normal((rows, cols), dtype=np.float32) * np.float32(deviation)).astype(np.float16)
    if kind in ("q4_k", "q5_k", "q6_k", "q2_k", "q3_k", "iq4_xs"):
        return super_blocks(rng, rows * cols // SUPER_BLOCK, deviation, kind).reshape(rows, -1)
    blocks = rows * cols // BLOCK
    spread = rng.uniform(0.8, 1.2, blocks)
    if kind == "q8_0":
        # Uniform in [-127, 127]: deviation 73.3 quants.
        numbers = rng.integers(-127, 128, (blocks, BLOCK), dtype=np.int8).view(np.uint8)
        heads = [spread * deviation / 73.3]
    elif kind in ("q5_0", "q5_1"):
        # As below, with 32 levels.
        numbers = rng.integers(0, 256, (blocks, 20), dtype=np.uint8)
        scale = spread * deviation / 9.23
        heads = [scale * rng.choice([-1.0, 1.0], blocks)] if kind == "q5_0" else [scale, -15.5 * scale]
    elif kind == "iq4_nl":
        numbers = rng.integers(0, 256, (blocks, BLOCK // 2), dtype=np.uint8)
        heads = [spread * deviation / LEVELS * rng.choice([-1.0, 1.0], blocks)]
    elif kind == "mxfp4":
        # E2M1's doubled levels deviate by 5.85, and scales are powers of two.
        numbers = rng.integers(0, 256, (blocks, 1 + BLOCK // 2), dtype=np.uint8)
        numbers[:, 0] = 128 + round(math.log2(deviation / 5.85))
        heads = []
    else:
        # Sixteen levels, uniform: deviation 4.61 quants.
        numbers = rng.integers(0, 256, (blocks, BLOCK // 2), dtype=np.uint8)
        scale = spread * deviation / 4.61
        # Q4_0's levels have mean -0.5; scales of both signs take it away. Q4_1 has a minimum for that.
        heads = [scale * rng.choice([-1.0, 1.0], blocks)] if kind == "q4_0" else [scale, -7.5 * scale]
    return np.concatenate([*map(half, heads), numbers], axis=1).reshape(rows, -1)


def super_blocks(rng: np.random.Generator, blocks: int, deviation: float, kind: str) -> np.ndarray:
    """Blocks of 256 weights: small scales near the middle of their range, one F16 scale a block (ggml-common.h)."""
    spread = rng.uniform(0.8, 1.2, blocks)
    if kind == "q6_k":
        # 64 levels, uniform: deviation 18.5 quants; small scales of both signs take their mean of -0.5 away.
        numbers = rng.integers(0, 256, (blocks, 192), dtype=np.uint8)
        scales = rng.integers(64, 128, (blocks, 16)) * rng.choice([-1, 1], (blocks, 16))
        d = half(spread * deviation / 18.5 / 96)
        return np.concatenate([numbers, scales.astype(np.int8).view(np.uint8), d], axis=1)
    if kind == "q3_k":
        # Eight levels, uniform, and 64 scales of both signs.
        numbers = rng.integers(0, 256, (blocks, 108), dtype=np.uint8)
        return np.concatenate([numbers, half(spread * deviation / 2.29 / 18.5)], axis=1)
    if kind == "iq4_xs":
        numbers = rng.integers(0, 256, (blocks, 134), dtype=np.uint8)
        return np.concatenate([half(spread * deviation / LEVELS / 18.5), numbers], axis=1)
    if kind == "q2_k":
        # Four levels, uniform; minima are like scales, and dmin is 1.5 d.
        scales = rng.integers(8, 16, (blocks, 16), dtype=np.uint8)
        numbers = rng.integers(0, 256, (blocks, 64), dtype=np.uint8)
        d = spread * deviation / 1.118 / 11.5
        return np.concatenate([scales | scales << 4, numbers, half(d), half(1.5 * d)], axis=1)
    # Sixteen levels, uniform: deviation 4.61 quants; 32: 9.23. A minimum of half their range makes the mean 0.
    middle, quants, size = (7.5, 4.61, 128) if kind == "q4_k" else (15.5, 9.23, 160)
    small = rng.integers(32, 64, (blocks, 8), dtype=np.uint8)
    d = spread * deviation / quants / 48
    low, high = small[:, :4], small[:, 4:]
    top = low & 63 | (high >> 4) << 6
    packed = np.concatenate([top, top, high & 15 | (high & 15) << 4], axis=1)  # minima are like scales
    numbers = rng.integers(0, 256, (blocks, size), dtype=np.uint8)
    return np.concatenate([half(d), half(middle * d), packed, numbers], axis=1)


def half(values: np.ndarray) -> np.ndarray:
    """The bytes of F16 numbers, two a row."""
    return np.ascontiguousarray(values.astype(np.float16)).view(np.uint8).reshape(-1, 2)


def llama3_rope_factors(shape: Shape) -> np.ndarray:
    """Divisors of the rotary frequencies as Llama 3.2 has them: factor 32, low 1, high 4, made for 8,192 positions."""
    factor, low, high, original = 32.0, 1.0, 4.0, 8192.0
    size = shape.width // shape.heads
    factors = []
    for i in range(0, size, 2):
        wavelength = 2 * math.pi * shape.rope_base ** (i / size)
        if wavelength < original / high:
            factors.append(1.0)
        elif wavelength > original / low:
            factors.append(factor)
        else:
            smooth = (original / wavelength - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in byte order."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    spare = iter(range(256, 512))
    return [chr(b) if b in printable else chr(next(spare)) for b in range(256)]


def add_tokenizer(writer: GGUFWriter, shape: Shape) -> None:
    merges = ["Ġ t", "h e", "Ġ a", "i n", "r e", "o n", "Ġt he", "e r"]
    controls = ["<|begin_of_text|>", "<|end_of_text|>"]
    tokens = byte_alphabet() + [m.replace(" ", "") for m in merges]
    tokens += [f"Ġsynthetic{i}" for i in range(shape.vocabulary - len(tokens) - len(controls))]
    types = [TokenType.NORMAL] * len(tokens) + [TokenType.CONTROL] * len(controls)
    tokens += controls
    assert len(set(tokens)) == shape.vocabulary
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(shape.pre_tokenizer)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(shape.vocabulary - 2)
    writer.add_eos_token_id(shape.vocabulary - 1)
    writer.add_add_bos_token(False)


def matrices(shape: Shape) -> list[tuple[str, int, int]]:
    """Names and [rows, cols]. No output matrix: the embedding is tied, as in both originals."""
    kv = shape.width // shape.heads * shape.kv_heads
    names = [("token_embd.weight", shape.vocabulary, shape.width)]
    for layer in range(shape.layers):
        names += [
            (f"blk.{layer}.attn_q.weight", shape.width, shape.width),
            (f"blk.{layer}.attn_k.weight", kv, shape.width),
            (f"blk.{layer}.attn_v.weight", kv, shape.width),
            (f"blk.{layer}.attn_output.weight", shape.width, shape.width),
            (f"blk.{layer}.ffn_gate.weight", shape.ffn, shape.width),
            (f"blk.{layer}.ffn_up.weight", shape.ffn, shape.width),
            (f"blk.{layer}.ffn_down.weight", shape.width, shape.ffn),
        ]
    return names


def type_of(tensor: str, kind: str, shape: Shape) -> str:
    """The type of one matrix: as Q4_K_M files do, the embedding, half of the values and of the last matrices are Q6_K."""
    if kind != "q4_k":
        return kind
    if tensor == "token_embd.weight":
        return "q6_k"
    if tensor.endswith(("attn_v.weight", "ffn_down.weight")):
        layer = int(tensor.split(".")[1])
        eighth = shape.layers // 8
        if layer < eighth or layer >= 7 * eighth or (layer - eighth) % 3 == 2:  # llama.cpp: use_more_bits
            return "q6_k"
    return "q4_k"


def vectors(shape: Shape) -> list[tuple[str, np.ndarray]]:
    ones = np.ones(shape.width, dtype=np.float32)
    named = [("output_norm.weight", ones)]
    for layer in range(shape.layers):
        named += [(f"blk.{layer}.attn_norm.weight", ones), (f"blk.{layer}.ffn_norm.weight", ones)]
    if shape.llama3_rope:
        named.append(("rope_freqs.weight", llama3_rope_factors(shape)))
    return named


def write(path: str, name: str, shape: Shape, kind: str) -> None:
    _, file_type = TYPES[kind]
    writer = GGUFWriter(path, "llama")
    writer.add_name(f"synthetic {name} {kind}")
    writer.add_file_type(file_type)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_vocab_size(shape.vocabulary)
    add_tokenizer(writer, shape)
    for tensor, values in vectors(shape):
        writer.add_tensor_info(tensor, values.shape, values.dtype, values.nbytes)
    for tensor, rows, cols in matrices(shape):
        own = type_of(tensor, kind, shape)
        ggml_type = GGMLQuantizationType[own.upper()]
        block, block_bytes = GGML_QUANT_SIZES[ggml_type]
        row_bytes = cols // block * block_bytes
        if own == "f16":
            writer.add_tensor_info(tensor, (rows, cols), np.dtype(np.float16), rows * row_bytes)
        else:
            writer.add_tensor_info(tensor, (rows, row_bytes), np.dtype(np.uint8), rows * row_bytes, ggml_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, values in vectors(shape):
        writer.write_tensor_data(values)
    for tensor, rows, cols in matrices(shape):
        writer.write_tensor_data(matrix(tensor, rows, cols, type_of(tensor, kind, shape)))
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a GGUF file of a real model's shape with random weights.")
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--type", choices=TYPES, required=True)
    parser.add_argument("out")
    arguments = parser.parse_args()
    write(arguments.out, arguments.shape, SHAPES[arguments.shape], arguments.type)


if __name__ == "__main__":
    main()
