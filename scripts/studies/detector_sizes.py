"""Recall and time of the face detector by size of its input: `python -m scripts.studies.detector_sizes DATA`.

One width, longer sides of 192 to 640 px. The default size is chosen on half of the photos that the training held out:
the fastest size whose recall of faces from 24 px on, at one unlabelled box a photo, is within 0.01 of the best. The
other half and 135 photos of WIDER FACE are measured beside it. Boxes are the network's own, in the convention of the
labels; time is processor time of everything the detector does to a photo of 640 px, sizes interleaved, on one thread.
Writes results/studies/detector_sizes.json and its table in the documentation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from distill.data.photos.build import photo_hash
from distill.data.photos.records import PhotoRecord
from distill.detection.detector import bundled_detector
from distill.detection.metrics import average_precision, score_at_false_rate
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.export.detector_calibration import best_score
from distill.files import sha256
from distill.images import read_image
from distill.metrics.detection import match_photos
from scripts.studies.common.detector_photos import mask_boxes, wider_subset
from scripts.studies.common.detector_scores import (
    IOU_AP,
    IOU_RECALL,
    LEAST,
    LOWEST,
    counted,
    processor_ms,
)
from scripts.studies.common.study import run_study

OUT = "results/studies/detector_sizes.json"
SIDES = (192, 256, 320, 480, 640)
FALSE_PER_PHOTO = 1.0
TOLERANCE = 0.01
PHOTO_SIDE = 640
CHOSEN_ON = "held out, chosen on"
MEASURED_ON = "held out, measured on"
WIDER = "WIDER val subset"
RECALL = f"recall_{LEAST:.0f}px"


def measured(photos: Sequence[PhotoRecord], path: Path, side: int) -> dict[str, Any]:
    """Return AP, recall at one unlabelled box a photo and the score of the highest F1 of a file on photos."""
    detector = RetinaFaceDetector(path, side, min_score=LOWEST)
    found = match_photos(photos, detector.own_boxes, (IOU_RECALL, IOU_AP))
    return {
        "ap": average_precision(found[IOU_AP]),
        "at_1_false_box": counted(found[IOU_RECALL], score_at_false_rate(found[IOU_RECALL], FALSE_PER_PHOTO)),
        "best_f1": dict(best_score(found[IOU_AP])),
    }


def chosen(sizes: Mapping[str, Mapping[str, Any]], ms: Mapping[str, float]) -> int:
    """Return the fastest size whose recall is within `TOLERANCE` of the best."""
    recalls = {side: sizes[side]["at_1_false_box"][RECALL] for side in sizes}
    near = [side for side, value in recalls.items() if value >= max(recalls.values()) - TOLERANCE]
    return int(min(near, key=lambda side: ms[side]))


def studied(data: Path) -> dict[str, Any]:
    """Measure every size and choose one."""
    parts = mask_boxes(data)
    sets = {CHOSEN_ON: parts.chosen_on, MEASURED_ON: parts.measured_on, WIDER: wider_subset(data)}
    portrait = read_image(data / "free_photos" / "photos" / "astronaut.jpg")
    detectors = {str(side): RetinaFaceDetector(bundled_detector(), side) for side in SIDES}
    ms = processor_ms(detectors, cv2.resize(portrait, (PHOTO_SIDE, PHOTO_SIDE), interpolation=cv2.INTER_AREA))
    study: dict[str, Any] = {"detector_sha256": sha256(bundled_detector()), "processor_ms": ms}
    for name, photos in sets.items():
        sizes = {str(side): measured(photos, bundled_detector(), side) for side in SIDES}
        study[name] = {"photos": len(photos), "data_hash": photo_hash(photos), "sizes": sizes}
    return study | {"chosen": chosen(study[CHOSEN_ON]["sizes"], ms)}


def table(study: Mapping[str, Any]) -> str:
    """Return recall and time by size as a Markdown table."""
    sets = (CHOSEN_ON, MEASURED_ON, WIDER)
    titles = [f"{name} ({study[name]['photos']} photos)" for name in sets]
    lines = [
        f"| input | ms of one core | {' | '.join(titles)} |",
        f"|---|---:|{'---:|' * len(sets)}",
    ]
    for side in SIDES:
        cells = [f"{study[name]['sizes'][str(side)]['at_1_false_box'][RECALL]:.3f}" for name in sets]
        lines.append(f"| {side} px | {study['processor_ms'][str(side)]:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    print(run_study(__doc__, OUT, studied, table)["chosen"])


if __name__ == "__main__":
    main()
