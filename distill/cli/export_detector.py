"""`distill export` of a face detector: TFLite and ONNX files with the description that `--detector FILE` reads."""

from pathlib import Path
from typing import Any

from distill.errors import CheckpointError, ConfigError
from distill.options.words import explicit_options

# Options of an export that a detector has.
_OPTIONS = ("config", "log", "model", "modes", "out", "runtime", "stem")


def export_if_detector(values: dict[str, Any], argv: list[str]) -> int | None:
    """Export a detector and print what was measured of each file; None for anything else than a detector.

    Args:
        values: all options of `distill export`.
        argv: command line.

    Raises:
        ConfigError: one that an export of a detector does not have.
    """
    from distill.models.detector_checkpoint import is_detector

    try:
        if not (values["model"].is_file() and is_detector(values["model"])):
            return None
    except CheckpointError:  # no weights at all: the other export says what is wrong
        return None
    typed = explicit_options(argv)
    if others := [name for name in typed if name.partition(".")[0] not in _OPTIONS]:
        raise ConfigError(f"--{others[0]} has no effect on the export of a detector: leave it out")
    from distill.cli.record import record_detector_export
    from distill.export.detector_checkpoint import export_detector_checkpoint
    from distill.tracking.attach import attached_run

    model: Path = values["model"]
    attached_run(values["log"], model)  # before anything slow
    stem = values["stem"] if "stem" in typed else "detector"
    modes = values["modes"] or ("fp32", "fp16")
    files = export_detector_checkpoint(model, values["out"], modes, stem=stem, runtime=values["runtime"])
    for file in files:
        print(file)
    tflite = [file.path for file in files if file.path.suffix == ".tflite"]
    print(f"use it: distill predict PHOTO --detector {tflite[0]}")
    record_detector_export(values["log"], model, files)
    return 0
