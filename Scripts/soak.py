"""Change photos at random while the agent runs, and see that it ends at the bytes of a clean run.

First several processes write, overwrite, rename, move and delete 20,000 files for two minutes, with the kernel's queue
of reports so short that it overflows. Then the agent is killed 100 times at random moments of such a burst.

    usage: soak.py PHOTOS [SECONDS [KILLS]]
"""

import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
AGENT = pathlib.Path(os.environ.get("IMGREC_AGENT", ROOT / ".build/release/imgrec-agent"))
QUEUE = pathlib.Path("/proc/sys/fs/inotify/max_queued_events")
SHORT_QUEUE = 8
FILES = 20_000
WRITERS = 4
FOLDERS = 40


def unique(photo, number):
    """The bytes of a photo with a comment of its own: another photo to whoever compares bytes, the same picture."""
    note = b"soak %d" % number
    if photo[:2] == b"\xff\xd8":
        return photo[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + photo[2:]
    return photo + note


def change_at_random(base, writer, photos, seconds, count, total):
    """What one process does: mostly new files at first, until all there are to be have been written."""
    choice = random.Random(writer)
    mine = []
    written = 0
    end = time.monotonic() + seconds

    def place():
        folder = base / f"{choice.randrange(FOLDERS)}"
        if choice.random() < 0.3:
            folder = folder / f"{choice.randrange(5)}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    while time.monotonic() < end:
        try:
            # So many new files that the last one comes when the time is over.
            wanted = total * (1 - (end - time.monotonic()) / seconds)
            if written < wanted:
                target = place() / f"{writer}-{written}.jpg"
                data = photos[choice.randrange(len(photos))]
                if choice.random() < 0.5:
                    data = unique(data, choice.randrange(1000))
                if choice.random() < 0.3:  # as rsync does it
                    aside = target.parent / f".{target.name}.tmp"
                    aside.write_bytes(data)
                    aside.rename(target)
                elif choice.random() < 0.2:  # in pieces
                    with open(target, "wb") as file:
                        for start in range(0, len(data), 4096):
                            file.write(data[start : start + 4096])
                            file.flush()
                else:
                    target.write_bytes(data)
                mine.append(target)
                written += 1
            elif mine:
                action = choice.random()
                index = choice.randrange(len(mine))
                if not mine[index].exists():  # another process moved its folder away
                    mine[index] = mine[-1]
                    mine.pop()
                elif action < 0.5:
                    mine[index].write_bytes(unique(photos[choice.randrange(len(photos))], choice.randrange(1000)))
                elif action < 0.88:
                    target = place() / f"{writer}-{written}-{choice.randrange(10**9)}.jpg"
                    mine[index].rename(target)
                    mine[index] = target
                elif action < 0.985:
                    mine[index].unlink()
                    mine[index] = mine[-1]
                    mine.pop()
                elif action < 0.99:  # a folder with all that is in it; what others look for there is gone
                    source, target = base / f"{choice.randrange(FOLDERS)}", base / f"{choice.randrange(FOLDERS)}"
                    source.rename(target / f"was-{source.name}-{choice.randrange(10**9)}")
                else:
                    (base / f"{choice.randrange(FOLDERS)}" / f"broken-{writer}.jpg").write_bytes(b"no photo")
                time.sleep(0.01)
        except OSError:
            # Another process moved it away.
            if mine and not mine[-1].exists():
                mine.pop()
    with count.get_lock():
        count.value += written


def burst(base, photos, seconds, total):
    count = multiprocessing.Value("l", 0)
    writers = [
        multiprocessing.Process(target=change_at_random, args=(base, number, photos, seconds, count, total // WRITERS))
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    return writers, count


class Shop:
    def __init__(self, base):
        self.base, self.photos, self.output, self.settings = base, base / "photos", base / "out", base / "shop.toml"
        self.photos.mkdir(parents=True, exist_ok=True)
        self.command("init", "--images", self.photos, "--output", self.output, "--state", base / "state")
        # Folders of hundreds of photos come and go here.
        text = self.settings.read_text().replace("# mass_removal_limit = 0.5", "mass_removal_limit = 1")
        self.settings.write_text(text)
        self.process = None

    def command(self, name, *arguments, check=True):
        return subprocess.run(
            [AGENT, name, "--config", self.settings, *arguments], check=check, stdout=subprocess.PIPE, text=True)

    def start(self):
        with open(self.base / "log", "a") as log:
            self.process = subprocess.Popen([AGENT, "run", "--config", self.settings], stderr=log)

    def kill(self):
        if self.process.poll() is not None:
            sys.exit(f"the agent ended by itself with {self.process.returncode}: {(self.base / 'log').read_text()[-2000:]}")
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        code = self.process.wait()
        if code != 0:
            sys.exit(f"SIGTERM gave exit code {code}")

    def wait(self):
        while self.command("wait", "--published", "--quiet", check=False).returncode != 0:
            if self.process.poll() is not None:
                sys.exit(f"the agent ended with {self.process.returncode}: {(self.base / 'log').read_text()[-2000:]}")
            time.sleep(0.2)

    def settle(self, seconds=600):
        """Until the agent says for three seconds on end that it is idle. It is not asked to compare anything."""
        quiet, end = 0, time.monotonic() + seconds
        while quiet < 30:
            status = json.loads(self.command("status", "--json").stdout)
            if self.process.poll() is not None:
                sys.exit(f"the agent is gone: {(self.base / 'log').read_text()[-2000:]}")
            running = status.get("running") or {"state": "starting", "settling": 0}
            is_quiet = running["state"] == "idle" and status["due"] == 0 and running["settling"] == 0
            quiet = quiet + 1 if is_quiet else 0
            if time.monotonic() > end:
                sys.exit(f"not idle after {seconds} s: {running}")
            time.sleep(0.1)

    def metric(self, name):
        text = subprocess.run(
            ["curl", "--silent", "--unix-socket", self.base / "state/control.socket", "http://agent/metrics"],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"imgrec_{name} ")))

    def files(self):
        return {str(path.relative_to(self.output)): path.read_bytes() for path in self.output.rglob("*") if path.is_file()}


def expect_clean_run(shop, base):
    clean = Shop(base / "clean")
    shutil.rmtree(clean.photos)
    clean.photos.symlink_to(shop.photos)
    clean.command("reconcile", "--quiet")
    expected, found = clean.files(), shop.files()
    shutil.rmtree(clean.base)
    different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if different:
        sys.exit(f"NOT as a clean run: {len(different)} of {len(expected)} files differ, for example {different[:5]}")
    print(f"  {len(found):,} files, byte for byte those of a clean run", flush=True)


def overflow(base, photos, seconds):
    shop = Shop(base)
    shop.start()
    shop.wait()
    writers, count = burst(shop.photos, photos, seconds, FILES)
    for writer in writers:
        writer.join()
    lost = shop.metric("overflows_total")
    if lost == 0 and int(QUEUE.read_text()) == SHORT_QUEUE:
        sys.exit("NOT TESTED: no reports were lost")
    start = time.monotonic()
    shop.settle()
    print(
        f"{count.value:,} files written, changed, renamed and deleted at random by {WRITERS} processes in {seconds} s;"
        f" reports lost {lost} times; idle {time.monotonic() - start - 3:.1f} s after the last change, not asked to compare",
        flush=True)
    expect_clean_run(shop, base)
    shop.stop()


def kills(base, photos, count):
    shop = Shop(base)
    choice = random.Random(1)
    shop.start()
    seconds = count * 1.5
    writers, _ = burst(shop.photos, photos, seconds, count * 100)
    done = 0
    while done < count:
        time.sleep(choice.uniform(0.05, 2.5))
        shop.kill()
        done += 1
        shop.start()
    for writer in writers:
        writer.join()
    shop.settle()
    print(f"killed {done} times at random moments of a burst, and started again each time", flush=True)
    expect_clean_run(shop, base)
    shop.stop()


def main():
    photos = [path.read_bytes() for path in sorted(pathlib.Path(sys.argv[1]).resolve().rglob("*")) if path.suffix.lower() in (".jpg", ".png")][:120]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    kill_count = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    before = QUEUE.read_text()
    # Also where it is ended from outside, the kernel's setting becomes what it was.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    try:
        QUEUE.write_text(f"{SHORT_QUEUE}\n")
    except OSError:
        print(f"NOT LOSING REPORTS: only root may shorten {QUEUE}", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            overflow(pathlib.Path(folder) / "overflow", photos, seconds)
            kills(pathlib.Path(folder) / "kills", photos, kill_count)
    finally:
        if QUEUE.read_text() != before:
            QUEUE.write_text(before)


main()
