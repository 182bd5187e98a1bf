"""Writes what the tokenizers library makes of random strings with the expressions of LLaMA's look-alikes.

    python pre.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers LLAMA_PYTHON

Needs requirements.txt, and LLAMA_PYTHON, a Python that has llama-cpp-python (../llama/requirements-llamacpp.txt). Run tiny.py
first: the strings are its strings.json.gz. The vocabulary is trained on whole texts, so that its merges cross every border that an
expression does not draw; one token no merges make. Outputs: pre.tokenizer.json.gz, the vocabulary; pre-NAME.golden.json.gz for each
kind of piece, by one of its names in GGUF (tokenizer.ggml.pre). Says for each further name of llama.cpp's how many strings agree with
which kind there. "default" is llama.cpp's own, and its ids are llama.cpp's.
"""

import gzip
import json
import pathlib
import pydoc_data.topics
import re
import subprocess
import sys
import tempfile

import gguf
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from strings import strings
from tiny import CONTROL, LLAMA3, write

QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
SEED_CODER = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
TEKKEN = UPPER + "|" + LOWER + r"|\p{N}" + REST
O200K = UPPER + SUFFIX + "|" + LOWER + SUFFIX + r"|\p{N}{1,3}" + REST
LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377"
    "\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-"
    "\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-"
    "\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-"
    "\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115"
    "\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b"
    "\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    "\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb"
    "\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
HAN = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
PUNCTUATION = "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+"
DEEPSEEK_LLM = ["[\r\n]", rf"\s?[{LETTERS}]+", PUNCTUATION, r"\s+$", HAN, r"\p{N}+"]
DEEPSEEK_CODER = ["[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", HAN, r"\p{N}"]
BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"


def byte_level(*expressions, last=False):
    steps = [pre_tokenizers.Split(Regex(e), "isolated") for e in expressions]
    return lambda: pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=last)])


KINDS = {
    "gpt-2": byte_level(last=True),
    "smollm": byte_level(r"\p{N}", last=True),
    "llama-bpe": byte_level(LLAMA3),
    "dbrx": byte_level(LLAMA3),
    "qwen2": byte_level(QWEN2),
    "seed-coder": byte_level(SEED_CODER),
    "tekken": byte_level(TEKKEN),
    "gpt-4o": byte_level(O200K),
    "deepseek-llm": byte_level(*DEEPSEEK_LLM),
    "deepseek-coder": byte_level(*DEEPSEEK_CODER),
    "bloom": byte_level(BLOOM),
    "viking": byte_level(BLOOM, r"\p{N}"),
}
IGNORE_MERGES = ("llama-bpe", "tekken")
# All names that llama.cpp gives to models of the llama architecture or knows beside them.
NAMES = """llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano dbrx smaug-bpe glm4 chatglm-bpe gpt-2 phi-2 mpt olmo
jais trillion granite-docling gigachat roberta-bpe jina-es jina-de smollm starcoder refact command-r codeshell exaone minerva-7b mellum qwen2 stablelm2
megrez hunyuan deepseek-r1-qwen kormo a.x-4.0 seed-coder tekken gpt-4o llama4 deepseek-llm deepseek-coder bloom poro-chat gpt3-finnish viking
default falcon superbpe exaone4 bailingmoe""".split()


def vocabulary(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=3000, special_tokens=CONTROL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    plain = [re.sub("|".join(map(re.escape, CONTROL)), "", t) for t in strings(7, 3000) + texts]  # no merges to control tokens
    tokenizer.train_from_iterator(list(pydoc_data.topics.topics.values())[:20] + plain, trainer)
    description = json.loads(tokenizer.to_str())
    description["model"]["vocab"]["hello"] = len(description["model"]["vocab"])  # no merges make it
    assert not any(a + b == "hello" for a, b in description["model"]["merges"])
    return description


def of_tokenizers(description, name, texts):
    tokenizer = Tokenizer.from_str(json.dumps(description | {"model": description["model"] | {"ignore_merges": name in IGNORE_MERGES}}))
    tokenizer.pre_tokenizer = KINDS[name]()
    parsed = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    return {
        "generator": f"tools/golden/tokenizer/pre.py, tokenizers {tokenizers.__version__}",
        "plain": plain,
        "parsed": {str(i): p for i, (p, q) in enumerate(zip(parsed, plain)) if p != q},
    }


def of_llamacpp(description, name, texts, llama_python):
    vocab = description["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.get)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "vocabulary.gguf")
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_context_length(256)
        writer.add_embedding_length(64)
        writer.add_feed_forward_length(64)
        writer.add_block_count(1)
        writer.add_head_count(4)
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_rope_dimension_count(16)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(name)
        writer.add_token_list(tokens)
        writer.add_token_types([gguf.TokenType.CONTROL if t in CONTROL else gguf.TokenType.NORMAL for t in tokens])
        writer.add_token_merges([" ".join(m) for m in description["model"]["merges"]])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.close()
        script = pathlib.Path(__file__).with_name("llamacpp_ids.py")
        run = subprocess.run([llama_python, script, path], input=json.dumps(texts).encode(), capture_output=True, check=False)
    if run.returncode != 0:
        return None
    found = json.loads(run.stdout)
    return {
        "generator": f"tools/golden/tokenizer/pre.py, llama-cpp-python {found['version']}",
        "plain": found["plain"],
        "parsed": {str(i): p for i, (p, q) in enumerate(zip(found["parsed"], found["plain"])) if p != q},
        "adds_bos": found["adds_bos"],
    }


def main(folder, llama_python):
    texts = json.loads(gzip.decompress((folder / "strings.json.gz").read_bytes()))
    description = vocabulary(texts)
    # Only here, so that the others stay as they are: the token that no merges make, alone and in words.
    texts[:4] = ["hello", "hello hello", "ahello", "hello1hello!"]
    write(folder / "pre.tokenizer.json.gz", description)
    goldens = {}
    for name in KINDS:
        goldens[name] = of_tokenizers(description, name, texts)
        write(folder / f"pre-{name}.golden.json.gz", goldens[name])
    for name in NAMES:
        found = of_llamacpp(description, name, texts, llama_python)
        if found is None:
            print(f"{name}: llama.cpp does not load it")
            continue
        agree = {k: sum(a == b for a, b in zip(g["plain"], found["plain"])) for k, g in goldens.items()}
        best = sorted(agree, key=agree.get, reverse=True)[:2]
        print(f"{name}: adds BOS {found['adds_bos']}; of {len(texts)} strings equal " + ", ".join(f"{k} {agree[k]}" for k in best))
        if name == "default":
            del found["adds_bos"]
            write(folder / "pre-default.golden.json.gz", found)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
