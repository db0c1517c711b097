"""What the comparisons of the agent with other frameworks share: a shop of their own for the agent, and the comparison of its
vectors and lists with what another framework makes of the same photos."""

import json
import os
import pathlib
import sqlite3
import subprocess
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = pathlib.Path(os.environ.get("IMGREC_AGENT", ROOT / ".build/release/imgrec-agent"))
COUNT = 5
WANTED_COSINE, WANTED_DIFFERENCE = 0.9999, 1e-3


def photo_names(folder):
    """The photos of a folder as the agent names them."""
    endings = (".jpg", ".jpeg", ".png")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() in endings)


class Shop:
    """A folder of a comparison's own for the agent's settings, state and output."""

    def __init__(self, folder, photos, model, models, precision="f32"):
        self.settings, self.state, self.output = folder / "shop.toml", folder / "state", folder / "out"
        folder.mkdir()
        self.settings.write_text(f"""
            images.folder = {json.dumps(str(photos))}
            output.folder = {json.dumps(str(self.output))}
            state.folder = {json.dumps(str(self.state))}
            recommendations.count = {COUNT}
            model.name = "{model}"
            model.precision = "{precision}"
            model.folder = {json.dumps(str(models))}
        """)  # fmt: skip

    def command(self, *arguments):
        return subprocess.run(
            [AGENT, *arguments, "--config", self.settings], check=True, stdout=subprocess.PIPE, text=True).stdout

    def reconcile(self):
        """Returns the seconds it took."""
        start = time.perf_counter()
        self.command("reconcile", "--quiet")
        return time.perf_counter() - start

    def vectors(self, names):
        """The photos' vectors as the catalogue has them, a row each."""
        database = sqlite3.connect(f"file:{self.state}/catalogue.sqlite?mode=ro", uri=True)
        rows = dict(database.execute("SELECT path, vector FROM image JOIN embedding USING (digest)"))
        return np.stack([np.frombuffer(rows[name], "<f4") for name in names]).astype(np.float64)

    def nearest(self, product):
        document = json.loads((self.output / "products" / f"{product}.json").read_text())
        return [one["product"] for one in document["recommendations"]]


class Comparison:
    """How far the agent's vectors and lists are from those of other features.

    - names: the photos.
    - features: the other framework's, a row each.
    - similarity: their cosine similarities.
    """

    def __init__(self, shop, names, features, similarity):
        own = shop.vectors(names)
        unit = features / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
        self.count = len(names)
        self.cosine = np.sum(own * unit, axis=1).min()
        self.difference = np.abs(own @ own.T - similarity).max()
        different = similarity[~np.eye(len(names), dtype=bool)]
        self.range = (different.min(), different.max())
        products = [name.rpartition(".")[0] for name in names]
        place = {product: index for index, product in enumerate(products)}
        self.same = self.faults = self.in_folder = 0
        for index, product in enumerate(products):
            order = [other for other in np.argsort(-similarity[index], kind="stable") if other != index][:COUNT]
            found = [place[other] for other in shop.nearest(product)]
            self.same += found == order
            # Another one is right too if the other framework has it as near as the one that it takes the place of.
            for mine, theirs in zip(found, order):
                self.faults += abs(similarity[index, mine] - similarity[index, theirs]) > WANTED_DIFFERENCE
            self.in_folder += sum(products[other].rpartition("/")[0] == product.rpartition("/")[0] for other in found)
        self.precision = self.in_folder / COUNT / len(names)

    def is_good(self, difference=WANTED_DIFFERENCE):
        """Whether all is as near as it should be; similarities as near as `difference`."""
        return self.cosine >= WANTED_COSINE and self.difference <= difference and self.faults == 0
