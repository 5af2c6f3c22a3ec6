"""Parity report: torch -> ONNX -> fp32 -> ... -> int16x8, the error and the size, memory and latency of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.export.pipeline import Conversion, calibration_summary, mode_of
from distill.export.quantization_modes import MODES
from distill.export.verify.parity import ParityResult
from distill.export.verify.sensitivity import LayerCost

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = "distill-parity/1"
NAME = "parity.json"


@dataclass(frozen=True)
class ParityRow:
    """One stage: its parity, size, memory and latency.

    Attributes:
        name: `torch`, `onnx` or a mode of TFLite file.
        what: description.
        parity: the distance from PyTorch in the first runtime, None for PyTorch itself.
        bytes: size of the file.
        peak_bytes: memory that loading and running it adds to a process of its own, where that was measured.
        latency_ms: median of one face by number of threads.
        runtimes: for each runtime that ran it, the largest distance from PyTorch in pixels.
    """

    name: str
    what: str
    parity: ParityResult | None
    bytes: int | None
    peak_bytes: int | None
    latency_ms: Mapping[int, float]
    runtimes: Mapping[str, float]


@dataclass(frozen=True)
class ConversionReport:
    """All rows in order, and the layers that rounding hurts most, by mode.

    Attributes:
        nme: PyTorch's, as a fraction, where the faces are annotated.
        crops: how many faces, of `size` pixels.
        faces: description of where they come from.
        unstable: the machine was too busy for the latencies to be trusted.
    """

    model: str
    nme: float | None
    crops: int
    size: int
    faces: str
    rows: tuple[ParityRow, ...]
    layers: Mapping[str, Sequence[LayerCost]]
    calibration: Mapping[str, Any] | None
    unstable: bool

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT} | asdict(self)


def conversion_report(
    conversion: Conversion,
    model: str,
    faces: str,
    latency_ms: Mapping[str, Mapping[int, float]],
    peak_bytes: Mapping[str, int | None],
    unstable: bool,
    progress: bool = False,
) -> ConversionReport:
    """Return the report of a conversion.

    Args:
        model: what was exported.
        faces: where the crops come from.
        latency_ms: by stage and number of threads.
        peak_bytes: by stage.
    """
    results = conversion.parity.results
    rows = [ParityRow("torch", "as trained", None, None, peak_bytes.get("torch"), latency_ms.get("torch", {}), {})]
    for name, path in conversion.files.items():
        own = [result for result in results if mode_of(result.name) == name]
        runtimes = {result.name.partition(" on ")[2]: result.max_px for result in own if " on " in result.name}
        what = MODES[name].what if name in MODES else "exchange format"
        size = path.stat().st_size
        rows.append(ParityRow(name, what, own[0], size, peak_bytes.get(name), latency_ms.get(name, {}), runtimes))
    layers = {mode: conversion.layer_costs(mode, progress) for mode in _explained(conversion.files)}
    return ConversionReport(
        model, conversion.parity.nme, conversion.parity.crops, conversion.parity.size, faces, tuple(rows), layers,
        calibration_summary(conversion.calibration), unstable,
    )  # fmt: skip


def _explained(files: Mapping[str, Path]) -> list[str]:
    """Return one mode for each way of rounding, since modes that round alike have the same sensitive layers."""
    modes: dict[str, str] = {}
    for mode in ("w8", "dynamic", "int16x8", "int8"):
        if mode in files:
            modes.setdefault(MODES[mode].rounding, mode)
    return list(modes.values())


def render(report: ConversionReport) -> "Table":
    """Return the report as a table for the terminal."""
    from rich.table import Table

    nme = "" if report.nme is None else f", PyTorch NME {100 * report.nme:.3f} %"
    caption = "latencies unstable: the machine was busy" if report.unstable else None
    table = Table(title=f"{report.model} on {report.crops} crops of {report.size} px{nme}", caption=caption)
    for heading in headings([]):
        table.add_column(heading, justify="left" if heading == "stage" else "right", no_wrap=heading == "stage")
    for row in report.rows:
        table.add_row(*cells(row, []))
    return table


def headings(groups: Sequence[str]) -> list[str]:
    """Return the columns of a report."""
    parts = [f"{group} px" for group in groups]
    return [
        "stage",
        "max px",
        "mean px",
        *parts,
        "NME %",
        "change %",
        "ms ×1",
        "ms ×2",
        "MB",
        "peak MB",
        "runtimes",
        "gate",
    ]


def cells(row: ParityRow, groups: Sequence[str]) -> list[str]:
    """Return a row as text, one cell under each of `headings`."""
    result = row.parity
    ms = [f"{row.latency_ms[threads]:.2f}" if threads in row.latency_ms else "–" for threads in (1, 2)]
    size = [_megabytes(row.bytes), _megabytes(row.peak_bytes)]
    if result is None:
        return [row.name, *("–" for _ in range(4 + len(groups))), *ms, *size, "–", "–"]
    nme = [
        "–" if result.nme is None else f"{100 * result.nme:.3f}",
        "–" if result.nme_rise is None else f"{100 * result.nme_rise:+.2f}",
    ]
    parts = [f"{result.groups[group]:.3f}" for group in groups]
    verdict = "missed" if result.missed else "passed"
    runs = str(len(row.runtimes)) if row.runtimes else "–"
    return [row.name, f"{result.max_px:.3f}", f"{result.mean_px:.4f}", *parts, *nme, *ms, *size, runs, verdict]


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.2f}"
