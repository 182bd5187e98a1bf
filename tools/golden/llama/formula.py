"""The weight formula: a tensor's values follow from its name alone, so any language can make them again.

A tensor called `name` has, at row-major flat index i, the value (all integers mod 2^32)

    x = fnv1a32(name) + i * 0x9E3779B1
    x ^= x >>> 16;  x *= 0x85EBCA6B;  x ^= x >>> 13;  x *= 0xC2B2AE35;  x ^= x >>> 16
    v = 2 * (x / 2^32) - 1                      (double, -1 <= v < 1)
    value = (float) (scale * 0.25 * v)          matrices
    value = (float) (1 + 0.25 * v)              one dimension and a name ending in ".weight" (norms)

`scale` is 1 except where a golden says otherwise.
"""

import numpy as np


def fnv1a32(name: str) -> int:
    h = 0x811C9DC5
    for byte in name.encode("utf-8"):
        h = ((h ^ byte) * 0x01000193) & 0xFFFFFFFF
    return h


def stream(name: str, count: int) -> np.ndarray:
    """The raw values v of `name`, as float64."""
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B1) + np.uint64(fnv1a32(name))
    x = (x & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return 2.0 * (x.astype(np.float64) / 2.0**32) - 1.0


def weight(name: str, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    v = stream(name, int(np.prod(shape))).reshape(shape)
    if len(shape) == 1 and name.endswith(".weight"):
        return (1.0 + 0.25 * v).astype(np.float32)
    return (scale * 0.25 * v).astype(np.float32)


def self_check() -> None:
    assert fnv1a32("x") == 0xFD0C5087
    assert np.allclose(stream("x", 3), [-0.629976, 0.759853, -0.511932], atol=1e-6)
    assert fnv1a32("img") == 0x84E72504
    assert fnv1a32("model.norm.weight") == 0xBE0496C4
    assert np.allclose(weight("model.norm.weight", (3,)), [0.762282, 0.853219, 1.173341], atol=1e-6)


self_check()
