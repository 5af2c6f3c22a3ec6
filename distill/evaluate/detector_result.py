"""Result of a detector's evaluation, its protocol, and how it is shown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table

from distill.detection.metrics import PhotoMatch, average_precision, recall, score_at_false_rate

FORMAT = "distill-detector-evaluation/1"
IOU = 0.5
LOWEST = 0.02  # score that detections count from
FALSE_PER_PHOTO = 1.0
SIZES = (0.0, 16.0, 24.0, 32.0, 48.0, 64.0, np.inf)


@dataclass(frozen=True)
class DetectorProtocol:
    """Everything needed to measure a detector the same way again.

    Attributes:
        sets: files of the labels.
        photos: number of photos.
        faces: number of faces that count.
        ignored: number of faces that do not.
        data_hash: SHA-256 over names, photos and labels.
        boxes: `own` (in the convention of the training boxes) or `calibrated` (tight around the landmarks).
        size: longest input side in pixels; None for a detector of fixed sizes.
        model_sha256: of the file measured; None for BlazeFace, which has two.
        iou: least overlap of a detection with its face.
        lowest: score that detections count from.
    """

    sets: tuple[str, ...]
    photos: int
    faces: int
    ignored: int
    data_hash: str
    boxes: str
    size: int | None
    model_sha256: str | None
    iou: float = IOU
    lowest: float = LOWEST


@dataclass(frozen=True, eq=False)
class DetectorEvaluation:
    """Detections of photos matched to their faces.

    Attributes:
        model: what was measured, for people.
        protocol: how.
        score: operating score of the detector.
        matches: of every photo.
        point_errors: (m, 5), of the faces with points that were found at the operating score: distance of eyes, nose
            and corners of the mouth, in parts of the square root of the face's area.
        official: WIDER FACE's average precision by difficulty; empty without its official files.
    """

    model: str
    protocol: DetectorProtocol
    score: float
    matches: Sequence[PhotoMatch]
    point_errors: NDArray[np.float64]
    official: Mapping[str, float]

    @property
    def ap(self) -> float:
        """Average precision over all faces that count (VOC 2010)."""
        return average_precision(self.matches)

    @property
    def nme(self) -> float | None:
        """Mean error of the five points; None where no face with points was found."""
        return float(self.point_errors.mean()) if len(self.point_errors) else None

    def at(self, score: float) -> dict[str, Any]:
        """Return recall, precision, false boxes a photo and recall by size at a score."""
        return at_score(self.matches, score)

    def at_false_rate(self, false_per_photo: float = FALSE_PER_PHOTO) -> dict[str, Any]:
        """Return the same at the lowest score that leaves at most so many false boxes a photo."""
        return self.at(score_at_false_rate(self.matches, false_per_photo))

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for `files.write_json`; null where there is nothing to measure."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "model": self.model,
            "protocol": {**asdict(self.protocol), "sets": list(self.protocol.sets)},
            "ap": self.ap,
            "official_ap": dict(self.official),
            "at_operating_score": self.at(self.score),
            "at_1_false_box": self.at_false_rate(),
            "five_points": {
                "faces": len(self.point_errors),
                "nme_percent": None if self.nme is None else 100 * self.nme,
            },
        }
        return {name: without_nan(value) for name, value in content.items()}


def at_score(matches: Sequence[PhotoMatch], score: float) -> dict[str, Any]:
    """Return recall, precision, false boxes a photo and recall by size at a score; NaN where there is nothing."""
    true = sum(int((match.true & (match.scores >= score)).sum()) for match in matches)
    false = sum(int((match.false & (match.scores >= score)).sum()) for match in matches)
    return {
        "score": score,
        "recall": recall(matches, score),
        "precision": true / (true + false) if true + false else math.nan,
        "false_per_photo": false / len(matches),
        "recall_by_size": {_range(*bounds): recall(matches, score, *bounds) for bounds in pairwise(SIZES)},
        "faces_by_size": {_range(*bounds): _faces(matches, *bounds) for bounds in pairwise(SIZES)},
    }


def _faces(matches: Sequence[PhotoMatch], low: float, high: float) -> int:
    return sum(int(((m.sizes >= low) & (m.sizes < high) & ~m.ignored).sum()) for m in matches)


def without_nan(value: Any) -> Any:
    """Return plain values with None in place of NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: without_nan(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _range(low: float, high: float) -> str:
    return f"{low:.0f}-{high:.0f}" if np.isfinite(high) else f"{low:.0f}-"


def render(evaluation: DetectorEvaluation) -> Group:
    """Return rich tables of an evaluation: by score, by size of the face, and the protocol below."""
    p, found = evaluation.protocol, evaluation
    title = f"{found.model}: {p.photos} photos, {p.faces} faces, average precision {100 * found.ap:.1f} %"
    rows = {"operating score": found.at(found.score), "1 false box a photo": found.at_false_rate()}
    table, by_size = Table(title=title, title_justify="left"), Table()
    for column in ("at", "score", "recall %", "precision %", "false boxes a photo"):
        table.add_column(column, justify="left" if column == "at" else "right")
    for name, row in rows.items():
        shares = (_percent(row["recall"]), _percent(row["precision"]))
        table.add_row(name, f"{row['score']:.2f}", *shares, f"{row['false_per_photo']:.2f}")
    for column in ("longer side, px", "faces", *(f"recall % at {name}" for name in rows)):
        by_size.add_column(column, justify="left" if "px" in column else "right")
    for size, faces in rows["operating score"]["faces_by_size"].items():
        by_size.add_row(size, str(faces), *(_percent(row["recall_by_size"][size]) for row in rows.values()))
    lines = []
    if found.official:
        values = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.official.items())
        lines.append(f"WIDER FACE's official average precision: {values}")
    if found.nme is not None:
        share = f"NME {100 * found.nme:.2f} % of the square root of the box's area"
        lines.append(f"five points of {len(found.point_errors)} faces found: {share}")
    size = "" if p.size is None else f", inputs of {p.size} px"
    model = "" if p.model_sha256 is None else f", model {p.model_sha256[:12]}"
    lines.append(f"{', '.join(p.sets)}, {p.boxes} boxes{size}, IoU {p.iou}")
    return Group(table, by_size, *lines, f"data {p.data_hash[:12]}{model}")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if np.isfinite(value) else "-"
