"""What transformers makes of the default model's file: greedy tokens, and perplexity. See README.md.

    python smollm2.py greedy     MODEL.gguf OUT
    python smollm2.py perplexity MODEL.gguf OUT [LOGITS]     LOGITS: a folder for the first four windows' logits
    python smollm2.py float64    MODEL.gguf OUT              checks the greedy tokens in float64
"""

import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

import gguf_tokenizer
import llama_gguf

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
NEW_TOKENS = 64
WINDOW = 1024
LOGIT_WINDOWS = 4


def load(path: str, reader: gguf.GGUFReader) -> LlamaForCausalLM:
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == SHA256
    field = lambda key: reader.fields[f"llama.{key}"].contents()
    heads = field("attention.head_count")
    config = LlamaConfig(
        hidden_size=field("embedding_length"), intermediate_size=field("feed_forward_length"),
        num_hidden_layers=field("block_count"), num_attention_heads=heads,
        num_key_value_heads=field("attention.head_count_kv"), head_dim=field("embedding_length") // heads,
        rms_norm_eps=field("attention.layer_norm_rms_epsilon"), vocab_size=field("vocab_size"),
        max_position_embeddings=field("context_length"), tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": field("rope.freq_base")})
    config._attn_implementation = "eager"
    assert field("rope.dimension_count") == config.head_dim
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    weights = {name: torch.from_numpy(w) for name, w in llama_gguf.read(path, config).items()}
    model = model.to_empty(device="cpu")
    missing, unexpected = model.load_state_dict(weights, strict=False, assign=True)
    assert not unexpected and missing == ["lm_head.weight"], (missing, unexpected)
    model.tie_weights()
    # Buffers are not in the file: the meta device left this one empty.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    return model.float().eval()


def run(model: LlamaForCausalLM, ids: list[int], count: int) -> dict:
    """`count` greedy tokens after `ids`, ends of text among them; ties go to the lowest id."""
    cache = None
    step = torch.tensor([ids])
    generated, top, gaps, last = [], [], [], None
    for _ in range(count):
        output = model(step, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        logits = output.logits[0, -1]
        values, indices = logits.topk(10)
        if last is None:
            last = {"ids": indices.tolist(), "logits": rounded(values)}
        generated.append(int(logits.argmax()))
        top.append(float(values[0]))
        gaps.append(float(values[0] - values[1]))
        step = torch.tensor([[generated[-1]]])
    return {"generated": generated, "top_logit": rounded(top), "gap": rounded(gaps), "last_prompt_top10": last}


def rounded(values) -> list[float]:
    return [round(float(v), 6) for v in values]


def prompts(reader: gguf.GGUFReader, out: Path) -> list[dict]:
    tokenizer = gguf_tokenizer.tokenizer(reader)
    result = []
    for prompt in json.loads((out / "smollm2" / "prompts.json").read_text(encoding="utf-8")):
        text = prompt["text"] if "text" in prompt else gguf_tokenizer.render(reader, prompt["messages"])
        result.append(prompt | {"rendered": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids})
    return result


def versions() -> dict:
    return {"model_sha256": SHA256, "transformers": transformers.__version__, "torch": torch.__version__,
            "gguf": importlib.metadata.version("gguf"), "arithmetic": "float32 on the dequantised weights"}


def write(path: Path, head: dict, key: str, rows: list[dict]) -> None:
    """One row of `rows` a line."""
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    text = json.dumps(head, indent=1)[:-2] + f',\n "{key}": [\n{lines}\n ]\n}}\n'
    json.loads(text)
    path.write_text(text, encoding="utf-8")


def greedy(model, reader, out: Path) -> None:
    rows = []
    for prompt in prompts(reader, out):
        answer = run(model, prompt["ids"], NEW_TOKENS)
        rows.append({key: prompt[key] for key in ("name", "rendered", "ids")} | answer)
        print(prompt["name"], len(prompt["ids"]), "smallest gap", min(answer["gap"]), flush=True)
    close = [{"prompt": row["name"], "position": i, "gap": gap}
             for row in rows for i, gap in enumerate(row["gap"]) if gap < 1e-3]
    write(out / "smollm2" / "greedy.json", versions() | {"positions_with_gap_below_1e-3": close}, "prompts", rows)


def text_ids(reader, out: Path) -> list[int]:
    text = (out / "perplexity.txt").read_text(encoding="utf-8")
    return gguf_tokenizer.tokenizer(reader).encode(text, add_special_tokens=False).ids


def perplexity(model, reader, out: Path, logits_folder: Path | None) -> None:
    ids = text_ids(reader, out)
    windows = len(ids) // WINDOW
    rows = []
    for w in range(windows):
        window = torch.tensor(ids[w * WINDOW : (w + 1) * WINDOW])
        logits = model(window[None]).logits[0]
        if logits_folder and w < LOGIT_WINDOWS:
            np.save(logits_folder / f"exact_logits_w{w}.npy", logits.numpy())
        # The sum in float64: 1,023 terms.
        nll = -logits[:-1].double().log_softmax(-1).gather(1, window[1:, None]).mean()
        rows.append({"window": w, "mean_nll": float(nll)})
        print(w, float(nll), flush=True)
    mean = float(np.mean([row["mean_nll"] for row in rows]))
    write(out / "smollm2" / "perplexity.json", versions() | {
        "text": "perplexity.txt", "text_sha256": hashlib.sha256((out / "perplexity.txt").read_bytes()).hexdigest(),
        "tokens": len(ids),
        "ids_sha256_as_int32_little_endian": hashlib.sha256(np.array(ids, "<i4").tobytes()).hexdigest(),
        "first_32_ids": ids[:32], "window": WINDOW, "windows": windows, "predictions_per_window": WINDOW - 1,
        "mean_nll": mean, "perplexity": float(np.exp(mean))}, "nll", rows)


def float64(model, reader, out: Path) -> None:
    """Forced along the committed tokens, in float64 and without a cache: is each of them still the first choice?"""
    model = model.double()
    answers = json.loads((out / "smollm2" / "greedy.json").read_text(encoding="utf-8"))["prompts"]
    other, drift = [], 0.0
    for answer in answers:
        known, generated = answer["ids"], answer["generated"]
        logits = model(torch.tensor([known + generated[:-1]])).logits[0, len(known) - 1 :]
        top = logits.topk(2).values
        drift = max(drift, float((top[:, 0] - torch.tensor(answer["top_logit"]).double()).abs().max()),
                    float((top[:, 0] - top[:, 1] - torch.tensor(answer["gap"]).double()).abs().max()))
        other += [(answer["name"], i) for i in (logits.argmax(1) != torch.tensor(generated)).nonzero()[:, 0].tolist()]
    print(f"float64 differs by at most {drift:.1e} in a top logit or gap; other choices at {other}")


def main() -> None:
    torch.set_num_threads(2)
    what, path, out = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    reader = gguf.GGUFReader(path)
    model = load(path, reader)
    with torch.no_grad():
        if what == "greedy":
            greedy(model, reader, out)
        elif what == "perplexity":
            perplexity(model, reader, out, Path(sys.argv[4]) if len(sys.argv) > 4 else None)
        else:
            float64(model, reader, out)


main()
