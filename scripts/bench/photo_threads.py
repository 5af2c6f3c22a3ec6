"""Time of a photo by threads: `python -m scripts.bench.photo_threads DATA/grid_video --json FILE`, on two free cores.

Frames of the GRID clips as JPEG photos of one face, predicted as `distill predict --threads N` does, each photo in one
of N threads. Runs with one thread and with two alternate; the scaling is the ratio of the medians of their times. With
`--json results/bench/photo_threads.json` also its line in the documentation.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from distill.bench.machine import LoadMeter
from distill.detection.detector import FaceDetector
from distill.inference.landmarker import Landmarker
from distill.inference.photo_pool import map_in_threads
from scripts.bench.photos import MODELS, frames_of, write_photos
from scripts.studies.common.study import store

OUT = "results/bench/photo_threads.json"
THREADS = (1, 2)
REPEATS = 8


def scaling(model: str, photos: Sequence[Path], rounds: int) -> dict[str, Any]:
    """Return the median time of a photo in ms by threads, and the ratio of one thread to two."""
    ready = [Landmarker(model, FaceDetector()) for _ in range(max(THREADS))]
    for landmarker in ready:
        landmarker(photos[0])
    times: dict[int, list[float]] = {count: [] for count in THREADS}
    for _ in range(rounds):
        for count in THREADS:
            free = list(ready)
            start = time.perf_counter()
            found = list(map_in_threads(free.pop, photos, count))
            times[count].append(1000 * (time.perf_counter() - start) / len(found))
    ms = {str(count): round(float(np.median(values)), 3) for count, values in times.items()}
    return {"ms_of_a_photo": ms, "scaling": round(ms["1"] / ms["2"], 3)}


def table(result: Mapping[str, Any]) -> str:
    """Return the times as a Markdown table."""
    lines = ["| pipeline | ms a photo, one thread | two threads | scaling |", "|---|---:|---:|---:|"]
    for name, row in result["models"].items():
        ms = row["ms_of_a_photo"]
        lines.append(f"| {name} | {ms['1']:.1f} | {ms['2']:.1f} | {row['scaling']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the GRID clips (.mpg)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the numbers here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    load = LoadMeter()
    with tempfile.TemporaryDirectory() as name:
        photos = write_photos(frames_of(args.clips), Path(name))
        models = {model: scaling(model, photos * REPEATS, args.rounds) for model in MODELS}
    result = {"photos": len(photos) * REPEATS, "models": models, "load": load.read()}
    print(result)
    store(result, args.json, OUT, table)


if __name__ == "__main__":
    main()
