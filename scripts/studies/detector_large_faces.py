"""Faces that fill the photo, and a second search for them: `python -m scripts.studies.detector_large_faces DATA`.

A face that takes most of a photo of 640 px is larger in the input of 320 px than training images show faces. A photo
can be searched once more in an input of 160 px: never; where the first input shows no face at the file's score; beside
a large one, too, for faces of any size or (as the detector does) for those that fill the photo; or always. Counted are
the faces found (IoU 0.5), with the mean IoU of the best box, of 150 training faces of DATA/300W cut out with each share
of the side; the time is that of a portrait in which the face takes a fifth. The detector saw these faces in training,
pasted at 8 to 120 px. Writes results/studies/detector_large_faces.json and its table in the documentation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.detection.boxes import overlap
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.detector import RetinaFaceDetector, Window
from distill.files import sha256
from distill.geometry import apply_affine, similarity
from distill.images import Photo, read_image, warp
from scripts.studies.common.detector_scores import processor_ms
from scripts.studies.common.study import run_study
from scripts.studies.common.training_faces import training_faces

OUT = "results/studies/detector_large_faces.json"
FACES = 150
SIDE = 640
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
IOU = 0.5


class Never(RetinaFaceDetector):
    """The detector without a second search."""

    def second_search(self, view: tuple[Window, int], found: Candidates) -> float | None:
        return None


class Always(RetinaFaceDetector):
    """The detector that searches every photo twice, for faces of any size."""

    def second_search(self, view: tuple[Window, int], found: Candidates) -> float | None:
        return 0.0


class Missed(RetinaFaceDetector):
    """The detector that searches a photo again where it finds no face."""

    def second_search(self, view: tuple[Window, int], found: Candidates) -> float | None:
        return None if (found.scores >= self.operating_score).any() else 0.0


class AnySize(RetinaFaceDetector):
    """The detector that takes faces of any size from the second search."""

    def second_search(self, view: tuple[Window, int], found: Candidates) -> float | None:
        return None if super().second_search(view, found) is None else 0.0


RULES: Mapping[str, type[RetinaFaceDetector]] = {
    "never": Never,
    "where no face is found": Missed,
    "beside large faces, too, any size": AnySize,
    "beside large faces, too": RetinaFaceDetector,
    "always": Always,
}


def cut_out(record: FaceRecord, share: float) -> tuple[Photo, NDArray[np.float64]]:
    """Return a square photo of which the face takes a share of the side, and its box (4,) in it."""
    box = record.boxes["gt"]
    affine = similarity(max(box.width, box.height) / share, *box.centre, SIDE)
    corners = np.array([[box.x0, box.y0], [box.x1, box.y1]])
    return warp(read_image(record.image), affine, SIDE), apply_affine(affine, corners).reshape(4).astype(np.float64)


def best_overlap(detector: RetinaFaceDetector, photo: Photo, wanted: NDArray[np.float64]) -> float:
    """Return the largest IoU of a detected face with the wanted one; 0 where no face is detected."""
    boxes = np.array([[face.box.x0, face.box.y0, face.box.x1, face.box.y1] for face in detector(photo)])
    return float(overlap(wanted, boxes)[0].max()) if len(boxes) else 0.0


def studied(data: Path) -> dict[str, Any]:
    """Measure the overlap of every face with what every rule finds at every share."""
    faces = training_faces(data, FACES)
    detectors = {name: rule(bundled_detector()) for name, rule in RULES.items()}
    overlaps: dict[str, dict[str, list[float]]] = {name: {str(share): [] for share in SHARES} for name in RULES}
    for share in SHARES:
        for face in faces:
            photo, wanted = cut_out(face, share)
            for name, detector in detectors.items():
                overlaps[name][str(share)].append(best_overlap(detector, photo, wanted))
    found = {
        name: {
            share: {"found": sum(value > IOU for value in values), "mean_iou": float(np.mean(values))}
            for share, values in shares.items()
        }
        for name, shares in overlaps.items()
    }
    portrait = read_image(data / "free_photos" / "photos" / "astronaut.jpg")
    ms = processor_ms(detectors, cv2.resize(portrait, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return {
        "detector_sha256": sha256(bundled_detector()),
        "data_hash": data_hash(faces),
        "faces": len(faces),
        "found": found,
        "processor_ms": ms,
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the faces found as a Markdown table."""
    lines = [
        f"| searched again | {' | '.join(f'{100 * share:.0f} %' for share in SHARES)} | ms of a portrait |",
        f"|---|{'---:|' * (len(SHARES) + 1)}",
    ]
    for name, shares in study["found"].items():
        cells = " | ".join(f"{shares[str(share)]['found']}, {shares[str(share)]['mean_iou']:.3f}" for share in SHARES)
        lines.append(f"| {name} | {cells} | {study['processor_ms'][name]:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write and print."""
    run_study(__doc__, OUT, studied, table)


if __name__ == "__main__":
    main()
