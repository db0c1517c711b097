"""Measure the running agent, with 10,000 products: how long after a photo is dropped the output has it, whether a
moved folder is embedded again, what it costs when idle, and how memory grows over 1,000 changes.

A drop is over when index.json is replaced, which is written after the photo's own file and its neighbours'. Beside it
stands what one inference takes alone.

    usage: bench_service.py PHOTOS [PRODUCTS]
"""

import concurrent.futures
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

from PIL import Image, ImageEnhance, ImageOps

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = pathlib.Path(os.environ.get("IMGREC_AGENT", ROOT / ".build/release/imgrec-agent"))
MODEL = ROOT / ".deps/models/efficientnet-lite0"
DROPS = 200
MOVED = 2000
CHANGES = 1000
IDLE_SECONDS = 60


def variation(source, target, seed):
    """Another photo made of a photo: another part of it, mirrored or not, lighter or darker."""
    choice = random.Random(seed)
    image = Image.open(source).convert("RGB")
    width, height = image.size
    left, top = choice.uniform(0, 0.2) * width, choice.uniform(0, 0.2) * height
    image = image.crop((left, top, width * choice.uniform(0.8, 1), height * choice.uniform(0.8, 1)))
    if choice.random() < 0.5:
        image = ImageOps.mirror(image)
    image = ImageEnhance.Brightness(image).enhance(choice.uniform(0.7, 1.3))
    image.save(target, "JPEG", quality=88)


def make_photos(sources, folder, count):
    jobs = []
    for number in range(count):
        place = folder / f"{number * 5 // count}" / f"{number:06}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        jobs.append((sources[number % len(sources)], place, number))
    with concurrent.futures.ProcessPoolExecutor() as pool:
        list(pool.map(variation, *zip(*jobs), chunksize=64))


class Agent:
    def __init__(self, base, photos):
        self.settings, self.output, self.base = base / "shop.toml", base / "out", base
        self.command("init", "--images", photos, "--output", self.output, "--state", base / "state")
        self.process = subprocess.Popen(
            [AGENT, "run", "--config", self.settings], stderr=open(base / "log", "w"), stdout=subprocess.DEVNULL)
        while "ready" not in (base / "log").read_text():
            if self.process.poll() is not None:
                sys.exit((base / "log").read_text())
            time.sleep(0.05)

    def command(self, name, *arguments):
        return subprocess.run(
            [AGENT, name, "--config", self.settings, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def wait(self):
        self.command("wait", "--published", "--quiet")

    def is_idle(self):
        status = json.loads(self.command("status", "--json"))
        return status["running"]["state"] == "idle" and status["due"] == 0

    def metric(self, name):
        text = subprocess.run(
            ["curl", "--silent", "--unix-socket", self.base / "state/control.socket", "http://agent/metrics"],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"imgrec_{name} ")))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        return self.process.wait()


def inference_milliseconds():
    import numpy as np
    import openvino

    manifest = tomllib.loads((MODEL / "manifest.toml").read_text())
    network = openvino.Core().compile_model(
        str(MODEL / manifest["model"]["file"]), "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "2", "INFERENCE_NUM_THREADS": "2"})  # fmt: skip
    request = network.create_infer_request()
    tensor = np.zeros((1, 3, manifest["input"]["height"], manifest["input"]["width"]), np.float32)
    times = []
    for _ in range(60):
        start = time.perf_counter()
        request.infer({0: tensor})
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[10:])


def drop(agent, photos, prepared, name):
    """Copies a photo in. Returns the milliseconds until its own file and until the index have it."""
    index, own = agent.output / "index.json", agent.output / "products" / f"{name}.json"
    before = index.stat().st_ino
    (photos / f"{name}.jpg").write_bytes(prepared)
    start = time.perf_counter()
    first = None
    while index.stat().st_ino == before:
        if first is None and own.exists():
            first = time.perf_counter()
        time.sleep(0.0005)
        if time.perf_counter() - start > 30:
            sys.exit(f"{name} did not come through in 30 s")
    end = time.perf_counter()
    return 1000 * ((first or end) - start), 1000 * (end - start)


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    sources = sorted(path for path in pathlib.Path(sys.argv[1]).resolve().rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        photos = base / "photos"
        make_photos(sources, photos, count)
        new = []
        for number in range(DROPS):
            variation(sources[number * 7 % len(sources)], base / "new.jpg", 1_000_000 + number)
            new.append((base / "new.jpg").read_bytes())

        agent = Agent(base, photos)
        start = time.perf_counter()
        agent.wait()
        print(f"import of {count:,} photos by the running agent   {count / (time.perf_counter() - start):8.0f} photos/s")

        times = []
        for number, prepared in enumerate(new):
            times.append(drop(agent, photos, prepared, f"new-{number:03}"))
            time.sleep(random.uniform(0.1, 0.3))
        own, all_of_it = [one[0] for one in times], [one[1] for one in times]
        alone = inference_milliseconds()
        print(f"a photo dropped, until its own file has it   median {statistics.median(own):6.0f} ms")
        print(
            f"until all files and the index have it        median {statistics.median(all_of_it):6.0f} ms"
            f"   99th percentile {percentile(all_of_it, 0.99):6.0f} ms   ({DROPS} drops, {agent.metric('products'):,} products)")
        print(f"one inference alone                          median {alone:6.1f} ms   (settle window 50 ms)")

        embedded = agent.metric("photos_embedded_total")
        (photos / "0").rename(photos / "moved")
        start = time.perf_counter()
        # By the reports of the watch alone: nobody asks for a comparison.
        while not (agent.output / "products/moved").exists() or (agent.output / "products/0").exists() or not agent.is_idle():
            time.sleep(0.02)
        print(
            f"a folder of {len(os.listdir(photos / 'moved')):,} photos moved            "
            f"{time.perf_counter() - start:6.1f} s   embedded again: {agent.metric('photos_embedded_total') - embedded}")

        time.sleep(5)
        before = agent.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        used = agent.cpu_seconds() - before
        print(f"idle for {IDLE_SECONDS} s                                {100 * used / IDLE_SECONDS:6.3f} % of one core")

        names = [f"new-{number:03}" for number in range(DROPS)]
        memory = []
        for number in range(CHANGES):
            (photos / f"{names[number % DROPS]}.jpg").write_bytes(new[(number * 3 + 1) % DROPS])
            if number % 10 == 9:
                agent.wait()
            if number % 100 == 99:
                memory.append(agent.metric("resident_memory_bytes") / 1e6)
        print(f"memory after 100, 200 ... {CHANGES} changes          " + " ".join(f"{one:.0f}" for one in memory) + " MB")
        code = agent.stop()
        print(f"exit code after SIGTERM                      {code}")


if __name__ == "__main__":
    main()
