"""Hard and soft non-maximum suppression of the face detector: `python -m scripts.studies.detector_suppression DATA`.

The photos that the training held out and no step was chosen on, and 135 photos of WIDER FACE, at 320 and 640 px:
average precision, recall of faces from 24 px on at one unlabelled box a photo, and recall and unlabelled boxes a photo
at the score of the file. Boxes are the network's own, in the convention of the labels. Writes
results/studies/detector_suppression.json and its table in the documentation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from distill.data.photos.build import photo_hash
from distill.data.photos.records import PhotoRecord
from distill.detection.detector import bundled_detector
from distill.detection.metrics import average_precision, score_at_false_rate
from distill.detection.retinaface.detector import RetinaFaceDetector, Suppression
from distill.files import sha256
from distill.metrics.detection import match_photos
from scripts.studies.common.detector_photos import mask_boxes, wider_subset
from scripts.studies.common.detector_scores import IOU_AP, IOU_RECALL, LOWEST, counted
from scripts.studies.common.study import run_study
from scripts.studies.detector_sizes import FALSE_PER_PHOTO, MEASURED_ON, RECALL, WIDER

OUT = "results/studies/detector_suppression.json"
SIDES = (320, 640)
KINDS: tuple[Suppression, ...] = get_args(Suppression)


def measured(photos: Sequence[PhotoRecord], path: Path, side: int, suppression: Suppression) -> dict[str, Any]:
    """Return average precision, and recall and unlabelled boxes at two scores, of a file on photos."""
    detector = RetinaFaceDetector(path, side, min_score=LOWEST, suppression=suppression)
    found = match_photos(photos, detector.own_boxes, (IOU_RECALL, IOU_AP))
    by_recall = found[IOU_RECALL]
    return {
        "ap": average_precision(found[IOU_AP]),
        "at_1_false_box": counted(by_recall, score_at_false_rate(by_recall, FALSE_PER_PHOTO)),
        "at_its_score": counted(by_recall, detector.spec.min_score),
    }


def studied(data: Path) -> dict[str, Any]:
    """Measure both suppressions at every size."""
    study: dict[str, Any] = {"detector_sha256": sha256(bundled_detector())}
    for name, photos in {MEASURED_ON: mask_boxes(data).measured_on, WIDER: wider_subset(data)}.items():
        sizes = {
            str(side): {kind: measured(photos, bundled_detector(), side, kind) for kind in KINDS} for side in SIDES
        }
        study[name] = {"photos": len(photos), "data_hash": photo_hash(photos), "sizes": sizes}
    return study


def table(study: Mapping[str, Any]) -> str:
    """Return average precision and recall as a Markdown table."""
    lines = [
        "| photos | input | suppression | AP | recall | recall, unlabelled boxes at its score |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name in (MEASURED_ON, WIDER):
        title = f"{name} ({study[name]['photos']})"
        for side, kinds in study[name]["sizes"].items():
            for kind, row in kinds.items():
                at_score = row["at_its_score"]
                recalls = f"{row['at_1_false_box'][RECALL]:.4f} | {at_score[RECALL]:.4f}"
                last = f"{recalls}, {at_score['false_per_photo']:.3f}"
                lines.append(f"| {title} | {side} px | {kind} | {row['ap']:.4f} | {last} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write and print."""
    run_study(__doc__, OUT, studied, table)


if __name__ == "__main__":
    main()
