#!/usr/bin/env python3
"""Writes the codebooks of ggml's types of one to three bits, as the gguf package has them (0.19.0), for
dev.flagship.tensor.Codebook, which says how they lie.

    codebooks.py ../../engine/tensor/src/main/resources/dev/flagship/tensor/codebooks.bin
"""

import sys
from pathlib import Path

import numpy as np
from gguf import quants

EIGHTS = ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S"]
FOURS = ["IQ3_XXS", "IQ3_S"]


def packed(name: str, bits: int) -> np.ndarray:
    kind = getattr(quants, name)
    kind.init_grid()
    grid = kind.grid.reshape(kind.grid_shape)
    codes = np.searchsorted(np.array(kind.grid_map, dtype=np.float32), grid)
    assert (np.array(kind.grid_map, dtype=np.float32)[codes] == grid).all()
    return (codes << bits * np.arange(grid.shape[1])).sum(axis=1).astype("<u2")


def signs_are_even() -> bool:
    return all(signs == n | (n.bit_count() & 1) << 7 for n, signs in enumerate(quants.IQ2_XXS.ksigns))


def main() -> None:
    assert signs_are_even()
    books = [packed(name, 2) for name in EIGHTS] + [packed(name, 3) for name in FOURS]
    assert [book.size for book in books] == [256, 512, 1024, 2048, 256, 512]
    Path(sys.argv[1]).write_bytes(b"".join(book.tobytes() for book in books))


if __name__ == "__main__":
    main()
