"""PyTorch and ONNX Runtime as the other side of `./flagship bench --shapes`: F32 products of one matrix.

Reads a request a line from stdin and answers with a line on stdout, both JSON. Every answer to a failed request is
{"error": text}. x (m, k) and w (n, k) hold the numbers of `fill`, small multiples of a power of two, so that every
sum is exact in F32 whatever its order. An engine may have several settings, ways to ask it for the product.

    {"op": "load", "threads": n}                          -> {"engines": {name: version}}
    {"op": "shape", "m": m, "k": k, "n": n}               -> {"last": {engine: {setting: last number of the product}}}
    {"op": "run", "engine": name, "setting": name, "seconds": s} -> {"products", "seconds"}
"""

import json
import sys
import time


def fill(rows, columns, row_factor, column_factor, modulus, shift, scale):
    import numpy as np

    r = np.arange(rows)[:, None] * row_factor + np.arange(columns)[None, :] * column_factor
    return ((r % modulus - shift) / scale).astype(np.float32)


class Torch:
    """Weights as a linear layer holds them, and transposed before the clock runs."""

    def __init__(self, threads):
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        self.version = torch.__version__

    def prepare(self, x, w):
        x = self.torch.from_numpy(x)
        w = self.torch.from_numpy(w)
        transposed = w.t().contiguous()
        return {
            "linear": lambda: self.product(lambda: self.torch.nn.functional.linear(x, w)),
            "matmul": lambda: self.product(lambda: self.torch.matmul(x, transposed)),
        }

    def product(self, work):
        with self.torch.inference_mode():
            return work()


class OnnxRuntime:
    def __init__(self, threads):
        import onnx
        import onnxruntime

        self.onnx = onnx
        self.runtime = onnxruntime
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.version = onnxruntime.__version__

    def prepare(self, x, w):
        helper, float32 = self.onnx.helper, self.onnx.TensorProto.FLOAT
        shape = [x.shape[0], w.shape[0]]
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "product",
            [helper.make_tensor_value_info("x", float32, list(x.shape))],
            [helper.make_tensor_value_info("y", float32, shape)],
            [self.onnx.numpy_helper.from_array(w.T.copy(), "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        session = self.runtime.InferenceSession(model.SerializeToString(), self.options, ["CPUExecutionProvider"])
        values = self.runtime.OrtValue
        y = values.ortvalue_from_shape_and_type(shape, "float32")
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", values.ortvalue_from_numpy(x))
        binding.bind_ortvalue_output("y", y)

        def product():
            session.run_with_iobinding(binding)
            return y.numpy()

        def timed():
            session.run_with_iobinding(binding)

        timed.result = product
        return {"MatMul": timed}


class Peer:
    def __init__(self):
        self.engines = {}
        self.products = {}

    def load(self, request):
        versions = {}
        for name, engine in (("PyTorch", Torch), ("ONNX Runtime", OnnxRuntime)):
            try:
                self.engines[name] = engine(request["threads"])
                versions[name] = self.engines[name].version
            except ImportError:
                pass
        return {"engines": versions}

    def shape(self, request):
        m, k, n = request["m"], request["k"], request["n"]
        x = fill(m, k, 31, 7, 17, 8, 8.0)
        w = fill(n, k, 13, 5, 19, 9, 16.0)
        self.products = {name: engine.prepare(x, w) for name, engine in self.engines.items()}
        return {"last": {name: self.last(settings) for name, settings in self.products.items()}}

    @staticmethod
    def last(settings):
        return {name: float(getattr(product, "result", product)()[-1][-1]) for name, product in settings.items()}

    def run(self, request):
        product = self.products[request["engine"]][request["setting"]]
        products, started, seconds = 0, time.perf_counter(), 0.0
        while seconds < request["seconds"]:
            product()
            products += 1
            seconds = time.perf_counter() - started
        return {"products": products, "seconds": seconds}


def main():
    peer = Peer()
    operations = {"load": peer.load, "shape": peer.shape, "run": peer.run}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = operations[request["op"]](request)
        except Exception as e:  # the other side tells a person
            answer = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
