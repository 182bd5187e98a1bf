"""Writes the goldens of the build: three small tokenizers and what the tokenizers library makes of random strings.

    python tiny.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers

Needs requirements.txt. Outputs: strings.json.gz; for each tokenizer NAME.tokenizer.json.gz and NAME.golden.json.gz with
ids (of every string, without parsing control tokens and with), and random id sequences with their decodings.
"""

import gzip
import json
import pathlib
import pydoc_data.topics
import random
import sys

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from strings import strings

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PRE = {
    "gpt2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    ),
    "llama3": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    ),
}
CONTROL = ["<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]


def train(name, vocabulary):
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
    tokenizer.pre_tokenizer = PRE[name]()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    text = list(pydoc_data.topics.topics.values())[:30] + strings(7, 3000)
    tokenizer.train_from_iterator(text, trainer)
    if name == "llama3":
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)]
        )
    description = json.loads(tokenizer.to_str())
    if name == "smollm":  # SmolLM2 lacks some bytes: a byte without a token vanishes
        dropped = {"\u0143", "\u00c0", "\u00f5"}  # the stand-ins of AD, C0, F5
        vocab = description["model"]["vocab"]
        merges = [m for m in description["model"]["merges"] if not any(d in t for d in dropped for t in m)]
        description["model"]["merges"] = merges
        kept = [t for t in sorted(vocab, key=vocab.get) if not any(d in t for d in dropped)]
        description["model"]["vocab"] = {t: i for i, t in enumerate(kept)}
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    return tokenizer, json.loads(tokenizer.to_str())


def write(path, value):
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=9) as out:
        out.write(data)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    texts = strings(1, 2000)
    write(folder / "strings.json.gz", texts)
    for name in PRE:
        tokenizer, description = train(name, 1200)
        rng = random.Random(2)
        parsed = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        tokenizer.encode_special_tokens = True
        plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        size = tokenizer.get_vocab_size()
        sequences = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(300)]
        write(folder / f"{name}.tokenizer.json.gz", description)
        write(
            folder / f"{name}.golden.json.gz",
            {
                "generator": f"tools/golden/tokenizer/tiny.py, tokenizers {tokenizers.__version__}",
                "plain": plain,
                "parsed": {str(i): p for i, (p, q) in enumerate(zip(parsed, plain)) if p != q},
                "decoded": {str(i): d for i, d in enumerate(tokenizer.decode(p, skip_special_tokens=False) for p in plain) if d != texts[i]},
                "sequences": sequences,
                "decodings": [tokenizer.decode(s, skip_special_tokens=False) for s in sequences],
                "skipping": [tokenizer.decode(s, skip_special_tokens=True) for s in sequences],
            },
        )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
