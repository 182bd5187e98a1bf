"""Makes one tiny LLaMA in every container that the loaders read, and its expected outputs. See README.md.

    python containers.py OUT      OUT is the golden resource folder; its folder llama/containers/ is written
"""

import json
import sys
from collections import OrderedDict
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

import formula
import llama_gguf
import tiny

F16 = gguf.GGMLQuantizationType.F16
SPEC = tiny.shape("containers", hidden_size=32, intermediate_size=48, num_attention_heads=4, num_key_value_heads=2,
                  head_dim=8, inputs=tiny.SHORT, matrices=F16)

# Meta's sizes of the same: multiple_of * ceil(int(0.5 * int(2 * 4 * 32 / 3)) / multiple_of) = 48.
PARAMS = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "multiple_of": 16, "ffn_dim_multiplier": 0.5,
          "norm_eps": 1e-05, "vocab_size": -1}

META_NAMES = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.up_proj": "feed_forward.w3",
    "mlp.down_proj": "feed_forward.w2",
}
META_TOP = {"model.embed_tokens.weight": "tok_embeddings.weight", "model.norm.weight": "norm.weight",
            "lm_head.weight": "output.weight"}


def meta_name(name: str) -> str:
    if name in META_TOP:
        return META_TOP[name]
    _, _, layer, rest = name.split(".", 3)
    return f"layers.{layer}.{META_NAMES[rest.removesuffix('.weight')]}.weight"


def meta_part(name: str, w: torch.Tensor, part: int, parts: int, embedding_by_rows: bool) -> torch.Tensor:
    """A model-parallel part, as Meta's ColumnParallelLinear (rows of ours), RowParallelLinear (columns) and
    embedding give it: by columns up to Llama 2, by rows from Llama 3 on. Norms are in every part."""
    by_columns = name.endswith(("wo.weight", "w2.weight")) or (name.startswith("tok_") and not embedding_by_rows)
    if w.ndim == 1:
        return w.clone()
    return w.chunk(parts, dim=1 if by_columns else 0)[part].clone()


def consolidated(folder: Path, config: LlamaConfig, stored: dict[str, torch.Tensor], embedding_by_rows: bool) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "params.json").write_text(json.dumps(PARAMS) + "\n")
    for part in range(2):
        state = {}
        for name, w in stored.items():
            if heads := llama_gguf.heads_of(name, config):
                w = torch.from_numpy(llama_gguf.pairs_adjacent(w.numpy(), heads))
            state[meta_name(name)] = meta_part(meta_name(name), w, part, 2, embedding_by_rows)
        # What LLaMA 1 and 2 carry besides.
        state["rope.freqs"] = (1.0 / 10000 ** (torch.arange(0, 8, 2) / 8)).bfloat16()
        torch.save(state, folder / f"consolidated.{part:02}.pth")


def awkward(stored: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same values as views: q, k and v of a layer share one storage, a matrix is stored transposed; in the
    dictionary that Module.state_dict gives, which has an attribute."""
    result = OrderedDict(stored)
    result._metadata = OrderedDict({"": {"version": 1}, "model": {"version": 1}})
    q, k, v = (f"model.layers.0.self_attn.{part}_proj.weight" for part in "qkv")
    result[q], result[k], result[v] = torch.cat([stored[q], stored[k], stored[v]]).split([32, 16, 16])
    down = "model.layers.1.mlp.down_proj.weight"
    result[down] = stored[down].t().contiguous().t()
    assert not result[down].is_contiguous() and result[k].storage_offset() == 1024
    result["model.layers.0.self_attn.rotary_emb.inv_freq"] = 1.0 / 10000 ** (torch.arange(0, 8, 2) / 8)
    result["model.layers.0.self_attn.steps"] = torch.arange(3)
    result["model.layers.1.mlp.gate_proj.weight"] = torch.nn.Parameter(stored["model.layers.1.mlp.gate_proj.weight"])
    return result


def sharded(folder: Path, stored: dict[str, torch.Tensor], name: str, index: str, save) -> None:
    folder.mkdir(exist_ok=True)
    names = list(stored)
    halves = [names[: len(names) // 2], names[len(names) // 2:]]
    weight_map = {}
    for i, half in enumerate(halves):
        file = name.format(f"{i + 1:05}-of-00002")
        save({n: stored[n] for n in half}, folder / file)
        weight_map |= {n: file for n in half}
    total = sum(w.numel() * w.element_size() for w in stored.values())
    (folder / index).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=1))


def split_gguf(path: Path, whole: Path) -> None:
    """Splits a GGUF file as llama-gguf-split does: everything but the tensors in the first part."""
    reader = gguf.GGUFReader(whole)
    out = gguf.GGUFWriter(path, "llama", split_max_tensors=8)
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        sub = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        out.add_key_value(field.name, field.contents(), field.types[0], sub_type=sub)
    for tensor in reader.tensors:
        out.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    out.write_header_to_file(path)
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main() -> None:
    torch.set_num_threads(1)
    out = Path(sys.argv[1]) / "llama" / "containers"
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(tiny.config_json(SPEC), indent=1) + "\n")
    config = LlamaConfig.from_pretrained(out)
    blank = LlamaForCausalLM(config).state_dict()
    # Norms are rounded too: Hugging Face's and Meta's files hold them in F16, GGUF in F32.
    weights = {name: formula.weight(name, tuple(blank[name].shape)).astype(np.float16).astype(np.float32)
               for name in llama_gguf.names(config.num_hidden_layers, tied=False)}
    stored = {name: torch.from_numpy(w).half() for name, w in weights.items()}
    tokens, merges = tiny.vocabulary(config.vocab_size)
    tiny.write_tokenizer(out, tokens, merges)

    save_file(stored, out / "model.safetensors", metadata={"format": "pt"})
    sharded(out / "safetensors-shards", stored, "model-{}.safetensors", "model.safetensors.index.json",
            lambda state, path: save_file(state, path, metadata={"format": "pt"}))
    sharded(out / "bin-shards", stored, "pytorch_model-{}.bin", "pytorch_model.bin.index.json", torch.save)
    (out / "bin").mkdir(exist_ok=True)
    torch.save(awkward(stored), out / "bin" / "pytorch_model.bin")
    (out / "legacy").mkdir(exist_ok=True)
    torch.save(awkward(stored), out / "legacy" / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    consolidated(out / "consolidated", config, stored, embedding_by_rows=False)
    consolidated(out / "consolidated-3", config, stored, embedding_by_rows=True)
    types = dict.fromkeys(weights, F16)
    llama_gguf.write(out / "whole.gguf", config, dict(config.rope_parameters), weights, types, tokens, merges)
    split_gguf(out / "split.gguf", out / "whole.gguf")

    read = llama_gguf.read(out / "whole.gguf", config)
    assert all(np.array_equal(read[name], weights[name]) for name in weights)
    tiny.expect(out / "expected.safetensors", tiny.model_of(config, weights), SPEC["inputs"])


main()
