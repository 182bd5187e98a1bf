"""llama.cpp as the other side of `./flagship bench --against llama.cpp`, by llama-cpp-python's low-level API.

Reads a request a line from stdin and answers with a line on stdout, both JSON. Every answer to a failed request is
{"error": text}. Rates are repeated until `seconds` have passed; the clock stands while the cache is being prepared.

    {"op": "load", "model": path, "threads": n, "positions": n}  -> {"version", "system_info", "seconds"}
    {"op": "prefill", "ids": [...], "flash": bool, "seconds": s} -> {"tokens", "seconds"}
    {"op": "decode", "ids": [...], "count": n, "flash": bool, "seconds": s}
        prepares the cache with all ids but the last, then feeds the last and decodes greedily -> {"tokens", "seconds", "ids"}
    {"op": "nll", "ids": [...], "flash": bool}                   -> {"nll": mean over ids[1:]}
    {"op": "memory"}                                             -> {"peak_bytes"}
"""

import ctypes
import json
import sys
import time

BATCH = 512
NLL_BATCH = 128


class Context:
    """One llama_context with one sequence, and the ids that its cache holds."""

    def __init__(self, c, model, vocabulary, positions, threads, flash):
        parameters = c.llama_context_default_params()
        parameters.n_ctx = positions
        parameters.n_batch = BATCH
        parameters.n_ubatch = BATCH
        parameters.n_seq_max = 1
        parameters.n_threads = threads
        parameters.n_threads_batch = threads
        parameters.no_perf = True
        parameters.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.c = c
        self.vocabulary = vocabulary
        self.context = c.llama_init_from_model(model, parameters)
        if not self.context:
            raise RuntimeError("llama_init_from_model failed")
        self.memory = c.llama_get_memory(self.context)
        self.batch = c.llama_batch_init(BATCH, 0, 1)
        self.held = []

    def cut(self, length):
        if not self.c.llama_memory_seq_rm(self.memory, 0, length, -1):
            raise RuntimeError(f"the cache cannot be cut to {length} tokens")
        del self.held[length:]

    def feed(self, ids, all_logits=False):
        for start in range(0, len(ids), BATCH):
            piece = ids[start : start + BATCH]
            for i, token in enumerate(piece):
                self.batch.token[i] = token
                self.batch.pos[i] = len(self.held) + i
                self.batch.n_seq_id[i] = 1
                self.batch.seq_id[i][0] = 0
                self.batch.logits[i] = all_logits or start + i == len(ids) - 1
            self.batch.n_tokens = len(piece)
            status = self.c.llama_decode(self.context, self.batch)
            if status != 0:
                raise RuntimeError(f"llama_decode gave {status}")
            self.held += piece
        self.c.llama_synchronize(self.context)

    def prepare(self, ids):
        same = 0
        while same < min(len(ids), len(self.held)) and ids[same] == self.held[same]:
            same += 1
        self.cut(same)
        self.feed(ids[same:])

    def logits(self, row):
        import numpy as np

        pointer = self.c.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary,))


class Peer:
    def __init__(self):
        self.contexts = {}

    def load(self, request):
        import llama_cpp
        from llama_cpp import llama_cpp as c

        self.c = c
        # Kept, since llama.cpp keeps the pointer. Its log would drown ours.
        self.silence = c.llama_log_callback(lambda level, text, data: None)
        c.llama_log_set(self.silence, ctypes.c_void_p(0))
        c.llama_backend_init()
        started = time.perf_counter()
        self.model = c.llama_model_load_from_file(request["model"].encode(), c.llama_model_default_params())
        if not self.model:
            raise RuntimeError("llama.cpp cannot load " + request["model"])
        self.vocabulary = c.llama_vocab_n_tokens(c.llama_model_get_vocab(self.model))
        self.threads = request["threads"]
        self.positions = request["positions"]
        return {
            "version": llama_cpp.__version__,
            "system_info": c.llama_print_system_info().decode(),
            "seconds": time.perf_counter() - started,
        }

    def context(self, role, flash, positions):
        """Contexts differ by use, so that none has a cache larger than its work needs."""
        key = (role, flash)
        if key not in self.contexts:
            self.contexts[key] = Context(self.c, self.model, self.vocabulary, positions, self.threads, flash)
        return self.contexts[key]

    def prefill(self, request):
        ids = request["ids"]
        context = self.context("short", request["flash"], max(len(ids), BATCH) + 64)
        tokens, seconds = 0, 0.0
        while seconds < request["seconds"]:
            context.cut(0)
            started = time.perf_counter()
            context.feed(ids)
            seconds += time.perf_counter() - started
            tokens += len(ids)
        return {"tokens": tokens, "seconds": seconds}

    def decode(self, request):
        ids, count = request["ids"], request["count"]
        short = len(ids) + count <= BATCH
        positions = BATCH + 64 if short else self.positions
        context = self.context("short" if short else "long", request["flash"], positions)
        tokens, seconds, first = 0, 0.0, None
        while seconds < request["seconds"]:
            context.prepare(ids[:-1])
            token, chosen = ids[-1], []
            started = time.perf_counter()
            for _ in range(count):
                context.feed([token])
                token = int(context.logits(0).argmax())
                chosen.append(token)
            seconds += time.perf_counter() - started
            tokens += count
            first = first or chosen
        return {"tokens": tokens, "seconds": seconds, "ids": first}

    def nll(self, request):
        import numpy as np

        ids = request["ids"]
        context = self.context("nll", request["flash"], max(len(ids), BATCH) + 64)
        context.cut(0)
        total = 0.0
        for start in range(0, len(ids) - 1, NLL_BATCH):
            piece = ids[start : min(start + NLL_BATCH, len(ids) - 1)]
            context.feed(piece, all_logits=True)
            for row in range(len(piece)):
                logits = context.logits(row).astype(np.float64)
                top = logits.max()
                total += top + np.log(np.exp(logits - top).sum()) - logits[ids[start + row + 1]]
        return {"nll": total / (len(ids) - 1)}

    def memory(self, request):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"peak_bytes": peak if sys.platform == "darwin" else peak * 1024}


def main():
    peer = Peer()
    operations = {
        "load": peer.load,
        "prefill": peer.prefill,
        "decode": peer.decode,
        "nll": peer.nll,
        "memory": peer.memory,
    }
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = operations[request["op"]](request)
        except Exception as e:  # the other side tells a person
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
