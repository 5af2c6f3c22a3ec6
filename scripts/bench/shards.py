"""Training from shards of many faces: time and memory of packing, of the start of a training and of reading.

    python -m scripts.bench.shards --faces 1000000 --folder /tmp/many --json results/bench/shards.json

It writes a manifest of generated faces (`--photos` distinct ones; every face has points of its own), packs it with
`distill data pack --shards`, starts `distill teacher` on the shards and stops it after its first step, and reads
batches for `--seconds`. Times are wall times and CPU times, memory is the peak of each process (VmHWM) in MB.
`--folder` keeps everything, so that a second call measures without writing again; a million faces take 6 GB there.
"""

import argparse
import json
import os
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
from distill.data.synthetic import write_faces
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
            record = records[index * len(records) // faces]
            points = record.landmarks + rng.normal(0, _JITTER, record.landmarks.shape)
            subset = ("val", "test")[index % 100] if index % 100 < 2 else "train"
            image = record.image.relative_to(folder).as_posix()
            face = {"name": f"{index}", "image": image, "points": {_SCHEME: points.round(2).tolist()}}
            face |= {"size": [_PHOTO, _PHOTO], "group": f"{index}", "subset": subset}
            file.write("," * (index > 0) + json.dumps(face, separators=(",", ":")))
        file.write("]}")


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


def measure_pack(folder: Path, per_shard: int, size: int, workers: int) -> dict[str, Any]:
    """Pack the manifest, or what is missing of it; return seconds, peak memory of the first and of the others."""
    begin = time.monotonic()
    highest = [0.0, 0.0]
    command = [
        "distill",
        "data",
        "pack",
        f"{folder / 'shards'}",
        "--data.format",
        "manifest",
        "--data.root",
        f"{folder}",
    ]
    options = ["--data.scheme", _SCHEME, "--shards", f"{per_shard}", "--size", f"{size}", "--quality", "75"]
    with started([*command, *options, "--workers", f"{workers}"]) as process:
        while process.poll() is None:
            time.sleep(0.5)
            try:
                first, *others = peaks(process.pid)
            except (OSError, ValueError):
                continue
            highest = [max(highest[0], first), max([highest[1], *others])]
        if process.returncode:
            raise SystemExit(process.returncode)
    return {"seconds": round(time.monotonic() - begin, 1), "mb": [round(value) for value in highest]}


def measure_start(folder: Path, workers: int) -> dict[str, Any]:
    """Start a training and stop it after its first step; return seconds and peak memory until then."""
    runs = folder / "runs"
    metrics = runs / f"start-{os.getpid()}" / "metrics.csv"
    begin = time.monotonic()
    command = ["distill", "teacher", "--data.format", "shards", "--data.root", f"{folder / 'shards'}"]
    options = ["--model.arch", "efld", "--data.workers", f"{workers}", "--trainer.accelerator", "cpu"]
    logs = ["--log.wandb", "disabled", "--log.every", "1", "--runs", f"{runs}", "--name", metrics.parent.name]
    with started([*command, *options, *logs]) as process:
        while not (metrics.is_file() and "train/loss" in metrics.read_text()):
            if process.poll() is not None:
                raise SystemExit("the training ended before its first step")
            time.sleep(0.05)
        seconds = time.monotonic() - begin
        own, *others = peaks(process.pid)
    return {"seconds": round(seconds, 1), "mb": round(own), "worker_mb": [round(value) for value in others]}


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
sampler = StepSampler(len(data), batch, 1, 0, order=faces.order)
loader = iter(DataLoader(data, batch_sampler=sampler, num_workers=workers, worker_init_fn=init_worker))
next(loader)
start, read = time.monotonic(), 0
while time.monotonic() - start < seconds:
    next(loader)
    read += batch
print(read / (time.monotonic() - start), flush=True)
os._exit(0)
"""


def measure_reading(folder: Path, workers: int, seconds: float) -> float:
    """Return the augmented crops of 128 pixels a second that the loader delivers."""
    words = [f"{folder / 'shards'}", f"{_BATCH}", f"{workers}", f"{seconds}"]
    done = subprocess.run([sys.executable, "-c", _READ, *words], capture_output=True, text=True, check=True)
    return round(float(done.stdout), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--per-shard", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    write_manifest(options.folder, options.faces, options.photos)
    packed = measure_pack(options.folder, options.per_shard, options.size, options.workers)
    index = json.loads((options.folder / "shards" / "shards.json").read_text())
    rows = sum(path.stat().st_size for path in (options.folder / "shards").glob("*.npy"))
    results = {
        "faces": index["faces"],
        "shards": len(index["shards"]),
        "shard_bytes": sum(shard["bytes"] for shard in index["shards"]),
        "index_bytes": rows,
        "pack": packed,
        "start": measure_start(options.folder, options.workers),
        "faces_per_second": measure_reading(options.folder, options.workers, options.seconds),
    }
    Console().print(results)
    if options.json is not None:
        protocol = {
            "photos": options.photos,
            "crop_px": options.size,
            "workers": options.workers,
            "cores": os.cpu_count(),
        }
        write_result(options.json, {"protocol": protocol, **results})


if __name__ == "__main__":
    main()
