"""Writes ids of a real vocabulary for RealVocabularyTest, which compares them when told where they are.

    python real.py strings MODEL.gguf ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers/smollm2.golden.json.gz
    python real.py text MODEL.gguf ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers/smollm2-text.golden.json.gz
    python real.py smollm2 MODEL.gguf GOLDEN.json.gz
    python real.py json tokenizer.json GOLDEN.json.gz
    python real.py model tokenizer.model GOLDEN.json.gz

SmolLM2's tokenizer is rebuilt from the GGUF file's own vocabulary. "strings" are 10,000 random strings and long runs, "text" is
the text of the perplexity (see the README there) by its paragraphs and whole, and four sources of this folder; both goldens are
committed, and need the model alone to be compared. The others add a corpus (the documents of the Python on which
this runs, several scripts of random text). Each text has its ids and decoding. Then

    FLAGSHIP_TEST_SMOLLM2=MODEL.gguf ./mvnw -pl engine/tokenizers test -Dtest=RealVocabularyTest
    FLAGSHIP_TEST_SMOLLM2=MODEL.gguf FLAGSHIP_TOKENIZER_GOLDEN=GOLDEN.json.gz ./mvnw -pl engine/tokenizers test -Dtest=RealVocabularyTest
    FLAGSHIP_TOKENIZER_JSON=tokenizer.json FLAGSHIP_TOKENIZER_GOLDEN=GOLDEN.json.gz ...
    FLAGSHIP_TOKENIZER_MODEL=tokenizer.model FLAGSHIP_TOKENIZER_MODEL_GOLDEN=GOLDEN.json.gz ...
"""

import pathlib
import pydoc_data.topics
import random
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models

from strings import strings
from tiny import PRE, write


def from_gguf(path):
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = PRE["smollm"]()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t, k in zip(tokens, types) if k == 3])
    return tokenizer


def written():
    """Prose that is in the public domain, and code of our own."""
    here = pathlib.Path(__file__).parent
    prose = (here.parents[2] / "quality/testing/src/main/resources/dev/flagship/testing/golden/perplexity.txt").read_text()
    code = [(here / name).read_text() for name in ("own_templates.py", "real.py", "strings.py", "templates.py")]
    return [prose, *prose.split("\n\n"), *code]


def of_sentencepiece(source, texts):
    import sentencepiece
    import spm

    sp = sentencepiece.SentencePieceProcessor(model_file=source)
    return spm.of_sentencepiece(sp, texts)


def main(kind, source, target):
    if kind == "model":
        texts = strings(3, 10_000) + [c * 20_000 for c in "a \n0é"] + list(pydoc_data.topics.topics.values())
        texts += ["".join(strings(s, 400)) for s in range(20)]
        golden = of_sentencepiece(source, texts)
        write(pathlib.Path(target), {"texts": texts} | golden)
        print(f"{len(texts)} texts, {sum(map(len, texts))} characters, {sum(map(len, golden['plain']))} tokens")
        return
    tokenizer = from_gguf(source) if kind in ("strings", "text", "smollm2") else Tokenizer.from_file(source)
    texts = written() if kind == "text" else strings(3, 10_000) + [c * 20_000 for c in "a \n0é"]
    if kind not in ("strings", "text"):
        texts += list(pydoc_data.topics.topics.values()) + ["".join(strings(s, 400)) for s in range(20)]
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    tokenizer.encode_special_tokens = False
    parsed = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    rng = random.Random(4)
    sequences = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 30))] for _ in range(0 if kind == "text" else 2000)]
    write(
        pathlib.Path(target),
        {
            "generator": f"tools/golden/tokenizer/real.py, tokenizers {tokenizers.__version__}",
            "texts": texts,
            "plain": plain,
            "parsed": {str(i): p for i, (p, q) in enumerate(zip(parsed, plain)) if p != q},
            "decoded": {str(i): d for i, d in enumerate(tokenizer.decode(p, skip_special_tokens=False) for p in plain) if d != texts[i]},
            "sequences": sequences,
            "decodings": [tokenizer.decode(s, skip_special_tokens=False) for s in sequences],
            "skipping": [tokenizer.decode(s, skip_special_tokens=True) for s in sequences],
        },
    )
    print(f"{len(texts)} texts, {sum(map(len, texts))} characters, {sum(map(len, plain))} tokens")


if __name__ == "__main__":
    main(*sys.argv[1:])
