"""`distill calibrate`: fit the boxes of a face detector's file to those of landmarks."""

from pathlib import Path
from typing import TYPE_CHECKING

from distill.data.config import FacesConfig
from distill.data.photos.config import PhotoSetConfig
from distill.options.parser import options_of, parse

if TYPE_CHECKING:
    from distill.data.photos.records import PhotoRecord

_DESCRIPTION = "Fit the boxes of a detector file, of this project or another, to landmarks; write NAME.json beside it."


def calibrate(
    model: Path,
    data: FacesConfig = FacesConfig(),  # noqa: B008  frozen
    photos: list[PhotoSetConfig] = [],  # noqa: B006  never changed
) -> int:
    """Calibrate a detector.

    Args:
        model: .onnx or .tflite file of a face detector: RetinaFace with its .json, YuNet, SCRFD or UltraFace.
        data: faces with points along the jaw; the official training faces of the data set by default.
        photos: photos with boxes that choose the operating score; by default it stays as it is.
    """
    from distill.export.calibrate_detector import calibrate_detector, calibration_faces, open_detector

    open_detector(model)  # before the data are read
    print(calibrate_detector(model, calibration_faces(data), _records(photos)))
    return 0


def _records(photos: list[PhotoSetConfig]) -> "list[PhotoRecord]":
    """Read the photos; what reads them takes seconds to import, and is not needed without any."""
    if not photos:
        return []
    from distill.evaluate.detector import chosen_photos

    return [photo for given in photos for photo in chosen_photos(given)]


def run(argv: list[str]) -> int:
    return calibrate(**parse(options_of("calibrate", _DESCRIPTION, calibrate, "model"), argv, "model"))
