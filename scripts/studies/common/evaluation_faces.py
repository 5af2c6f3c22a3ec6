"""Faces that released models are measured on: the test faces of 300-W, and hard faces of WFLW for development."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.data.box_sources import DETECTOR
from distill.detection.detector import Detector
from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation
from distill.inference.backend import Backend
from scripts.studies.common.split_300w import TEST


def hard_faces(data: Path) -> dict[str, Any]:
    """Return the options of `evaluate` for WFLW's faces, over the 51 points that it shares with 300-W."""
    return {"format": "wflw", "root": data / "WFLW", "subset": "all", "scheme": "inner51", "approximate": True}


def nme_percent(model: Path | Backend, faces: Mapping[str, Any]) -> float:
    """Return the inter-ocular NME in percent of a model on faces, which are options of `evaluate`."""
    return float(evaluate(model, **faces).to_json()["metrics"]["ocular"]["nme_percent"])


def common_faces(model: Path, data: Path, detector: Detector | None = None) -> dict[str, Evaluation]:
    """Evaluate a file on the test faces of 300-W, with the annotated boxes and with those of a detector."""
    return {
        boxes: evaluate(model, format="300w", root=data / "300W", subset=TEST, boxes=boxes, detector=found)
        for boxes, found in (("gt", None), (DETECTOR, detector))
    }


def all_faces(model: Path, data: Path, detector: Detector | None = None) -> dict[str, Evaluation]:
    """Evaluate a file on the test faces of 300-W, with both boxes, and on hard faces of WFLW."""
    return {**common_faces(model, data, detector), "hard": evaluate(model, **hard_faces(data))}
