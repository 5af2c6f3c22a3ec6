"""`distill export` of a face detector: TFLite and ONNX files with the description that `--detector FILE` reads."""

from pathlib import Path
from typing import Any

from distill.cli.detectors import has_weights, require_options
from distill.errors import ConfigError
from distill.inference.load import require_model
from distill.options.words import explicit_options
from distill.pretrained.registry import resolve_model

# Options of an export that a detector has.
_OPTIONS = ("config", "decoded", "environment", "lane", "log", "model", "modes", "out", "runtime", "stem")


def export_if_detector(values: dict[str, Any], argv: list[str]) -> int | None:
    """Export a detector and print what was measured of each file; None for anything else than a detector.

    Args:
        values: all options of `distill export`.
        argv: command line.

    Raises:
        ConfigError: an option that has no effect on what `model` is.
        CheckpointError: with `decoded`, no such file.
    """
    if not has_weights(values["model"]):
        if values.get("decoded") is not None:
            require_model(resolve_model(values["model"], weights=True))
            raise ConfigError("--decoded has no effect on a landmark network, whose files return points: leave it out")
        return None
    require_options(argv, _OPTIONS, "export")
    from distill.cli.record import record_detector_export
    from distill.export.detector_checkpoint import export_detector_checkpoint
    from distill.tracking.attach import attached_run

    model: Path = values["model"]
    attached_run(values["log"], model)  # before anything slow
    decoded = values["decoded"]
    # A name of its own: both kinds of files may lie in one folder.
    name = "detector" if decoded is None else f"detector_decoded_{decoded}"
    files = export_detector_checkpoint(
        model,
        values["out"],
        values["modes"] or ("fp32", "fp16"),
        stem=values["stem"] if "stem" in explicit_options(argv) else name,
        runtime=values["runtime"],
        decoded=decoded,
        lane=values["lane"],
        environment=values["environment"],
    )
    for file in files:
        print(file)
    tflite = [file.path for file in files if file.path.suffix == ".tflite"]
    print(f"use it: distill predict PHOTO --detector {tflite[0]}")
    record_detector_export(values["log"], model, files)
    return 0
