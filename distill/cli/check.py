"""`distill check`: check whether a TFLite file, or an architecture before training, runs on an old runtime."""

from pathlib import Path
from typing import Any

from distill.cli.console import wide_console
from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.tracking.attach import AttachConfig

_DESCRIPTION = "List every operator of a TFLite file with the first runtime that supports it, then load the file."


def check(
    file: Path | None = None,
    model: str | None = None,
    runtime: str = "2.11.0",
    matrix: bool = False,
    onnx: Path | None = None,
    sha256: str | None = None,
    json: Path | None = None,
    scheme: str | None = None,
    size: int | None = None,
    options: dict[str, Any] | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Check a file or an architecture; the exit status is 1 when it does not run.

    Args:
        file: any .tflite file, or the name of a released model.
        model: instead of a file, an architecture; it is built with random weights and converted.
        runtime: the oldest runtime it must run on: 2.5 to 2.20, or litert.
        matrix: also show every release at once.
        onnx: the ONNX file it was made from, which names the torch module of an operator.
        sha256: the hash the file must have; without it that of its sidecar counts.
        json: write the report here.
        scheme: landmark scheme of the architecture; else inner51.
        size: input of the architecture in pixels; else the size it is made for.
        options: keyword arguments of the architecture.
        log: run that the check of a file is recorded in.
    """
    from distill.cli.record import record_check
    from distill.export.check import check as check_api
    from distill.files import require_writable, write_json
    from distill.opcheck.report import render, render_matrix, sentences
    from distill.tflite.metadata import sentences as metadata_lines
    from distill.tracking.attach import attached_run

    if (file is None) == (model is None):
        raise ConfigError("give either a .tflite file or an architecture: `distill check --model mobilevit_v2_050`")
    require_writable(json)
    attached_run(log, *([] if file is None else [file]))  # before anything slow
    chosen = file if file is not None else str(model)
    result = check_api(chosen, runtime, onnx=onnx, sha256=sha256, scheme=scheme, size=size, options=options)
    report, loads = result.ops, result.loads
    console = wide_console()
    console.print(render(report))
    if matrix:
        console.print(render_matrix(report))
    for line in (*sentences(report), *(f"{name}: {outcome}" for name, outcome in loads.items())):
        console.print(line, markup=False, highlight=False)
    for line in metadata_lines(result.metadata or {}):
        console.print(line, markup=False, highlight=False)
    if result.note is not None:
        console.print(f"not loaded in {runtime}: {result.note}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"[bold]{result}[/bold]")
    if json is not None:
        write_json(json, result.to_dict())
    if file is not None:
        record_check(log, file, result.to_dict(), json)
    return 0 if result.ok else 1


def run(argv: list[str]) -> int:
    return check(**parse(options_of("check", _DESCRIPTION, check, "file"), argv, "file"))
