"""OpenVINO on the CPU, set up for the latency of one call."""

import collections
import sys

import clock

args = clock.arguments()

import numpy
import openvino

# What a convolution's execution says of itself where it computes in a precision.
NAMES = {"f32": {"f32"}, "bf16": {"bf16"}, "int8": {"u8", "i8"}}

settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": args.threads, "NUM_STREAMS": 1}
if args.precision != "int8":
    settings["INFERENCE_PRECISION_HINT"] = args.precision

core = openvino.Core()
compiled = core.compile_model(core.read_model(args.model), "CPU", settings)


def precisions():
    """How many convolutions run in each precision."""
    found = collections.Counter()
    for node in compiled.get_runtime_model().get_ordered_ops():
        information = node.get_rt_info()
        if "Convolution" in str(information["layerType"].astype(str)):
            found[information["runtimePrecision"].astype(str).lower()] += 1
    return found


found = precisions()
total = sum(found.values())
right = sum(found[name] for name in NAMES[args.precision])
evidence = f"{right} of {total} convolutions in {args.precision}"
# A part may stay in a wider precision where the runtime deems that faster; the table names how many did not.
if right <= total / 2:
    sys.exit(f"asked for {args.precision}, but {evidence}: {dict(found)}")

request = compiled.create_infer_request()
pictures = numpy.random.rand(*compiled.inputs[0].shape).astype("float32")
clock.measure(lambda: request.infer({0: pictures}, share_inputs=True), args.seconds,
              f"OpenVINO {openvino.__version__.split('-')[0]}", evidence)
