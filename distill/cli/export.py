"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each stage compared with the last in pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.export.config import CalibrationConfig, QuantizeConfig
from distill.export.quantization_modes import MODES, require_modes
from distill.export.verify.tolerances import GateConfig

if TYPE_CHECKING:
    from torch import nn

    from distill.export.pipeline import Conversion
    from distill.export.verify.parity_report import ConversionReport
    from distill.report.page import Report

_DESCRIPTION = "Convert a checkpoint to ONNX and TFLite; files appear only when every check of every stage passed."
_THREADS = (1, 2)
_LAYERS = 12  # shown of each mode


def export(
    model: Path,
    out: Path | None = None,
    data: FacesConfig | None = None,
    faces: int = 32,
    runtime: str = "2.11.0",
    modes: list[str] | None = None,
    scheme: str | None = None,
    stem: str = "student",
    calibration: CalibrationConfig = CalibrationConfig(),  # noqa: B008  frozen
    quantize: QuantizeConfig = QuantizeConfig(),  # noqa: B008  frozen
    gates: GateConfig = GateConfig(),  # noqa: B008  frozen
    parity_report: bool = False,
    page: Path | None = None,
    pictures: bool = False,
    rounds: int = 30,
    cross_check: bool = False,
) -> int:
    """Export a model.

    Args:
        model: a .ckpt or .safetensors file.
        out: folder for the files; `export` beside the model by default.
        data: faces to compare the stages on; generated faces by default.
        faces: how many of them.
        runtime: oldest TFLite runtime that must have every operator.
        modes: TFLite files to make, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8; fp32 and fp16 by default,
            all with --parity_report.
        scheme: keep the head of this landmark scheme; the main one by default.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces the integer modes are calibrated on; generated faces by default.
        quantize: what stays in floats.
        gates: what a stage may change at most.
        parity_report: also measure latency, memory and layers of every stage; writes parity.json and parity.html.
        page: write the page of the report here, even when a gate is missed.
        pictures: show the faces of --data on the page; generated faces are always shown.
        rounds: timed calls of each stage.
        cross_check: also convert with litert-torch and compare (docs/cross_check.md).
    """
    from rich.console import Console

    from distill.data.crops import face_crops
    from distill.export.calibration import calibrate_on
    from distill.export.pipeline import convert
    from distill.export.verify.cross_check import cross_check as check_against
    from distill.export.verify.cross_check import find_litert_torch
    from distill.export.verify.cross_check import render as cross_check_table
    from distill.export.verify.parity import render
    from distill.export.verify.parity_report import render as parity_table
    from distill.files import require_writable, write_json
    from distill.models.checkpoint import load_model
    from distill.tflite.releases import parse_release

    chosen = modes or (list(MODES) if parity_report else ["fp32", "fp16"])
    require_modes(chosen)
    parse_release(runtime)
    require_writable(page)
    if cross_check:
        find_litert_torch()  # before minutes of work
    net, spec = load_model(model, scheme)
    crops, landmarks = face_crops(spec, faces, data.format, data.root, data.subset) if data else face_crops(spec, faces)
    shown = calibrate_on(spec, calibration) if any(MODES[mode].calibrated for mode in chosen) else None
    where, console, limits = out or model.parent / "export", Console(), gates.by_stage()
    with convert(net, spec, where, crops, landmarks, runtime, chosen, stem, limits, shown, quantize) as conversion:
        measured = _measure(conversion, net, model.name, _source(data), rounds) if parity_report or page else None
        report = _page(measured, conversion, net if data is None or pictures else None) if measured else None
        if page is not None and report is not None:
            report.write(page)
        conversion.require()
        result = conversion.publish()
    if measured is not None and report is not None:
        write_json(where / "parity.json", measured.to_dict())
        report.write(where / "parity.html")
    console.print(parity_table(measured) if measured is not None else render(result.parity))
    for path in result.files.values():
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    if cross_check:
        comparison = check_against(net, spec, crops, result.files.get("fp32"))
        console.print(cross_check_table(comparison))
        return 0 if comparison.passed else 1
    return 0


def _source(data: FacesConfig | None) -> str:
    return "generated faces" if data is None else f"{data.format} {data.subset}"


def _measure(conversion: "Conversion", net: "nn.Module", model: str, faces: str, rounds: int) -> "ConversionReport":
    """Measure what only running can tell: latency on one and two threads in turns, and memory."""
    from distill.bench.latency import compare, torch_call
    from distill.bench.memory import peak_memory
    from distill.bench.subjects import load_call
    from distill.export.verify.parity_report import conversion_report

    calls = {}
    for threads in _THREADS:
        calls["torch", threads] = torch_call(net, conversion.spec.crop.size, threads)
        for name, path in conversion.files.items():
            calls[name, threads] = load_call(path, threads)
    timings = compare({f"{name} x{threads}": call for (name, threads), call in calls.items()}, rounds, progress=True)
    names = ["torch", *conversion.files]
    latency = {name: {n: timings[f"{name} x{n}"].median_ms for n in _THREADS} for name in names}
    memory = {name: peak_memory(path) for name, path in conversion.files.items()}
    stable = all(timing.stable for timing in timings.values())
    return conversion_report(conversion, model, faces, latency, memory, not stable, progress=True)


def _page(table: "ConversionReport", conversion: "Conversion", net: "nn.Module | None") -> "Report":
    """Return the report as a page that needs nothing else; with the network, also its worst faces."""
    from distill.export.verify.parity_report import cells, headings
    from distill.report.page import Report

    groups = list(next(row.parity.groups for row in table.rows if row.parity))
    page = Report(f"Parity report of {table.model}", f"{table.crops} crops of {table.size} px, {table.faces}")
    page.heading("Stages").text(
        "Distances are pixels of the crop between a stage's landmarks and those of PyTorch; change is that of the NME, "
        "in % of PyTorch's. Memory is what loading and running adds to a process."
    )
    page.table(headings(groups), [cells(row, groups) for row in table.rows])
    if table.unstable:
        page.text("The machine was busy: the latencies are not to be trusted.")
    if table.calibration is not None:
        c = table.calibration
        page.text(f"Calibrated on {c['faces']} faces ({c['source']}), data {c['data_hash'][:12]}.")
    for mode, costs in table.layers.items():
        page.heading(f"What {mode} costs, layer by layer").text("Pixels the landmarks move when one module is rounded.")
        page.table(["module", "mean px", "max px"], [[c.module, c.mean_px, c.max_px] for c in costs[:_LAYERS]])
    page.heading("Runtimes").table(
        ["stage", "runtime", "max px"],
        [[row.name, runtime, px] for row in table.rows for runtime, px in row.runtimes.items()],
    )
    if net is not None:
        page.heading("Faces that moved most")
        for row in table.rows:
            if row.parity:
                page.figure(
                    _faces(row.name, row.parity.worst_crops, conversion, net), f"{row.name}: green; PyTorch: red"
                )
    return page


def _faces(name: str, worst: "Sequence[tuple[int, float]]", conversion: "Conversion", net: "nn.Module") -> bytes:
    """Draw a stage's landmarks on the crops where they moved most, over those of PyTorch."""
    from distill.drawing import contact_sheet
    from distill.export.pipeline import as_predictor
    from distill.geometry import denormalise
    from distill.inference.landmarker import load_model

    size, crops = conversion.spec.crop.size, conversion.crops[[index for index, _ in worst]]
    exported, _ = load_model(conversion.files[name])
    converted = list(denormalise(exported(crops), size, size))
    reference = list(denormalise(as_predictor(net)(crops), size, size))
    drawn = [(crop * 255).round().astype("uint8") for crop in crops]
    return contact_sheet(drawn, converted, reference, [f"{px:.3f} px" for _, px in worst])


def run(argv: list[str]) -> int:
    return export(**parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model"))
