"""Does a converted model still point where the trained one does? Measured in pixels of the crop and in NME."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from distill.errors import ExportError
from distill.landmarks import Scheme

# Crops (n, h, w, 3) float32 RGB in [0, 1] -> landmarks (n, k, 2) normalised to the crop.
Predictor = Callable[[NDArray[np.float32]], NDArray[np.float32]]

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Gate:
    """What one hop may change at most.

    Attributes:
        max_px: the worst landmark of the worst crop, in pixels of the crop.
        mean_px: the average landmark.
        nme_rise: how much worse than the reference the inter-ocular NME may be, as a fraction.
    """

    max_px: float
    mean_px: float
    nme_rise: float = 5e-4


# Half-precision weights moved the landmarks of a random student by 0.056 px on average at 256 px.
GATES: dict[str, Gate] = {"onnx": Gate(0.01, 0.01), "fp32": Gate(0.05, 0.05), "fp16": Gate(0.5, 0.1)}


@dataclass(frozen=True)
class Hop:
    """How far one candidate is from the reference.

    Attributes:
        nme_rise: NME of the candidate minus NME of the reference, or None without annotated crops.
        worst: the three landmarks that moved most, as (index, largest distance in pixels).
    """

    name: str
    max_px: float
    mean_px: float
    nme_rise: float | None
    worst: tuple[tuple[int, float], ...]
    gate: Gate


@dataclass(frozen=True)
class ParityReport:
    """Every hop, measured on `crops` crops of `size` pixels; `nme` is the reference's, where it is known."""

    crops: int
    size: int
    nme: float | None
    hops: tuple[Hop, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def max_px(self, prefix: str) -> float:
        """Return the largest distance over the hops whose name starts with `prefix`."""
        return max(hop.max_px for hop in self.hops if hop.name.startswith(prefix))


def parity(
    reference: Predictor,
    candidates: Mapping[str, Predictor],
    crops: NDArray[np.float32],
    landmarks: NDArray[np.floating] | None,
    scheme: Scheme,
    gates: Mapping[str, Gate],
) -> ParityReport:
    """Compare candidates with the reference on the same crops.

    Args:
        crops: (n, h, w, 3) float32 RGB in [0, 1].
        landmarks: (n, k, 2) annotated points normalised to the crop, or None.
        gates: one for every candidate.

    Raises:
        ExportError: a candidate misses its gate, or returns points of another shape; with the worst landmarks.
    """
    truth = np.asarray(reference(crops))
    nme = _nme(truth, landmarks, scheme)
    hops = []
    for name, candidate in candidates.items():
        points = np.asarray(candidate(crops))
        if points.shape != truth.shape:
            raise ExportError(f"{name} returns {points.shape}, not {truth.shape}: it is another model's file")
        hops.append(_hop(name, points, truth, crops.shape[2], gates[name], _rise(points, nme, landmarks, scheme)))
        _require(hops[-1])
    return ParityReport(len(crops), crops.shape[2], nme, tuple(hops))


def _hop(name: str, points: NDArray, truth: NDArray, size: int, gate: Gate, rise: float | None) -> Hop:
    distance = np.linalg.norm((points.astype(np.float64) - truth) * size, axis=-1)
    by_landmark = distance.max(0)
    # NaN sorts last, so a landmark that is no number counts as the worst.
    worst = tuple((int(k), float(by_landmark[k])) for k in np.argsort(by_landmark)[::-1][:3])
    return Hop(name, float(distance.max()), float(distance.mean()), rise, worst, gate)


def _nme(points: NDArray, landmarks: NDArray | None, scheme: Scheme) -> float | None:
    """Return the mean inter-ocular NME; crops are square, so normalised coordinates give the same as pixels."""
    if landmarks is None or scheme.ocular is None:
        return None
    errors = np.linalg.norm(points - landmarks, axis=-1).mean(-1)
    return float((errors / scheme.eye_distance(landmarks, "ocular")).mean())


def _rise(points: NDArray, nme: float | None, landmarks: NDArray | None, scheme: Scheme) -> float | None:
    other = _nme(points, landmarks, scheme)
    return None if other is None or nme is None else other - nme


def _require(hop: Hop) -> None:
    checks = [("max", hop.max_px, hop.gate.max_px, "px"), ("mean", hop.mean_px, hop.gate.mean_px, "px")]
    if hop.nme_rise is not None:
        checks.append(("NME rise", hop.nme_rise, hop.gate.nme_rise, "(fraction)"))
    for what, value, limit, unit in checks:
        # Written this way round so that NaN fails.
        if not value <= limit:
            worst = ", ".join(f"{k} ({px:.3f} px)" for k, px in hop.worst)
            raise ExportError(
                f"{hop.name} moved the landmarks: {what} {value:.4g} {unit} > gate {limit:g}; worst landmarks {worst}"
            )


def render(report: ParityReport) -> "Table":
    """Return the report as a table for the terminal."""
    from rich.table import Table

    nme = "" if report.nme is None else f", PyTorch NME {100 * report.nme:.2f} %"
    table = Table(title=f"distance from PyTorch on {report.crops} crops of {report.size} px{nme}")
    for heading in ("hop", "max px", "mean px", "gate max/mean px", "NME change, points of %"):
        table.add_column(heading, justify="left" if heading == "hop" else "right")
    for hop in report.hops:
        rise = "–" if hop.nme_rise is None else f"{100 * hop.nme_rise:+.4f}"
        limits = f"{hop.gate.max_px:g} / {hop.gate.mean_px:g}"
        table.add_row(hop.name, f"{hop.max_px:.5f}", f"{hop.mean_px:.5f}", limits, rise)
    return table
