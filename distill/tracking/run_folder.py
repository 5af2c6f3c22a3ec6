"""Folder of a training run: finding the one that a file belongs to, and its configuration."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.files import write_text

# Results that commands keep in the folder of the run they are attached to.
RECORDS = "records"
_DEPTH = 3


def is_run(folder: Path) -> bool:
    """Whether a training recorded itself in this folder."""
    return (folder / "config.yaml").is_file() and (folder / "metrics.csv").is_file()


def find_run(path: str | Path) -> Path | None:
    """Return the run folder that holds a file, directly or in `export/` and the like; None outside a run."""
    parents = Path(path).absolute().parents[:_DEPTH]
    return next((folder for folder in parents if is_run(folder)), None)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the configuration of a run; empty where it is missing or cannot be read."""
    try:
        content = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def role_of(config: Mapping[str, Any]) -> str:
    """Return `student`, `baseline` (a student trained without distillation), `teacher` or `detector` (of faces).

    Args:
        config: of the training, in plain types.
    """
    data = config.get("data")
    if isinstance(data, dict) and "scene" in data:
        return "detector"
    if "kd" not in config:
        return "teacher"
    kd = config["kd"] if isinstance(config["kd"], dict) else {}
    return "baseline" if kd.get("kind") == "none" else "student"


def network_of(config: Mapping[str, Any]) -> str | None:
    """Return the name of the network in a configuration; that of a detector has its width."""
    model = config.get("model")
    if not isinstance(model, dict):
        return None
    return f"retinaface {model.get('width')}" if role_of(config) == "detector" else model.get("arch")


def stored_id(folder: Path, make: str) -> str:
    """Return the identity of the run in trackers: the one it was given first, else `make`, which is stored."""
    file = folder / "wandb_id.txt"
    if not file.is_file():
        write_text(file, f"{make}\n")
    return file.read_text().strip()
