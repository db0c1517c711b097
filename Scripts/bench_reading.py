"""Measure how many photos are read in a second, to the picture that the default model sees, beside Pillow in the same run:
`draft` and resize, one process a core. And what containment costs: worker processes against the same code in this process.

Each takes its turn, several times; medians are printed, and the median of the ratios of neighbouring turns.

    usage: bench_reading.py PHOTOS
"""

import concurrent.futures
import io
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT, BENCHMARK = ROOT / ".build/release/imgrec-agent", ROOT / ".build/release/ReadingBenchmark"
ROUNDS = 5
# Width, height, and for how many seconds each is read in a turn: some dozens of photos.
SIZES = {"0.2 MP": (387, 516, 1), "2 MP": (1224, 1632, 2), "12 MP": (3000, 4000, 6)}
FORMATS = {
    "JPEG": dict(format="JPEG", quality=90),
    "PNG": dict(format="PNG"),
    "WebP": dict(format="WEBP", quality=85),
}


def picture(data):
    """As Tests/Reference/make_fixtures.py has it, with `draft` to twice the size that is resized to."""
    image = Image.open(io.BytesIO(data))
    short = min(image.size)
    size = (int(256 * image.width / short), int(256 * image.height / short))
    image.draft("RGB", (2 * size[0], 2 * size[1]))
    image = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    left, top = round((size[0] - 224) / 2), round((size[1] - 224) / 2)
    return image.crop((left, top, left + 224, top + 224)).tobytes()


def pillow_process(data, seconds):
    picture(data)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        picture(data)
        count += 1
    return count / (time.perf_counter() - start)


def pillow_rate(pool, data, seconds):
    return sum(pool.map(pillow_process, [data] * os.cpu_count(), [seconds] * os.cpu_count()))


def own_rate(way, file, seconds):
    output = subprocess.run([BENCHMARK, AGENT, str(seconds), way, file], check=True, stdout=subprocess.PIPE, text=True).stdout
    return float(output)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    source = Image.open(next(path for path in sorted(root.rglob("*")) if path.suffix.lower() in (".jpg", ".png"))).convert("RGB")
    print(f"decode and fit, photos per second on {os.cpu_count()} cores, medians of {ROUNDS} rounds")
    print("                    workers   in process   Pillow     workers : Pillow   containment costs")
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ProcessPoolExecutor() as pool:
        for format, options in FORMATS.items():
            for name, (width, height, seconds) in SIZES.items():
                size = (width, height)
                file = pathlib.Path(folder) / f"{format}-{name}"
                # A little noise, as a camera leaves it: without, an enlarged photo is easier to decode than a real one.
                large = source.resize(size, Image.Resampling.LANCZOS)
                noise = Image.effect_noise(size, 12).convert("RGB")
                Image.blend(large, noise, 0.06).save(file, **options)
                data = file.read_bytes()
                rounds = [
                    (own_rate("workers", file, seconds), own_rate("inProcess", file, seconds), pillow_rate(pool, data, seconds))
                    for _ in range(ROUNDS)
                ]
                workers, inside, pillow = (statistics.median(column) for column in zip(*rounds))
                ratio = statistics.median(one[0] / one[2] for one in rounds)
                cost = statistics.median(1 - one[0] / one[1] for one in rounds)
                wanted = 1.5 if format == "JPEG" else 1.0
                print(
                    f"  {format:5} {name:>6}   {workers:9.1f}    {inside:9.1f} {pillow:8.1f}"
                    f"            {ratio:5.2f}  (wanted: {wanted} or more)   {100 * cost:5.1f} %  (wanted: 10 % or less)", flush=True)


if __name__ == "__main__":
    main()
