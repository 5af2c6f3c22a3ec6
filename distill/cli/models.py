"""`distill models`: the released models, their files and their accuracy."""

from dataclasses import asdict
from pathlib import Path

from distill.cli.options import options_of, parse

_DESCRIPTION = "List the released models; any of the names can be given instead of a model file."


def models(json: bool = False) -> int:
    """Print the released models.

    Args:
        json: print everything the cards hold, as JSON.
    """
    from distill.pretrained.registry import released_models

    released = released_models().values()
    if json:
        from json import dumps

        print(dumps([asdict(model) for model in released], indent=2))
        return 0
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("model", no_wrap=True), "points", "input", "NME %", "files", "", box=None)
    for model in released:
        kinds = ", ".join(_kind(model.name, file) for file in model.files)
        table.add_row(
            model.name, str(model.points), f"{model.size} px", f"{model.nme_percent:.2f}", kinds, model.summary
        )
    Console().print(table)
    print("NME: inter-ocular, over the model's own points, 554 faces of 300-W common, true boxes.")
    return 0


def _kind(name: str, file: str) -> str:
    """`student_128_fp16.tflite` -> `fp16`; weights for training have the model's name alone."""
    return Path(file).stem.removeprefix(name).removeprefix("_") or "weights"


def run(argv: list[str]) -> int:
    return models(**parse(options_of("models", _DESCRIPTION, models), argv))
