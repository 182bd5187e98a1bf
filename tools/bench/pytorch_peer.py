"""PyTorch in F32 (transformers) as the other side of `./flagship bench --against pytorch`.

The protocol is that of llamacpp_peer.py, without `flash` and `repack`. The file is dequantised to F32 at load; needs
torch, transformers and gguf.
"""

import json
import sys
import time


class Peer:
    def load(self, request):
        import os

        os.environ["TQDM_DISABLE"] = "1"

        import torch
        import transformers

        transformers.utils.logging.disable_progress_bar()
        transformers.logging.set_verbosity_error()
        torch.set_grad_enabled(False)
        torch.set_num_threads(request["threads"])
        self.torch = torch
        started = time.perf_counter()
        folder, file = os.path.split(request["model"])
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=file, dtype=torch.float32, local_files_only=True
        ).eval()
        self.cache = transformers.DynamicCache
        return {
            "version": f"torch {torch.__version__}, transformers {transformers.__version__}",
            "system_info": "F32, " + torch.backends.cpu.get_cpu_capability(),
            "seconds": time.perf_counter() - started,
        }

    def feed(self, ids, cache, all_logits=False):
        """ids: one list of equal length a sequence."""
        out = self.model(
            input_ids=self.torch.tensor(ids),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=0 if all_logits else 1,
        )
        return out.logits

    def prefill(self, request):
        tokens, seconds = 0, 0.0
        while seconds < request["seconds"]:
            started = time.perf_counter()
            self.feed([request["ids"]], self.cache())
            seconds += time.perf_counter() - started
            tokens += len(request["ids"])
        return {"tokens": tokens, "seconds": seconds}

    def decode(self, request):
        count, sequences = request["count"], request["sequences"]
        each = len(request["ids"]) // sequences
        parts = [request["ids"][i * each : (i + 1) * each] for i in range(sequences)]
        tokens, seconds, first = 0, 0.0, None
        while seconds < request["seconds"]:
            cache = self.cache()
            self.feed([part[:-1] for part in parts], cache)
            last, chosen = [[part[-1]] for part in parts], []
            started = time.perf_counter()
            for _ in range(count):
                best = self.feed(last, cache)[:, -1].argmax(-1).tolist()
                last = [[token] for token in best]
                chosen.append(best[0])
            seconds += time.perf_counter() - started
            tokens += count * sequences
            first = first or chosen
        return {"tokens": tokens, "seconds": seconds, "ids": first}

    def nll(self, request):
        ids = request["ids"]
        logits = self.feed([ids[:-1]], self.cache(), all_logits=True)[0]
        wanted = self.torch.tensor(ids[1:])
        return {"nll": self.torch.nn.functional.cross_entropy(logits.double(), wanted).item()}

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
