#!/usr/bin/env python3
"""Export the features of Keras' VGG16, layer fc2, to ONNX, as a model's folder.

What goes out: an ONNX model with the input `image` [1, 3, 224, 224] (blue, green, red, each less its mean) and the output
`fc2` [1, 4096], and the manifest with its SHA-256 and golden values that Keras computed. Only the kernels change their
order of axes; fc1 is given its rows in the order in which channels come before places.

Needs tensorflow-cpu (or another backend of Keras 3), numpy, pillow and onnx:

    python3 -m venv keras && keras/bin/pip install tensorflow-cpu pillow onnx
    keras/bin/python Models/vgg16-fc2/export.py vgg16-fc2
    imgrec-agent models add vgg16-fc2

    usage: export.py FOLDER [imagenet | WEIGHTS.h5 | random:SEED]

`imagenet`, the default, is fetched by Keras (528 MB), which checks it. Random weights are for tests.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))

import keras
import model_folder
import numpy as np
from keras.applications.imagenet_utils import preprocess_input
from onnx import TensorProto, checker, helper, numpy_helper


def network(weights):
    """Keras' VGG16 up to fc2."""
    if not weights.startswith("random:"):
        return up_to_fc2(keras.applications.VGG16(weights=weights))
    model = keras.applications.VGG16(weights=None)
    random = np.random.default_rng(int(weights.removeprefix("random:")))
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            # He's deviation keeps activations alive through sixteen layers.
            deviation = np.sqrt(2 / np.prod(kernel.shape[:-1]))
            layer.set_weights([
                random.normal(0, deviation, kernel.shape).astype(np.float32),
                random.normal(0, 0.05, bias.shape).astype(np.float32),
            ])  # fmt: skip
    return up_to_fc2(model)


def up_to_fc2(model):
    return keras.Model(inputs=model.input, outputs=model.get_layer("fc2").output)


def onnx_model(model):
    nodes, initializers, current = [], [], "image"

    def constant(name, array):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(array, np.float32), name))
        return name

    for layer in model.layers:
        kind, name = type(layer).__name__, layer.name
        if kind == "Conv2D":
            kernel, bias = layer.get_weights()
            inputs = [current, constant(f"{name}.kernel", kernel.transpose(3, 2, 0, 1)), constant(f"{name}.bias", bias)]
            nodes.append(helper.make_node("Conv", inputs, [f"{name}.sum"], pads=[1, 1, 1, 1]))
            nodes.append(helper.make_node("Relu", [f"{name}.sum"], [name]))
        elif kind == "MaxPooling2D":
            nodes.append(helper.make_node("MaxPool", [current], [name], kernel_shape=[2, 2], strides=[2, 2]))
            places = layer.output.shape[1:]
        elif kind == "Flatten":
            nodes.append(helper.make_node("Flatten", [current], [name], axis=1))
        elif kind == "Dense":
            kernel, bias = layer.get_weights()
            if name == "fc1":
                kernel = kernel.reshape(*places, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
            inputs = [current, constant(f"{name}.kernel", kernel), constant(f"{name}.bias", bias)]
            nodes.append(helper.make_node("Gemm", inputs, [f"{name}.sum"]))
            nodes.append(helper.make_node("Relu", [f"{name}.sum"], [name]))
        elif kind == "InputLayer":
            continue
        else:
            sys.exit(f"export.py: a layer {kind} is not expected in VGG16; is this another version of Keras?")
        current = name
    graph = helper.make_graph(
        nodes, "vgg16-fc2",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info(current, TensorProto.FLOAT, [1, model.output.shape[-1]])],
        initializers,
    )  # fmt: skip
    exported = helper.make_model(
        graph, producer_name="imgrec-agent", opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    checker.check_model(exported)
    return exported


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip().split("usage: ")[1].splitlines()[0])
    weights = sys.argv[2] if len(sys.argv) == 3 else "imagenet"
    model = network(weights)
    # What load_img does with target_size.
    card = model_folder.test_card().resize((224, 224), 0)
    vector = model.predict(preprocess_input(np.asarray(card, np.float32)[None]), verbose=0)
    source = None if weights == "imagenet" else weights
    template = HERE / "manifest.toml"
    model_folder.write(sys.argv[1], template, onnx_model(model).SerializeToString(), vector, source)


if __name__ == "__main__":
    main()
