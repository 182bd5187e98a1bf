"""Writes the goldens of the build: four small tokenizers and what the tokenizers library makes of random strings.

    python tiny.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers

Needs requirements.txt. Outputs: strings.json.gz; classes.json.gz; for each tokenizer NAME.tokenizer.json.gz and NAME.golden.json.gz with
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
PRE["prefix"] = lambda: pre_tokenizers.Sequence(
    [pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)]
)
CONTROL = ["<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"]


LIVELY = bytes.fromhex("00417f808f909fa0bfc0c1c2dfe0e1edeff0f1f4f5ff")


def stand_in(byte):
    """GPT-2's printable character for a byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return chr(byte if byte in printable else 256 + [b for b in range(256) if b not in printable].index(byte))


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
    if name in ("smollm", "prefix"):  # SmolLM2 lacks some bytes: a byte without a token vanishes
        dropped = {"\u0143", "\u00c0", "\u00f5"}  # the stand-ins of AD, C0, F5
        vocab = description["model"]["vocab"]
        merges = [m for m in description["model"]["merges"] if not any(d in t for d in dropped for t in m)]
        description["model"]["merges"] = merges
        kept = [t for t in sorted(vocab, key=vocab.get) if not any(d in t for d in dropped)]
        description["model"]["vocab"] = {t: i for i, t in enumerate(kept)}
    if name == "prefix":  # or becomes the unknown token
        description["model"] |= {"unk_token": "<|eot_id|>", "fuse_unk": True}
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    return tokenizer, json.loads(tokenizer.to_str())


def write(path, value):
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0, compresslevel=9) as out:
        out.write(data)


def ranges(pre_tokenizer, texts):
    """Code points that a pre-tokenizer takes out, as a flat list of first and last."""
    found = []
    for first, text in texts:
        kept = [offsets for _, offsets in pre_tokenizer.pre_tokenize_str(text)]
        at = 0
        for start, end in kept + [(len(text), len(text))]:
            if start > at:
                found += [first + at, first + start - 1]
            at = end
    return found


def classes():
    """Letters, numbers and spaces as the library's expressions and its Digits step know them."""
    texts = [(0, "".join(map(chr, range(0xD800)))), (0xE000, "".join(map(chr, range(0xE000, 0x110000))))]
    return {
        "generator": f"tools/golden/tokenizer/tiny.py, tokenizers {tokenizers.__version__}",
        "letters": ranges(pre_tokenizers.Split(Regex(r"\p{L}+"), "removed"), texts),
        "numbers": ranges(pre_tokenizers.Split(Regex(r"\p{N}+"), "removed"), texts),
        "spaces": ranges(pre_tokenizers.Split(Regex(r"\s+"), "removed"), texts),
        "digits": digits(texts),
    }


def digits(texts):
    found = []
    step = pre_tokenizers.Digits(individual_digits=True)
    for first, text in texts:
        # Every second character is a letter, so that each number stands alone between letters.
        pieces = step.pre_tokenize_str("".join(c + "a" for c in text))
        for piece, (start, end) in pieces:
            if end - start == 1 and start % 2 == 0 and piece != "a":
                found.append(first + start // 2)
    return found


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    texts = strings(1, 2000)
    write(folder / "strings.json.gz", texts)
    write(folder / "classes.json.gz", classes())
    for name in PRE:
        tokenizer, description = train(name, 1200)
        rng = random.Random(2)
        parsed = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        tokenizer.encode_special_tokens = True
        plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
        size = tokenizer.get_vocab_size()
        sequences = [[rng.randrange(size) for _ in range(rng.randint(1, 12))] for _ in range(300)]
        # Broken UTF-8 of all kinds, byte by byte
        stand_ins = [tokenizer.token_to_id(c) for c in map(stand_in, LIVELY)]
        lively = [i for i in stand_ins if i is not None]
        sequences += [[rng.choice(lively) for _ in range(rng.randint(1, 7))] for _ in range(1500)]
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
