"""Compare the recipe's model in the agent with Keras itself, the whole way from photos to the five nearest.

The agent: `imgrec-agent reconcile` from nothing, with vgg16-fc2. Keras: `load_img`, `preprocess_input`, `predict` a photo at
a time, as the recipe has it, and scikit-learn's `cosine_similarity`. Ends with 1 if they do not agree, or if the agent is less than
1.5 times as fast as the recipe.

    usage: compare_with_keras.py PHOTOS MODEL_FOLDER WEIGHTS
"""

import importlib.util
import os
import pathlib
import sys
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
from compared import ROOT, WANTED_COSINE, WANTED_DIFFERENCE, Comparison, Shop, photo_names
from keras.applications.imagenet_utils import preprocess_input
from sklearn.metrics.pairwise import cosine_similarity

WANTED_RATIO = 1.5
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


def main():
    photos, folder = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    names = photo_names(photos)
    extractor = network(sys.argv[3])
    features = np.concatenate([extractor.predict(loaded(photos / name), verbose=0) for name in names])

    agent_rates, recipe_rates, batch_rates = [], [], []
    timed = [photos / name for name in names[:TIMED_PHOTOS]]
    with tempfile.TemporaryDirectory() as base:
        for number in range(ROUNDS):
            shop = Shop(pathlib.Path(base) / str(number), photos, folder.name, folder.parent)
            agent_rates.append(len(names) / shop.reconcile())
            start = time.perf_counter()
            for path in timed:
                extractor.predict(loaded(path), verbose=0)
            recipe_rates.append(len(timed) / (time.perf_counter() - start))
            start = time.perf_counter()
            for first in range(0, len(timed), BATCH):
                extractor.predict(np.concatenate([loaded(path) for path in timed[first : first + BATCH]]), verbose=0)
            batch_rates.append(len(timed) / (time.perf_counter() - start))
        automatic = Shop(pathlib.Path(base) / "auto", photos, folder.name, folder.parent, "auto")
        automatic_rate = len(names) / automatic.reconcile()
        found = Comparison(shop, names, features, cosine_similarity(features))

    ratios = [agent / recipe for agent, recipe in zip(agent_rates, recipe_rates)]
    ratio, batch_ratio = float(np.median(ratios)), float(np.median(np.divide(agent_rates, batch_rates)))

    print(f"{len(names)} photos, vgg16-fc2 with the weights {sys.argv[3]}, 4096 dimensions; similarities of two photos "
          f"{found.range[0]:.3f} to {found.range[1]:.3f}")  # fmt: skip
    print(f"  cosine of a photo's features with Keras'   {found.cosine:.7f} at least      (wanted: {WANTED_COSINE})")
    print(f"  similarity matrix, largest difference      {found.difference:.1e}                 (wanted: {WANTED_DIFFERENCE:.0e})")
    print(f"  five nearest, same order                   {found.same} of {found.count}, {found.faults} differ by more than a tie (wanted: 0)")
    print(f"  Keras, a photo at a time, as the recipe    {np.median(recipe_rates):6.2f} photos/s")
    print(f"  Keras, {BATCH} at a time                        {np.median(batch_rates):6.2f} photos/s")
    print(f"  the agent, a first run from start to end   {np.median(agent_rates):6.2f} photos/s: {ratio:.2f} times the recipe "
          f"({min(ratios):.2f} to {max(ratios):.2f}; wanted: {WANTED_RATIO}), {batch_ratio:.2f} times Keras in batches")  # fmt: skip
    print(f"  the same with precision auto               {automatic_rate:6.2f} photos/s")
    if not found.is_good() or ratio < WANTED_RATIO:
        sys.exit("compare_with_keras.py: the agent and Keras do not agree as they should")


if __name__ == "__main__":
    main()
