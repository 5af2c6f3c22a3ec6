"""Parity of a converted model with the trained one, in pixels of the crop and in NME."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.export.verify.tolerances import Gate
from distill.inference.backend import Predict
from distill.landmarks import Scheme
from distill.system.processes import cores

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class ParityResult:
    """Distance of one candidate from the reference.

    Attributes:
        crops: how many it was compared on.
        nme: inter-ocular NME as a fraction, or None without annotated crops.
        nme_rise: how much larger it is than the reference's, relative to that.
        groups: average distance in pixels by part of the face.
        worst: the three landmarks that moved most, as (index, largest distance in pixels).
        worst_crops: the three crops whose landmarks moved most on average, as (index, that average in pixels).
        confidence: average change of the confidence of a point; None where the model gives none.
    """

    name: str
    crops: int
    max_px: float
    mean_px: float
    nme: float | None
    nme_rise: float | None
    groups: dict[str, float]
    worst: tuple[tuple[int, float], ...]
    worst_crops: tuple[tuple[int, float], ...]
    gate: Gate
    confidence: float | None = None

    @property
    def missed(self) -> list[str]:
        """The limits of its gate that it misses, as text."""
        checks = [
            (self.max_px, self.gate.max_px, f"max {self.max_px:.4g} px > gate {self.gate.max_px:g}"),
            (self.mean_px, self.gate.mean_px, f"mean {self.mean_px:.4g} px > gate {self.gate.mean_px:g}"),
        ]
        if self.nme_rise is not None:
            rise, limit = 100 * self.nme_rise, 100 * self.gate.nme_rise
            checks.append((self.nme_rise, self.gate.nme_rise, f"NME rise {rise:.4g} % > gate {limit:g} %"))
        if self.confidence is not None:
            text = f"confidence changed by {self.confidence:.4g} > gate {self.gate.confidence:g}"
            checks.append((self.confidence, self.gate.confidence, text))
        # Written this way round so that NaN fails.
        return [text for value, limit, text in checks if not value <= limit]


@dataclass(frozen=True)
class ParityReport:
    """Every stage, measured on `crops` crops of `size` pixels; `nme` is the reference's, where it is known."""

    crops: int
    size: int
    nme: float | None
    results: tuple[ParityResult, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def max_px(self, prefix: str) -> float:
        """Return the largest distance over the stages whose name starts with `prefix`."""
        return max(result.max_px for result in self.results if result.name.startswith(prefix))

    @property
    def failed(self) -> list[ParityResult]:
        """The stages that miss their gates, in order."""
        return [result for result in self.results if result.missed]


def measure(
    reference: Predict,
    candidates: Mapping[str, Predict],
    crops: NDArray[np.float32],
    landmarks: NDArray[np.floating] | None,
    scheme: Scheme,
    gates: Mapping[str, Gate],
    limits: Mapping[str, int] | None = None,
) -> ParityReport:
    """Compare candidates with the reference on the same crops.

    Both return points (n, k, 2), or (n, k, 3) with the confidence of each point as third column.

    Args:
        crops: (n, h, w, 3) float32 RGB in [0, 1].
        landmarks: (n, k, 2) annotated points normalised to the crop, or None.
        gates: one for every candidate.
        limits: for slow candidates, how many of the crops, evenly spread, they are compared on.

    Raises:
        ExportError: a candidate returns points of another shape.
    """
    truth = np.asarray(reference(crops))
    nme = _nme(truth[..., :2], landmarks, scheme)
    shown = {
        name: np.linspace(0, len(crops) - 1, min((limits or {}).get(name, len(crops)), len(crops))).astype(int)
        for name in candidates
    }
    # Most candidates run in a process of their own on one thread.
    with ThreadPoolExecutor(cores()) as pool:
        found = dict(
            zip(candidates, pool.map(lambda name: candidates[name](crops[shown[name]]), candidates), strict=True)
        )
    results = []
    for name, some in shown.items():
        points, expected = np.asarray(found[name]), truth[some]
        if points.shape != expected.shape:
            raise ExportError(f"{name} returns {points.shape}, not {expected.shape}: it is another model's file")
        change = points.astype(np.float64) - expected
        distance = np.linalg.norm(change[..., :2] * crops.shape[2], axis=-1)
        annotated = None if landmarks is None else landmarks[some]
        own, base = (_nme(values[..., :2], annotated, scheme) for values in (points, expected))
        rise = None if own is None or base is None else own / base - 1
        confidence = float(np.abs(change[..., 2]).mean()) if change.shape[-1] > 2 else None
        results.append(replace(_result(name, distance, some, own, rise, scheme, gates[name]), confidence=confidence))
    return ParityReport(len(crops), crops.shape[2], nme, tuple(results))


def _result(
    name: str,
    distance: NDArray[np.float64],
    some: NDArray[np.intp],
    nme: float | None,
    rise: float | None,
    scheme: Scheme,
    gate: Gate,
) -> ParityResult:
    groups = {group: float(distance[:, list(points)].mean()) for group, points in scheme.groups.items()}
    worst, crops = _largest(distance.max(0)), [(int(some[row]), px) for row, px in _largest(distance.mean(1))]
    largest, mean = float(distance.max()), float(distance.mean())
    return ParityResult(name, len(some), largest, mean, nme, rise, groups, worst, tuple(crops), gate)


def _largest(values: NDArray[np.float64]) -> tuple[tuple[int, float], ...]:
    # NaN sorts last, so it counts as the worst.
    return tuple((int(index), float(values[index])) for index in np.argsort(values)[::-1][:3])


def _nme(points: NDArray, landmarks: NDArray | None, scheme: Scheme) -> float | None:
    """Return the mean inter-ocular NME of annotated points; crops are square, so that of pixels is the same.

    Faces without annotated eye corners have none; None when no face has.
    """
    if landmarks is None or scheme.ocular is None:
        return None
    distances = scheme.eye_distance(landmarks, "ocular")
    some = np.isfinite(distances)
    errors = np.nanmean(np.linalg.norm(points - landmarks, axis=-1)[some], -1)
    return float((errors / distances[some]).mean()) if some.any() else None


def refusal(report: ParityReport, scheme: Scheme, layers: Sequence[tuple[str, float]] = ()) -> ExportError:
    """Return the error that names the stage that misses its gate, the worst landmarks and the most sensitive layers.

    Args:
        report: with at least one failed stage.
        layers: modules that rounding hurts most, as (path, pixels it moves the landmarks by on average).
    """
    result, *others = report.failed
    parts = {point: group for group, points in scheme.groups.items() for point in points}
    worst = ", ".join(f"{k} of {parts[k]} ({px:.3f} px)" for k, px in result.worst)
    text = f"{result.name} moved the landmarks: {'; '.join(result.missed)}; worst landmarks {worst}"
    if layers:
        text += f"; most sensitive layers {', '.join(f'{name} ({px:.3f} px)' for name, px in layers)}"
    if others:
        text += f"; also missed by {', '.join(other.name for other in others)}"
    return ExportError(f"{text}; nothing was written")


def render(report: ParityReport) -> "Table":
    """Return the report as a table for the terminal."""
    from rich.table import Table

    nme = "" if report.nme is None else f", PyTorch NME {100 * report.nme:.2f} %"
    table = Table(title=f"distance from PyTorch on {report.crops} crops of {report.size} px{nme}")
    for heading in ("stage", "max px", "mean px", "gate max/mean px", "NME change %"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    for result in report.results:
        rise = "–" if result.nme_rise is None else f"{100 * result.nme_rise:+.3f}"
        limits = f"{result.gate.max_px:g} / {result.gate.mean_px:g}"
        table.add_row(result.name, f"{result.max_px:.5f}", f"{result.mean_px:.5f}", limits, rise)
    return table
