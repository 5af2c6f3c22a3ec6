"""Is a training store worth it? CPU time per face of decoding and cropping, from the photos and from their store.

    python -m scripts.bench.store --root ../shared/data/300W --subset helen/trainset+lfpw/trainset

`--enlarge 4` measures on the same photos enlarged as often and saved again, which is what photos from a camera cost.
CPU time of one process with one thread, so that other programs do not count; both are measured in turn, the best of
`--repeats` counts. Writes --json.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time
from typing import Any

import cv2
from rich.console import Console

from distill.data.dataset import init_worker
from distill.data.prepare import StoreSpec, prepare_store
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.geometry import Box, CropSpec, crop_affine
from distill.images import read_image, warp
from distill.provenance import write_result


def _enlarged(record: FaceRecord, times: float, folder: Path, index: int) -> FaceRecord:
    """The face in a photo `times` as large; only its box is kept right, as nothing else is measured."""
    path = folder / f"{index}.jpg"
    photo = cv2.resize(read_image(record.image), None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    boxes = {kind: Box(*(times * value for value in box)) for kind, box in record.boxes.items()}
    return replace(record, image=path, boxes=boxes, landmarks=record.landmarks * times)


def _milliseconds(records: Sequence[FaceRecord], step: Callable[[FaceRecord], object]) -> float:
    start = process_time()
    for record in records:
        step(record)
    return (process_time() - start) / len(records) * 1e3


def _measure(photos: Sequence[FaceRecord], store: Sequence[FaceRecord], size: int, repeats: int) -> dict[str, float]:
    crop = CropSpec(size, 1.3)

    def cut(record: FaceRecord) -> object:
        return warp(read_image(record.image), crop_affine(record.boxes["gt"], crop), size)

    times: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, faces in (("photos", photos), ("store", store)):
            times.setdefault(f"{name} decode ms", []).append(_milliseconds(faces, lambda r: read_image(r.image)))
            times.setdefault(f"{name} decode + crop ms", []).append(_milliseconds(faces, cut))
    return {name: round(min(values), 3) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--format", default="300w")
    parser.add_argument("--subset", default=None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--enlarge", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    init_worker(0)
    records = read_faces(options.format, options.root, parse_subsets(options.subset))[: options.count]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        photos = records
        if options.enlarge != 1:
            photos = [_enlarged(record, options.enlarge, Path(folder), i) for i, record in enumerate(records)]
        for network, side in ((128, 224), (256, 448)):
            root = Path(folder) / str(side)
            prepare_store(root, photos, StoreSpec(size=side))
            store = read_faces("manifest", root)
            kilobytes = sum(record.image.stat().st_size for record in store) / len(store) / 1024
            sizes = {"store_px": side, "store_kb": round(kilobytes, 1)}
            results[str(network)] = {**sizes, **_measure(photos, store, network, options.repeats)}
    size = read_image(records[0].image).shape
    for name, values in results.items():
        Console().print(f"network of {name} px, photos x{options.enlarge:g}: {values}")
    if options.json is not None:
        protocol = {"faces": len(records), "enlarge": options.enlarge, "first_photo": list(size[:2]), "crop_scale": 1.3}
        content = {"data_hash": data_hash(records), "protocol": protocol, "networks": results}
        write_result(options.json, content)


if __name__ == "__main__":
    main()
