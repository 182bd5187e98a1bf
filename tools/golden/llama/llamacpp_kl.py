"""How far llama.cpp is from exact on the default model's file, teacher-forced. See README.md.

    python llamacpp_kl.py MODEL.gguf OUT LOGITS          LOGITS: the folder smollm2.py perplexity wrote into

Exact is transformers in float32 on the dequantised weights. Runs in llama.cpp's own environment.
"""

import hashlib
import json
import sys
from pathlib import Path

import llama_cpp
import numpy as np

import llamacpp_extra_buffers  # noqa: F401

WINDOW = 1024
WINDOWS = 4
SETTINGS = {"n_ctx": WINDOW, "n_batch": 512, "n_threads": 2, "n_gpu_layers": 0, "type_k": "F16", "type_v": "F16",
            "use_extra_bufts": False, "flash_attn": False}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def compare(exact: np.ndarray, other: np.ndarray, ids: list[int]) -> dict:
    """Means over one window: KL and agreement at every position, NLL where a next token is known."""
    kl, nll_exact, nll_other = [], [], []
    for start in range(0, len(ids), 128):
        p, q = log_softmax(exact[start : start + 128]), log_softmax(other[start : start + 128])
        kl += (np.exp(p) * (p - q)).sum(axis=-1).tolist()
        targets = ids[start + 1 : start + 129]
        rows = np.arange(len(targets))
        nll_exact += (-p[rows, targets]).tolist()
        nll_other += (-q[rows, targets]).tolist()
    agree = exact.argmax(axis=-1) == other.argmax(axis=-1)
    return {"mean_kl": float(np.mean(kl)), "max_kl": float(np.max(kl)), "top1_agreement": float(agree.mean()),
            "exact_mean_nll": float(np.mean(nll_exact)), "mean_nll": float(np.mean(nll_other))}


def windows(path: str, text: bytes, reference: dict, logits_folder: Path, flash_attn: bool) -> list[dict]:
    model = llama_cpp.Llama(path, n_ctx=WINDOW, n_batch=512, n_threads=2, n_threads_batch=2, n_gpu_layers=0,
                            flash_attn=flash_attn, logits_all=True, verbose=False)
    ids = model.tokenize(text, add_bos=False, special=True)
    assert hashlib.sha256(np.array(ids, "<i4").tobytes()).hexdigest() == reference["ids_sha256_as_int32_little_endian"]
    rows = []
    for w in range(WINDOWS):
        window = ids[w * WINDOW : (w + 1) * WINDOW]
        exact = np.load(logits_folder / f"exact_logits_w{w}.npy", mmap_mode="r")
        model.reset()
        model.eval(window)
        row = compare(exact, np.asarray(model.scores[:WINDOW]), window)
        assert abs(row["exact_mean_nll"] - reference["nll"][w]["mean_nll"]) < 1e-6
        rows.append({"window": w} | row)
        print(rows[-1], flush=True)
    return rows


def mean(rows: list[dict]) -> dict:
    result = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key not in ("window", "max_kl")}
    return result | {"perplexity": float(np.exp(result["mean_nll"])),
                     "exact_perplexity": float(np.exp(result["exact_mean_nll"]))}


def main() -> None:
    path, out, logits_folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    text = (out / "perplexity.txt").read_bytes()
    reference = json.loads((out / "smollm2" / "perplexity.json").read_text(encoding="utf-8"))
    rows = windows(path, text, reference, logits_folder, flash_attn=False)
    flash = windows(path, text, reference, logits_folder, flash_attn=True)
    result = {
        "model_sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest(),
        "llama_cpp_python": llama_cpp.__version__,
        "system_info": llama_cpp.llama_print_system_info().decode().strip(" |"),
        "settings": SETTINGS, "text": "perplexity.txt", "window": WINDOW, "windows": WINDOWS,
        "mean": mean(rows), "mean_with_flash_attn": mean(flash), "per_window": rows,
    }
    (out / "smollm2" / "llamacpp.json").write_text(json.dumps(result, indent=1) + "\n")


main()
