#!/usr/bin/env python3
"""Writes weights and what llama.cpp's own quantiser makes of them, widened again.

    quantised.py LIBGGML-BASE OUT/blocks

`quantised.safetensors` has `weights` [16, 512] in F32, and by type the same as ggml's quantiser (ggml_quantize_chunk, without an
importance matrix) rounded it. The library is libggml-base.so of llama-cpp-python, ../llama/requirements-llamacpp.txt; all else as
in ../llama/requirements.txt.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from safetensors.numpy import save_file

ROWS, COLS = 16, 512
TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q4_K", "Q6_K"]


def weights() -> np.ndarray:
    rng = np.random.default_rng(20261127)
    w = np.empty((ROWS, COLS))
    w[0:5] = rng.normal(0, 0.02, (5, COLS))
    w[5:8] = rng.laplace(0, 0.05, (3, COLS))
    w[8:11] = rng.standard_t(3, (3, COLS)) * 0.02
    w[11] = rng.uniform(0.1, 0.2, COLS)  # one sign only
    w[12] = rng.uniform(-0.2, -0.1, COLS)
    w[13] = rng.normal(0, 1e-6, COLS)  # scales below F16's normal numbers
    w[14] = 0
    w[14, ::48] = 1.5
    w[15, :256] = 0.25  # nothing but one number, and nothing at all
    w[15, 256:] = 0
    return w.astype(np.float32)


def main() -> None:
    lib = ctypes.CDLL(sys.argv[1])
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    out = Path(sys.argv[2])
    out.mkdir(exist_ok=True)
    w = weights()
    golden = {"weights": w}
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        room = np.zeros(w.nbytes, dtype=np.uint8)
        size = lib.ggml_quantize_chunk(int(kind), w.ctypes.data, room.ctypes.data, 0, ROWS, COLS, None)
        golden[name] = dequantize(room[:size].reshape(ROWS, -1), kind).astype(np.float32)
    save_file(golden, out / "quantised.safetensors")


if __name__ == "__main__":
    main()
