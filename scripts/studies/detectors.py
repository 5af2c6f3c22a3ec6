"""Face detectors compared: `python -m scripts.studies.detectors DATA`.

RetinaFace with inputs of 320 and 640 px and BlazeFace, in one run: average precision and recall by face size on the 135
photos of WIDER FACE's validation set in DATA/widerface, and on half of the photos of DATA/mask_boxes that the training
held out (the scores were chosen on the other half); the number of faces in two photos; processor time, interleaved, on
one thread. DATA also holds free_photos and sfhq_synthetic (faces of the wide photo). Needs
results/studies/detector_sizes.json. Writes results/studies/detectors.json and its table in the documentation.

The boxes of the comparison are those a detector returns, in the convention of the 68 points; data sets draw their boxes
around the whole face, so that `own boxes` of RetinaFace are measured too. The last column is the time of the default
landmark model with each detector, from the photo to the landmarks.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.photos.build import photo_hash
from distill.data.photos.records import PhotoRecord
from distill.detection.blazeface import BlazeFaceDetector
from distill.detection.detector import BLAZEFACE_SCORE, FaceDetector, bundled_detector
from distill.detection.metrics import average_precision, score_at_false_rate
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.images import Photo, read_image
from distill.inference.landmarker import Landmarker
from distill.metrics.detection import Find, match_photos
from scripts.studies import detector_sizes
from scripts.studies.common.detector_photos import mask_boxes, wider_subset
from scripts.studies.common.detector_scores import IOU_AP, IOU_RECALL, LOWEST, counted, processor_ms
from scripts.studies.common.study import run_study

OUT = "results/studies/detectors.json"
FALSE_PER_PHOTO = 1.0
SOLVAY_FACES = 29
PORTRAIT = "astronaut.jpg"


def product(detector: Any) -> Find:
    """Return boxes and scores of a detector as it is used."""

    def find(photo: Photo) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        faces = detector(photo)
        return np.array([face.box for face in faces]).reshape(-1, 4), np.array([face.score for face in faces])

    return find


def operating_scores() -> dict[str, float]:
    """Return the score of each detector: that of its file, at 640 px the one chosen on the same photos."""
    sizes = json.loads(Path(detector_sizes.OUT).read_text())[detector_sizes.CHOSEN_ON]["sizes"]
    at_320 = RetinaFaceDetector(bundled_detector(), 320).min_score
    return {
        "RetinaFace 320": at_320,
        "RetinaFace 320, own boxes": at_320,
        "RetinaFace 640": sizes["640"]["best_f1"]["score"],
        "BlazeFace": BLAZEFACE_SCORE,
    }


def detectors(scores: Mapping[str, float]) -> dict[str, Find]:
    """Return what is compared, each with faces above its score."""
    file = bundled_detector()
    own = "RetinaFace 320, own boxes"
    return {
        "RetinaFace 320": product(RetinaFaceDetector(file, 320, min_score=scores["RetinaFace 320"])),
        own: RetinaFaceDetector(file, 320, min_score=scores[own]).own_boxes,
        "RetinaFace 640": product(RetinaFaceDetector(file, 640, min_score=scores["RetinaFace 640"])),
        "BlazeFace": product(BlazeFaceDetector(min_score=scores["BlazeFace"])),
    }


def measured(photos: list[PhotoRecord], operating: Mapping[str, float]) -> dict[str, Any]:
    """Return AP and recall of every detector, at one false box a photo and at its operating score."""
    result: dict[str, Any] = {"photos": len(photos), "data_hash": photo_hash(photos)}
    for name, find in detectors(dict.fromkeys(operating, LOWEST)).items():
        found = match_photos(photos, find, (IOU_RECALL, IOU_AP))
        loose = found[IOU_RECALL]
        at_rate = score_at_false_rate(loose, FALSE_PER_PHOTO)
        result[name] = {
            "ap": average_precision(found[IOU_AP]),
            "at_1_false_box": counted(loose, at_rate),
            "at_operating_score": counted(loose, operating[name]),
        }
    return result


def wide_photo(data: Path) -> Photo:
    """Return a panorama of 6400 x 400 px with eight faces of about 110 px."""
    faces = sorted((data / "sfhq_synthetic").rglob("*.jpg"))[:8]
    wide = np.full((400, 6400, 3), 120, np.uint8)
    for index, path in enumerate(faces):
        wide[100:300, 100 + 800 * index : 300 + 800 * index] = cv2.resize(read_image(path), (200, 200))
    return wide


def latency(photo: Photo, operating: Mapping[str, float]) -> dict[str, float]:
    """Return the median processor time of each detector on a photo in ms, interleaved, on one thread."""
    return processor_ms({name: find for name, find in detectors(operating).items() if "own" not in name}, photo)


def pipeline_latency(photo: Photo) -> dict[str, float]:
    """Return the median processor time from a photo to its landmarks with each detector in ms, interleaved."""
    options: dict[str, dict[str, Any]] = {
        "RetinaFace 320": {"size": 320},
        "RetinaFace 640": {"size": 640},
        "BlazeFace": {"detector": "blazeface"},
    }
    return processor_ms({name: Landmarker(detector=FaceDetector(**given)) for name, given in options.items()}, photo)


def resized(photo: Photo, side: int) -> Photo:
    """Return a photo as a square of `side` pixels."""
    return cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)


def studied(data: Path) -> dict[str, Any]:
    """Measure everything."""
    operating = operating_scores()
    folder = data / "free_photos" / "photos"
    solvay, portrait, wide = read_image(folder / "solvay_1927.jpg"), read_image(folder / PORTRAIT), wide_photo(data)
    return {
        "operating_score": operating,
        "WIDER val subset": measured(wider_subset(data), operating),
        "mask_boxes, held out": measured(mask_boxes(data).measured_on, operating),
        f"solvay_1927.jpg, {SOLVAY_FACES} faces": {n: len(f(solvay)[0]) for n, f in detectors(operating).items()},
        "wide photo, 8 faces": {n: len(f(wide)[0]) for n, f in detectors(operating).items()},
        "latency_ms": {
            f"{name}, {side} px": latency(resized(photo, side), operating)
            for name, photo in (("portrait", portrait), ("crowd", solvay[:, :649]))
            for side in (640, 320)
        },
        "pipeline_ms": pipeline_latency(resized(portrait, 640)),
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the study as a Markdown table."""
    wider, held = study["WIDER val subset"], study["mask_boxes, held out"]
    solvay = next(value for name, value in study.items() if name.startswith("solvay"))
    lines = [
        "| detector | WIDER subset: AP | recall ≥ 24 px | held out: AP | recall ≥ 24 px | Solvay, of 29 | "
        "wide photo, of 8 | ms at 640 px | ms with landmarks |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name in study["operating_score"]:
        cells = [
            f"{value:.3f}"
            for part in (wider[name], held[name])
            for value in (part["ap"], part["at_1_false_box"]["recall_24px"])
        ]
        times = (part.get(name) for part in (study["latency_ms"]["portrait, 640 px"], study["pipeline_ms"]))
        cells += [str(solvay[name]), str(study["wide photo, 8 faces"][name])]
        cells += ["" if ms is None else f"{ms:.1f}" for ms in times]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    run_study(__doc__, OUT, studied, table)


if __name__ == "__main__":
    main()
