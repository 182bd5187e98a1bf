"""llama.cpp and its fork ik_llama.cpp as other sides of `./flagship bench --against`, by the low-level APIs of
llama-cpp-python and ik-llama-cpp-python.

Reads a request a line from stdin and answers with a line on stdout, both JSON. Every answer to a failed request is
{"error": text}. Rates are repeated until `seconds` have passed; the clock stands while the cache is being prepared.

    {"op": "load", "engine": name, "model": path, "threads": n, "positions": n}  -> {"version", "system_info", "seconds"}
    {"op": "prefill", "ids": [...], "flash": bool, "repack": bool, "seconds": s} -> {"tokens", "seconds"}
    {"op": "decode", "ids": [...], "sequences": n, "count": n, "flash": bool, "repack": bool, "seconds": s}
        cuts ids into n equal parts, one a sequence; prepares the cache with all of a part but the last, then feeds the
        last ones and decodes greedily, all sequences in one batch -> {"tokens", "seconds", "ids": of the first sequence}
    {"op": "nll", "ids": [...], "flash": bool, "repack": bool}                   -> {"nll": mean over ids[1:]}
    {"op": "memory"}                                                             -> {"peak_bytes"}

`repack` is ik_llama.cpp's repacking of weights at load.
"""

import ctypes
import json
import sys
import time

BATCH = 512
NLL_BATCH = 128


class LlamaCpp:
    """What differs between the two APIs, for llama.cpp."""

    flash_for_many = True

    def __init__(self):
        import llama_cpp
        from llama_cpp import llama_cpp as c

        self.c = c
        self.version = "llama-cpp-python " + llama_cpp.__version__
        # Kept, since llama.cpp keeps the pointer. Its log would drown ours.
        self.silence = c.llama_log_callback(lambda level, text, data: None)
        c.llama_log_set(self.silence, ctypes.c_void_p(0))

    def system_info(self):
        return self.c.llama_print_system_info().decode()

    def model_parameters(self, repack):
        return self.c.llama_model_default_params()

    def set_flash(self, parameters, flash):
        c = self.c
        parameters.flash_attn_type = c.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else c.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.no_perf = True
        parameters.kv_unified = False

    def cut(self, context, sequence, length):
        memory = self.c.llama_get_memory(context)
        if not self.c.llama_memory_seq_rm(memory, sequence, length, -1):
            raise RuntimeError(f"the cache cannot be cut to {length} tokens")

    def synchronize(self, context):
        self.c.llama_synchronize(context)

    def copy(self, source, target):
        """What the first sequence of a context holds, into another that is empty."""
        c = self.c
        size = c.llama_state_seq_get_size(source, 0)
        data = (ctypes.c_uint8 * size)()
        if c.llama_state_seq_get_data(source, data, size, 0) != size or not c.llama_state_seq_set_data(target, data, size, 0):
            raise RuntimeError("a cache cannot be copied")


class IkLlamaCpp:
    """The same for ik_llama.cpp. Its package leaves a few functions out, which the library has."""

    # Its flash attention fails an assertion of its own (S > 0) on a batch of several sequences.
    flash_for_many = False
    copy = None

    def __init__(self):
        import ik_llama_cpp
        from ik_llama_cpp import _ctypes_api as c
        from ik_llama_cpp._lib_loader import load_shared_library

        self.c = c
        self.version = "ik-llama-cpp-python " + ik_llama_cpp.__version__
        self.library = load_shared_library()
        self.silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda level, text, data: None)
        self.library.llama_log_set(self.silence, ctypes.c_void_p(0))

    def system_info(self):
        self.library.llama_print_system_info.restype = ctypes.c_char_p
        return self.library.llama_print_system_info().decode()

    def model_parameters(self, repack):
        parameters = self.c.llama_model_default_params()
        parameters.repack_tensors = repack
        # A mapped file cannot be repacked in place.
        parameters.use_mmap = not repack
        return parameters

    def set_flash(self, parameters, flash):
        parameters.flash_attn = flash

    def cut(self, context, sequence, length):
        remove = self.library.llama_kv_cache_seq_rm
        remove.restype = ctypes.c_bool
        remove.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_int32]
        if not remove(context, sequence, length, -1):
            raise RuntimeError(f"the cache cannot be cut to {length} tokens")

    def synchronize(self, context):
        self.library.llama_synchronize.argtypes = [ctypes.c_void_p]
        self.library.llama_synchronize(context)


class Context:
    """One llama_context, and the ids that its cache holds for each sequence."""

    def __init__(self, api, model, vocabulary, positions, sequences, threads, flash):
        c = api.c
        parameters = c.llama_context_default_params()
        parameters.n_ctx = positions * sequences
        parameters.n_batch = BATCH
        parameters.n_ubatch = BATCH
        parameters.n_seq_max = sequences
        parameters.n_threads = threads
        parameters.n_threads_batch = threads
        api.set_flash(parameters, flash)
        self.api = api
        self.c = c
        self.vocabulary = vocabulary
        self.context = c.llama_init_from_model(model, parameters)
        if not self.context:
            raise RuntimeError("llama_init_from_model failed")
        self.batch = c.llama_batch_init(BATCH, 0, 1)
        self.held = [[] for _ in range(sequences)]

    def cut(self, sequence, length):
        self.api.cut(self.context, sequence, length)
        del self.held[sequence][length:]

    def run(self, rows):
        """Rows are (sequence, token, whether its logits are wanted), at most a batch of them."""
        for i, (sequence, token, wanted) in enumerate(rows):
            self.batch.token[i] = token
            self.batch.pos[i] = len(self.held[sequence])
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = sequence
            self.batch.logits[i] = wanted
            self.held[sequence].append(token)
        self.batch.n_tokens = len(rows)
        status = self.c.llama_decode(self.context, self.batch)
        if status != 0:
            raise RuntimeError(f"llama_decode gave {status}")

    def feed(self, ids, sequence=0, all_logits=False):
        for start in range(0, len(ids), BATCH):
            piece = ids[start : start + BATCH]
            self.run([(sequence, t, all_logits or start + i == len(ids) - 1) for i, t in enumerate(piece)])
        self.api.synchronize(self.context)

    def same(self, sequence, ids):
        """How many of these ids the cache holds already."""
        held = self.held[sequence]
        same = 0
        while same < min(len(ids), len(held)) and ids[same] == held[same]:
            same += 1
        return same

    def borrow(self, ids, lender):
        """Takes the beginning of these ids from another context, if it has computed a batch more of them."""
        if lender.same(0, ids) >= self.same(0, ids) + BATCH:
            self.cut(0, 0)
            self.api.copy(lender.context, self.context)
            self.held[0] = list(lender.held[0])

    def prepare(self, sequence, ids):
        same = self.same(sequence, ids)
        self.cut(sequence, same)
        if same < len(ids):
            self.feed(ids[same:], sequence)

    def logits(self, row):
        import numpy as np

        pointer = self.c.llama_get_logits_ith(self.context, row)
        return np.ctypeslib.as_array(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), shape=(self.vocabulary,))


class Peer:
    def __init__(self):
        self.models = {}
        self.contexts = {}

    def load(self, request):
        self.api = LlamaCpp() if request["engine"] == "llama.cpp" else IkLlamaCpp()
        self.api.c.llama_backend_init()
        self.path = request["model"]
        self.threads = request["threads"]
        self.positions = request["positions"]
        started = time.perf_counter()
        self.model(False)
        return {
            "version": self.api.version,
            "system_info": self.api.system_info(),
            "seconds": time.perf_counter() - started,
        }

    def model(self, repack):
        if repack not in self.models:
            c = self.api.c
            model = c.llama_model_load_from_file(self.path.encode(), self.api.model_parameters(repack))
            if not model:
                raise RuntimeError("it cannot load " + self.path)
            self.models[repack] = model
            self.vocabulary = c.llama_vocab_n_tokens(c.llama_model_get_vocab(model))
        return self.models[repack]

    def key(self, request, role, sequences=1):
        flash = request["flash"] and (sequences == 1 or self.api.flash_for_many)
        return role, flash, request.get("repack", False)

    def context(self, request, role, positions, sequences=1):
        """Contexts differ by use, so that none has a cache larger than its work needs."""
        key = self.key(request, role, sequences)
        if key not in self.contexts:
            _, flash, repack = key
            model = self.model(repack)
            self.contexts[key] = Context(self.api, model, self.vocabulary, positions, sequences, self.threads, flash)
        return self.contexts[key]

    def long_context(self, request):
        """Also for likelihoods, so that a decode finds the ids of the last one in the cache."""
        return self.context(request, "long", max(self.positions, BATCH + 64))

    def prefill(self, request):
        ids = request["ids"]
        context = self.context(request, "prompt", max(len(ids), BATCH) + 64)
        tokens, seconds = 0, 0.0
        while seconds < request["seconds"]:
            context.cut(0, 0)
            started = time.perf_counter()
            context.feed(ids)
            seconds += time.perf_counter() - started
            tokens += len(ids)
        return {"tokens": tokens, "seconds": seconds}

    def decode(self, request):
        count, sequences = request["count"], request["sequences"]
        each = len(request["ids"]) // sequences
        parts = [request["ids"][i * each : (i + 1) * each] for i in range(sequences)]
        if sequences > 1:
            context = self.context(request, "many", each + count + 32, sequences)
        elif each + count <= BATCH:
            context = self.context(request, "short", BATCH + 64)
        else:
            context = self.long_context(request)
            prompt = self.contexts.get(self.key(request, "prompt"))
            if prompt and self.api.copy:
                context.borrow(parts[0][:-1], prompt)
        tokens, seconds, first = 0, 0.0, None
        while seconds < request["seconds"]:
            for i, part in enumerate(parts):
                context.prepare(i, part[:-1])
            last, chosen = [part[-1] for part in parts], []
            started = time.perf_counter()
            for _ in range(count):
                context.run([(i, token, True) for i, token in enumerate(last)])
                last = [int(context.logits(i).argmax()) for i in range(sequences)]
                chosen.append(last[0])
            seconds += time.perf_counter() - started
            tokens += count * sequences
            first = first or chosen
        return {"tokens": tokens, "seconds": seconds, "ids": first}

    def nll(self, request):
        import numpy as np

        ids = request["ids"]
        context = self.long_context(request)
        context.cut(0, 0)
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
