"""`distill check`: does a TFLite file, or an architecture before any training, run on an old runtime?"""

from pathlib import Path
from typing import Any

from distill.errors import ConfigError
from distill.options import options_of, parse

_DESCRIPTION = "List every operator of a TFLite file with the first runtime that has it, then load it for real."


def check(
    file: Path | None = None,
    model: str | None = None,
    runtime: str = "2.11.0",
    scheme: str = "inner51",
    size: int = 128,
    options: dict[str, Any] | None = None,
) -> int:
    """Check a file or an architecture; the exit status is 1 when it does not run.

    Args:
        file: any .tflite file.
        model: instead of a file, an architecture; it is built with random weights and converted.
        runtime: the oldest TFLite runtime it must run on.
        scheme: landmark scheme of the architecture.
        size: input of the architecture in pixels.
        options: keyword arguments of the architecture.
    """
    from rich.console import Console

    from distill.export.architecture import check_architecture, load_everywhere
    from distill.export.opcheck import check_model, render

    if (file is None) == (model is None):
        raise ConfigError("give either a .tflite file or an architecture: `distill check --model mobilevit_v2_050`")
    if file is not None:
        if not file.is_file():
            raise ConfigError(f"{file}: no such file; make one with `distill export`")
        report, loads = check_model(file, runtime), load_everywhere(file, runtime)
    else:
        result = check_architecture(str(model), runtime, scheme, size, options)
        report, loads = result.ops, result.loads
    console = Console()
    console.print(render(report))
    for name, outcome in loads.items():
        console.print(f"{name}: {outcome}")
    runs = all(outcome == "runs" for outcome in loads.values())
    console.print(f"[bold]{'runs' if report.passed and runs else 'does NOT run'} on TFLite {runtime}[/bold]")
    return 0 if report.passed and runs else 1


def run(argv: list[str]) -> int:
    return check(**parse(options_of("check", _DESCRIPTION, check, "file"), argv, "file"))
