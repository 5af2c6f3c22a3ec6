"""Landmarks of tilted faces, in one crop and in crops turned by their roll: `python -m scripts.studies.roll DATA`.

The photos of the tenth of 300-W's training faces (by photo group) that is held out for choices, turned by known angles,
every other one the other way. Each face is cut out in an upright crop and then again and again in one that is turned by
the roll of the landmarks so far; what a largest roll gives is read off these. DATA holds the folder 300W. Writes
results/studies/roll.json and its tables in the documentation.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.detection.boxes import overlap
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector
from distill.geometry import Points, angle_between, apply_affine, box_of_points, roll_of_points, similarity
from distill.images import AnyPhoto, Photo, read_image
from distill.inference.landmarker import Landmarker
from distill.inference.roll import MAX_ROLL, MORE_CROPS, bounds_the_face, eyes_of, turned_crop
from distill.landmarks import load_scheme
from distill.provenance import write_result
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.student_recipe import SCHEME, held_out_faces

OUT = "results/studies/roll.json"
MODELS = ("student_68_128", "efld_68_128")
BOXES = ("annotated", "detector")
ANGLES = (0, 15, 30, 45, 60, 90)
CANDIDATES = (5.0, 10.0, 15.0, 20.0, 30.0)
CROPS = 3
# Overlap with the box of the annotated points from which a detection is the face.
FOUND = 0.3
TIMED_FACES, TIMED_ANGLES = 20, (0, 30)


class Stage(NamedTuple):
    """What one crop of a face gives.

    Attributes:
        error: mean distance of the points in eye distances.
        remaining: degrees between the roll of its landmarks and that of the crop.
    """

    error: float
    remaining: float


class GivenBoxes(FaceDetector):
    """A detector of given boxes; a `FaceDetector`, so that they are cut out as its own are."""

    def __init__(self) -> None:
        self.found: list[Detection] = []

    def __call__(self, photo: AnyPhoto) -> list[Detection]:
        """Return the boxes."""
        return self.found


GIVEN = GivenBoxes()


@cache
def opened(name: str, boxes: str) -> Landmarker:
    """Return a landmarker that places the faces of `GIVEN` in one crop."""
    return Landmarker(name, GIVEN if boxes == "detector" else lambda _: GIVEN.found, max_roll=180)


def turned(photo: Photo, points: Points, roll: float) -> tuple[Photo, Points]:
    """Turn a photo and its points clockwise around the face by `roll` degrees; edge pixels repeat."""
    x, y = points.mean(0).tolist()
    height, width = photo.shape[:2]
    side = int(2 * max(x, y, width - x, height - y)) + 1
    affine = similarity(side, x, y, side, roll)
    return cv2.warpAffine(photo, affine, (side, side), borderMode=cv2.BORDER_REPLICATE), apply_affine(affine, points)


def stages(name: str, boxes: str, photo: Photo, box: Detection, points: Points) -> list[Stage]:
    """Return what an upright crop of a face gives, and then `CROPS` further ones."""
    scheme, landmarker = load_scheme(SCHEME), opened(name, boxes)
    eyes, distance = eyes_of(scheme), float(scheme.eye_distance(points, "ocular"))
    assert eyes is not None
    found, detection, tight = list[Stage](), box, boxes == "detector" and bounds_the_face(scheme)
    for _ in range(CROPS + 1):
        GIVEN.found = [detection]
        (face,) = landmarker(photo)
        error = float(np.linalg.norm(face.landmarks - points, axis=1).mean()) / distance
        found.append(Stage(error, angle_between(roll_of_points(face.landmarks, eyes), face.crop_roll)))
        detection = turned_crop(face, eyes, 0.0, tight) or detection
    return found


def chosen(found: Sequence[Stage], max_roll: float, more_crops: int) -> int:
    """Return the index of the crop at which `Landmarker` stops."""
    return next((i for i, stage in enumerate(found[:more_crops]) if not stage.remaining > max_roll), more_crops)


def summary(faces: Sequence[Sequence[Stage]], max_roll: float, more_crops: int = MORE_CROPS) -> dict[str, float]:
    """Return the NME in percent and the further crops of a face."""
    at = [chosen(found, max_roll, more_crops) for found in faces]
    errors = [found[index].error for found, index in zip(faces, at, strict=True)]
    return {"nme_percent": round(100 * float(np.mean(errors)), 3), "further_crops": round(float(np.mean(at)), 3)}


def detection_of(photo: Photo, points: Points, detector: FaceDetector) -> Detection | None:
    """Return the detection of a face, None where the detector misses it."""
    detections = detector(photo)
    if not detections:
        return None
    shared = overlap(np.array(box_of_points(points)), np.array([found.box for found in detections]))[0]
    return detections[int(shared.argmax())] if shared.max() > FOUND else None


def measured(every: Sequence[Sequence[Stage]]) -> dict[str, Any]:
    """Return one crop, the default, other largest rolls and other numbers of crops."""
    return {
        "without": summary(every, 180.0),
        "with": summary(every, MAX_ROLL),
        "by_max_roll": {f"{roll:g}": summary(every, roll) for roll in CANDIDATES},
        "by_more_crops": {str(crops): summary(every, MAX_ROLL, crops) for crops in range(1, CROPS + 1)},
    }


def milliseconds(photos: Sequence[Photo]) -> dict[str, float]:
    """Return the median CPU time of a photo with and without turned crops, in turns."""
    landmarker, times = Landmarker(MODELS[0]), dict[str, list[float]](without=[], **{"with": []})
    for photo in photos:
        for name, landmarker.max_roll in (("without", 180.0), ("with", MAX_ROLL)):
            start = time.process_time()
            landmarker(photo)
            times[name].append(1000 * (time.process_time() - start))
    return {name: round(float(np.median(values)), 2) for name, values in times.items()}


def studied(records: Sequence[FaceRecord]) -> dict[str, Any]:
    """Measure everything."""
    detector = FaceDetector()
    found: dict[str, dict[str, dict[int, list[list[Stage]]]]] = {
        name: {boxes: {angle: [] for angle in ANGLES} for boxes in BOXES} for name in MODELS
    }
    timed: dict[int, list[Photo]] = {angle: [] for angle in TIMED_ANGLES}
    for index, record in enumerate(records):
        whole = read_image(record.image)
        for angle in ANGLES:
            photo, points = turned(whole, record.landmarks, angle if index % 2 else -angle)
            if angle in timed and index < TIMED_FACES:
                timed[angle].append(photo)
            boxes = {
                "annotated": Detection(box_of_points(points), 1.0),
                "detector": detection_of(photo, points, detector),
            }
            for name, source in product(MODELS, BOXES):
                if (box := boxes[source]) is not None:
                    found[name][source][angle].append(stages(name, source, photo, box, points))
    return {
        "faces": len(records),
        "max_roll": MAX_ROLL,
        "found": {str(angle): len(every) for angle, every in found[MODELS[0]]["detector"].items()},
        "models": {
            name: {
                boxes: {str(angle): measured(every) for angle, every in by_angle.items()}
                for boxes, by_angle in by_boxes.items()
            }
            for name, by_boxes in found.items()
        },
        "ms_of_a_photo": {str(angle): milliseconds(photos) for angle, photos in timed.items()},
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the NME without and with turned crops as a Markdown table."""
    heads = " | ".join(f"{angle}°" for angle in ANGLES)
    lines = [f"| model | boxes | crops | {heads} |", f"|---|---|---|{'---:|' * len(ANGLES)}"]
    for name, by_boxes in study["models"].items():
        for boxes, by_angle in by_boxes.items():
            for arm, title in (("without", "upright"), ("with", "turned")):
                cells = " | ".join(f"{by_angle[str(angle)][arm]['nme_percent']:.2f}" for angle in ANGLES)
                lines.append(f"| `{name}` | {boxes} | {title} | {cells} |")
    shares = " | ".join(f"{100 * study['found'][str(angle)] / study['faces']:.0f}" for angle in ANGLES)
    return "\n".join([*lines, f"| faces found, % | detector | | {shares} |"])


def choice(study: Mapping[str, Any]) -> str:
    """Return the candidates of the largest roll as a Markdown table: the default model in detector boxes."""
    by_angle = study["models"][MODELS[0]]["detector"]
    angles = [angle for angle in ANGLES if angle <= 45]
    heads = " | ".join(f"NME % at {angle}°" for angle in angles)
    lines = [f"| `max_roll` | {heads} | further crops at 0° |", f"|---:|{'---:|' * (len(angles) + 1)}"]
    for roll in CANDIDATES:
        rows = [by_angle[str(angle)]["by_max_roll"][f"{roll:g}"] for angle in angles]
        cells = " | ".join(f"{row['nme_percent']:.2f}" for row in rows)
        lines.append(f"| {roll:g} | {cells} | {rows[0]['further_crops']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    cv2.setNumThreads(1)
    _, records = held_out_faces(data)
    study = studied(records)
    write_result(OUT, study, data_hash=data_hash(records))
    update_block(OUT, table(study))
    update_block(f"{OUT}#choice", choice(study))
    print(table(study), choice(study), sep="\n\n")


if __name__ == "__main__":
    main()
