"""Writes a small tokenizer.model of Llama 3's kind and what tiktoken makes of random strings.

    python ranks.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers

Needs requirements.txt. The vocabulary is that of llama3.tokenizer.json.gz (run tiny.py first), without its control tokens; Meta's
follow the ranks. Outputs: ranks.model.gz, ranks.golden.json.gz.
"""

import base64
import gzip
import json
import pathlib
import random
import sys

import tiktoken

from tiny import CONTROL, LLAMA3, LIVELY, stand_in, write

SPECIAL = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>"]
SPECIAL += ["<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>"]
SPECIAL += ["<|python_tag|>", "<|image|>"]
SPECIAL += [f"<|reserved_special_token_{2 + i}|>" for i in range(256 - len(SPECIAL))]


def main(folder):
    read = lambda name: json.loads(gzip.decompress((folder / name).read_bytes()))
    byte = {stand_in(b): b for b in range(256)}
    vocab = read("llama3.tokenizer.json.gz")["model"]["vocab"]
    tokens = [bytes(byte[c] for c in t) for t in sorted(vocab, key=vocab.get) if t not in CONTROL and t != "<think>"]
    ranks = {t: i for i, t in enumerate(tokens)}
    lines = b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens))
    with open(folder / "ranks.model.gz", "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as out:
        out.write(lines)
    encoding = tiktoken.Encoding("ranks", pat_str=LLAMA3, mergeable_ranks=ranks, special_tokens={t: len(ranks) + i for i, t in enumerate(SPECIAL)})
    texts = read("strings.json.gz")
    plain = [encoding.encode(t, disallowed_special=()) for t in texts]
    parsed = [encoding.encode(t, allowed_special="all") for t in texts]
    rng = random.Random(2)
    sequences = [[rng.randrange(encoding.n_vocab) for _ in range(rng.randint(1, 12))] for _ in range(300)]
    sequences += [[ranks[bytes([rng.choice(LIVELY)])] for _ in range(rng.randint(1, 7))] for _ in range(1500)]
    write(
        folder / "ranks.golden.json.gz",
        {
            "generator": f"tools/golden/tokenizer/ranks.py, tiktoken {tiktoken.__version__}",
            "plain": plain,
            "parsed": {str(i): p for i, (p, q) in enumerate(zip(parsed, plain)) if p != q},
            "decoded": {str(i): d for i, (d, t) in enumerate(zip(map(encoding.decode, plain), texts)) if d != t},
            "sequences": sequences,
            "decodings": [encoding.decode(s) for s in sequences],
            "skipping": [encoding.decode([i for i in s if i < len(ranks)]) for s in sequences],
        },
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
