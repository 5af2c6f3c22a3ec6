"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each format compared with PyTorch in pixels."""

from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.export.config import CalibrationConfig, QuantizeConfig
from distill.export.quantization_modes import MODES
from distill.export.verify.tolerances import GateConfig

if TYPE_CHECKING:
    from torch import nn

    from distill.export.pipeline import Conversion, ExportResult
    from distill.export.verify.parity_report import ConversionReport
    from distill.report.page import Report as Page

_DESCRIPTION = "Convert a checkpoint to ONNX and TFLite; files are written only when every check passed."


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
        data: faces to compare the formats on, the official test faces of a data set; generated faces by default.
        faces: number of them.
        runtime: oldest TFLite runtime that must have every operator.
        modes: fp32, fp16, w8, dynamic, int8_hybrid, int8 or int16x8; default fp32 and fp16, with --parity_report all.
        scheme: keep the head of this landmark scheme; the main one by default.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces the integer modes are calibrated on; generated faces by default.
        quantize: modules and operators that stay in floats.
        gates: largest change allowed in each format.
        parity_report: also measure latency, memory and sensitive layers; written beside the files as JSON and HTML.
        page: write the parity report here, even when a gate is missed.
        pictures: show the faces of --data on the page; generated faces are always shown.
        rounds: timed calls of each format.
        cross_check: also convert with litert-torch and compare (docs/how-to/cross-check.md).
    """
    from distill.export.export import convert_checkpoint
    from distill.export.verify.cross_check import find_litert_torch
    from distill.files import require_writable
    from distill.report.parity import measure_and_draw

    modes = modes or (list(MODES) if parity_report else ["fp32", "fp16"])
    require_writable(page)
    if cross_check:
        find_litert_torch()  # before minutes of work
    data = None if data is None else data.test_faces()
    with convert_checkpoint(
        model, out, modes, data=data, faces=faces, runtime=runtime, scheme=scheme, stem=stem,
        calibration=calibration, quantize=quantize, gates=gates,
    ) as (conversion, net):  # fmt: skip
        measured = None
        if parity_report or page:
            source = "generated faces" if data is None else f"{data.format} {data.subset}"
            measured = measure_and_draw(conversion, net, model.name, source, rounds, page, data is None or pictures)
        conversion.require()
        result = conversion.publish()
    _print(conversion, result, measured)
    return _cross_check(conversion, net, result) if cross_check else 0


def _print(conversion: "Conversion", result: "ExportResult", report: "tuple[ConversionReport, Page] | None") -> None:
    """Print the parity of the published files; write the parity report beside them."""
    from rich.console import Console

    from distill.export.verify.parity import render
    from distill.export.verify.parity_report import NAME
    from distill.export.verify.parity_report import render as render_report
    from distill.files import write_json

    console = Console()
    if report is None:
        console.print(render(result.parity))
    else:
        measured, html = report
        write_json(conversion.out_dir / NAME, measured.to_dict())
        html.write((conversion.out_dir / NAME).with_suffix(".html"))
        console.print(render_report(measured))
    console.print(str(result), markup=False, highlight=False, soft_wrap=True)


def _cross_check(conversion: "Conversion", net: "nn.Module", result: "ExportResult") -> int:
    from rich.console import Console

    from distill.export.verify.cross_check import cross_check, render

    comparison = cross_check(net, conversion.spec, conversion.crops, result.files.get("fp32"))
    Console().print(render(comparison))
    return 0 if comparison.passed else 1


def run(argv: list[str]) -> int:
    return export(**parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model"))
