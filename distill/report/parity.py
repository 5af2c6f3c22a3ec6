"""Parity report of an export: distance, latency, memory and sensitive layers of every format, as JSON and HTML."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from distill.bench.latency import compare, torch_call
from distill.bench.memory import peak_memory
from distill.bench.models import load_call
from distill.export.pipeline import Conversion
from distill.export.verify.parity_report import ConversionReport, cells, conversion_report, headings
from distill.geometry import denormalise
from distill.images.figures import contact_sheet
from distill.inference.load import open_backend
from distill.inference.torch_backend import TorchBackend
from distill.report.page import Report

_THREADS = (1, 2)
_LAYERS = 12  # shown of each quantization mode


def measure_report(
    conversion: Conversion, net: nn.Module, model: str, faces: str, rounds: int = 30
) -> ConversionReport:
    """Measure latency on one and two threads, interleaved, and memory of every format.

    Args:
        conversion: a finished conversion.
        net: the network it was made from.
        model: name of the network.
        faces: source of the crops, for the page.
        rounds: timed calls of each format.
    """
    calls = {}
    for threads in _THREADS:
        calls["torch", threads] = torch_call(net, conversion.spec.crop.size, threads)
        for name, path in conversion.files.items():
            calls[name, threads] = load_call(path, threads)
    timings = compare({f"{name} x{threads}": call for (name, threads), call in calls.items()}, rounds, progress=True)
    names = ["torch", *conversion.files]
    per_call = {name: 1 if name == "torch" else conversion.batch for name in names}
    latency = {name: {n: timings[f"{name} x{n}"].median_ms / per_call[name] for n in _THREADS} for name in names}
    memory = {name: peak_memory(path) for name, path in conversion.files.items()}
    stable = all(timing.stable for timing in timings.values())
    return conversion_report(conversion, model, faces, latency, memory, not stable, progress=True)


def parity_page(report: ConversionReport, conversion: Conversion, net: nn.Module | None) -> Report:
    """Return the report as a self-contained page; with the network, also the faces that moved most."""
    groups = list(next(row.parity.groups for row in report.rows if row.parity))
    page = Report(f"Parity report of {report.model}", f"{report.crops} crops of {report.size} px, {report.faces}")
    page.heading("Formats").text(
        "Distances are pixels of the crop between the landmarks of a format and those of PyTorch; change is that of "
        "the NME, in % of PyTorch's. Times are those of one face. Memory is what loading and running adds to a process."
    )
    page.table(headings(groups), [cells(row, groups) for row in report.rows])
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
        [[row.name, runtime, px] for row in report.rows for runtime, px in row.runtimes.items()],
    )
    if net is not None:
        page.heading("Faces that moved most")
        for row in report.rows:
            if row.parity:
                caption = f"{row.name}: blue; PyTorch: orange"
                page.figure(_faces(row.name, row.parity.worst_crops, conversion, net), caption)
    return page


def measure_and_draw(
    conversion: Conversion, net: nn.Module, model: str, faces: str, rounds: int, page: Path | None, show_faces: bool
) -> tuple[ConversionReport, Report]:
    """Return the measurements and their page, also written to `page`; it may show the faces that moved most."""
    report = measure_report(conversion, net, model, faces, rounds)
    html = parity_page(report, conversion, net if show_faces else None)
    if page is not None:
        html.write(page)
    return report, html


def _faces(name: str, worst: Sequence[tuple[int, float]], conversion: Conversion, net: nn.Module) -> bytes:
    """Draw the landmarks of a format on the crops where they moved most, over those of PyTorch."""
    size = conversion.spec.crop.size
    crops = conversion.crops[[index for index, _ in worst]]
    exported = open_backend(Path(conversion.files[name]))
    trained = TorchBackend(net, conversion.spec, batch_size=1)
    points = [list(denormalise(predict(crops), size, size)) for predict in (exported, trained)]
    images = [(crop * 255).round().astype("uint8") for crop in crops]
    return contact_sheet(images, points[0], points[1], [f"{px:.3f} px" for _, px in worst])
