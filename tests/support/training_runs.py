"""Content of training runs: recorded numbers and weights, and copies of a data set with changed annotations."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from distill.training.loggers.metrics_csv import read_rows


def numbers(folder: Path) -> dict[tuple[int, str], str]:
    """Every number of a run to the last bit; one recorded twice is an error."""
    rows = read_rows(folder / "metrics.csv")
    assert len({(step, name) for step, name, _ in rows}) == len(rows), "recorded twice"
    return {(step, name): value.hex() for step, name, value in rows}


def weights(path: Path) -> dict[str, Any]:
    content = torch.load(path, weights_only=True)
    return {**content["state_dict"], **{f"current.{n}": v for n, v in content.get("current_model_state", {}).items()}}


def same_weights(first: Path, other: Path) -> bool:
    values, others = weights(first), weights(other)
    return values.keys() == others.keys() and all(torch.equal(value, others[name]) for name, value in values.items())


def rewritten(faces: Path, root: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Copy made faces, each changed."""
    shutil.copytree(faces, root)
    content = json.loads((root / "faces.json").read_text())
    for face in content["faces"]:
        change(face)
    (root / "faces.json").write_text(json.dumps(content))
    return root
