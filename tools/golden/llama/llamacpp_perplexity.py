"""llama.cpp's perplexity on files that `flagship quantize` wrote, over the windows of `--perplexity`. See README.md.

    python llamacpp_perplexity.py TEXT MODEL.gguf...

Runs in llama.cpp's own environment. Prints a line for each file.
"""

import hashlib
import math
import sys
from pathlib import Path

import llama_cpp
import numpy as np

import llamacpp_extra_buffers  # noqa: F401

WINDOW = 1024


def surprise(logits: np.ndarray, ids: list[int]) -> float:
    """The sum of -ln p over all tokens but the first."""
    total = 0.0
    for start in range(0, len(ids) - 1, 128):
        targets = ids[start + 1 : start + 129]
        rows = logits[start : start + len(targets)].astype(np.float64)
        most = rows.max(axis=-1)
        total += (np.log(np.exp(rows - most[:, None]).sum(axis=-1)) + most
                  - rows[np.arange(len(targets)), targets]).sum()
    return float(total)


def perplexity(path: str, text: bytes) -> str:
    model = llama_cpp.Llama(path, n_ctx=WINDOW, n_batch=512, n_threads=2, n_threads_batch=2, n_gpu_layers=0,
                            logits_all=True, verbose=False)
    vocab = llama_cpp.llama_model_get_vocab(model.model)
    begin = [model.token_bos()] if llama_cpp.llama_vocab_get_add_bos(vocab) else []
    ids = model.tokenize(text, add_bos=False, special=False)
    own = min(min(WINDOW, llama_cpp.llama_model_n_ctx_train(model.model)) - len(begin), len(ids))
    total, tokens = 0.0, 0
    for first in range(0, len(ids) - own + 1, own):
        window = begin + ids[first : first + own]
        model.reset()
        model.eval(window)
        total += surprise(np.asarray(model.scores[: len(window)]), window)
        tokens += len(window) - 1
    digest = hashlib.sha256(np.array(ids, "<i4").tobytes()).hexdigest()[:12]
    return f"{math.exp(total / tokens):.4f} over {tokens} tokens; {len(ids)} ids {digest}"


def main() -> None:
    text = Path(sys.argv[1]).read_bytes()
    print(f"llama-cpp-python {llama_cpp.__version__}")
    for path in sys.argv[2:]:
        print(f"{path}: {perplexity(path, text)}", flush=True)


main()
