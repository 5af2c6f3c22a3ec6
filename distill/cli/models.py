"""`distill models`: the released models, their files and their accuracy."""

from dataclasses import asdict
from pathlib import Path

from distill.cli.console import wide_console
from distill.options.parser import options_of, parse

_DESCRIPTION = "List the released models; any of the names can be given instead of a model file."

_UNIT = (
    "NME 51, 68: NME in % of the distance between the outer eye corners, over the 51 points inside the face and over\n"
    "all 68; 554 faces of 300-W common, gt boxes, full precision. px: side of the crop."
)


def models(json: bool = False) -> int:
    """Print the released models.

    Args:
        json: print everything the cards hold, as JSON.
    """
    from distill.pretrained.registry import CHECKPOINTS, released_models

    released = released_models().values()
    if json:
        from json import dumps

        print(dumps([asdict(model) for model in released], indent=2))
        return 0
    from rich.table import Column, Table

    names = Column("model", no_wrap=True)
    table = Table(names, "points", "px", "NME 51", "68", "files", "", box=None, pad_edge=False)
    for model in released:
        kinds = ", ".join(_kind(model.name, file) for file in model.files)
        table.add_row(
            model.name,
            str(model.points),
            str(model.size),
            f"{model.inner_nme_percent:.2f}",
            "–" if model.points == 51 else f"{model.nme_percent:.2f}",
            kinds,
            model.summary,
        )
    wide_console().print(table)
    print(_UNIT)
    if absent := [model.name for model in released if not any((CHECKPOINTS / file).is_file() for file in model.files)]:
        print(f"Not in this installation but in checkpoints/ of the source repository: {', '.join(absent)}.")
    return 0


def _kind(name: str, file: str) -> str:
    """`student_128_fp16.tflite` -> `fp16`; weights for training have the model's name alone."""
    return Path(file).stem.removeprefix(name).removeprefix("_") or "weights"


def run(argv: list[str]) -> int:
    return models(**parse(options_of("models", _DESCRIPTION, models), argv))
