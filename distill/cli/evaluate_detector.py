"""`distill evaluate` of a face detector: average precision, recall by size and false boxes on photos with boxes."""

from pathlib import Path
from typing import Any

from distill.cli.detectors import names_a_detector, require_landmark_model, require_options
from distill.detection.third_party.description import is_third_party

# Options of an evaluation that a detector has.
_OPTIONS = ("config", "detector_size", "json", "limit", "log", "model", "photos", "plugin")


def evaluate_if_detector(values: dict[str, Any], argv: list[str]) -> int | None:
    """Measure a detector and print the result; None for anything else than a detector.

    Args:
        values: all options of `distill evaluate`.
        argv: command line.

    Raises:
        ConfigError: one that an evaluation of a detector does not have.
        CheckpointError: a model that is not there.
    """
    model: Path = values["model"]
    # Outputs of no known layout are an error where photos say that a detector is meant.
    if not (names_a_detector(model) or (values["photos"] and is_third_party(model))):
        require_landmark_model(model)
        return None
    require_options(argv, _OPTIONS, "evaluation")
    from rich import print as show

    from distill.cli.record import record_detector_evaluation
    from distill.evaluate.detector import evaluate_detector
    from distill.evaluate.detector_result import render
    from distill.files import require_writable, write_json
    from distill.tracking.attach import attached_run

    json: Path | None = values["json"]
    require_writable(json)
    attached_run(values["log"], model)  # before anything slow
    result = evaluate_detector(model, values["photos"], size=values["detector_size"], limit=values["limit"])
    show(render(result))
    if json is not None:
        write_json(json, result.to_json())
    record_detector_evaluation(values["log"], model, result, json)
    return 0
