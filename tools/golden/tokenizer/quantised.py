"""Makes tiny random models with real vocabularies, quantises them, and asks llama.cpp for the ids of 1,000 strings.

    python quantised.py FOLDER LLAMA_PYTHON

FOLDER is what real_vocabularies.sh has made; LLAMA_PYTHON a Python that has llama-cpp-python
(../llama/requirements-llamacpp.txt); needs requirements.txt and safetensors. For each vocabulary (LLaMA 2's tokenizer.model and
tokenizer.json, Llama 3.1's tokenizer.json) it writes a folder with weights by a random generator, runs ./flagship quantize, which
makes FOLDER/quantised/NAME.gguf, and writes NAME.golden.json.gz with llama.cpp's ids and NAME.env. Then

    . FOLDER/quantised/NAME.env && ./mvnw -pl engine/tokenizers test -Dtest=RealVocabularyTest

compares what our reader gives with them.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from safetensors.numpy import save_file

from strings import strings
from tiny import write

ROOT = pathlib.Path(__file__).parents[3]
WIDTH, HEADS, LAYERS = 64, 4, 1


def model(folder, vocabulary, bos, eos, files):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    random = lambda *shape: rng.normal(0, 0.02, shape).astype(np.float16)
    layer = lambda name: f"model.layers.0.{name}.weight"
    tensors = {"model.embed_tokens.weight": random(vocabulary, WIDTH), "model.norm.weight": np.ones(WIDTH, np.float16)}
    for norm in ("input_layernorm", "post_attention_layernorm"):
        tensors[layer(norm)] = np.ones(WIDTH, np.float16)
    for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
        tensors[layer("self_attn." + part)] = random(WIDTH, WIDTH)
    for part in ("gate_proj", "up_proj", "down_proj"):
        tensors[layer("mlp." + part)] = random(WIDTH, WIDTH)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": bos,
        "eos_token_id": eos,
    }
    (folder / "config.json").write_text(json.dumps(config))
    for file in files:
        shutil.copy(file, folder / file.name)


def main(folder, llama_python):
    out = folder / "quantised"
    kinds = {
        "llama2-model": (32000, 1, 2, [folder / "llama2/tokenizer.model"]),
        "llama2-json": (32000, 1, 2, [folder / "llama2/tokenizer.json"]),
        "llama31": (128256, 128000, 128009, [folder / "npm3/package/models" / f for f in ("tokenizer.json", "tokenizer_config.json")]),
    }
    texts = strings(5, 1000)
    for name, kind in kinds.items():
        model(out / name, *kind)
        file = out / f"{name}.gguf"
        file.unlink(missing_ok=True)
        subprocess.run([ROOT / "flagship", "quantize", out / name, "--to", "q8_0", "-o", file], check=True)
        script = pathlib.Path(__file__).with_name("llamacpp_ids.py")
        ids = json.loads(subprocess.run([llama_python, script, file], input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True).stdout)
        golden = {
            "generator": f"tools/golden/tokenizer/quantised.py, llama-cpp-python {ids['version']}",
            "texts": texts,
            "plain": ids["plain"],
            "parsed": {str(i): p for i, (p, q) in enumerate(zip(ids["parsed"], ids["plain"])) if p != q},
            "adds_bos": ids["adds_bos"],
        }
        write(out / f"{name}.golden.json.gz", golden)
        (out / f"{name}.env").write_text(f"export FLAGSHIP_TOKENIZER_GGUF={file} FLAGSHIP_TOKENIZER_GGUF_GOLDEN={out / name}.golden.json.gz\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
