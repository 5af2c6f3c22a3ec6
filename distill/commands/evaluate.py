"""`distill evaluate MODEL`: how far a model's points are from the truth, with the protocol beside the number."""

from pathlib import Path
from typing import Literal

from distill.config import FacesConfig
from distill.options import options_of, parse

_DESCRIPTION = "Measure a checkpoint (.ckpt, .safetensors), ONNX or TFLite file on annotated faces."


def evaluate(
    model: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    boxes: Literal["gt", "det"] = "gt",
    scheme: str | None = None,
    flip_tta: bool = False,
    limit: int | None = None,
    json: Path | None = None,
) -> int:
    """Measure a model.

    Args:
        model: the file.
        data: the faces.
        boxes: cut faces out by true boxes or by a detector's.
        scheme: measure in this landmark scheme instead of the model's.
        flip_tta: average with the prediction for the mirror image.
        limit: at most this many faces, evenly spread.
        json: write every number here.
    """
    from rich.console import Console

    from distill.evaluate.evaluate import evaluate as measure
    from distill.evaluate.evaluate import render
    from distill.files import write_json

    result = measure(
        model,
        format=data.format,
        root=data.root,
        subset=data.subset,
        boxes=boxes,
        scheme=scheme,
        flip_tta=flip_tta,
        limit=limit,
    )
    Console().print(render(result))
    if json is not None:
        write_json(json, result.to_json())
    return 0


def run(argv: list[str]) -> int:
    return evaluate(**parse(options_of("evaluate", _DESCRIPTION, evaluate, "model"), argv, "model"))
