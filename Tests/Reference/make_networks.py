"""Small networks in ONNX, of all the kinds that a user may bring: for tests of what is read of a file, and of pooling.

All see a picture of 32 x 32 and make a feature map of 4 channels, 16 x 16, of it.

    usage: make_networks.py FOLDER
"""

import pathlib
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def save(folder, name, nodes, inputs, outputs, constants, check=True):
    graph = helper.make_graph(
        nodes, name,
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(*one) for one in outputs],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    if check:
        checker.check_model(model)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    constants = {"kernel": random.normal(0, 0.1, (4, 3, 2, 2)).astype(np.float32), "bias": random.normal(0, 1, 4).astype(np.float32)}
    shape = {"tokens_shape": np.array([1, 4, 256], np.int64)}

    def convolution(source, target):
        return helper.make_node("Conv", [source, "kernel", "bias"], [target], strides=[2, 2])

    # One with every kind of output.
    save(folder, "outputs", [
        convolution("image", "map"),
        helper.make_node("Flatten", ["map"], ["flat"], axis=1),
        helper.make_node("Transpose", ["map"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["map", "tokens_shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("ArgMax", ["flat"], ["class"], axis=1, keepdims=0),
    ], [("image", FLOAT, [1, 3, 32, 32])], [
        ("map", FLOAT, [1, 4, 16, 16]), ("flat", FLOAT, [1, 1024]), ("last", FLOAT, [1, 16, 16, 4]),
        ("tokens", FLOAT, [1, 256, 4]), ("class", TensorProto.INT64, [1]),
    ], constants | shape)  # fmt: skip

    flatten = helper.make_node("Flatten", ["map"], ["flat"], axis=1)
    # Sizes that are open, as most exports leave the first.
    save(folder, "open", [convolution("image", "map"), flatten], [("image", FLOAT, ["batch", 3, "height", "width"])],
         [("flat", FLOAT, ["batch", "values"])], constants)  # fmt: skip
    save(folder, "batch", [convolution("image", "map"), flatten], [("image", FLOAT, [8, 3, 32, 32])],
         [("flat", FLOAT, [8, 1024])], constants)  # fmt: skip
    # TensorFlow's order of axes.
    save(folder, "channels-last", [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]), convolution("planes", "map"), flatten,
    ], [("image", FLOAT, [1, 32, 32, 3])], [("flat", FLOAT, [1, 1024])], constants)  # fmt: skip
    # Half precision, and bytes.
    half = {key: value.astype(np.float16) for key, value in constants.items()}
    save(folder, "half", [convolution("image", "map"), flatten], [("image", HALF, [1, 3, 32, 32])],
         [("flat", HALF, [1, 1024])], half)  # fmt: skip
    save(folder, "bytes", [
        helper.make_node("Cast", ["image"], ["levels"], to=FLOAT), convolution("levels", "map"), flatten,
    ], [("image", TensorProto.UINT8, [1, 3, 32, 32])], [("flat", FLOAT, [1, 1024])], constants)  # fmt: skip
    # What cannot be used.
    save(folder, "no-rank", [helper.make_node("Abs", ["image"], ["flat"])], [("image", FLOAT, None)],
         [("flat", FLOAT, None)], {}, check=False)  # fmt: skip
    save(folder, "two-pictures", [
        helper.make_node("Add", ["image", "other"], ["sum"]), convolution("sum", "map"), flatten,
    ], [("image", FLOAT, [1, 3, 32, 32]), ("other", FLOAT, [1, 3, 32, 32])], [("flat", FLOAT, [1, 1024])], constants)  # fmt: skip
    save(folder, "sound", [helper.make_node("Abs", ["image"], ["flat"])], [("image", FLOAT, [1, 16000])],
         [("flat", FLOAT, [1, 16000])], {})  # fmt: skip
    (folder / "broken.onnx").write_bytes(b"this is no network")


if __name__ == "__main__":
    main()
