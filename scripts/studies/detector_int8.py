"""Int8 files of the face detector compared: `python -m scripts.studies.detector_int8 DATA NAME=CHECKPOINT,FILE ...`.

CHECKPOINT is what FILE was exported from. Box corners and scores of the file against its checkpoint in float32, at
320 px on 20 photos; average precision and recall of faces from 24 px on, at one unlabelled box a photo, of the file
alone. The first half of the photos of DATA/mask_boxes that the training held out serves to choose; the other half and
the 135 photos of WIDER FACE are measured. Writes results/studies/detector_int8.json and its table; rows of files that
are not given stay.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.data.photos.build import photo_hash
from distill.data.photos.records import PhotoRecord
from distill.detection.metrics import average_precision, score_at_false_rate
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.export.detector import box_parity
from distill.files import sha256
from distill.images import read_image
from distill.metrics.detection import match_photos
from distill.models.detector_checkpoint import load_detector
from distill.provenance import write_result
from scripts.studies.common.detector_photos import mask_boxes, wider_subset
from scripts.studies.common.detector_scores import IOU_AP, IOU_RECALL, LEAST, LOWEST, counted
from scripts.studies.common.marked_blocks import update_block

OUT = "results/studies/detector_int8.json"
SIZE = 320
PARITY_PHOTOS = 20
PARITY_SCORE = 0.5
FALSE_PER_PHOTO = 1.0
RECALL = f"recall_{LEAST:.0f}px"


def accuracy(file: Path, photos: Sequence[PhotoRecord]) -> dict[str, Any]:
    """Return AP, and recall at one unlabelled box a photo, of the network's own boxes."""
    detector = RetinaFaceDetector(file, SIZE, min_score=LOWEST)
    found = match_photos(photos, detector.own_boxes, (IOU_RECALL, IOU_AP))
    at_rate = counted(found[IOU_RECALL], score_at_false_rate(found[IOU_RECALL], FALSE_PER_PHOTO))
    return {"ap": average_precision(found[IOU_AP]), RECALL: at_rate[RECALL]}


def studied(data: Path, files: Mapping[str, tuple[Path, Path]]) -> dict[str, Any]:
    """Measure every file; its description `.json` lies beside it."""
    parts = mask_boxes(data)
    sets = {
        "held out, chosen on": parts.chosen_on,
        "held out, measured on": parts.measured_on,
        "WIDER val subset": wider_subset(data),
    }
    shown = [read_image(photo.image) for photo in parts.measured_on[:PARITY_PHOTOS]]
    study: dict[str, Any] = {"data_hash": {name: photo_hash(photos) for name, photos in sets.items()}, "files": {}}
    for name, (checkpoint, file) in files.items():
        net, spec = load_detector(checkpoint)
        study["files"][name] = {
            "bytes": file.stat().st_size,
            "sha256": sha256(file),
            "checkpoint_sha256": sha256(checkpoint),
            "parity": box_parity(net, file, spec.anchors, shown, SIZE, PARITY_SCORE),
            "sets": {title: accuracy(file, photos) for title, photos in sets.items()},
        }
    return study


def table(study: Mapping[str, Any]) -> str:
    """Return the study as a Markdown table."""
    titles = list(next(iter(study["files"].values()))["sets"])
    lines = [
        f"| file | kB | corners, mean px | max px | score, max | {' | '.join(f'{t}: AP, recall' for t in titles)} |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(titles)}",
    ]
    for name, row in study["files"].items():
        parity = row["parity"]
        sets = [f"{row['sets'][title]['ap']:.3f}, {row['sets'][title][RECALL]:.3f}" for title in titles]
        numbers = f"{parity['mean_px']:.2f} | {parity['max_px']:.2f} | {parity['max_score']:.2f}"
        lines.append(f"| {name} | {row['bytes'] / 1000:.0f} | {numbers} | {' | '.join(sets)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("files", nargs="+", metavar="NAME=CHECKPOINT,FILE")
    options = parser.parse_args()
    named = (entry.partition("=") for entry in options.files)
    pairs = {name: paths.split(",", 1) for name, _, paths in named}
    study = studied(options.data, {name: (Path(pair[0]), Path(pair[1])) for name, pair in pairs.items()})
    former = json.loads(Path(OUT).read_text()) if Path(OUT).is_file() else study
    if former["data_hash"] != study["data_hash"]:
        raise SystemExit(f"{OUT} is of other photos; give all files, and remove it first")
    study["files"] = former["files"] | study["files"]
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
