"""Compare two builds of the agent in turn, and print ratios new / old with their interval.

    usage: compare_versions.py PHOTOS OLD_FOLDER NEW_FOLDER PAIRS
"""

import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

PRODUCTS = 20_000
DIMENSION = 1280
NEIGHBOURS = 5
DROPS = 15


def timed(command, **options):
    """Seconds and the peak of memory, in MB, of a command."""
    start = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, **options)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.monotonic() - start, usage.ru_maxrss / 1024


class Shop:
    def __init__(self, build, photos, base):
        self.agent, self.base = build / "imgrec-agent", base
        shutil.copytree(photos, base / "photos")
        self.settings, self.output = base / "shop.toml", base / "out"
        subprocess.run(
            [self.agent, "init", "--config", self.settings, "--images", base / "photos", "--output", self.output,
             "--state", base / "state"], check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        # Networks made ready are not a part of what is compared.
        text = self.settings.read_text()
        self.settings.write_text(text.replace("[cache]\n", f'[cache]\nfolder = "{base}/cache"\n', 1))

    def command(self, *arguments):
        return [self.agent, *arguments, "--config", self.settings]

    def clear(self):
        shutil.rmtree(self.base / "state", ignore_errors=True)
        shutil.rmtree(self.output, ignore_errors=True)

    def cold_run(self):
        self.clear()
        return timed(self.command("reconcile", "--quiet"))

    def drops(self, source):
        """The median time from a photo in its place to the index that has it, and the memory of the agent."""
        process = subprocess.Popen(self.command("run"), stderr=subprocess.DEVNULL)
        while subprocess.run(self.command("wait", "--quiet"), stderr=subprocess.DEVNULL).returncode != 0:
            time.sleep(0.05)
        index, times = self.output / "index.json", []
        for number in range(DROPS):
            before = index.stat().st_ino
            place = self.base / "photos" / f"dropped-{number}.jpg"
            shutil.copy(source, self.base / "new.jpg")
            with open(self.base / "new.jpg", "ab") as file:
                file.write(os.urandom(16))
            start = time.monotonic()
            os.rename(self.base / "new.jpg", place)
            while index.stat().st_ino == before:
                time.sleep(0.0005)
            times.append(time.monotonic() - start)
            time.sleep(0.2)
        status = json.loads(
            subprocess.run(self.command("status", "--json"), check=True, stdout=subprocess.PIPE).stdout)  # fmt: skip
        process.terminate()
        process.wait()
        for number in range(DROPS):
            (self.base / "photos" / f"dropped-{number}.jpg").unlink()
        return statistics.median(times), status["running"]["memoryBytes"] / 1e6


def neighbours(build, vectors, base):
    """Computing and writing all rows, and the memory."""
    folder = base / "neighbours"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = [build / "NeighbourBenchmark", "build", folder, vectors, PRODUCTS, NEIGHBOURS]
    result = json.loads(subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE).stdout)
    shutil.rmtree(folder)
    return result["computing"] + result["writing"], result["resident"] / 1e6


def interval(ratios):
    """The median's interval of 95 %, by order statistics: resampled, for any number of pairs."""
    choice = random.Random(1)
    medians = sorted(statistics.median(choice.choices(ratios, k=len(ratios))) for _ in range(10_000))
    return medians[250], medians[9749]


def compare(name, unit, pairs, old, new):
    """Runs both in turn, the order changing from pair to pair."""
    values = {"old": [], "new": []}
    for number in range(pairs):
        order = [("old", old), ("new", new)]
        for key, run in order if number % 2 == 0 else reversed(order):
            values[key].append(run())
    ratios = [new[0] / old[0] for old, new in zip(values["old"], values["new"])]
    memory = {key: statistics.median(value[1] for value in values[key]) for key in values}
    low, high = interval(ratios)
    seconds = {key: statistics.median(value[0] for value in values[key]) for key in values}
    print(
        f"{name:24} {statistics.median(ratios):.3f} [{low:.3f}, {high:.3f}]   "
        f"old {seconds['old']:.3f} {unit}, new {seconds['new']:.3f} {unit}; "
        f"memory old {memory['old']:.0f} MB, new {memory['new']:.0f} MB ({memory['new'] / memory['old']:.3f})",
        flush=True)  # fmt: skip


def main():
    photos, old, new = map(pathlib.Path, sys.argv[1:4])
    pairs = int(sys.argv[4])
    source = next(path for path in sorted(photos.rglob("*.jpg")))
    print(f"median of {pairs} ratios new / old, and its interval of 95 %", flush=True)
    with tempfile.TemporaryDirectory(prefix="imgrec-versions-") as folder:
        base = pathlib.Path(folder)
        shops = {}
        for key, build in (("old", old), ("new", new)):
            (base / key).mkdir()
            shops[key] = Shop(build, photos, base / key)
            shops[key].cold_run()
        compare("first run", "s", pairs, shops["old"].cold_run, shops["new"].cold_run)
        compare(
            "a photo dropped", "s", pairs, lambda: shops["old"].drops(source), lambda: shops["new"].drops(source))
        random_vectors = numpy.random.default_rng(1)
        real = random_vectors.standard_normal((PRODUCTS // 20, DIMENSION), dtype=numpy.float32)
        near = numpy.repeat(real, 20, axis=0)
        near += 0.7 * random_vectors.standard_normal(near.shape, dtype=numpy.float32)
        near /= numpy.linalg.norm(near, axis=1, keepdims=True)
        vectors = base / "vectors.f32"
        near.astype("<f4").tofile(vectors)
        compare(
            f"{PRODUCTS} from scratch", "s", pairs, lambda: neighbours(old, vectors, base),
            lambda: neighbours(new, vectors, base))  # fmt: skip
    print(f"on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
