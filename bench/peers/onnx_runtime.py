"""ONNX Runtime, with all of its graph optimisations."""

import collections
import os
import sys
import tempfile

import clock

args = clock.arguments()

import numpy
import onnx
import onnxruntime

CONVOLUTIONS = ("Conv", "FusedConv", "QLinearConv")


def session(optimised_model=""):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.log_severity_level = 3
    options.optimized_model_filepath = optimised_model
    return onnxruntime.InferenceSession(args.model, options, providers=["CPUExecutionProvider"])


def kinds():
    """How often each operation stands in the network that really runs."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "optimised.onnx")
        session(path)
        return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


found = kinds()
convolutions = sum(found[kind] for kind in CONVOLUTIONS)
evidence = f"{found['QLinearConv']} of {convolutions} convolutions in int8"
if (args.precision == "int8") != (found["QLinearConv"] > 0.9 * convolutions):
    sys.exit(f"asked for {args.precision}, but {evidence}: {dict(found)}")

runtime = session()
shape = runtime.get_inputs()[0].shape
pictures = numpy.random.rand(*shape).astype("float32")
clock.measure(
    lambda: runtime.run(None, {"pictures": pictures}),
    args.seconds,
    f"ONNX Runtime {onnxruntime.__version__}",
    evidence,
)
