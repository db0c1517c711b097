"""Measure photos per second, all in one run: the agent from cold, end to end; OpenVINO alone with the same model
on ready-made tensors; and the recipe, Keras' VGG16 `fc2` (with random weights, which take as long).

Agent and OpenVINO take turns, and each run of the agent is compared with the runs of OpenVINO before and after it, so
that a machine that slows down slows both; the median of these ratios is printed.

    usage: bench.py PHOTOS
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

import numpy as np
import openvino
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = ROOT / ".build/release/imgrec-agent"
MODEL = ROOT / ".deps/models/efficientnet-lite0"
ROUNDS = 7
RECIPE_PHOTOS = 24


class Shop:
    """A folder of the benchmark's own for the agent's settings, state and output."""

    def __init__(self, folder, photos):
        self.folder, self.number, self.photos = pathlib.Path(folder), 0, photos

    def cold(self):
        """A run from nothing: (seconds, peak memory in MB, report)."""
        self.number += 1
        base = self.folder / str(self.number)
        self.settings = base / "shop.toml"
        subprocess.run(
            [AGENT, "init", "--config", self.settings, "--images", self.photos, "--output", base / "out", "--state", base / "state"],
            check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        return self.run()

    def run(self):
        # time(1) measures the memory: a child of this process would be charged for this process' own.
        measured = self.folder / "memory"
        command = ["/usr/bin/time", "-f", "%M", "-o", measured, AGENT, "reconcile", "--json", "--config", self.settings]
        start = time.perf_counter()
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        seconds = time.perf_counter() - start
        return seconds, int(measured.read_text()) / 1000, report


def openvino_rate(queue, tensors):
    start = time.perf_counter()
    for tensor in tensors:
        queue.start_async({0: tensor})
    queue.wait_all()
    return len(tensors) / (time.perf_counter() - start)


def recipe_rate(photos):
    """Photos per second of the recipe, a photo at a time as it has it."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras
    from keras.applications.imagenet_utils import preprocess_input

    network = keras.applications.VGG16(weights=None)
    extractor = keras.Model(inputs=network.input, outputs=network.get_layer("fc2").output)

    def features(path):
        image = keras.utils.load_img(path, target_size=(224, 224))
        return extractor.predict(preprocess_input(keras.utils.img_to_array(image)[None]), verbose=0)

    features(photos[0])
    start = time.perf_counter()
    for path in photos[:RECIPE_PHOTOS]:
        features(path)
    return min(RECIPE_PHOTOS, len(photos)) / (time.perf_counter() - start)


def precision_at_5(output, photos):
    """The mean share of recommendations from the product's own folder, where photos lie in folders."""
    shares = []
    for file in (output / "products").rglob("*.json"):
        document = json.loads(file.read_text())
        folder = document["product"].rpartition("/")[0]
        names = [one["product"].rpartition("/")[0] for one in document["recommendations"]]
        shares.append(sum(name == folder for name in names) / max(1, len(names)))
    return statistics.mean(shares)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    photos = sorted(path for path in root.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    manifest = tomllib.loads((MODEL / "manifest.toml").read_text())
    size = (manifest["input"]["width"], manifest["input"]["height"])
    tensors = []
    for path in photos:
        levels = np.asarray(Image.open(path).convert("RGB").resize(size), np.float32)
        tensors.append(np.ascontiguousarray(((levels - 127) / 128).transpose(2, 0, 1)[None]))
    network = openvino.Core().compile_model(
        str(MODEL / manifest["model"]["file"]), "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "THROUGHPUT"})  # fmt: skip
    queue = openvino.AsyncInferQueue(network)
    openvino_rate(queue, tensors)

    agent, alone, ratios, memory = [], [openvino_rate(queue, tensors)], [], []
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(folder, root)
        shop.cold()
        for _ in range(ROUNDS):
            seconds, peak, report = shop.cold()
            alone.append(openvino_rate(queue, tensors))
            agent.append(len(photos) / seconds)
            ratios.append(agent[-1] / statistics.mean(alone[-2:]))
            memory.append(peak)
        precision = precision_at_5(shop.settings.parent / "out", photos)
        again, _, second = shop.run()
    recipe = recipe_rate(photos)

    print(f"{len(photos)} photos, {os.cpu_count()} cores, precision f32, medians of {ROUNDS} rounds")
    print(f"  agent, cold, end to end        {statistics.median(agent):7.1f} photos/s  ({min(agent):.1f} to {max(agent):.1f})")
    print(f"  OpenVINO alone, ready tensors  {statistics.median(alone):7.1f} photos/s  ({min(alone):.1f} to {max(alone):.1f})")
    print(f"  ratio                          {statistics.median(ratios):7.2f}           ({min(ratios):.2f} to {max(ratios):.2f}; wanted: 0.80 or more)")
    print(f"  the recipe, Keras VGG16 fc2    {recipe:7.1f} photos/s  (the agent is {statistics.median(agent) / recipe:.0f} times as fast)")
    print(f"  peak memory of the agent       {max(memory):7.0f} MB        (wanted: 300 or less)")
    print(f"  precision@5 by folder          {precision:7.4f}")
    print(f"  second run, nothing changed    {again * 1000:7.0f} ms, {second['read']} photos read, {second['published']['written']} files written")


if __name__ == "__main__":
    main()
