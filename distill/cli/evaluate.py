"""`distill evaluate MODEL`: NME, failure rate and AUC of a model, with the protocol of the measurement."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill.cli.options import options_of, parse
from distill.data.config import FacesConfig
from distill.errors import ConfigError
from distill.pretrained.registry import DEFAULT_DETECTOR
from distill.tracking.attach import AttachConfig

if TYPE_CHECKING:
    from distill.detection.detector import FaceDetector
    from distill.evaluate.result import Evaluation

_DESCRIPTION = "Measure a checkpoint (.ckpt, .safetensors), ONNX or TFLite file on annotated faces."


def evaluate(
    model: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    boxes: str = "gt",
    detector: str = DEFAULT_DETECTOR,
    scheme: str | None = None,
    flip_tta: bool = False,
    limit: int | None = None,
    approximate: bool = False,
    suite: Literal["none", "full"] = "none",
    teacher: Path | None = None,
    videos: Path | None = None,
    json: Path | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Measure a model.

    Args:
        model: the file; `facemesh` for the network of MediaPipe.
        data: the faces; the official test faces of the data set by default.
        boxes: source of the face boxes: gt (annotation), dataset (come with the data) or detector (run now).
        detector: with `boxes detector`, retinaface, blazeface, or a RetinaFace .tflite or .onnx file.
        scheme: measure in this landmark scheme instead of the model's.
        flip_tta: average with the prediction for the mirrored image.
        limit: at most this many faces, evenly spread.
        approximate: also convert points where the map between schemes is approximate; the protocol records it.
        suite: `full` adds subgroups, robustness, jitter and calibration of the uncertainty.
        teacher: with `suite full`, another model, for the agreement of the errors.
        videos: with `suite full`, a folder of clips of one face each, for the jitter.
        json: write every number here; `distill report` reads it.
        log: run that the evaluation is recorded in.
    """
    from distill.cli.record import record_evaluation
    from distill.evaluate.evaluate import UNCHANGED, measure
    from distill.evaluate.faces import load_faces
    from distill.evaluate.suite import list_videos, run_suite
    from distill.files import require_writable
    from distill.inference.load import open_backend
    from distill.pretrained.registry import resolve_model
    from distill.tracking.attach import attached_run

    if suite == "none" and (teacher or videos):
        raise ConfigError("--teacher and --videos belong to --suite full; add it, or leave them out")
    find_faces = _detector(boxes, detector)
    require_writable(json)
    attached_run(log, model)  # before anything slow
    clips = list_videos(videos) if videos else []
    other = open_backend(teacher) if teacher else None
    backend = open_backend(model)
    data = data.test_faces()
    faces = load_faces(
        backend.spec.scheme, format=data.format, root=data.root, subset=data.subset, boxes=boxes, scheme=scheme,
        limit=limit, approximate=approximate, detector=find_faces, trained=backend.spec.trained_on,
    )  # fmt: skip
    result = measure(backend, faces, model.name, flip_tta=flip_tta)[UNCHANGED]
    measured = run_suite(backend, faces, result, other, clips) if suite == "full" else None
    content = _report(result, measured, json)
    record_evaluation(log, resolve_model(model), data, result, content, json)
    return 0


def _detector(boxes: str, detector: str) -> "FaceDetector | None":
    """Return the face detector where the boxes come from one.

    Raises:
        ConfigError: a detector is named, but the boxes come from elsewhere.
    """
    from distill.data.box_sources import DETECTOR
    from distill.detection.detector import FaceDetector

    if boxes == DETECTOR:
        return FaceDetector(detector)
    if detector != DEFAULT_DETECTOR:
        raise ConfigError(f"--detector belongs to --boxes {DETECTOR}; add it, or leave the detector out")
    return None


def _report(result: "Evaluation", suite: dict[str, Any] | None, json: Path | None) -> dict[str, Any]:
    """Print the tables of a result, write it and return its content."""
    from rich.console import Console

    from distill.evaluate.evaluate import render
    from distill.evaluate.suite import render_suite
    from distill.files import write_json

    console, content = Console(), result.to_json()
    console.print(render(result))
    if suite is not None:
        content["suite"] = suite
        console.print(render_suite(suite))
    if json is not None:
        write_json(json, content)
    return content


def run(argv: list[str]) -> int:
    return evaluate(**parse(options_of("evaluate", _DESCRIPTION, evaluate, "model"), argv, "model"))
