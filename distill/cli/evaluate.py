"""`distill evaluate MODEL`: accuracy of a landmark model or of a face detector, with the protocol."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from distill.cli.evaluate_detector import evaluate_if_detector
from distill.data.config import FacesConfig
from distill.data.photos.config import PhotoSetConfig
from distill.errors import ConfigError
from distill.options.parser import options_of, parse
from distill.pretrained.registry import DEFAULT_DETECTOR
from distill.tracking.attach import AttachConfig, attached_run

if TYPE_CHECKING:
    from distill.evaluate.result import Evaluation

_DESCRIPTION = "Measure a checkpoint (.ckpt, .safetensors), ONNX or TFLite file on annotated faces, or a face detector."


def evaluate(
    model: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    boxes: str = "gt",
    detector: str = DEFAULT_DETECTOR,
    detector_size: int | None = None,
    photos: list[PhotoSetConfig] = [],  # noqa: B006  never changed
    scheme: str | None = None,
    flip_tta: bool = False,
    limit: int | None = None,
    approximate: bool = False,
    suite: Literal["none", "full"] = "none",
    teacher: Path | None = None,
    videos: Path | None = None,
    categories: Path | None = None,
    json: Path | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Measure a model.

    Args:
        model: the file; `facemesh` for the network of MediaPipe; retinaface, blazeface or a file of a face detector.
        data: the faces; the official test faces of the data set by default.
        boxes: source of the face boxes: gt (annotation), dataset (come with the data) or detector (run now).
        detector: with `boxes detector`, retinaface, retinaface_int8, blazeface, or a .tflite or .onnx file.
        detector_size: longer side of the detector's input, a multiple of 32; by default that of its file.
        photos: of a detector, photos with boxes; by default those that the training of its run held out.
        scheme: measure in this landmark scheme instead of the model's.
        flip_tta: average with the prediction for the mirrored image.
        limit: at most this many faces (of a detector: photos), evenly spread.
        approximate: also convert points where the map between schemes is approximate; the protocol records it.
        suite: `full` adds subgroups, robustness, jitter and calibration of the uncertainty.
        teacher: with `suite full`, another model, for the agreement of the errors.
        videos: with `suite full`, a folder of clips of one face each, for the jitter.
        categories: with `suite full`, a CSV of `distill data label`, for the error by category.
        json: write every number here; `distill report` reads it.
        log: run that the evaluation is recorded in.
    """
    from distill.evaluate.faces import chosen_detector
    from distill.files import require_writable

    if suite == "none" and (teacher or videos or categories):
        raise ConfigError("--teacher, --videos and --categories belong to --suite full; add it, or leave them out")
    if photos:
        raise ConfigError(f"--photos has no effect: {model} is no face detector; leave it out")
    require_writable(json)
    options: dict[str, Any] = {**asdict(data), "boxes": boxes, "scheme": scheme, "flip_tta": flip_tta, "limit": limit}
    options |= {"approximate": approximate, "detector": chosen_detector(boxes, detector, detector_size)}
    attached_run(log, model)  # before anything slow
    further = {"teacher": teacher, "videos": videos, "categories": categories} if suite == "full" else None
    result, content = _measured(model, options, further)
    _record(log, model, data.test_faces(), result, content, json)
    return 0


def _measured(
    model: Path, options: dict[str, Any], suite: dict[str, Any] | None
) -> "tuple[Evaluation, dict[str, Any]]":
    """Measure a model, with `--suite full` where its options are given; print the result and return it as JSON too."""
    from rich import print as show

    from distill.evaluate.evaluate import evaluate as evaluate_model
    from distill.evaluate.evaluate import render
    from distill.evaluate.suite import evaluate_with_suite, render_suite

    if suite is None:
        result = evaluate_model(model, **options)
        show(render(result))
        return result, result.to_json()
    result, found = evaluate_with_suite(model, measured=lambda r: show(render(r)), **suite, **options)
    show(render_suite(found))
    return result, {**result.to_json(), "suite": found}


def _record(
    log: AttachConfig,
    model: Path,
    data: FacesConfig,
    result: "Evaluation",
    content: Mapping[str, Any],
    json: Path | None,
) -> None:
    """Write the result to `--json`, and record it in its run."""
    from distill.cli.record import record_evaluation
    from distill.files import write_json
    from distill.pretrained.registry import resolve_model

    if json is not None:
        write_json(json, content)
    record_evaluation(log, resolve_model(model), data, result, content, json)


def run(argv: list[str]) -> int:
    values = parse(options_of("evaluate", _DESCRIPTION, evaluate, "model"), argv, "model")
    status = evaluate_if_detector(values, argv)
    return evaluate(**values) if status is None else status
