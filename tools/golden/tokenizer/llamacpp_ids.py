"""Ids that llama.cpp gives to texts, for the scripts beside: python llamacpp_ids.py VOCABULARY.gguf < texts.json > ids.json"""

import ctypes
import json
import sys

import llama_cpp


def main(path):
    llama_cpp.llama_backend_init()
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    vocab = llama_cpp.llama_model_get_vocab(model)

    def ids(text, special):
        data = text.encode()
        room = (llama_cpp.llama_token * (len(data) + 16))()
        count = llama_cpp.llama_tokenize(vocab, data, len(data), room, len(room), False, special)
        assert count >= 0
        return room[:count]

    texts = json.load(sys.stdin)
    json.dump(
        {
            "version": llama_cpp.__version__,
            "adds_bos": bool(llama_cpp.llama_vocab_get_add_bos(vocab)),
            "plain": [ids(t, False) for t in texts],
            "parsed": [ids(t, True) for t in texts],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
