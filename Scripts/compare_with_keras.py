"""Compare the recipe's model in the agent with Keras itself, the whole way from photos to the five nearest.

The agent: `imgrec-agent reconcile` from nothing, with vgg16-fc2. Keras: `load_img`, `preprocess_input`, `predict` a photo at
a time, as the recipe has it, and scikit-learn's `cosine_similarity`. Ends with 1 if they do not agree, or if the agent is less than
1.5 times as fast as the recipe.

    usage: compare_with_keras.py PHOTOS MODEL_FOLDER WEIGHTS
"""

import importlib.util
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from keras.applications.imagenet_utils import preprocess_input
from sklearn.metrics.pairwise import cosine_similarity

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = pathlib.Path(os.environ.get("IMGREC_AGENT", ROOT / ".build/release/imgrec-agent"))
COUNT = 5
WANTED_COSINE, WANTED_DIFFERENCE, WANTED_RATIO = 0.9999, 1e-3, 1.5
TIMED_PHOTOS = 96
BATCH = 32
ROUNDS = 3


def network(weights):
    spec = importlib.util.spec_from_file_location("export", ROOT / "Models/vgg16-fc2/export.py")
    export = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(export)
    return export.network(weights)


def loaded(path):
    image = keras.utils.load_img(path, target_size=(224, 224))
    return preprocess_input(keras.utils.img_to_array(image)[None])


class Shop:
    """A folder of this comparison's own for the agent's settings, state and output."""

    def __init__(self, folder, photos, models, precision="f32"):
        self.settings, self.state, self.output = folder / "shop.toml", folder / "state", folder / "out"
        folder.mkdir()
        self.settings.write_text(f"""
            images.folder = {json.dumps(str(photos))}
            output.folder = {json.dumps(str(self.output))}
            state.folder = {json.dumps(str(self.state))}
            recommendations.count = {COUNT}
            model.name = "vgg16-fc2"
            model.precision = "{precision}"
            model.folder = {json.dumps(str(models))}
        """)  # fmt: skip

    def reconcile(self):
        """Returns the seconds it took."""
        start = time.perf_counter()
        subprocess.run([AGENT, "reconcile", "--quiet", "--config", self.settings], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def vectors(self):
        """{photo: vector} as the catalogue has them."""
        database = sqlite3.connect(f"file:{self.state}/catalogue.sqlite?mode=ro", uri=True)
        rows = database.execute("SELECT path, vector FROM image JOIN embedding USING (digest)")
        return {path: np.frombuffer(blob, "<f4") for path, blob in rows}

    def nearest(self, product):
        document = json.loads((self.output / "products" / f"{product}.json").read_text())
        return [(one["product"], one["score"]) for one in document["recommendations"]]


def main():
    photos, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    endings = (".jpg", ".jpeg", ".png")
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*") if path.suffix.lower() in endings)
    extractor = network(sys.argv[3])
    features = np.concatenate([extractor.predict(loaded(photos / name), verbose=0) for name in names])
    similarity = cosine_similarity(features)

    agent_rates, recipe_rates, batch_rates = [], [], []
    timed = [photos / name for name in names[:TIMED_PHOTOS]]
    with tempfile.TemporaryDirectory() as base:
        for number in range(ROUNDS):
            shop = Shop(pathlib.Path(base) / str(number), photos, folder.parent)
            agent_rates.append(len(names) / shop.reconcile())
            start = time.perf_counter()
            for path in timed:
                extractor.predict(loaded(path), verbose=0)
            recipe_rates.append(len(timed) / (time.perf_counter() - start))
            start = time.perf_counter()
            for first in range(0, len(timed), BATCH):
                extractor.predict(np.concatenate([loaded(path) for path in timed[first : first + BATCH]]), verbose=0)
            batch_rates.append(len(timed) / (time.perf_counter() - start))
        automatic = Shop(pathlib.Path(base) / "auto", photos, folder.parent, "auto")
        automatic_rate = len(names) / automatic.reconcile()
        vectors = shop.vectors()
        own = np.stack([vectors[name] for name in names]).astype(np.float64)
        products = [name.rpartition(".")[0] for name in names]
        nearest = {product: shop.nearest(product) for product in products}

    unit = features / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    cosines = np.sum(own * unit, axis=1)
    difference = np.abs(own @ own.T - similarity).max()
    place = {product: index for index, product in enumerate(products)}
    same = faults = 0
    for index, product in enumerate(products):
        order = [other for other in np.argsort(-similarity[index], kind="stable") if other != index][:COUNT]
        found = [place[other] for other, _ in nearest[product]]
        same += found == order
        # Another one is right too if Keras has it as near as the one that it takes the place of.
        for mine, theirs in zip(found, order):
            faults += abs(similarity[index, mine] - similarity[index, theirs]) > WANTED_DIFFERENCE
    off_diagonal = similarity[~np.eye(len(names), dtype=bool)]
    ratios = [agent / recipe for agent, recipe in zip(agent_rates, recipe_rates)]
    ratio, batch_ratio = float(np.median(ratios)), float(np.median(np.divide(agent_rates, batch_rates)))

    print(f"{len(names)} photos, vgg16-fc2 with the weights {sys.argv[3]}, 4096 dimensions; similarities of two photos "
          f"{off_diagonal.min():.3f} to {off_diagonal.max():.3f}")  # fmt: skip
    print(f"  cosine of a photo's features with Keras'   {cosines.min():.7f} at least      (wanted: {WANTED_COSINE})")
    print(f"  similarity matrix, largest difference      {difference:.1e}                 (wanted: {WANTED_DIFFERENCE:.0e})")
    print(f"  five nearest, same order                   {same} of {len(names)}, {faults} differ by more than a tie (wanted: 0)")
    print(f"  Keras, a photo at a time, as the recipe    {np.median(recipe_rates):6.2f} photos/s")
    print(f"  Keras, {BATCH} at a time                        {np.median(batch_rates):6.2f} photos/s")
    print(f"  the agent, a first run from start to end   {np.median(agent_rates):6.2f} photos/s: {ratio:.2f} times the recipe "
          f"({min(ratios):.2f} to {max(ratios):.2f}; wanted: {WANTED_RATIO}), {batch_ratio:.2f} times Keras in batches")  # fmt: skip
    print(f"  the same with precision auto               {automatic_rate:6.2f} photos/s")
    if cosines.min() < WANTED_COSINE or difference > WANTED_DIFFERENCE or faults or ratio < WANTED_RATIO:
        sys.exit("compare_with_keras.py: the agent and Keras do not agree as they should")


if __name__ == "__main__":
    main()
