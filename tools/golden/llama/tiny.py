"""Makes the tiny LLaMA checkpoints and the expected outputs of every module. See README.md.

    python tiny.py OUT            OUT is the golden resource folder; its folder llama/ is written
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

import formula
import llama_gguf

F32, F16, BF16 = (gguf.GGMLQuantizationType[n] for n in ("F32", "F16", "BF16"))
Q8_0, Q4_0, Q4_1 = (gguf.GGMLQuantizationType[n] for n in ("Q8_0", "Q4_0", "Q4_1"))

SHORT = [1, 5, 9, 2, 30, 7, 11, 3]
LONG = SHORT + [22, 40, 17, 0, 33, 33, 8, 45, 12, 29, 4, 41, 26, 19, 6, 38, 15, 44, 10, 27,
                35, 13, 47, 21, 2, 2, 31, 16, 43, 24, 37, 14]

# Two control tokens, then byte-level symbols: letters, space, newline, digits, punctuation, and merged pairs.
SYMBOLS = list("abcdefghijklmnopqrstuvwxyz") + ["Ġ", "Ċ"] + list("0123456789") + list(".,!?'-")


def vocabulary(size: int) -> tuple[list[str], list[str]]:
    single = SYMBOLS[: size - 6]
    merges = [["t", "h"], ["th", "e"], ["Ġ", "a"], ["i", "n"]]
    for first in "acdefghijklmnoprs":
        merges += [[first, second] for second in "eort" if len(merges) < size]
    tokens, used = ["<|bos|>", "<|eos|>"] + single, []
    for pair in merges:
        if len(tokens) == size:
            break
        if "".join(pair) not in tokens and all(part in tokens for part in pair):
            tokens.append("".join(pair))
            used.append(" ".join(pair))
    for n in range(size - len(tokens)):
        tokens.append(f"<|unused{n}|>")
    return tokens, used


def shape(name: str, **values) -> dict:
    base = dict(name_or_path=name, rms_norm_eps=1e-5, max_position_embeddings=256, tie_word_embeddings=False,
                theta=10000.0, scaling=None, inputs=LONG, scale=1.0, matrices=None, embedding=None,
                spelling="classic", vocab_size=48, num_hidden_layers=2)
    return base | values


CHECKPOINTS = [
    # The fixture whose numbers are published in the project's model facts.
    shape("llama", hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
          inputs=SHORT),
    shape("llama1", hidden_size=32, intermediate_size=88, num_attention_heads=4, num_key_value_heads=4, head_dim=8,
          rms_norm_eps=1e-6),
    # Widths that are no multiple of 16 or 32.
    shape("llama2", hidden_size=64, intermediate_size=84, num_attention_heads=8, num_key_value_heads=2, head_dim=8,
          vocab_size=50),
    shape("llama3", hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=1, head_dim=16,
          theta=500000.0, spelling="rope_parameters"),
    # original_max_position_embeddings 64 puts the 8 frequencies in all three branches of the scaling.
    shape("llama31", hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
          theta=500000.0, scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                       original_max_position_embeddings=64)),
    # Odd head counts, head_dim that is not hidden / heads, tied head, like SmolLM2 but more awkward.
    shape("odd", hidden_size=36, intermediate_size=52, num_attention_heads=3, num_key_value_heads=1, head_dim=20,
          theta=100000.0, tie_word_embeddings=True),
] + [
    shape(f"quantised-{kind.name.lower()}", hidden_size=64, intermediate_size=128, num_attention_heads=4,
          num_key_value_heads=2, head_dim=16, vocab_size=64, matrices=kind, inputs=LONG[:20], **more)
    for kind, more in [
        (F16, {}), (BF16, {}), (Q8_0, {}), (Q4_0, {}),
        # As in the default model's file: Q4_1 matrices under a tied Q8_0 embedding.
        (Q4_1, dict(embedding=Q8_0, tie_word_embeddings=True)),
    ]
]
# Too large to commit: the test makes its weights again by formula.py, matrices at scale 0.25.
WIDE = shape("wide", hidden_size=576, intermediate_size=1536, num_attention_heads=9, num_key_value_heads=3,
             head_dim=64, vocab_size=512, theta=100000.0, tie_word_embeddings=True, scale=0.25,
             inputs=[(37 * i + i * i) % 512 for i in range(24)])


def config_json(spec: dict) -> dict:
    """config.json as the hub's LLaMA checkpoints have it, or as transformers 5 writes it (spelling rope_parameters)."""
    keys = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "head_dim",
            "num_hidden_layers", "vocab_size", "rms_norm_eps", "max_position_embeddings", "tie_word_embeddings")
    stored = {F16: "float16", BF16: "bfloat16"}.get(spec["matrices"], "float32")
    result = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
              "attention_bias": False, "mlp_bias": False, "bos_token_id": 0, "eos_token_id": 1}
    result |= {key: spec[key] for key in keys}
    if spec["spelling"] == "classic":
        result |= {"torch_dtype": stored, "rope_theta": spec["theta"], "rope_scaling": spec["scaling"]}
    else:
        result |= {"dtype": stored, "rope_parameters": {"rope_type": "default", "rope_theta": spec["theta"]}}
    return result


def model_of(config: LlamaConfig, weights: dict[str, np.ndarray], dtype=torch.float32) -> LlamaForCausalLM:
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()}, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}, (missing, unexpected)
    model.tie_weights()
    model = model.to(dtype).eval()
    assert config.tie_word_embeddings == (model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr())
    return model


def trace(model: LlamaForCausalLM, ids: list[int]) -> dict[str, np.ndarray]:
    """The output of every module, by its path, as [tokens, width]."""
    seen = {}

    def keep(path):
        def hook(_module, _inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            seen[path] = output[0].detach().numpy().copy()
        return hook

    skipped = ("", "model", "model.rotary_emb", "model.layers")
    hooks = [module.register_forward_hook(keep(path)) for path, module in model.named_modules()
             if path not in skipped and not path.endswith("act_fn")]
    with torch.no_grad():
        model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return seen


def greedy(model: LlamaForCausalLM, ids: list[int], count: int = 8) -> list[int]:
    ids = list(ids)
    for _ in range(count):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]


def write_tokenizer(folder: Path, tokens: list[str], merges: list[str]) -> None:
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m.split(" ")) for m in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|bos|>", "<|eos|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>"}, indent=1))


def expect(path: Path, model: LlamaForCausalLM, ids: list[int], keep=lambda _: True) -> dict[str, np.ndarray]:
    outputs = trace(model, ids)
    # A second run in float64 says how much of the tolerance the reference itself uses up.
    exact = trace(model.double(), ids)
    model.float()
    worst = max(outputs, key=lambda k: np.abs(outputs[k] - exact[k]).max())
    error = np.abs(outputs[worst] - exact[worst]).max()
    print(f"{path.name}: {len(outputs)} modules, float32 against float64 {error:.1e} at {worst}, "
          f"largest value {max(np.abs(o).max() for o in outputs.values()):.1f}")
    assert error < 2e-5
    tensors = {k: np.ascontiguousarray(v) for k, v in outputs.items() if keep(k)}
    # As F32: Flagship's reader of safetensors knows no integers, and ids are exact in it.
    tensors["input_ids"] = np.array(ids, dtype=np.float32)
    tensors["greedy"] = np.array(greedy(model, ids), dtype=np.float32)
    save_file(tensors, path)
    return outputs


def check_published(outputs: dict[str, np.ndarray], model: LlamaForCausalLM) -> None:
    logits = outputs["lm_head"]
    assert np.allclose(logits[0, :6], [-1.354472, -0.097158, 0.189985, 0.160438, 0.927996, -0.062345], atol=1e-5)
    assert np.allclose(logits[7, :6], [-0.123882, -1.038213, 0.197207, 0.198808, 0.012215, -0.672564], atol=1e-5)
    assert abs(logits.astype(np.float64).sum() - 27.5619) < 2e-4
    assert logits.argmax(1).tolist() == [25, 28, 28, 11, 41, 33, 41, 28]
    assert greedy(model, SHORT) == [28, 32, 32, 32, 32, 32, 32, 32]


def wrong_rope(path: Path, config: LlamaConfig, weights: dict[str, np.ndarray], gguf_path: Path) -> None:
    """What the logits of `llama` become under either mistake of row order."""
    interleaved = {k: llama_gguf.pairs_halved(w, h) if (h := llama_gguf.heads_of(k, config)) else w
                   for k, w in weights.items()}
    unpermuted = llama_gguf.read(gguf_path, config, halve=False)
    logits = {
        "safetensors_rows_as_adjacent_pairs": trace(model_of(config, interleaved), SHORT)["lm_head"],
        "gguf_rows_as_halved_pairs": trace(model_of(config, unpermuted), SHORT)["lm_head"],
    }
    right = trace(model_of(config, weights), SHORT)["lm_head"]
    assert np.allclose(logits["safetensors_rows_as_adjacent_pairs"][7, :3], [-0.243547, -1.017604, 0.266851], atol=1e-5)
    for key, wrong in logits.items():
        print(f"{path.name}: {key} is off by {np.abs(wrong - right).max():.2f}")
        assert np.abs(wrong - right).max() > 1e-2
    save_file(logits, path)


def linear_rope(path: Path, config: LlamaConfig, weights: dict[str, np.ndarray]) -> None:
    """The logits of `llama` with positions divided by 2.5, and by 2, which is to be seen as wrong."""
    def scaled(factor: float) -> np.ndarray:
        config.rope_parameters = {"rope_type": "linear", "factor": factor, "rope_theta": 10000.0}
        return trace(model_of(config, weights), LONG)["lm_head"]

    logits = {"lm_head": scaled(2.5), "factor_2": scaled(2.0), "input_ids": np.array(LONG, dtype=np.float32)}
    off = np.abs(logits["factor_2"] - logits["lm_head"]).max()
    print(f"{path.name}: another factor is off by {off:.2f}")
    assert off > 1e-2
    save_file(logits, path)


def rope_json(path: Path) -> None:
    def llama3(factor, old=8192):
        return dict(rope_type="llama3", factor=factor, low_freq_factor=1.0, high_freq_factor=4.0,
                    original_max_position_embeddings=old)

    cases = {
        "llama": (8, 1e4, None), "llama-2-7b": (128, 1e4, None), "llama-3-8b": (128, 5e5, None),
        "smollm2-135m": (64, 1e5, None), "llama31": (16, 5e5, llama3(8.0, 64)),
        "llama-3.1-8b": (128, 5e5, llama3(8.0)), "llama-3.2-1b": (64, 5e5, llama3(32.0)),
    }
    result = []
    for name, (head_dim, theta, scaling) in cases.items():
        config = LlamaConfig(hidden_size=head_dim * 2, num_attention_heads=2, head_dim=head_dim,
                             max_position_embeddings=131072,
                             rope_parameters={"rope_type": "default", "rope_theta": theta} | (scaling or {}))
        if scaling:
            inv_freq, attention_factor = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
            assert attention_factor == 1.0
        else:
            inv_freq = LlamaForCausalLM(LlamaConfig(
                **config.to_dict() | dict(num_hidden_layers=1, intermediate_size=8, vocab_size=8))
            ).model.rotary_emb.inv_freq
        result.append({"name": name, "head_dim": head_dim, "rope_theta": theta, "rope_scaling": scaling,
                       "inv_freq": [float(f) for f in inv_freq]})
    freq = {case["name"]: case["inv_freq"] for case in result}
    published = {"llama-3.1-8b": {28: .00321145, 29: .00216657, 30: .00137189, 31: .000856751, 32: .000524846,
                                  33: .000312694, 34: .000178508, 35: 9.55621e-05, 36: 7.78466e-05, 63: 3.06893e-07},
                 "llama-3.2-1b": {14: .00321145, 15: .00129055, 16: .000429557, 17: 9.70829e-05, 18: 1.94616e-05,
                                  19: 1.29148e-05, 31: 9.41831e-08}}
    for name, values in published.items():
        for i, value in values.items():
            assert abs(freq[name][i] / value - 1) < 1e-5, (name, i, freq[name][i], value)
    path.write_text(json.dumps(result, indent=1) + "\n")


def make(out: Path, spec: dict) -> None:
    folder = out / spec["name_or_path"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config_json(spec), indent=1) + "\n")
    config = LlamaConfig.from_pretrained(folder)
    rope = dict(config.rope_parameters)
    assert rope["rope_theta"] == spec["theta"] and config.head_dim == spec["head_dim"]
    blank = LlamaForCausalLM(config).state_dict()
    weights = {name: formula.weight(name, tuple(blank[name].shape))
               for name in llama_gguf.names(config.num_hidden_layers, config.tie_word_embeddings)}
    tokens, merges = vocabulary(config.vocab_size)
    write_tokenizer(folder, tokens, merges)

    kind = spec["matrices"] or F32
    types = {name: kind for name in weights}
    types["model.embed_tokens.weight"] = spec["embedding"] or kind
    gguf_path = out / f"{spec['name_or_path']}.gguf"
    llama_gguf.write(gguf_path, config, rope, weights, types, tokens, merges)
    read = llama_gguf.read(gguf_path, config)
    if kind in (F32, F16, BF16):
        dtype = {F32: torch.float32, F16: torch.float16, BF16: torch.bfloat16}[kind]
        stored = {k: torch.from_numpy(w).to(dtype if w.ndim > 1 else torch.float32) for k, w in weights.items()}
        for name, tensor in stored.items():
            assert np.array_equal(tensor.float().numpy(), read[name]), name
        save_torch(stored, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()

    model = model_of(config, read)
    outputs = expect(out / f"{spec['name_or_path']}.expected.safetensors", model, spec["inputs"])
    if spec["name_or_path"] == "llama":
        check_published(outputs, model)
        wrong_rope(out / "llama.wrong-rope.safetensors", config, weights, gguf_path)
        linear_rope(out / "llama.linear-rope.safetensors", config, weights)


def make_wide(out: Path) -> None:
    (out / "wide.config.json").write_text(json.dumps(config_json(WIDE), indent=1) + "\n")
    config = LlamaConfig.from_json_file(out / "wide.config.json")
    assert config.rope_parameters["rope_theta"] == WIDE["theta"]
    blank = LlamaForCausalLM(config).state_dict()
    weights = {name: formula.weight(name, tuple(blank[name].shape), WIDE["scale"])
               for name in llama_gguf.names(config.num_hidden_layers, tied=True)}
    # self_attn and mlp are what o_proj and down_proj give: left out to keep the file small.
    expect(out / "wide.expected.safetensors", model_of(config, weights), WIDE["inputs"],
           keep=lambda path: not path.endswith((".self_attn", ".mlp")))


def main() -> None:
    torch.set_num_threads(1)
    out = Path(sys.argv[1]) / "llama"
    out.mkdir(parents=True, exist_ok=True)
    rope_json(out / "rope.json")
    for spec in CHECKPOINTS:
        make(out, spec)
    make_wide(out)


if __name__ == "__main__":
    main()
