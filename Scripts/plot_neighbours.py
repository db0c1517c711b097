"""Draw what bench_neighbours.py measured: cost against the number of products.

    usage: plot_neighbours.py FIGURES.json PICTURE.svg
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
# The same figures, the same file; words stay words.
matplotlib.rcParams["svg.hashsalt"] = "imgrec-agent"
matplotlib.rcParams["svg.fonttype"] = "none"
import matplotlib.pyplot as plot  # noqa: E402

figures = json.load(open(sys.argv[1]))["counts"]
counts = [figure["products"] for figure in figures]
lines = {
    "from scratch": [figure["from_scratch"] for figure in figures],
    "start": [figure["start"]["seconds"] for figure in figures],
    "one that comes, rows written": [figure["change"]["insert"] + figure["change"]["insert_rows"] for figure in figures],
    "one that leaves, in memory": [figure["change"]["removal"] for figure in figures],
}
figure, axes = plot.subplots(figsize=(7, 4.5))
for name, seconds in lines.items():
    axes.plot(counts, seconds, marker="o", label=name)
queries = [(figure["products"], figure["faiss_query"]) for figure in figures if "faiss_query" in figure]
axes.plot(*zip(*queries), marker="x", linestyle="--", color="grey", label="one query of FAISS IndexFlatIP")
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlabel("products (1280 dimensions, 20 neighbours)")
axes.set_ylabel("seconds")
axes.grid(alpha=0.3)
axes.legend()
figure.tight_layout()
figure.savefig(sys.argv[2], metadata={"Date": None})
