"""Images per second and core of reading, cropping and augmenting faces, making targets, and where the time goes.

    python -m scripts.bench.loader --root ../shared/data/300W --subset helen/trainset+lfpw/trainset

Without --root it measures on noise saved as JPEG photos of 480 x 480 pixels. One process, one thread. Targets are maps
of a quarter of the crop, points and edges, made in batches on the device that trains, here this processor.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from distill.data.augment import AugmentConfig, change_pixels, pixel_pipeline, sample_affine
from distill.data.dataset import FaceDataset, init_worker
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord, make_record
from distill.geometry import CropSpec
from distill.images import read_image, warp
from distill.landmarks import load_scheme
from distill.models.heatmaps import edge_maps, edge_weights, gaussian_maps
from distill.provenance import write_result

_BATCH = 32


def _made_faces(folder: Path, count: int = 64) -> list[FaceRecord]:
    """Photos that are as hard to decode as real ones: smooth noise at JPEG quality 90."""
    records = []
    for index in range(count):
        rng = np.random.default_rng(index)
        coarse = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
        path = folder / f"{index}.jpg"
        Image.fromarray(cv2.resize(coarse, (480, 480), interpolation=cv2.INTER_CUBIC)).save(path, quality=90)
        points = rng.uniform(130, 350, (51, 2))
        records.append(make_record(name=str(index), image=path, landmarks=points, scheme="inner51", source=path))
    return records


def _milliseconds(step: Callable[[int], object], count: int, repeats: int = 3) -> float:
    """Mean time of `step(index)`, the best of some repeats: other programs only ever add time."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        for index in range(count):
            step(index)
        times.append((perf_counter() - start) / count * 1e3)
    return min(times)


def _profile(records: Sequence[FaceRecord], size: int) -> dict[str, float]:
    """Milliseconds per image of each stage, and of whole samples."""
    count, crop, config = len(records), CropSpec(size, 1.3), AugmentConfig()
    rng, pipeline = np.random.default_rng(0), pixel_pipeline(config)
    photos = [read_image(record.image) for record in records]
    affines = [sample_affine(record.boxes["gt"], crop, config, rng)[0] for record in records]
    crops = [warp(photo, affine, size) for photo, affine in zip(photos, affines, strict=True)]
    plain = FaceDataset(records, crop, "inner51")
    augmented = FaceDataset(records, crop, "inner51", config)
    weights = edge_weights(load_scheme("inner51"))
    points = torch.stack([plain[i]["landmarks"] for i in range(min(_BATCH, count))])

    def targets(_: int) -> None:
        gaussian_maps(points, size // 4, size // 4, 1.0)
        edge_maps(points, weights, size // 4, size // 4, 1.0)

    return {
        "decode": _milliseconds(lambda i: read_image(records[i].image), count),
        "geometry": _milliseconds(lambda i: sample_affine(records[i].boxes["gt"], crop, config, rng), count),
        "warp": _milliseconds(lambda i: warp(photos[i], affines[i], size), count),
        "pixels": _milliseconds(lambda i: change_pixels(crops[i], pipeline, np.random.default_rng(i)), count),
        "sample, not augmented": _milliseconds(plain.__getitem__, count),
        "sample, augmented": _milliseconds(augmented.__getitem__, count),
        "targets": _milliseconds(targets, 3) / len(points),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of a data set")
    parser.add_argument("--format", default="300w")
    parser.add_argument("--subset", default=None)
    parser.add_argument("--count", type=int, default=300, help="faces to measure on")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    init_worker(0)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.root is None:
            records = _made_faces(Path(folder))
        else:
            subsets = parse_subsets(arguments.subset)
            records = read_faces(arguments.format, arguments.root, subsets, scheme="inner51")[: arguments.count]
        table = Table(title=f"{len(records)} faces, one core")
        table.add_column("stage")
        profiles = {size: _profile(records, size) for size in (128, 256)}
    for size in profiles:
        table.add_column(f"{size} px: ms", justify="right")
        table.add_column("images/s", justify="right")
    for stage in profiles[128]:
        times = [profile[stage] for profile in profiles.values()]
        table.add_row(stage, *(cell for time in times for cell in (f"{time:.3f}", f"{1e3 / time:.0f}")))
    Console().print(table)
    if arguments.json:
        numbers = {f"{size} px": profile for size, profile in profiles.items()}
        write_result(arguments.json, {"faces": len(records), "milliseconds": numbers})


if __name__ == "__main__":
    main()
