"""Writes what the tokenizers library makes of added tokens' options and of normalizers, for AddedTokensGoldenTest.

    python added.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers

Needs requirements.txt; run tiny.py and spm.py first, whose vocabularies it takes. Output: added.golden.json.gz with 4,000 texts, and
for each kind the tokenizer.json and checksums as further.py's. Texts hold the added tokens beside all that the options look at:
spaces of every sort, words, marks, each other. "words" are the code points that keep a token with single_word from being one, as a
flat list of first and last.

The library's normalizers have the tables of Unicode 9. Texts with characters to which a newer Unicode does something else are left out.

Control tokens are never looked for in normalised text here, whatever the file says: it has lost the marks of who wrote it.
"""

import gzip
import json
import pathlib
import random
import sys
import unicodedata

from tokenizers import AddedToken, Tokenizer, normalizers

from further import checksums
from strings import MARKS, SPACES, strings
from tiny import write

TOKENS = [
    AddedToken("<L>", lstrip=True, normalized=False),
    AddedToken("<R>", rstrip=True, normalized=False),
    AddedToken("<B>", lstrip=True, rstrip=True, normalized=False),
    AddedToken("<W>", single_word=True, normalized=False),
    AddedToken("wørd", single_word=True, normalized=False),
    AddedToken("Tok", single_word=True, lstrip=True, rstrip=True, normalized=False),
    AddedToken(" <sp", rstrip=True, normalized=False),
    AddedToken("\u2004", rstrip=True, normalized=False),
    AddedToken("NORM", normalized=True),
    AddedToken("Ünı", normalized=True, single_word=True),
    AddedToken("ﬁx", normalized=True, lstrip=True),
]
SPECIAL = [
    AddedToken("<|L|>", lstrip=True, special=True, normalized=False),
    AddedToken("<|R|>", rstrip=True, special=True, normalized=False),
    AddedToken("<|W|>", single_word=True, special=True, normalized=False),
]
PLAIN = [AddedToken("<think>x", normalized=False), AddedToken("NORM", normalized=True), AddedToken("no rm", normalized=True)]
NORMALIZED = [AddedToken(t, normalized=True) for t in ("NORM", "no rm", "<think>x", "wørd", "<L>")]
NORMALIZED_SPECIAL = [AddedToken(t, special=True, normalized=False) for t in ("<|L|>", "<|R|>")]
NFKC_LOWER = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
KINDS = {
    "options": ("gpt2", TOKENS, None),
    "options-llama3": ("llama3", TOKENS, None),
    "nfc": ("gpt2", PLAIN, normalizers.NFC()),
    "nfd": ("gpt2", PLAIN, normalizers.NFD()),
    "nfkc": ("gpt2", PLAIN, normalizers.NFKC()),
    "nfkd": ("llama3", PLAIN, normalizers.NFKD()),
    "lowercase": ("gpt2", TOKENS, normalizers.Lowercase()),
    "nfkc-lowercase": ("llama3", TOKENS, NFKC_LOWER),
    "spaces": ("spm-legacy", TOKENS, "before"),
    "spaces-nfkc": ("spm-legacy", TOKENS, normalizers.NFKC()),
    "spaces-normalized": ("spm-legacy", NORMALIZED, "before"),
    "first": ("spm-first", TOKENS, None),
    "first-nfkc-lowercase": ("spm-first", TOKENS, NFKC_LOWER),
}


FORMS = {"NFC": normalizers.NFC(), "NFD": normalizers.NFD(), "NFKC": normalizers.NFKC(), "NFKD": normalizers.NFKD()}


def same_everywhere(text):
    """Whether it is normalised alike by Python, whose Unicode is newer, and has only what that knows."""
    known = all(unicodedata.category(c) != "Cn" for c in text)
    return known and all(form.normalize_str(text) == unicodedata.normalize(name, text) for name, form in FORMS.items())


def texts():
    rng = random.Random(31)
    words = [t.content for t in TOKENS + SPECIAL + PLAIN] + ["norm", "TOK", "fix", "ÜNI", "<l>", "wørdwørd", "wørds"]
    beside = list(" \n\t\u2004.,-_'9aZé") + ["  ", " \u00a0", "\u3000", "你", "\u0301", "\u200d", "\u203f", "①", "ª", "Σ", "İ", "ﬀ", "가", "각", "\u212b"]
    out = []
    for text in strings(32, 6000, 3):
        parts = [text]
        for _ in range(rng.randint(1, 5)):
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(words))
            if rng.random() < 0.7:
                parts.insert(rng.randrange(len(parts) + 1), rng.choice(beside) * rng.randint(1, 2))
            if rng.random() < 0.3:
                parts.insert(rng.randrange(len(parts) + 1), "".join(rng.choice(SPACES + MARKS) for _ in range(rng.randint(1, 4))))
        out.append("".join(parts))
    return list(filter(same_everywhere, out))[:4000]


def tokenizer(folder, base, tokens, normalizer):
    description = json.loads(gzip.decompress((folder / f"{base}.tokenizer.json.gz").read_bytes()))
    if tokens is NORMALIZED:
        for token in description["added_tokens"]:
            token["normalized"] = not token["special"]
    built = Tokenizer.from_str(json.dumps(description))
    if normalizer is not None and normalizer != "before":
        before = [] if built.normalizer is None else [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        built.normalizer = normalizers.Sequence([normalizer, *before]) if before else normalizer
    built.add_tokens(tokens)
    built.add_special_tokens(NORMALIZED_SPECIAL if tokens is NORMALIZED else SPECIAL)
    return built


def words(folder):
    """By a token behind each code point."""
    built = Tokenizer.from_str(gzip.decompress((folder / "gpt2.tokenizer.json.gz").read_bytes()).decode())
    built.add_tokens([AddedToken("<W>", single_word=True, normalized=False)])
    wanted = built.token_to_id("<W>")
    found = []
    for c in [*range(0xD800), *range(0xE000, 0x110000)]:
        if wanted not in built.encode(chr(c) + "<W>", add_special_tokens=False).ids:
            if found and found[-1] == c - 1:
                found[-1] = c
            else:
                found += [c, c]
    return found


def main(folder):
    all_texts = texts()
    kinds = {}
    for name, (base, tokens, normalizer) in KINDS.items():
        built = tokenizer(folder, base, tokens, normalizer)
        parsed = [built.encode(t, add_special_tokens=False).ids for t in all_texts]
        built.encode_special_tokens = True
        plain = [built.encode(t, add_special_tokens=False).ids for t in all_texts]
        kinds[name] = {"tokenizer": json.dumps(json.loads(built.to_str()), ensure_ascii=False)} | checksums(all_texts, plain, parsed, None)
        print(name, len(kinds[name]["parsed"]))
    write(
        folder / "added.golden.json.gz",
        {"generator": "tools/golden/tokenizer/added.py, requirements.txt", "texts": all_texts, "kinds": kinds, "words": words(folder)},
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
