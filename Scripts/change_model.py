"""Change the model of a running agent with many products, under a steady trickle of new photos, and kill it twice: once half-way
through embedding and once when the new model is about to take over. A reader in a loop looks at the whole output
meanwhile. Ends with 1 if a document was ever missing, torn or of another model than the index, or if the end is not what a
clean run with the new model writes, byte for byte.

    usage: change_model.py PHOTOS [PRODUCTS]
"""

import json
import multiprocessing
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

from bench_service import make_photos, variation

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = pathlib.Path(os.environ.get("IMGREC_AGENT", ROOT / ".build/release/imgrec-agent"))
OLD, NEW = "efficientnet-lite0", "efficientnet-lite1"
TRICKLE_SECONDS = 0.5


class Agent:
    def __init__(self, base, photos):
        self.base, self.photos, self.output = base, photos, base / "out"
        self.settings = base / "shop.toml"

    def configure(self, model):
        self.settings.write_text(
            f'images.folder = "{self.photos}"\noutput.folder = "{self.output}"\nstate.folder = "{self.base}/state"\n'
            f'model.name = "{model}"\n')

    def start(self):
        log = self.base / "log"
        self.process = subprocess.Popen(
            [AGENT, "run", "--config", self.settings], stderr=open(log, "w"), stdout=subprocess.DEVNULL)
        while " ready" not in log.read_text():
            if self.process.poll() is not None:
                sys.exit(log.read_text())
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def command(self, name, *arguments):
        return subprocess.run(
            [AGENT, name, "--config", self.settings, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout

    def status(self):
        return json.loads(self.command("status", "--json"))


def read(output, results, is_over):
    """Reads the whole output again and again, as a site does, and notes what should not be."""
    rounds, faults, models = 0, [], []

    def index():
        try:
            return json.loads((output / "index.json").read_bytes())
        except ValueError:
            faults.append("index.json is torn")

    while not is_over.is_set():
        before = index()
        if before is None:
            continue
        seen = set()
        for product, entry in before["products"].items():
            try:
                document = json.loads((output / entry["file"]).read_bytes())
            except FileNotFoundError:
                faults.append(f"{product} is missing")
                continue
            except ValueError:
                faults.append(f"{product} is torn")
                continue
            if document["product"] != product:
                faults.append(f"{product} is a document of {document['product']}")
            seen.add(document["model"])
        after = index() or before
        if not seen <= {before["model"], after["model"]}:
            faults.append(f"documents of {sorted(seen)} under an index of {before['model']}, then {after['model']}")
        if not models or models[-1] != before["model"]:
            models.append(before["model"])
        rounds += 1
    results.put((rounds, faults, models))


def trickle(sources, folder, is_over, added):
    """A new photo, that is not like another, every half second."""
    folder.mkdir()
    number = 0
    while not is_over.wait(TRICKLE_SECONDS):
        aside = folder / f".{number}"
        variation(sources[number % len(sources)], aside, 1_000_000 + number)
        aside.rename(folder / f"{number:05}.jpg")
        number += 1
    added.append(number)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main():
    sources = sorted(path for path in pathlib.Path(sys.argv[1]).resolve().rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
    with tempfile.TemporaryDirectory() as base:
        base = pathlib.Path(base)
        photos = base / "photos"
        photos.mkdir()
        make_photos(sources, photos, count)
        agent = Agent(base / "shop", photos)
        agent.base.mkdir()
        agent.configure(OLD)
        agent.start()
        agent.command("wait", "--published", "--quiet")

        results, is_over = multiprocessing.Queue(), multiprocessing.Event()
        reader = multiprocessing.Process(target=read, args=(agent.output, results, is_over))
        reader.start()
        added, is_dry = [], threading.Event()
        drops = threading.Thread(target=trickle, args=(sources, photos / "new", is_dry, added))
        drops.start()
        start = time.monotonic()
        agent.configure(NEW)
        agent.process.send_signal(signal.SIGHUP)
        kills = []
        while True:
            time.sleep(0.2)
            status = agent.status()
            change = status.get("change")
            if not change:
                if status.get("model", {}).get("name") == NEW:
                    break
                continue
            share = change["embedded"] / max(1, change["photos"])
            if not kills and share > 0.5 or len(kills) == 1 and share > 0.999:
                kills.append(change["embedded"])
                agent.kill()
                agent.start()
        taken = time.monotonic() - start
        is_dry.set()
        drops.join()
        agent.command("wait", "--published", "--quiet")
        while agent.status()["running"]["state"] != "idle":
            time.sleep(0.2)
        is_over.set()
        rounds, faults, models = results.get()
        reader.join()
        end = contents(agent.output)
        agent.process.terminate()
        agent.process.wait()

        clean = Agent(base / "clean", photos)
        clean.base.mkdir()
        clean.configure(NEW)
        clean.command("reconcile", "--quiet")
        same = contents(clean.output) == end

    print(f"{count} products, {added[0]} more while the model was changed from {OLD} to {NEW}, in {taken:.0f} s; "
          f"killed when {' and '.join(map(str, kills))} were embedded")  # fmt: skip
    print(f"  a reader looked at the whole output {rounds} times, with indexes of {' and then '.join(models)}: {len(faults)} faults")
    print(f"  the end is {'' if same else 'NOT '}what a clean run writes, byte for byte ({len(end)} files)")
    for fault in faults[:10]:
        print(f"  {fault}")
    if len(kills) != 2:
        sys.exit("change_model.py: it was over before the agent could be killed twice, so this proves too little; take more products")
    if faults or not same or models != [OLD, NEW]:
        sys.exit("change_model.py: the change of model was not without a gap")


if __name__ == "__main__":
    main()
