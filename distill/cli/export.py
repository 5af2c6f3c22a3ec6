"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each hop compared with the last in pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.export.config import CalibrationConfig, QuantiseConfig
from distill.export.quantization_modes import KINDS, require_kinds
from distill.export.verify.tolerances import GateConfig

if TYPE_CHECKING:
    from torch import nn

    from distill.export.pipeline import Staged
    from distill.export.verify.parity_report import Ladder
    from distill.report.page import Report

_DESCRIPTION = "Convert a checkpoint to ONNX and TFLite; files appear only when every check of every hop passed."
_THREADS = (1, 2)
_LAYERS = 12  # shown of each kind


def export(
    model: Path,
    out: Path | None = None,
    data: FacesConfig | None = None,
    faces: int = 32,
    runtime: str = "2.11.0",
    kinds: list[str] | None = None,
    scheme: str | None = None,
    stem: str = "student",
    calibration: CalibrationConfig = CalibrationConfig(),  # noqa: B008  frozen
    quantise: QuantiseConfig = QuantiseConfig(),  # noqa: B008  frozen
    gates: GateConfig = GateConfig(),  # noqa: B008  frozen
    ladder: bool = False,
    page: Path | None = None,
    pictures: bool = False,
    rounds: int = 30,
    second_opinion: bool = False,
) -> int:
    """Export a model.

    Args:
        model: a .ckpt or .safetensors file.
        out: folder for the files; `export` beside the model by default.
        data: faces to compare the hops on; generated faces by default.
        faces: how many of them.
        runtime: oldest TFLite runtime that must have every operator.
        kinds: TFLite files to make, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8; fp32 and fp16 by default,
            all with --ladder.
        scheme: keep the head of this landmark scheme; the main one by default.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces the integer kinds are calibrated on; generated faces by default.
        quantise: what stays in floats.
        gates: what a hop may change at most.
        ladder: also measure latency, memory and layers of every hop; writes ladder.json and ladder.html.
        page: write the ladder's page here, even when a gate is missed.
        pictures: show the faces of --data on the page; generated faces are always shown.
        rounds: timed calls of each hop.
        second_opinion: also convert with litert-torch and compare (docs/how-to/cross-check.md).
    """
    from rich.console import Console

    from distill.data.crops import face_crops
    from distill.export.calibration import calibrate_on
    from distill.export.pipeline import stage
    from distill.export.verify.cross_check import find_litert_torch
    from distill.export.verify.cross_check import render as opinion_table
    from distill.export.verify.cross_check import second_opinion as ask
    from distill.export.verify.parity import render
    from distill.export.verify.parity_report import render as ladder_table
    from distill.files import require_writable, write_json
    from distill.models.checkpoint import load_model
    from distill.tflite.releases import parse_release

    chosen = kinds or (list(KINDS) if ladder else ["fp32", "fp16"])
    require_kinds(chosen)
    parse_release(runtime)
    require_writable(page)
    if second_opinion:
        find_litert_torch()  # before minutes of work
    net, spec = load_model(model, scheme)
    crops, landmarks = face_crops(spec, faces, data.format, data.root, data.subset) if data else face_crops(spec, faces)
    shown = calibrate_on(spec, calibration) if any(KINDS[kind].calibrated for kind in chosen) else None
    where, console, hops = out or model.parent / "export", Console(), gates.by_hop()
    with stage(net, spec, where, crops, landmarks, runtime, chosen, stem, hops, shown, quantise) as staged:
        climbed = _climb(staged, net, model.name, _source(data), rounds) if ladder or page else None
        report = _page(climbed, staged, net if data is None or pictures else None) if climbed else None
        if page is not None and report is not None:
            report.write(page)
        staged.require()
        result = staged.publish()
    if climbed is not None and report is not None:
        write_json(where / "ladder.json", climbed.to_dict())
        report.write(where / "ladder.html")
    console.print(ladder_table(climbed) if climbed is not None else render(result.parity))
    for path in result.files.values():
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    if second_opinion:
        opinion = ask(net, spec, crops, result.files.get("fp32"))
        console.print(opinion_table(opinion))
        return 0 if opinion.passed else 1
    return 0


def _source(data: FacesConfig | None) -> str:
    return "generated faces" if data is None else f"{data.format} {data.subset}"


def _climb(staged: "Staged", net: "nn.Module", model: str, faces: str, rounds: int) -> "Ladder":
    """Measure what only running can tell: latency on one and two threads in turns, and memory."""
    from distill.bench.latency import compare, torch_call
    from distill.bench.memory import peak_memory
    from distill.bench.subjects import load_call
    from distill.export.verify.parity_report import climb

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


def _page(ladder: "Ladder", staged: "Staged", net: "nn.Module | None") -> "Report":
    """Return the ladder as a page that needs nothing else; with the network, also its worst faces."""
    from distill.export.verify.parity_report import cells, headings
    from distill.report.page import Report

    groups = list(next(rung.hop.groups for rung in ladder.rungs if rung.hop))
    page = Report(f"Parity ladder of {ladder.model}", f"{ladder.crops} crops of {ladder.size} px, {ladder.faces}")
    page.heading("Hops").text(
        "Distances are pixels of the crop between a hop's landmarks and those of PyTorch; change is that of the NME, "
        "in % of PyTorch's. Memory is what loading and running adds to a process."
    )
    page.table(headings(groups), [cells(rung, groups) for rung in ladder.rungs])
    if ladder.unstable:
        page.text("The machine was busy: the latencies are not to be trusted.")
    if ladder.calibration is not None:
        c = ladder.calibration
        page.text(f"Calibrated on {c['faces']} faces ({c['source']}), data {c['data_hash'][:12]}.")
    for kind, costs in ladder.layers.items():
        page.heading(f"What {kind} costs, layer by layer").text("Pixels the landmarks move when one module is rounded.")
        page.table(["module", "mean px", "max px"], [[c.module, c.mean_px, c.max_px] for c in costs[:_LAYERS]])
    page.heading("Runtimes").table(
        ["hop", "runtime", "max px"],
        [[rung.name, runtime, px] for rung in ladder.rungs for runtime, px in rung.runtimes.items()],
    )
    if net is not None:
        page.heading("Faces that moved most")
        for rung in ladder.rungs:
            if rung.hop:
                page.figure(_faces(rung.name, rung.hop.worst_crops, staged, net), f"{rung.name}: green; PyTorch: red")
    return page


def _faces(name: str, worst: "Sequence[tuple[int, float]]", staged: "Staged", net: "nn.Module") -> bytes:
    """Draw a hop's landmarks on the crops where they moved most, over those of PyTorch."""
    from distill.drawing import contact_sheet
    from distill.export.pipeline import as_predictor
    from distill.geometry import denormalise
    from distill.inference.landmarker import load_model

    size, crops = staged.spec.crop.size, staged.crops[[index for index, _ in worst]]
    exported, _ = load_model(staged.files[name])
    hop, torch = (list(denormalise(predict(crops), size, size)) for predict in (exported, as_predictor(net)))
    drawn = [(crop * 255).round().astype("uint8") for crop in crops]
    return contact_sheet(drawn, hop, torch, [f"{px:.3f} px" for _, px in worst])


def run(argv: list[str]) -> int:
    return export(**parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model"))
