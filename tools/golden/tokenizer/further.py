"""Writes checksums of what the reference libraries make of 10,000 further texts, for every small vocabulary of the build.

    python further.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers LLAMA_PYTHON
    python further.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers LLAMA_PYTHON KIND NUMBER

Needs requirements.txt, and LLAMA_PYTHON, a Python that has llama-cpp-python (../llama/requirements-llamacpp.txt). Run tiny.py,
spm.py, ranks.py and pre.py first: the vocabularies are theirs, read from the folder, and so are the references. Output:
further.golden.json.gz with the texts (8,000 random strings and 2,000 excerpts of the text of the perplexity) and for each kind

plain    CRC-32 of the ids of each text, as 32-bit numbers of little endian, all in base64: no token is taken for a control token
parsed   the same where control tokens are parsed and the ids differ, by the number of the text
pre_tokenizer  for the kinds of pre.py, their expressions as tokenizers writes them into a tokenizer.json
decoded  CRC-32 of the UTF-8 of what the ids decode to where it is not the text, by the number of the text; where the reference decodes

Ids would take four times the room. The second form of the command prints those of one text, to find out what is wrong.
"""

import base64
import gzip
import json
import pathlib
import random
import struct
import sys
import zlib

import pre
import ranks
import sentencepiece
import spm
import tiktoken
from tokenizers import Tokenizer

from strings import strings
from tiny import LLAMA3, write

RANDOM, EXCERPTS = 8_000, 2_000


def texts():
    prose = (pathlib.Path(__file__).parents[3] / "quality/testing/src/main/resources/dev/flagship/testing/golden/perplexity.txt").read_text()
    rng = random.Random(22)
    excerpts = []
    for _ in range(EXCERPTS):
        start = rng.randrange(len(prose) - 200)
        excerpts.append(prose[start : start + rng.randint(5, 160)])
    return strings(21, RANDOM) + excerpts


def read(folder, name):
    return json.loads(gzip.decompress((folder / name).read_bytes()))


def of_tokenizers(description, texts, pre_tokenizer=None):
    tokenizer = Tokenizer.from_str(json.dumps(description))
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    encode = lambda: [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    parsed = encode()
    tokenizer.encode_special_tokens = True
    plain = encode()
    decoded = None if pre_tokenizer is not None else [tokenizer.decode(p, skip_special_tokens=False) for p in plain]
    return plain, parsed, decoded


def of_ranks(folder, texts):
    table = {}
    for line in gzip.decompress((folder / "ranks.model.gz").read_bytes()).split(b"\n"):
        if line:
            token, rank = line.split()
            table[base64.b64decode(token)] = int(rank)
    special = {t: len(table) + i for i, t in enumerate(ranks.SPECIAL)}
    encoding = tiktoken.Encoding("ranks", pat_str=LLAMA3, mergeable_ranks=table, special_tokens=special)
    plain = [encoding.encode(t, disallowed_special=()) for t in texts]
    return plain, [encoding.encode(t, allowed_special="all") for t in texts], [encoding.decode(p) for p in plain]


def of_sentencepiece(sp, texts):
    control = {sp.id_to_piece(i): i for i in range(len(sp)) if sp.is_control(i) or sp.is_unknown(i)}
    plain = [sp.encode(t) for t in texts]
    return plain, [spm.parsed(sp, control, t) for t in texts], [sp.decode(p) for p in plain]


def of_llamacpp(golden):
    plain = golden["plain"]
    return plain, [golden["parsed"].get(str(i), p) for i, p in enumerate(plain)], None


def kinds(folder, llama_python):
    """How to get ids and decodings of texts, by the name of a kind."""
    found = {}
    for name in ("gpt2", "smollm", "llama3", "prefix", "spm-legacy", "spm-first"):
        found[name] = lambda texts, name=name: of_tokenizers(read(folder, f"{name}.tokenizer.json.gz"), texts)
    found["ranks"] = lambda texts: of_ranks(folder, texts)
    sp = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    found["spm"] = lambda texts: of_sentencepiece(sp, texts)
    found["spm-llamacpp"] = lambda texts: of_llamacpp(spm.of_llamacpp(sp, texts, llama_python))
    vocabulary = read(folder, "pre.tokenizer.json.gz")
    for name in pre.KINDS:
        model = vocabulary["model"] | {"ignore_merges": name in pre.IGNORE_MERGES}
        found["pre-" + name] = lambda texts, name=name, model=model: of_tokenizers(vocabulary | {"model": model}, texts, pre.KINDS[name]())
    found["pre-default"] = lambda texts: of_llamacpp(pre.of_llamacpp(vocabulary, "default", texts, llama_python))
    return found


def checksum(ids):
    return zlib.crc32(struct.pack(f"<{len(ids)}i", *ids))


def checksums(texts, plain, parsed, decoded):
    return {
        "plain": base64.b64encode(b"".join(struct.pack("<I", checksum(p)) for p in plain)).decode(),
        "parsed": {str(i): checksum(p) for i, (p, q) in enumerate(zip(parsed, plain)) if p != q},
    } | ({} if decoded is None else {"decoded": {str(i): zlib.crc32(d.encode()) for i, (d, t) in enumerate(zip(decoded, texts)) if d != t}})


def main(folder, llama_python, *one):
    all_texts = texts()
    assert len(all_texts) == 10_000
    if one:
        kind, number = one
        for name, ids in zip(("plain", "parsed", "decoded"), kinds(folder, llama_python)[kind]([all_texts[int(number)]])):
            print(name, ids)
        return
    sums = {}
    for name, references in kinds(folder, llama_python).items():
        sums[name] = checksums(all_texts, *references(all_texts))
        print(name, {k: len(v) for k, v in sums[name].items()})
    vocabulary = read(folder, "pre.tokenizer.json.gz")
    for name, pre_tokenizer in pre.KINDS.items():
        tokenizer = Tokenizer.from_str(json.dumps(vocabulary))
        tokenizer.pre_tokenizer = pre_tokenizer()
        sums["pre-" + name]["pre_tokenizer"] = json.dumps(json.loads(tokenizer.to_str())["pre_tokenizer"])
    write(folder / "further.golden.json.gz", {"generator": "tools/golden/tokenizer/further.py, requirements.txt", "texts": all_texts, "kinds": sums})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
