"""What `imgrec-agent evaluate` has to say, computed by numpy from the vectors that the catalogue has, by the definition.

    usage: evaluate.py CATALOGUE folders|products|TABLE.csv K MODEL [MODEL ...]

A product's vector is the normalised mean of its photos'. Several models are concatenated, each with the weight 1.
"""

import collections
import csv
import json
import sqlite3
import sys

import numpy as np


def unit(vector):
    return vector / np.linalg.norm(vector)


def main():
    file, by, k, models = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    parts = []
    for model in models:
        rows = database.execute(
            "SELECT path, product, vector FROM image JOIN embedding USING (digest) JOIN model ON model.id = embedding.model"
            " WHERE model.name = ? ORDER BY path", [model])  # fmt: skip
        parts.append([(path, product, np.frombuffer(blob, "<f4").astype(np.float64)) for path, product, blob in rows])
    photos = []
    for same in zip(*parts):
        vector = np.concatenate([vector for _, _, vector in same]) if len(same) > 1 else same[0][2]
        photos.append((*same[0][:2], unit(vector).astype(np.float32).astype(np.float64)))
    if by == "products":
        things = [(product, vector) for _, product, vector in photos]
    else:
        groups = collections.defaultdict(list)
        for path, product, vector in photos:
            groups[product].append((path, vector))
        table = None
        if by != "folders":
            table = {row["product"]: row["label"] for row in csv.DictReader(open(by))}
        things = []
        for product in sorted(groups, key=str.encode):
            mean = np.mean([vector for _, vector in groups[product]], axis=0)
            # As the agent keeps vectors: in single precision.
            mean = unit(mean.astype(np.float32).astype(np.float64)).astype(np.float32).astype(np.float64)
            vector = groups[product][0][1] if len(groups[product]) == 1 else mean
            path = groups[product][0][0]
            label = table.get(product) if table is not None else path.rpartition("/")[0] or None
            if label is not None:
                things.append((label, vector))
    labels = np.array([label for label, _ in things])
    matrix = np.stack([vector for _, vector in things])
    similarity = matrix @ matrix.T
    precisions, averages = [], []
    for query in range(len(things)):
        order = np.argsort(-similarity[query], kind="stable")
        order = order[order != query]
        hits = labels[order] == labels[query]
        if not hits.any():
            continue
        kept = min(k, len(order))
        precisions.append(hits[:kept].sum() / kept)
        at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        averages.append(at[hits].mean())
    print(json.dumps({"queries": len(averages), "precisionAtK": np.mean(precisions), "meanAveragePrecision": np.mean(averages)}))


if __name__ == "__main__":
    main()
