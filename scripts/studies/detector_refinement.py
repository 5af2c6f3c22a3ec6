"""Choose the refinement of detected boxes on training faces: `python -m scripts.studies.detector_refinement DATA`.

The refinement shows the detector each face once more. Zoom (side of the square shown, in longer sides of the face) and
input size are chosen here: 200 training faces of DATA/300W at three scales, every pair of values, and no refinement.
Boxes are calibrated to the tight box of the 68 points with a table fitted on the other four fifths of the faces. The
choice is the fastest input whose error of the corners is within 5 % of the smallest error. The detector saw these faces
in training, pasted at 8 to 120 px, so that the errors compare with each other only. Writes
results/studies/detector_refinement.json and its table in the documentation.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.splits import data_hash
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.box_calibration import calibrated, fit_table
from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.net_file import NetFile
from distill.detection.retinaface.refine import RefineConfig, refined
from distill.export.detector_calibration import SCALES, at_scales, nearest
from distill.files import sha256
from distill.images import Photo
from scripts.studies.common.study import run_study
from scripts.studies.common.training_faces import training_faces

OUT = "results/studies/detector_refinement.json"
FACES = 200
FOLDS = 5
# A tighter square cuts faces whose first box is too small, such as those that fill the photo.
ZOOMS = (1.5, 2.0, 2.5, 3.0)
SIZES = (96, 128, 160, 192)
NONE = "none"
TOLERANCE = 0.05  # 0.2 % of the face: little beside the 3 % by which training moves its crops
ROUNDS = 50


class Sample(NamedTuple):
    """A face as one configuration returns it.

    Attributes:
        face: index of the face.
        scale: of its photo.
        box: (4,), the detector's own box.
        points: (5, 2).
        tight: (4,), the box wanted.
    """

    face: int
    scale: float
    box: NDArray[np.float64]
    points: NDArray[np.float64]
    tight: NDArray[np.float64]


def configurations() -> dict[str, RefineConfig | None]:
    """Return what is compared, by name; None: no refinement."""
    grid = {f"zoom {zoom}, {size} px": RefineConfig(size, zoom) for zoom in ZOOMS for size in SIZES}
    return {NONE: None, **grid}


def collected(data: Path) -> tuple[dict[str, list[Sample]], int, str]:
    """Return the samples of every configuration, the number of faces searched for and the hash of the faces."""
    detector, net = RetinaFaceDetector(bundled_detector()), NetFile(bundled_detector())
    faces = training_faces(data, FACES)
    samples: dict[str, list[Sample]] = {name: [] for name in configurations()}
    for number, face in enumerate(faces):
        for scale, (photo, wanted) in zip(SCALES, at_scales(face), strict=True):
            found = detector.find(photo)
            index = nearest(found, wanted)
            if index is None:
                continue
            detected = Candidates(*(values[index : index + 1] for values in found))
            for name, config in configurations().items():
                again = detected if config is None else refined(photo, detected, net, detector.spec.anchors, config)
                samples[name].append(Sample(number, scale, again.boxes[0], again.points[0], wanted))
    return samples, len(SCALES) * len(faces), data_hash(faces)


def errors(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return root mean square errors after calibration in percent of the longer side: corners, centre, by scale.

    The table of a face is fitted on the samples of the other folds.
    """
    folds = np.array([sample.face % FOLDS for sample in samples])
    scales = np.array([sample.scale for sample in samples])
    boxes, points, tight = (np.array([getattr(s, name) for s in samples]) for name in ("box", "points", "tight"))
    found = np.empty_like(tight)
    for fold in range(FOLDS):
        rest, here = folds != fold, folds == fold
        found[here] = calibrated(boxes[here], points[here], fit_table(boxes[rest], points[rest], tight[rest]))
    longer = (tight[:, 2:] - tight[:, :2]).max(axis=1, keepdims=True)
    difference = (found - tight) / longer
    corners = np.square(difference).mean(axis=1)
    centres = np.square((difference[:, :2] + difference[:, 2:]) / 2).sum(axis=1)
    return {
        "corner_percent": 100 * float(np.sqrt(corners.mean())),
        "centre_percent": 100 * float(np.sqrt(centres.mean())),
        "corner_percent_by_scale": {
            str(scale): 100 * float(np.sqrt(corners[scales == scale].mean())) for scale in SCALES
        },
        "samples": len(samples),
    }


def milliseconds(photo: Photo) -> dict[str, float]:
    """Return the median time of one pass by size of the input; sizes are interleaved, on one thread."""
    net = NetFile(bundled_detector())
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(ROUNDS):
        for size in SIZES:
            view = np.ascontiguousarray(photo[:size, :size])
            net(view)  # the input is resized in the first call
            start = time.perf_counter()
            net(view)
            times[size].append(1000 * (time.perf_counter() - start))
    return {str(size): float(np.median(values)) for size, values in times.items()}


def choice(rows: Mapping[str, Mapping[str, Any]], ms: Mapping[str, float]) -> str:
    """Return the fastest configuration whose error is within `TOLERANCE` of the smallest; of those the most precise."""
    least = min(row["corner_percent"] for row in rows.values())
    near = [name for name, row in rows.items() if row["corner_percent"] <= (1 + TOLERANCE) * least]
    cost = {name: 0.0 if config is None else ms[str(config.size)] for name, config in configurations().items()}
    return min(near, key=lambda name: (cost[name], rows[name]["corner_percent"]))


def studied(data: Path) -> dict[str, Any]:
    """Measure every configuration and choose one."""
    samples, searched, digest = collected(data)
    rows = {name: errors(values) for name, values in samples.items()}
    ms = milliseconds(np.random.default_rng(0).integers(0, 256, (max(SIZES), max(SIZES), 3), dtype=np.uint8))
    return {
        "detector_sha256": sha256(bundled_detector()),
        "data_hash": digest,
        "searched": searched,
        "pass_ms": ms,
        "configurations": rows,
        "chosen": choice(rows, ms),
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the errors of the corners by zoom and size of the input as a Markdown table."""
    rows, ms = study["configurations"], study["pass_ms"]
    lines = [
        f"| zoom | {' | '.join(f'{size} px ({ms[str(size)]:.1f} ms)' for size in SIZES)} |",
        f"|---|{'---:|' * len(SIZES)}",
    ]
    for zoom in ZOOMS:
        names = [f"zoom {zoom}, {size} px" for size in SIZES]
        cells = [f"{rows[name]['corner_percent']:.2f}" for name in names]
        marked = [f"**{cell}**" if name == study["chosen"] else cell for name, cell in zip(names, cells, strict=True)]
        lines.append(f"| {zoom} | {' | '.join(marked)} |")
    return "\n".join([*lines, "", f"Without refinement: {rows[NONE]['corner_percent']:.2f} %."])


def main() -> None:
    """Measure and write."""
    print(run_study(__doc__, OUT, studied, table)["chosen"])


if __name__ == "__main__":
    main()
