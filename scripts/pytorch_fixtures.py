#!/usr/bin/env python3
"""Writes small PyTorch state dicts, for the tests of moue-graph's reader, and what PyTorch reads from them:

    crates/moue-graph/tests/fixtures/pytorch/archive.pth   the layout since PyTorch 1.6, a zip archive
    crates/moue-graph/tests/fixtures/pytorch/legacy.pth    the layout before
    crates/moue-graph/tests/fixtures/pytorch/values.json   shape and values by moue's names, in moue's layout

Usage: python scripts/pytorch_fixtures.py     (any Python with torch)

Names are those of EfficientNet-Lite0, sizes are not. Among the tensors are views with steps, views that share a storage, a
parameter, all types of numbers, and what the reader leaves out.
"""

import json
import pathlib
from collections import OrderedDict

import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "crates/moue-graph/tests/fixtures/pytorch"


def main():
    torch.manual_seed(2026)
    shared = torch.randn(40)
    state = OrderedDict()
    # As converters from TensorFlow leave them: [height, width, in, out] seen as [out, in, height, width].
    state["_conv_stem.weight"] = torch.randn(3, 3, 2, 4).permute(3, 2, 0, 1)
    state["_bn0.weight"] = torch.randn(4)
    state["_bn0.bias"] = shared[3:11:2]
    state["_bn0.running_mean"] = shared[36:40]
    state["_bn0.running_var"] = torch.nn.Parameter(torch.rand(4))
    state["_bn0.num_batches_tracked"] = torch.tensor(7)
    state["_blocks.0._depthwise_conv.weight"] = torch.randn(4, 1, 3, 3).to(torch.float16)
    state["_blocks.3._project_conv.weight"] = torch.randn(5, 4, 1, 1).to(torch.bfloat16)
    state["_blocks.15._bn2.running_var"] = torch.rand(5, dtype=torch.float64)
    state["_conv_head.weight"] = torch.ones(1, 3, 1, 1).expand(2, 3, 1, 1)
    state["_bn1.bias"] = torch.arange(-3, 3)
    state["_fc.weight"] = torch.randn(3, 6)
    state["_fc.bias"] = torch.randn(3, requires_grad=True)
    state["_somewhere_else.weight"] = torch.randn(2)
    # As a module's own state dict has it.
    state._metadata = OrderedDict([("", {"version": 1})])

    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.save(state, FOLDER / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "rate": 0.5, "state_dict": state}, FOLDER / "archive.pth")

    read = torch.load(FOLDER / "archive.pth", weights_only=True)["state_dict"]
    values = {}
    for theirs, (ours, order) in PLACES.items():
        tensor = read[theirs].detach().permute(order).to(torch.float32).contiguous()
        values[ours] = {"shape": list(tensor.shape), "values": tensor.flatten().tolist()}
    (FOLDER / "values.json").write_text(json.dumps(values, indent=0) + "\n")


VECTOR, CONVOLUTION, DEPTHWISE, DENSE = (0,), (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)
PLACES = {
    "_conv_stem.weight": ("stem_conv/kernel", CONVOLUTION),
    "_bn0.weight": ("stem_bn/gamma", VECTOR),
    "_bn0.bias": ("stem_bn/beta", VECTOR),
    "_bn0.running_mean": ("stem_bn/moving_mean", VECTOR),
    "_bn0.running_var": ("stem_bn/moving_variance", VECTOR),
    "_blocks.0._depthwise_conv.weight": ("block1a_dwconv/depthwise_kernel", DEPTHWISE),
    "_blocks.3._project_conv.weight": ("block3a_project_conv/kernel", CONVOLUTION),
    "_blocks.15._bn2.running_var": ("block7a_project_bn/moving_variance", VECTOR),
    "_conv_head.weight": ("top_conv/kernel", CONVOLUTION),
    "_bn1.bias": ("top_bn/beta", VECTOR),
    "_fc.weight": ("predictions/kernel", DENSE),
    "_fc.bias": ("predictions/bias", VECTOR),
}

if __name__ == "__main__":
    main()
