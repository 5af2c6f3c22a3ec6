"""`distill export MODEL`: PyTorch -> ONNX -> TFLite, each format compared with PyTorch in pixels."""

from pathlib import Path

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.export.config import CalibrationConfig, QuantizeConfig
from distill.export.quantization_modes import MODES
from distill.export.verify.tolerances import GateConfig

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
        data: faces to compare the formats on; generated faces by default.
        faces: number of them.
        runtime: oldest TFLite runtime that must have every operator.
        modes: quantization modes of the TFLite files, of fp32, fp16, w8, dynamic, int8_hybrid, int8, int16x8; fp32 and
            fp16 by default, all with --parity_report.
        scheme: keep the head of this landmark scheme; the main one by default.
        stem: the files are called STEM.onnx, STEM_fp32.tflite and so on.
        calibration: training faces the integer modes are calibrated on; generated faces by default.
        quantize: modules and operators that stay in floats.
        gates: largest change allowed in each format.
        parity_report: also measure latency, memory and sensitive layers; writes parity.json and parity.html.
        page: write the parity report here, even when a gate is missed.
        pictures: show the faces of --data on the page; generated faces are always shown.
        rounds: timed calls of each format.
        cross_check: also convert with litert-torch and compare (docs/how-to/cross-check.md).
    """
    from rich.console import Console

    from distill.export.export import convert_checkpoint
    from distill.export.verify import cross_check as checks
    from distill.export.verify.parity import render
    from distill.export.verify.parity_report import render as report_table
    from distill.files import require_writable, write_json
    from distill.report.parity import measure_report, parity_page

    chosen = modes or (list(MODES) if parity_report else ["fp32", "fp16"])
    require_writable(page)
    if cross_check:
        checks.find_litert_torch()  # before minutes of work
    console = Console()
    report = html = None
    with convert_checkpoint(
        model, out, chosen, data=data, faces=faces, runtime=runtime, scheme=scheme, stem=stem,
        calibration=calibration, quantize=quantize, gates=gates,
    ) as (conversion, net):  # fmt: skip
        if parity_report or page:
            report = measure_report(conversion, net, model.name, _source(data), rounds)
            html = parity_page(report, conversion, net if data is None or pictures else None)
        if page is not None and html is not None:
            html.write(page)
        conversion.require()
        result = conversion.publish()
    if report is not None and html is not None:
        write_json(conversion.out_dir / "parity.json", report.to_dict())
        html.write(conversion.out_dir / "parity.html")
    console.print(report_table(report) if report is not None else render(result.parity))
    for path in result.files.values():
        console.print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
    if not cross_check:
        return 0
    comparison = checks.cross_check(net, conversion.spec, conversion.crops, result.files.get("fp32"))
    console.print(checks.render(comparison))
    return 0 if comparison.passed else 1


def _source(data: FacesConfig | None) -> str:
    return "generated faces" if data is None else f"{data.format} {data.subset}"


def run(argv: list[str]) -> int:
    return export(**parse(options_of("export", _DESCRIPTION, export, "model"), argv, "model"))
