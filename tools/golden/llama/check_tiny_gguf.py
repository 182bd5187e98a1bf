"""Runs the tiny GGUF files through llama.cpp (its own virtual environment): do two implementations agree?

    python check_tiny_gguf.py OUT            OUT as for tiny.py
"""

import json
import struct
import sys
from pathlib import Path

import llama_cpp
import numpy as np

import llamacpp_extra_buffers  # noqa: F401


def tensors(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    kinds = {"F32": np.float32, "I32": np.int32}
    return {name: np.frombuffer(data[8 + length :][slice(*t["data_offsets"])], kinds[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()}


for path in sorted((Path(sys.argv[1]) / "llama").glob("*.gguf")):
    expected = tensors(path.with_suffix(".expected.safetensors"))
    model = llama_cpp.Llama(str(path), n_ctx=128, n_gpu_layers=0, logits_all=True, verbose=False, n_threads=1,
                            type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32, flash_attn=False)
    ids = expected["input_ids"].tolist()
    model.eval(ids)
    difference = np.abs(model.scores[: len(ids)] - expected["lm_head"]).max()
    print(f"{path.stem}: largest difference of a logit {difference:.1e}")
