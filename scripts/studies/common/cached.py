"""Cached evaluations and exports of a model, valid as long as its file is unchanged."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from distill.cli.export import export
from distill.data.config import FacesConfig
from distill.evaluate.evaluate import evaluate
from distill.export.config import CalibrationConfig
from distill.export.verify.tolerances import Gate, GateConfig
from distill.files import sha256, write_json, write_text
from scripts.studies.common.split_300w import TEST, TRAIN

# Tables are to show what misses a gate, too; nothing that is converted here is a release.
OPEN = GateConfig(**{entry.name: Gate(1e9, 1e9, 1e9) for entry in fields(GateConfig)})


def scored(model: Path, data: Path, folder: Path, boxes: str = "gt", limit: int | None = None) -> Path:
    """Evaluate a file on the test faces of a 300-W folder; return what was found, a file in `folder`."""
    faces = boxes if limit is None else f"{boxes}_{limit}"
    path = folder / f"{model.name}_{faces}_{sha256(model)[:8]}.json"
    if not path.is_file():
        write_json(path, evaluate(model, format="300w", root=data, subset=TEST, boxes=boxes, limit=limit).to_json())
    return path


def converted(stem: str, model: Path, data: Path, folder: Path, **options: Any) -> Path:
    """Export a model into `folder`, integers calibrated on training faces; `options` are those of `export`."""
    mark = folder / "model.sha256"
    if not (mark.is_file() and mark.read_text() == sha256(model)):
        faces, calibration = FacesConfig("300w", data, TEST), CalibrationConfig("300w", data, TRAIN)
        export(model, folder, data=faces, stem=stem, calibration=calibration, gates=OPEN, **options)
        write_text(mark, sha256(model))
    return folder
