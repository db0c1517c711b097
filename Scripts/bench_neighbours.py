"""Measure the neighbour table beside FAISS' exact index (IndexFlatIP) and numpy, with two threads each, on embeddings
of real photos that are spread with noise to the wanted count.

FAISS and the table take turns, so that a machine that slows down slows both. What is measured is printed, and written
to a JSON file, of which plot_neighbours.py draws the picture in Docs.

    usage: bench_neighbours.py PHOTOS FIGURES.json [COUNT ...]    counts: 1000 10000 100000 by default, and 1000000
"""

import json
import os
import pathlib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

# An OpenBLAS of a Python package takes the kernel for the CPU that it runs on, whatever is set for an older one.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)
THREADS = 2
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(THREADS)

import faiss  # noqa: E402
import numpy as np  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = ROOT / ".build/release/imgrec-agent"
TABLE = ROOT / ".build/release/NeighbourBenchmark"
DIMENSION = 1280
K = 20
SCRATCH = 50_000
MILLION = 1_000_000
# The clusters of a million: how similar their centres are at most, and how wide they are.
CLUSTERS = 80
APART = 0.5
WIDTH = 0.7
# Rows for what comes beside the count: 50 at a time, a day, a thousand at once.
MORE = 3000


def catalogue(photos, folder):
    """The embeddings of the photos, as the agent makes them."""
    settings = folder / "shop.toml"
    subprocess.run(
        [AGENT, "init", "--config", settings, "--images", photos, "--output", folder / "out", "--state", folder / "state"],
        check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    subprocess.run([AGENT, "reconcile", "--quiet", "--config", settings], check=True, stdout=subprocess.DEVNULL)
    database = sqlite3.connect(folder / "state/catalogue.sqlite")
    rows = database.execute("SELECT vector FROM embedding ORDER BY digest")
    return np.stack([np.frombuffer(vector, "<f4") for (vector,) in rows])


def spread(real, count, path, away):
    """Writes vectors: each a real one, moved along a random mixture of differences between real ones and a little
    in a random direction, by a length between the two of `away`; vector i is of real one i modulo their number."""
    random = np.random.default_rng(1)
    with open(path, "wb") as file:
        for first in range(0, count, 4096):
            number = np.arange(first, min(first + 4096, count))
            rows = len(number)
            mixture = np.zeros((rows, DIMENSION), np.float32)
            for _ in range(8):
                weights = random.normal(size=(rows, 1)).astype(np.float32)
                mixture += weights * (real[random.integers(0, len(real), rows)] - real[random.integers(0, len(real), rows)])
            noise = random.normal(size=(rows, DIMENSION)).astype(np.float32)
            for directions in (mixture, noise):
                directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            length = random.uniform(*away, size=(rows, 1)).astype(np.float32)
            # As after the network's last step, nothing is below zero.
            moved = np.maximum(real[number % len(real)] + length * mixture + 0.3 * length * noise, 0)
            file.write((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype("<f4").tobytes())


def spread_in_clusters(real, count, path):
    """Writes vectors in clusters that lie far from each other, of `count` divided by CLUSTERS after one another: around
    a real one, along twelve directions of the cluster's own. What lies behind `count` is of all clusters.
    Neighbours in them are no more similar than in what `spread` writes, so that no search is easier."""
    random = np.random.default_rng(1)
    centres = real[:1]
    for vector in real:
        if len(centres) < CLUSTERS and np.max(centres @ vector) < APART:
            centres = np.concatenate([centres, vector[None]])
    if len(centres) < CLUSTERS:
        sys.exit(f"the photos are too similar to make {CLUSTERS} clusters of them")
    directions = real[random.integers(0, len(real), (CLUSTERS, 12))] - real[random.integers(0, len(real), (CLUSTERS, 12))]
    length = count // CLUSTERS
    with open(path, "wb") as file:
        for first in range(0, count + MORE, 5000):
            number = np.arange(first, min(first + 5000, count + MORE))
            cluster = np.where(number < count, number // length, number % CLUSTERS)
            weights = random.normal(size=(len(number), 1, 12)).astype(np.float32)
            moved = (weights @ directions[cluster])[:, 0]
            moved *= WIDTH / np.linalg.norm(moved, axis=1, keepdims=True)
            noise = random.normal(size=moved.shape).astype(np.float32)
            moved += 0.1 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
            moved = np.maximum(centres[cluster] + moved, 0)
            file.write((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype("<f4").tobytes())


def table(*arguments):
    return json.loads(subprocess.run([TABLE, *map(str, arguments)], check=True, stdout=subprocess.PIPE).stdout)


def say(text):
    print(text, flush=True)


def from_scratch(vectors, path, folder):
    """All pairs of 50,000."""
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(vectors)
    ids, seconds = [], 0.0
    rows = folder / "rows"
    ours = []
    # Halves of FAISS' work, with the table before, between and after.
    for half in (vectors[: SCRATCH // 2], vectors[SCRATCH // 2 :]):
        ours.append(table("compute", folder / f"compute-{len(ours)}", path, SCRATCH, K, rows)["computing"])
        start = time.perf_counter()
        ids.append(index.search(half, K + 1)[1])
        seconds += time.perf_counter() - start
    ours.append(table("compute", folder / "compute-2", path, SCRATCH, K, rows)["computing"])
    ids = np.concatenate(ids)
    found = np.fromfile(rows, "<i4").reshape(SCRATCH, K)
    # Scores that the two round differently may rank two neighbours differently.
    other = 0
    for row in range(SCRATCH):
        expected = [i for i in ids[row] if i != row][:K]
        if set(expected) != set(found[row]):
            worst = float(np.min(vectors[expected] @ vectors[row]))
            different = [i for i in found[row] if i not in expected]
            other += any(abs(float(vectors[i] @ vectors[row]) - worst) > 1e-6 for i in different)
    start = time.perf_counter()
    scores = vectors[:1024] @ vectors.T
    np.argpartition(scores, -K - 1, axis=1)
    by_numpy = (time.perf_counter() - start) * SCRATCH / 1024
    median = statistics.median(ours)
    say(f"From scratch, {SCRATCH:,} x {DIMENSION}, k {K}: {median:.1f} s ({min(ours):.1f} to {max(ours):.1f}); FAISS {seconds:.1f} s, numpy {by_numpy:.0f} s (from a part)")
    say(f"  {seconds / median:.2f} times as fast as FAISS, {by_numpy / median:.1f} times as fast as numpy; rows that differ by more than rounding: {other}")
    return {"seconds": median, "faiss": seconds, "numpy": by_numpy, "different_rows": other}


def approximate(vectors):
    """FAISS' approximate indexes on the same 50,000: how much sooner they answer, and how often they are right."""
    queries = vectors[SCRATCH : SCRATCH + 200]
    vectors = vectors[:SCRATCH]
    exact = faiss.IndexFlatIP(DIMENSION)
    exact.add(vectors)
    expected = exact.search(queries, K)[1]
    graph = faiss.IndexHNSWFlat(DIMENSION, 32, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 80
    lists = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMENSION), DIMENSION, 256, faiss.METRIC_INNER_PRODUCT)

    def set_graph(effort):
        graph.hnsw.efSearch = effort

    def set_lists(effort):
        lists.nprobe = effort

    say(f"Approximate indexes, {SCRATCH:,} x {DIMENSION}, k {K}:")
    figures = []
    for name, index, efforts, set_effort in (("HNSW, efSearch", graph, (32, 128, 512), set_graph), ("IVF, nprobe", lists, (4, 16, 64), set_lists)):
        start = time.perf_counter()
        index.train(vectors)
        index.add(vectors)
        building = time.perf_counter() - start
        for effort in efforts:
            set_effort(effort)
            start = time.perf_counter()
            found = np.concatenate([index.search(query[None], K)[1] for query in queries])
            each = (time.perf_counter() - start) / len(queries)
            recall = float(np.mean([len(set(a) & set(b)) / K for a, b in zip(expected, found)]))
            whole = float(np.mean([set(a) == set(b) for a, b in zip(expected, found)]))
            figures.append({"name": f"{name} {effort}", "building": building, "query": each, "recall": recall, "whole": whole})
            say(f"  {name} {effort}: built in {building:.0f} s, a query {each * 1e3:.1f} ms, {recall:.1%} of neighbours found, {whole:.0%} of rows without a fault")
    return figures


def one_by_one(vectors, path, folder, count):
    state = folder / f"state-{count}"
    figures = {"products": count}
    if count < MILLION:
        figures["build"] = table("build", state, path, count, K)
    else:
        figures["seed"] = table("seed", state, path, count, K, CLUSTERS)
        check_clusters(vectors, count)
    query = None
    if count < MILLION:
        index = faiss.IndexFlatIP(DIMENSION)
        index.add(vectors[:count])

        def query():
            times = []
            for row in range(30):
                start = time.perf_counter()
                index.search(vectors[row : row + 1], K)
                times.append(time.perf_counter() - start)
            return statistics.median(times)

    figures["start"] = table("start", state, K)
    before = query() if query else None
    figures["change"] = change = table("change", state, path, K, 50, 1000)
    say(f"{count:,} products:")
    start, insert = figures["start"], change["insert"] + change["insert_rows"]
    say(f"  start {start['seconds']:.2f} s; {start['table'] / count:.0f} bytes a product for codes and pools, {start['own'] / count:.0f} with ids and all else")
    line = f"  one that comes {insert * 1e3:.1f} ms ({change['insert'] * 1e3:.1f} and {change['insert_rows'] * 1e3:.1f} to write its rows)"
    if query:
        figures["faiss_query"] = (before + query()) / 2
        line += f"; one query of FAISS {figures['faiss_query'] * 1e3:.1f} ms, {figures['faiss_query'] / insert:.2f} times as long"
    say(line)
    say(f"  one that leaves {change['removal'] * 1e3:.2f} ms in memory, {change['removal_rows'] * 1e3:.1f} ms to write rows")
    say(f"  a day of {change['changes']:.0f} changes {change['day']:.1f} s; of {change['leaving']:.0f} that took a vector out, {change['searched_changes']:.0f} ({change['searched_changes'] / change['leaving']:.1%}) needed a search again, of {change['searched_rows']:.0f} rows")
    # Each pair once: on the average a product that comes meets half of them.
    figures["from_scratch"] = figures["build"]["computing"] if "build" in figures else change["batch"] / change["batch_length"] * count / 2
    say(f"  from scratch {figures['from_scratch']:.1f} s" + (f", and {figures['build']['writing']:.1f} s to write all rows" if "build" in figures else f" (from {change['batch_length']:.0f} that came at once in {change['batch']:.1f} s)"))
    return figures


def check_clusters(vectors, count):
    """That neighbours are of the cluster, so that the seeded state is the one that would be computed."""
    random = np.random.default_rng(2)
    for row in random.integers(0, count, 20):
        scores = np.concatenate([vectors[i : i + 50_000] @ vectors[row] for i in range(0, count, 50_000)])
        scores[row] = -1
        nearest = np.argpartition(scores, -K - 16)[-K - 16 :]
        if any(i // (count // CLUSTERS) != row // (count // CLUSTERS) for i in nearest):
            sys.exit("the clusters are too wide for this benchmark")


def main():
    photos, target = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    counts = [int(count) for count in sys.argv[3:]] or [1000, 10_000, 100_000]
    faiss.omp_set_num_threads(THREADS)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        real = catalogue(photos, folder)
        most = max([SCRATCH] + [count for count in counts if count < MILLION]) + MORE
        path = folder / "vectors.f32"
        spread(real, most, path, (0.05, 0.6))
        vectors = np.fromfile(path, "<f4").reshape(most, DIMENSION)
        figures = {"from_scratch": from_scratch(vectors[:SCRATCH], path, folder), "approximate": approximate(vectors), "counts": []}
        for count in sorted(counts):
            if count >= MILLION:
                path = folder / "million.f32"
                spread_in_clusters(real, count, path)
                vectors = np.memmap(path, "<f4", "r").reshape(count + MORE, DIMENSION)
            figures["counts"].append(one_by_one(vectors, path, folder, count))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1))


main()
