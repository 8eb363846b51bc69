"""Writes the network for ONNX Runtime and OpenVINO, in f32 and in int8.

    python write_onnx.py FOLDER --size 96 --batch 1

Batch normalisation is folded into the convolutions, as every runtime would do when it loads the network, and the batch
is fixed, so that they can plan for it. Weights are random but of the scale that keeps values within the reach of ReLU6:
time does not depend on them, as long as nothing is denormal or saturated.
"""

import argparse
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

import network

# Pictures that the ranges of int8 are taken from.
CALIBRATION = 16


class Writer:
    def __init__(self):
        self.random = numpy.random.default_rng(1)
        self.nodes, self.constants = [], []
        self.constant("zero", numpy.float32(0))
        self.constant("six", numpy.float32(6))

    def constant(self, name, values):
        self.constants.append(numpy_helper.from_array(numpy.asarray(values), name))
        return name

    def add(self, kind, inputs, **attributes):
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, x, inputs, outputs, kernel, stride=1, groups=1, activation=True):
        taps = inputs // groups * kernel * kernel
        # He et al. 2015 where a ReLU follows; half of the variance where none does.
        scale = (2 / taps) ** 0.5 if activation else taps**-0.5
        weights = self.random.normal(0, scale, (outputs, inputs // groups, kernel, kernel)).astype("float32")
        name = f"conv{len(self.nodes)}"
        parameters = [
            self.constant(f"{name}_weights", weights),
            self.constant(f"{name}_bias", self.random.normal(0, 0.1, outputs).astype("float32")),
        ]
        pad = kernel // 2
        x = self.add(
            "Conv",
            [x, *parameters],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[pad] * 4,
            group=groups,
        )
        return self.add("Clip", [x, "zero", "six"]) if activation else x

    def dense(self, x, inputs, outputs):
        name = f"dense{len(self.nodes)}"
        weights = self.random.normal(0, (2 / inputs) ** 0.5, (outputs, inputs)).astype("float32")
        parameters = [
            self.constant(f"{name}_weights", weights),
            self.constant(f"{name}_bias", numpy.zeros(outputs, "float32")),
        ]
        return self.add("Gemm", [x, *parameters], transB=1)

    def bottleneck(self, x, inputs, expansion, outputs, stride):
        hidden = inputs * expansion
        y = self.convolution(x, inputs, hidden, 1) if expansion > 1 else x
        y = self.convolution(y, hidden, hidden, 3, stride, hidden)
        y = self.convolution(y, hidden, outputs, 1, activation=False)
        return self.add("Add", [x, y]) if stride == 1 and inputs == outputs else y

    def network(self, size, batch):
        x = self.convolution("pictures", 3, network.STEM, 3, 2)
        for block in network.blocks():
            x = self.bottleneck(x, *block)
        x = self.convolution(x, network.STAGES[-1][1], network.FEATURES, 1)
        x = self.add("Flatten", [self.add("GlobalAveragePool", [x])])
        width = network.FEATURES
        for units in network.HEAD:
            x = self.add("Relu", [self.dense(x, width, units)])
            width = units
        output = self.dense(x, width, network.CLASSES)
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "mobilenet_v2",
            [value("pictures", TensorProto.FLOAT, [batch, 3, size, size])],
            [value(output, TensorProto.FLOAT, [batch, network.CLASSES])],
            self.constants,
        )
        # The newest operator set that the quantiser knows well enough.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        return model


def pictures(size, batch):
    random = numpy.random.default_rng(2)
    count = max(1, CALIBRATION // batch)
    return [random.random((batch, 3, size, size), "float32") for _ in range(count)]


def write_int8_qdq(f32, target, size, batch):
    """By ONNX Runtime's static quantisation, with what its documentation recommends for x86 with VNNI: u8 values, s8
    weights of a scale per channel, and all seven bits and the sign, since VNNI does not saturate on the way."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rest = iter([{"pictures": batch} for batch in pictures(size, batch)])

        def get_next(self):
            return next(self.rest, None)

    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(f32, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        target,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=False,
    )
    prepared.unlink()


def write_int8_nncf(f32, target, size, batch):
    """By the post-training quantisation of OpenVINO's own tool."""
    import nncf
    import openvino

    model = openvino.Core().read_model(f32)
    data = nncf.Dataset(pictures(size, batch), lambda batch: {"pictures": batch})
    openvino.save_model(nncf.quantize(model, data), target, compress_to_fp16=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--int8", action="store_true", help="also quantised, both ways")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    name = f"{args.size}-{args.batch}"
    f32 = args.folder / f"f32-{name}.onnx"
    onnx.save(Writer().network(args.size, args.batch), f32)
    if args.int8:
        write_int8_qdq(f32, args.folder / f"int8-qdq-{name}.onnx", args.size, args.batch)
        write_int8_nncf(f32, args.folder / f"int8-nncf-{name}.xml", args.size, args.batch)


main()
