"""Recall, time and bytes by width of the detector: `python -m scripts.studies.detector_widths DATA WIDTH=FILE ...`.

DATA holds `mask_boxes`, `widerface` and `free_photos`; each FILE is what `distill export` made of a detector of the
MobileNetV2 width multiplier WIDTH. Every width at every size of the input: processor time of everything the detector
does to a photo of 640 px (all interleaved, one thread), average precision, and recall of faces from 24 px on at one
unlabelled box a photo. No other row that is faster has the recall of a row marked `*`, on the photos of WIDER FACE.
Writes results/studies/detector_widths.json and its table in the documentation.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from distill.data.photos.build import photo_hash
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.files import sha256
from distill.images import read_image
from distill.provenance import write_result
from scripts.studies.common.detector_photos import mask_boxes, wider_subset
from scripts.studies.common.detector_scores import processor_ms
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.detector_sizes import MEASURED_ON, PHOTO_SIDE, RECALL, WIDER, measured

OUT = "results/studies/detector_widths.json"
SIDES = (192, 320, 640)


def studied(data: Path, files: Mapping[str, Path]) -> dict[str, Any]:
    """Measure every width at every size."""
    sets = {MEASURED_ON: mask_boxes(data).measured_on, WIDER: wider_subset(data)}
    portrait = read_image(data / "free_photos" / "photos" / "astronaut.jpg")
    shown = cv2.resize(portrait, (PHOTO_SIDE, PHOTO_SIDE), interpolation=cv2.INTER_AREA)
    calls = {f"{width}/{side}": RetinaFaceDetector(path, side) for width, path in files.items() for side in SIDES}
    ms = processor_ms(calls, shown)
    widths: dict[str, Any] = {}
    for width, path in files.items():
        sizes: dict[str, Any] = {}
        for side in SIDES:
            sizes[str(side)] = {"processor_ms": ms[f"{width}/{side}"]}
            sizes[str(side)] |= {name: measured(photos, path, side) for name, photos in sets.items()}
        widths[width] = {"bytes": path.stat().st_size, "sha256": sha256(path), "sizes": sizes}
    return {
        "photos": {name: {"photos": len(photos), "data_hash": photo_hash(photos)} for name, photos in sets.items()},
        "widths": widths,
    }


def table(study: Mapping[str, Any]) -> str:
    """Return a row for each width and size as a Markdown table, those that none is faster and better than marked."""
    rows = [
        (width, side, entry["bytes"], size)
        for width, entry in study["widths"].items()
        for side, size in entry["sizes"].items()
    ]
    lines = [
        f"| width | input | kB | ms of one core | {MEASURED_ON}: AP, recall | {WIDER}: AP, recall |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for width, side, size, found in rows:
        recall = found[WIDER]["at_1_false_box"][RECALL]
        beaten = any(
            other["processor_ms"] < found["processor_ms"] and other[WIDER]["at_1_false_box"][RECALL] >= recall
            for *_, other in rows
        )
        cells = [
            f"{found[name]['ap']:.3f}, {found[name]['at_1_false_box'][RECALL]:.3f}" for name in (MEASURED_ON, WIDER)
        ]
        mark = "" if beaten else " *"
        lines.append(
            f"| {width} | {side} px{mark} | {size / 1e3:.0f} | {found['processor_ms']:.1f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("files", nargs="+", metavar="WIDTH=FILE")
    options = parser.parse_args()
    files = {width: Path(path) for width, _, path in (given.partition("=") for given in options.files)}
    study = studied(options.data, files)
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
