"""The parity ladder: torch -> ONNX -> fp32 -> ... -> int16x8, what each hop costs and what it saves, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.export.pipeline import Staged, calibration_summary, kind_of
from distill.export.quantization_modes import KINDS
from distill.export.verify.parity import Hop
from distill.export.verify.sensitivity import LayerCost

if TYPE_CHECKING:
    from rich.table import Table

FORMAT = "distill-ladder/1"
NAME = "ladder.json"


@dataclass(frozen=True)
class Rung:
    """One hop: what it changes and what it costs to run.

    Attributes:
        name: `torch`, `onnx` or a kind of TFLite file.
        what: in words.
        hop: the distance from PyTorch in the first runtime, None for PyTorch itself.
        bytes: size of the file.
        peak_bytes: memory that loading and running it adds to a process of its own, where that was measured.
        latency_ms: median by number of threads.
        runtimes: for each runtime that ran it, the largest distance from PyTorch in pixels.
    """

    name: str
    what: str
    hop: Hop | None
    bytes: int | None
    peak_bytes: int | None
    latency_ms: Mapping[int, float]
    runtimes: Mapping[str, float]


@dataclass(frozen=True)
class Ladder:
    """All rungs in order, and the layers that rounding hurts most, by kind.

    Attributes:
        nme: PyTorch's, as a fraction, where the faces are annotated.
        crops: how many faces, of `size` pixels.
        faces: where they come from, in words.
        unstable: the machine was too busy for the latencies to be trusted.
    """

    model: str
    nme: float | None
    crops: int
    size: int
    faces: str
    rungs: tuple[Rung, ...]
    layers: Mapping[str, Sequence[LayerCost]]
    calibration: Mapping[str, Any] | None
    unstable: bool

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT} | asdict(self)


def climb(
    staged: Staged,
    model: str,
    faces: str,
    latency_ms: Mapping[str, Mapping[int, float]],
    peak_bytes: Mapping[str, int | None],
    unstable: bool,
    progress: bool = False,
) -> Ladder:
    """Put together what was measured about a conversion.

    Args:
        model: what was exported.
        faces: where the crops come from.
        latency_ms: by hop and number of threads.
        peak_bytes: by hop.
    """
    hops = staged.parity.hops
    rungs = [Rung("torch", "as it was trained", None, None, peak_bytes.get("torch"), latency_ms.get("torch", {}), {})]
    for name, path in staged.files.items():
        own = [hop for hop in hops if kind_of(hop.name) == name]
        runtimes = {hop.name.partition(" on ")[2]: hop.max_px for hop in own if " on " in hop.name}
        what = KINDS[name].what if name in KINDS else "exchange format"
        size = path.stat().st_size
        rungs.append(Rung(name, what, own[0], size, peak_bytes.get(name), latency_ms.get(name, {}), runtimes))
    layers = {kind: staged.layer_costs(kind, progress) for kind in _explained(staged.files)}
    return Ladder(
        model, staged.parity.nme, staged.parity.crops, staged.parity.size, faces, tuple(rungs), layers,
        calibration_summary(staged.calibration), unstable,
    )  # fmt: skip


def _explained(files: Mapping[str, Path]) -> list[str]:
    """Return one kind for each way of rounding: the layers do not differ between kinds that round alike."""
    kinds: dict[str, str] = {}
    for kind in ("w8", "dynamic", "int16x8", "int8"):
        if kind in files:
            kinds.setdefault(KINDS[kind].rounding, kind)
    return list(kinds.values())


def render(ladder: Ladder) -> "Table":
    """Return the ladder as a table for the terminal."""
    from rich.table import Table

    nme = "" if ladder.nme is None else f", PyTorch NME {100 * ladder.nme:.3f} %"
    caption = "latencies unstable: the machine was busy" if ladder.unstable else None
    table = Table(title=f"{ladder.model} on {ladder.crops} crops of {ladder.size} px{nme}", caption=caption)
    for heading in headings([]):
        table.add_column(heading, justify="left" if heading == "hop" else "right", no_wrap=heading == "hop")
    for rung in ladder.rungs:
        table.add_row(*cells(rung, []))
    return table


def headings(groups: Sequence[str]) -> list[str]:
    """Return the columns of a ladder."""
    parts = [f"{group} px" for group in groups]
    return [
        "hop",
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


def cells(rung: Rung, groups: Sequence[str]) -> list[str]:
    """Return a rung as text, one cell under each of `headings`."""
    hop = rung.hop
    ms = [f"{rung.latency_ms[threads]:.2f}" if threads in rung.latency_ms else "–" for threads in (1, 2)]
    size = [_megabytes(rung.bytes), _megabytes(rung.peak_bytes)]
    if hop is None:
        return [rung.name, *("–" for _ in range(4 + len(groups))), *ms, *size, "–", "–"]
    nme = [
        "–" if hop.nme is None else f"{100 * hop.nme:.3f}",
        "–" if hop.nme_rise is None else f"{100 * hop.nme_rise:+.2f}",
    ]
    parts = [f"{hop.groups[group]:.3f}" for group in groups]
    verdict = "missed" if hop.missed else "passed"
    runs = str(len(rung.runtimes)) if rung.runtimes else "–"
    return [rung.name, f"{hop.max_px:.3f}", f"{hop.mean_px:.4f}", *parts, *nme, *ms, *size, runs, verdict]


def _megabytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 1e6:.2f}"
