"""Training from shards of many faces: time and memory of packing, of the start of a training and of reading.

    python -m scripts.bench.shards --faces 1000000 --folder /tmp/many --json results/bench/shards.json

It writes a manifest of `--packed` generated faces in `--photos` distinct photos, packs it with `distill data pack`, and
repeats these shards, each time with other points and groups, until there are `--faces`: the tar files are hard links,
the rows of the index are files of their own. It starts `distill teacher` on the shards, stops it after its first step,
and reads batches for `--seconds`. Memory is the peak of each process (VmHWM) in MB, and of all together, in
which pages that several share count once; beside wall times, which depend on what else the machine does, stand CPU
times. `--only-start` measures the start alone, on shards that are there, without wall times.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from distill.data.readers import read_faces
from distill.data.shards.index import rows_name
from distill.data.shards.storage import INDEX
from distill.data.synthetic import write_faces
from distill.files import sha256
from distill.provenance import write_result

_SCHEME = "inner51"
_PHOTO = 96
_JITTER = 0.3  # pixels
_BATCH = 64


def write_manifest(folder: Path, faces: int, photos: int) -> None:
    """Write a manifest of `faces` faces in `photos` generated photos, unless it is there."""
    path = folder / "faces.json"
    if path.is_file():
        return
    write_faces(folder / "photos", photos, seed=7, size=_PHOTO, workers=2)
    records = read_faces("manifest", folder / "photos", scheme=_SCHEME)
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"format":"distill-faces/1","faces":[')
        for index in range(faces):
            photo = index * len(records) // faces
            record = records[photo]
            points = record.landmarks + rng.normal(0, _JITTER, record.landmarks.shape)
            subset = ("val", "test")[photo] if photo < 2 else "train"
            image = record.image.relative_to(folder).as_posix()
            face: dict[str, Any] = {"name": f"{index}", "image": image, "points": {_SCHEME: points.round(2).tolist()}}
            face |= {"size": [_PHOTO, _PHOTO], "group": f"{photo}", "subset": subset}
            file.write("," * (index > 0) + json.dumps(face, separators=(",", ":")))
        file.write("]}")


def repeat_shards(root: Path, faces: int) -> dict[str, Any]:
    """Add shards to a folder until it holds `faces` faces; return its index."""
    path = root / INDEX
    index: dict[str, Any] = json.loads(path.read_text())
    packed = list(index["shards"])
    rng = np.random.default_rng(1)
    while index["faces"] < faces:
        number = len(index["shards"])
        entry = dict(packed[number % len(packed)])
        rows = np.load(root / rows_name(entry["name"]))
        rows["points"] += rng.normal(0, _JITTER, rows["points"].shape)
        rows["group"] = rng.integers(0, 1 << 63, len(rows))
        name = f"shard-{number:06d}.tar"
        (root / name).hardlink_to(root / entry["name"])
        np.save(root / rows_name(name), rows)
        index["shards"].append({**entry, "name": name, "rows_sha256": sha256(root / rows_name(name))})
        index["faces"] += len(rows)
    path.write_text(json.dumps(index))
    return index


@contextmanager
def started(command: Sequence[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in the background; it is ended with the context."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def peaks(pid: int) -> list[float]:
    """Return the peak memory of a process and its children in MB, the process first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = [Path(f"/proc/{number}/status").read_text() for number in (str(pid), *children)]
    return [int(text.partition("VmHWM:")[2].split()[0]) / 1024 for text in lines if "VmHWM:" in text]


def total_mb(pid: int) -> float:
    """Return the memory of a process and its children in MB, where pages that several of them share count once.

    Anonymous memory is shared by halves, thirds, ... (Pss). Files that are mapped, libraries among them, count once,
    those of the process that maps most: Pss would leave out what programs that are not measured share.
    """
    anonymous, files = 0, 0
    for number in (str(pid), *Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:  # it has ended
            continue
        kb = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
        anonymous += kb["Pss_Anon"]
        files = max(files, kb["Rss"] - kb["Anonymous"])
    return (anonymous + files) / 1024


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(command: Sequence[str]) -> dict[str, Any]:
    """Run a command of this package; return its seconds and peak memory."""
    begin, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "distill", *command], stdout=subprocess.DEVNULL, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - begin, 1), "cpu_seconds": round(cpu, 1), "mb": used.ru_maxrss >> 10}


def measure_pack(folder: Path, per_shard: int, size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pack the manifest in one process and check the shards; return what both took."""
    root = folder / "shards"
    shutil.rmtree(root, ignore_errors=True)
    pack = ["data", "pack", f"{root}", "--data.format", "manifest", "--data.root", f"{folder}", "--workers", "1"]
    options = ["--data.scheme", _SCHEME, "--shards", f"{per_shard}", "--size", f"{size}", "--quality", "75"]
    check = ["data", "check", f"{root}", "--data.format", "shards", "--workers", "1", "--smallest", "1"]
    return measured([*pack, *options]), measured(check)


def measure_start(folder: Path, workers: int) -> dict[str, Any]:
    """Start a training and stop it after its first step; return seconds and peak memory until then."""
    runs = folder / "runs"
    metrics = runs / f"start-{os.getpid()}" / "metrics.csv"
    begin = time.monotonic()
    command = ["distill", "teacher", "--data.format", "shards", "--data.root", f"{folder / 'shards'}"]
    options = ["--model.arch", "efld", "--data.workers", f"{workers}", "--trainer.accelerator", "cpu"]
    logs = ["--log.wandb", "disabled", "--log.every", "1", "--runs", f"{runs}", "--name", metrics.parent.name]
    with started([*command, *options, *logs]) as process:
        together = 0.0
        while not (metrics.is_file() and "train/loss" in metrics.read_text()):
            if process.poll() is not None:
                raise SystemExit("the training ended before its first step")
            together = max(together, total_mb(process.pid))
            time.sleep(0.05)
        seconds = time.monotonic() - begin
        together = max(together, total_mb(process.pid))
        own, *others = peaks(process.pid)
        cpu = cpu_seconds(process.pid)
    return {
        "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "mb": round(own),
        "worker_mb": [round(value) for value in others], "together_mb": round(together),
    }  # fmt: skip


_READ = """
import os, sys, time
from pathlib import Path
from torch.utils.data import DataLoader
from distill.data.augment import AugmentConfig
from distill.data.dataset import FaceDataset, init_worker
from distill.data.sampler import StepSampler
from distill.data.shards.faces import open_shards
from distill.geometry import CropSpec
root, batch, workers, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
faces = open_shards(root)
data = FaceDataset(faces, CropSpec(128, 1.3), faces.scheme, AugmentConfig())
sampler = StepSampler(len(data), batch, 1000, 0, order=faces.order)
loader = iter(DataLoader(data, batch_sampler=sampler, num_workers=workers, worker_init_fn=init_worker))
start, used, read = time.monotonic(), time.process_time(), 0
while time.monotonic() - start < seconds:
    next(loader)
    read += batch
print(read / (time.monotonic() - start), read / (time.process_time() - used), flush=True)
os._exit(0)
"""


def measure_reading(folder: Path, workers: int, seconds: float) -> list[float]:
    """Return the augmented crops of 128 pixels that the loader delivers in a second, and in a second of CPU time.

    The second number is of this process alone: it tells something without workers.
    """
    words = [f"{folder / 'shards'}", f"{_BATCH}", f"{workers}", f"{seconds}"]
    done = subprocess.run([sys.executable, "-c", _READ, *words], capture_output=True, text=True, check=True)
    return [round(float(value), 1) for value in done.stdout.split()]


def measure_start_alone(options: argparse.Namespace) -> dict[str, Any]:
    """Return the memory that the start of a training takes on shards that are there."""
    index = json.loads((options.folder / "shards" / INDEX).read_text())
    start = measure_start(options.folder, options.workers)
    return {"faces": index["faces"], "start": {name: value for name, value in start.items() if name != "seconds"}}


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """Pack faces, repeat them, and return all measurements."""
    write_manifest(options.folder, options.packed, options.photos)
    pack, check = measure_pack(options.folder, options.per_shard, options.size)
    root = options.folder / "shards"
    index = repeat_shards(root, options.faces)
    several, _ = measure_reading(options.folder, options.workers, options.seconds)
    _, alone = measure_reading(options.folder, 0, options.seconds)
    return {
        "faces": index["faces"],
        "shards": len(index["shards"]),
        "shard_bytes": sum(shard["bytes"] for shard in index["shards"]),
        "index_bytes": sum(path.stat().st_size for path in root.glob("*.npy")),
        "pack": pack,
        "check_of_packed": check,
        "start": measure_start(options.folder, options.workers),
        "faces_per_second": several,
        "faces_per_cpu_second": alone,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--packed", type=int, default=10_000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--per-shard", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--only-start", action="store_true")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = measure_start_alone(options) if options.only_start else measure_all(options)
    Console().print(results)
    if options.json is not None:
        names = ("packed", "photos", "size", "workers")
        write_result(options.json, {"protocol": {name: vars(options)[name] for name in names}, **results})


if __name__ == "__main__":
    main()
