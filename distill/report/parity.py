"""Parity report of an export: distance, latency, memory and sensitive layers of every format, as JSON and HTML."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from distill.bench.latency import compare, torch_call
from distill.bench.memory import peak_memory
from distill.bench.models import load_call
from distill.drawing import contact_sheet
from distill.export.pipeline import Staged
from distill.export.verify.parity_report import Ladder, cells, climb, headings
from distill.geometry import denormalise
from distill.inference.load import open_backend
from distill.inference.torch_backend import TorchBackend
from distill.report.page import Report

_THREADS = (1, 2)
_LAYERS = 12  # shown of each quantization mode


def measure_report(staged: Staged, net: nn.Module, model: str, faces: str, rounds: int = 30) -> Ladder:
    """Measure latency on one and two threads, interleaved, and memory of every format.

    Args:
        staged: a finished conversion.
        net: the network it was made from.
        model: name of the network.
        faces: source of the crops, for the page.
        rounds: timed calls of each format.
    """
    calls = {}
    for threads in _THREADS:
        calls["torch", threads] = torch_call(net, staged.spec.crop.size, threads)
        for name, path in staged.files.items():
            calls[name, threads] = load_call(path, threads)
    timings = compare({f"{name} x{threads}": call for (name, threads), call in calls.items()}, rounds, progress=True)
    names = ["torch", *staged.files]
    latency = {name: {n: timings[f"{name} x{n}"].median_ms for n in _THREADS} for name in names}
    memory = {name: peak_memory(path) for name, path in staged.files.items()}
    stable = all(timing.stable for timing in timings.values())
    return climb(staged, model, faces, latency, memory, not stable, progress=True)


def parity_page(report: Ladder, staged: Staged, net: nn.Module | None) -> Report:
    """Return the report as a self-contained page; with the network, also the faces that moved most."""
    groups = list(next(row.hop.groups for row in report.rungs if row.hop))
    page = Report(f"Parity report of {report.model}", f"{report.crops} crops of {report.size} px, {report.faces}")
    page.heading("Formats").text(
        "Distances are pixels of the crop between the landmarks of a format and those of PyTorch; change is that of "
        "the NME, in % of PyTorch's. Memory is what loading and running adds to a process."
    )
    page.table(headings(groups), [cells(row, groups) for row in report.rungs])
    if report.unstable:
        page.text("The machine was busy: the latencies are not reliable.")
    if report.calibration is not None:
        c = report.calibration
        page.text(f"Calibrated on {c['faces']} faces ({c['source']}), data {c['data_hash'][:12]}.")
    for mode, costs in report.layers.items():
        page.heading(f"Sensitivity of layers to {mode}").text("Pixels the landmarks move when one module is rounded.")
        page.table(["module", "mean px", "max px"], [[c.module, c.mean_px, c.max_px] for c in costs[:_LAYERS]])
    page.heading("Runtimes").table(
        ["format", "runtime", "max px"],
        [[row.name, runtime, px] for row in report.rungs for runtime, px in row.runtimes.items()],
    )
    if net is not None:
        page.heading("Faces that moved most")
        for row in report.rungs:
            if row.hop:
                caption = f"{row.name}: green; PyTorch: red"
                page.figure(_faces(row.name, row.hop.worst_crops, staged, net), caption)
    return page


def measure_and_draw(
    staged: Staged, net: nn.Module, model: str, faces: str, rounds: int, page: Path | None, show_faces: bool
) -> tuple[Ladder, Report]:
    """Return the measurements and their page, also written to `page`; it may show the faces that moved most."""
    report = measure_report(staged, net, model, faces, rounds)
    html = parity_page(report, staged, net if show_faces else None)
    if page is not None:
        html.write(page)
    return report, html


def _faces(name: str, worst: Sequence[tuple[int, float]], staged: Staged, net: nn.Module) -> bytes:
    """Draw the landmarks of a format on the crops where they moved most, over those of PyTorch."""
    size = staged.spec.crop.size
    crops = staged.crops[[index for index, _ in worst]]
    exported = open_backend(Path(staged.files[name]))
    trained = TorchBackend(net, staged.spec, batch_size=1)
    points = [list(denormalise(predict(crops), size, size)) for predict in (exported, trained)]
    images = [(crop * 255).round().astype("uint8") for crop in crops]
    return contact_sheet(images, points[0], points[1], [f"{px:.3f} px" for _, px in worst])
