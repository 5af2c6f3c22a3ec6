"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each format compared with PyTorch in pixels."""

from dataclasses import replace
from functools import partial
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cli.export_detector import export_if_detector
from distill.export.config import ExportConfig
from distill.export.quantization_modes import MODES
from distill.options.parser import options_of, parse
from distill.tracking.attach import AttachConfig

if TYPE_CHECKING:
    from torch import nn

    from distill.export.pipeline import Conversion, ExportResult
    from distill.export.verify.parity_report import ConversionReport
    from distill.report.page import Report as Page

_DESCRIPTION = "Convert a checkpoint to ONNX and TFLite; files are written only when every check passed."


def export(
    model: Path,
    out: Path | None = None,
    modes: list[str] | None = None,
    parity_report: bool = False,
    page: Path | None = None,
    pictures: bool = False,
    rounds: int = 30,
    cross_check: bool = False,
    decoded: int | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
    **options: Any,
) -> int:
    """Export a model.

    Args:
        model: a .ckpt or .safetensors file.
        out: folder for the files; `export` beside the model by default.
        modes: fp32, fp16, w8, dynamic, int8_hybrid, int8 or int16x8; default fp32 and fp16, with --parity_report all.
        parity_report: also measure latency, memory and sensitive layers; written beside the files as JSON and HTML.
        page: write the parity report here, even when a gate is missed.
        pictures: show the faces of --data on the page; generated faces are always shown.
        rounds: timed calls of each format.
        cross_check: also convert with litert-torch and compare (docs/how-to/cross-check.md).
        decoded: of a detector, side in pixels of a fixed input, for files that return boxes, scores and points.
        log: run that the files are recorded in.
        options: the other fields of `ExportConfig`.
    """
    from distill.cli.record import record_export
    from distill.export.export import convert_checkpoint
    from distill.export.verify.cross_check import find_litert_torch
    from distill.files import require_writable
    from distill.pretrained.registry import resolve_model
    from distill.report.parity import measure_and_draw
    from distill.tracking.attach import attached_run

    config = ExportConfig(modes=modes or (list(MODES) if parity_report else ["fp32", "fp16"]), **options)
    require_writable(page)
    attached_run(log, resolve_model(model, weights=True))  # before anything slow
    if cross_check:
        find_litert_torch()  # before minutes of work
    given = None if config.data is None else config.data.test_faces()
    with convert_checkpoint(model, out, replace(config, data=given)) as (conversion, net):
        data, measured = conversion.faces, None
        if data is not None and given is None:
            print(f"Compared on the faces of the run: {data.root}, {data.subset}")
        if parity_report or page:
            source = "generated faces" if data is None else f"{data.format} {data.subset}"
            measured = measure_and_draw(conversion, net, model.name, source, rounds, page, data is None or pictures)
        conversion.require()
        result = conversion.publish(partial(_write_parity, measured))
    _print(result, measured)
    record_export(log, resolve_model(model, weights=True), result, loads(result.report.read_text()))
    return _cross_check(conversion, net, result) if cross_check else 0


def _write_parity(report: "tuple[ConversionReport, Page] | None", folder: Path) -> None:
    """Write the parity report, if there is one, into a folder."""
    from distill.export.verify.parity_report import NAME
    from distill.files import write_json

    if report is not None:
        measured, page = report
        write_json(folder / NAME, measured.to_dict())
        page.write((folder / NAME).with_suffix(".html"))


def _print(result: "ExportResult", report: "tuple[ConversionReport, Page] | None") -> None:
    """Print the parity of the published files."""
    from rich.console import Console

    from distill.export.verify.parity import render
    from distill.export.verify.parity_report import render as render_report

    console = Console()
    if report is None:
        console.print(render(result.parity))
    else:
        console.print(render_report(report[0]))
    console.print(str(result), markup=False, highlight=False, soft_wrap=True)


def _cross_check(conversion: "Conversion", net: "nn.Module", result: "ExportResult") -> int:
    from rich.console import Console

    from distill.export.verify.cross_check import cross_check, render

    comparison = cross_check(net, conversion.spec, conversion.crops, result.files.get("fp32"))
    Console().print(render(comparison))
    return 0 if comparison.passed else 1


def run(argv: list[str]) -> int:
    values = parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model")
    status = export_if_detector(values, argv)
    return export(**values) if status is None else status
