"""Writes the SentencePiece goldens of the build: a small model, and what four references make of random strings.

    python spm.py ../../../engine/tokenizers/src/test/resources/dev/flagship/tokenizers LLAMA_PYTHON

Needs requirements.txt, and LLAMA_PYTHON, a Python that has llama-cpp-python (../llama/requirements-llamacpp.txt). Run tiny.py
first: the strings are its strings.json.gz. Outputs:

spm.model                    trained here: BPE with byte fallback, user-defined and control symbols, as LLaMA 1 and 2 are set up
spm.golden.json.gz           sentencepiece on spm.model
spm-llamacpp.golden.json.gz  llama.cpp on the same vocabulary as GGUF
spm-legacy.*, spm-first.*    tokenizers on the same vocabulary as tokenizer.json: spaces put in front by the normalizer, as Llama 2's
                             file does, or by Metaspace before the first word alone, as Mistral's does

sentencepiece knows control symbols as ids only. "parsed" is therefore what Meta's code does with a dialogue: each stretch between
them is encoded for itself.
"""

import functools
import gzip
import json
import pathlib
import pydoc_data.topics
import random
import subprocess
import sys
import tempfile

import gguf
import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from strings import strings
from tiny import write

CONTROL = ["<|im_start|>", "<|im_end|>", "<|eot_id|>"]
USER = ["<think>", "▁<PRE>", "\n\n", "ab", "abc"]


def train(target):
    text = list(pydoc_data.topics.topics.values())[:30] + strings(7, 3000)
    lines = [line for t in text for line in t.split("\n") if line and "\0" not in line]
    with open(target, "wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=out,
            model_type="bpe",
            vocab_size=1500,
            character_coverage=0.98,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=True,
            byte_fallback=True,
            split_digits=True,
            allow_whitespace_only_pieces=True,
            control_symbols=CONTROL,
            user_defined_symbols=USER,
            num_threads=1,
            minloglevel=2,
        )


def kind(sp, i):
    return gguf.TokenType(types(sp.serialized_model_proto())[i])


@functools.cache
def types(model):
    """By id; the numbers are GGUF's too."""
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    return [piece.type for piece in proto.pieces]


def parsed(sp, control, text):
    ids, start, i = [], 0, 0
    while i < len(text):
        match = max((c for c in control if text.startswith(c, i)), key=len, default=None)
        if match is None:
            i += 1
            continue
        ids += sp.encode(text[start:i]) + [control[match]]
        i += len(match)
        start = i
    return ids + sp.encode(text[start:])


def sequences(sp, control):
    """Random ids and their decodings. sentencepiece and tokenizers disagree about a space by its byte that comes first."""
    rng = random.Random(2)
    lively = [sp.piece_to_id(f"<0x{b:02X}>") for b in bytes.fromhex("00417f808f909fa0bfc0c1c2dfe0e1edeff0f1f4f5ff")]
    lively += [sp.piece_to_id("▁"), sp.piece_to_id("▁t")]
    ordinary = [i for i in range(len(sp)) if control or not (sp.is_control(i) or sp.is_unknown(i))]
    found = [[rng.choice(ordinary) for _ in range(rng.randint(1, 12))] for _ in range(300)]
    found += [[rng.choice(lively) for _ in range(rng.randint(1, 7))] for _ in range(1500)]
    return [s for s in found if s[0] != sp.piece_to_id("<0x20>")]


def of_sentencepiece(sp, texts):
    plain = [sp.encode(t) for t in texts]
    control = {sp.id_to_piece(i): i for i in range(len(sp)) if sp.is_control(i) or sp.is_unknown(i)}
    ids = sequences(sp, False)
    return {
        "generator": f"tools/golden/tokenizer/spm.py, sentencepiece {sentencepiece.__version__}",
        "plain": plain,
        "parsed": {str(i): p for i, (p, q) in enumerate(zip((parsed(sp, control, t) for t in texts), plain)) if p != q},
        "decoded": {str(i): d for i, (d, t) in enumerate(zip(map(sp.decode, plain), texts)) if d != t},
        "sequences": ids,
        "decodings": [sp.decode(s) for s in ids],
        "skipping": [sp.decode(s) for s in ids],
    }


def vocabulary(sp, path):
    """The vocabulary alone as GGUF, with as much beside it as llama.cpp wants."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(256)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(64)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(16)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([sp.id_to_piece(i) for i in range(len(sp))])
    writer.add_token_scores([sp.get_score(i) for i in range(len(sp))])
    writer.add_token_types([kind(sp, i) for i in range(len(sp))])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def of_llamacpp(sp, texts, llama_python):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "vocabulary.gguf")
        vocabulary(sp, path)
        script = pathlib.Path(__file__).with_name("llamacpp_ids.py")
        out = subprocess.run([llama_python, script, path], input=json.dumps(texts).encode(), stdout=subprocess.PIPE, check=True).stdout
    found = json.loads(out)
    plain = found["plain"]
    return {
        "generator": f"tools/golden/tokenizer/spm.py, llama-cpp-python {found['version']}",
        "plain": plain,
        "parsed": {str(i): p for i, (p, q) in enumerate(zip(found["parsed"], plain)) if p != q},
    }


def description(sp, name):
    """As transformers converts a SentencePiece model: merges are all pairs that make a piece, the best piece first."""
    pieces = [sp.id_to_piece(i) for i in range(len(sp))]
    ids = {p: i for i, p in enumerate(pieces)}
    merges = []
    for piece in pieces:
        if kind(sp, ids[piece]) == gguf.TokenType.NORMAL:
            pairs = [(piece[:k], piece[k:]) for k in range(1, len(piece)) if piece[:k] in ids and piece[k:] in ids]
            merges += sorted(pairs, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    merges.sort(key=lambda pair: -sp.get_score(ids[pair[0] + pair[1]]))
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges, fuse_unk=True, byte_fallback=True, unk_token="<unk>"))
    if name == "legacy":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", ids["<s>"])])
    control = [p for p in pieces if kind(sp, ids[p]) in (gguf.TokenType.CONTROL, gguf.TokenType.UNKNOWN)]
    tokenizer.add_special_tokens([AddedToken(p, special=True, normalized=False) for p in control])
    user = [p for p in pieces if kind(sp, ids[p]) == gguf.TokenType.USER_DEFINED]
    tokenizer.add_tokens([AddedToken(p, special=False, normalized=False) for p in user])
    assert tokenizer.get_vocab_size() == len(sp)
    return tokenizer


def of_tokenizers(sp, tokenizer, texts):
    parsed_ids = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    tokenizer.encode_special_tokens = True
    plain = [tokenizer.encode(t, add_special_tokens=False).ids for t in texts]
    decode = lambda ids, skip: tokenizer.decode(ids, skip_special_tokens=skip)
    # A run of bytes that is no UTF-8 becomes U+FFFD for each byte of the whole run there, and only where it is wrong in
    # sentencepiece, which is what a stream can do. Both agree where the bytes are right.
    ids = [s for s in sequences(sp, True) if "\ufffd" not in decode(s, False) + decode(s, True)]
    return {
        "generator": f"tools/golden/tokenizer/spm.py, tokenizers {tokenizers.__version__}",
        "plain": plain,
        "parsed": {str(i): p for i, (p, q) in enumerate(zip(parsed_ids, plain)) if p != q},
        "decoded": {str(i): d for i, (d, t) in enumerate(zip((decode(p, False) for p in plain), texts)) if d != t},
        "sequences": ids,
        "decodings": [decode(s, False) for s in ids],
        "skipping": [decode(s, True) for s in ids],
    }


def main(folder, llama_python):
    train(folder / "spm.model")
    sp = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    texts = json.loads(gzip.decompress((folder / "strings.json.gz").read_bytes()))
    write(folder / "spm.golden.json.gz", of_sentencepiece(sp, texts))
    write(folder / "spm-llamacpp.golden.json.gz", of_llamacpp(sp, texts, llama_python))
    for name in ("legacy", "first"):
        tokenizer = description(sp, name)
        write(folder / f"spm-{name}.tokenizer.json.gz", json.loads(tokenizer.to_str()))
        write(folder / f"spm-{name}.golden.json.gz", of_tokenizers(sp, tokenizer, texts))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
