"""Check of many faces: memory and CPU time of `distill data check` on a manifest and a CSV.

    python -m scripts.bench.data_check --folder /tmp/many --json results/bench/data_check.json

It writes `--photos` photos of 96 x 96 pixels with smooth noise in place of a face, all different, and for each number
of `--faces` a manifest and a CSV with points of 68, a tenth to test on, in which one face of a hundred is a copy of
another one, compressed again: as many near duplicates must be found. Memory is the peak of the process and of its
largest worker in MB, CPU time that of all. The search for near duplicates compares all pairs: `pairs` measures it
alone.
"""

import argparse
import csv
import json
import multiprocessing
import resource
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from distill.data.check import CheckOptions, check_data
from distill.data.check.pairs import Hashes, close_pairs
from distill.data.synthetic import render_face
from distill.provenance import write_result
from scripts.bench.shards import peaks

_SIDE = 96
_SCHEME = "ibug68"
_COPIES = 100  # one face of so many
_IN_FOLDER = 1000


def write_photos(folder: Path, first: int, last: int) -> None:
    """Write photos that are not there yet; each hundredth is the one before, compressed again."""
    for index in range(first, last):
        path = folder / photo_name(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        copied = index % _COPIES == _COPIES - 1
        rng = np.random.default_rng(index - copied)
        cells = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        photo = cv2.resize(cells, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(path), photo, [cv2.IMWRITE_JPEG_QUALITY, 70 if copied else 90])


def photo_name(index: int) -> str:
    """Return the path of a photo in its folder."""
    return f"photos/{index // _IN_FOLDER:04d}/{index:07d}.jpg"


def points_of(index: int, shape: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the points (k, 2) of a face."""
    jitter = np.random.default_rng(index).normal(0, 0.3, shape.shape)
    return (shape + jitter).round(2)


def subset_of(index: int) -> str:
    """Return the subset of a face; the copy of a face is in another one."""
    return "test" if index % 10 == 9 else "train"


def write_manifest(folder: Path, faces: int, shape: NDArray[np.float32]) -> None:
    """Write `faces.json`, face by face."""
    with (folder / "faces.json").open("w", encoding="utf-8") as file:
        file.write('{"format":"distill-faces/1","faces":[')
        for index in range(faces):
            face: dict[str, Any] = {"name": f"{index}", "image": photo_name(index), "subset": subset_of(index)}
            face |= {"points": {_SCHEME: points_of(index, shape).tolist()}, "size": [_SIDE, _SIDE]}
            file.write("," * (index > 0) + json.dumps(face, separators=(",", ":")))
        file.write("]}")


def write_csv(folder: Path, faces: int, shape: NDArray[np.float32]) -> None:
    """Write CSVs of at most 100,000 faces."""
    for start in range(0, faces, 100_000):
        with (folder / f"faces{start}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            cells = [f"{axis}{point}" for point in range(len(shape)) for axis in "xy"]
            rows.writerow(["image", "subset", "width", "height", *cells])
            for index in range(start, min(faces, start + 100_000)):
                about = [photo_name(index), subset_of(index), _SIDE, _SIDE]
                rows.writerow([*about, *points_of(index, shape).ravel().tolist()])


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def measure_check(format: str, folder: Path, workers: int, queue: "multiprocessing.Queue[dict[str, Any]]") -> None:
    """Check a folder; put the time and memory that it took and what it found into the queue."""
    scheme = _SCHEME if format == "csv" else None
    report, faces = check_data(format, folder, scheme=scheme, options=CheckOptions(smallest=1, workers=workers))
    found = [finding.check for finding in report.findings]
    counts = {name: found.count(name) for name in sorted(set(found))}
    queue.put({"faces": len(faces), "cpu_seconds": round(cpu_seconds(), 1), "findings": counts})
    queue.put({})  # waits here until its memory has been read


def measured(format: str, folder: Path, workers: int) -> dict[str, Any]:
    """Return what `measure_check` puts, from a process of its own, and the peak memory of it and of each worker."""
    context = multiprocessing.get_context("spawn")
    queue: multiprocessing.Queue[dict[str, Any]] = context.Queue(1)
    process = context.Process(target=measure_check, args=(format, folder, workers, queue))
    process.start()
    worker_mb = 0.0
    while queue.empty():
        own_mb, *others = peaks(process.pid or 0)
        worker_mb = max([worker_mb, *others])
        time.sleep(0.5)
    own_mb = peaks(process.pid or 0)[0]
    result = queue.get()
    queue.get()
    process.join()
    return {**result, "mb": round(own_mb), "worker_mb": round(worker_mb)}


def nanoseconds_a_pair(count: int = 20_000) -> float:
    """Return the CPU time of the comparison of two hashes."""
    hashes = np.random.default_rng(0).integers(0, 256, (count, 32), dtype=np.uint8)
    start = time.process_time()
    assert not list(close_pairs(Hashes(hashes, np.arange(count)[:, None]), None, 60))
    return round((time.process_time() - start) / (count * (count - 1) / 2) * 1e9, 2)


_WRITE = {"manifest": write_manifest, "csv": write_csv}


def sets(folder: Path, counts: list[int], formats: list[str]) -> Iterator[str]:
    """Yield the format of each data set, when it has been written."""
    shape = render_face(3, 0, _SIDE, 0.0).landmarks[_SCHEME]
    written = 0
    for count in sorted(counts):
        write_photos(folder, written, count)
        written = count
        for format in formats:
            for path in (*folder.glob("*.csv"), *folder.glob("*.json")):
                path.unlink()
            _WRITE[format](folder, count, shape)
            yield format


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--formats", nargs="+", choices=list(_WRITE), default=list(_WRITE))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = options.folder / "faces"
    shutil.rmtree(folder, ignore_errors=True)
    results: dict[str, Any] = {format: [] for format in options.formats}
    for format in sets(folder, options.faces, options.formats):
        results[format].append(measured(format, folder, options.workers))
        Console(file=sys.stderr).print(format, results[format][-1])
    results["ns_a_pair"] = nanoseconds_a_pair()
    Console().print(results)
    if options.json is not None:
        write_result(options.json, {"protocol": {"workers": options.workers, "photo_px": _SIDE}, **results})


if __name__ == "__main__":
    main()
