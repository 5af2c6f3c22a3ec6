"""Face detectors by name or file: a photo -> faces with box, score and, of most detectors, five points.

Boxes are calibrated to the training convention, the tight box of the 68 points.
"""

import logging
from pathlib import Path

from distill.detection.blazeface import BlazeFaceDetector
from distill.detection.boxes import Suppression
from distill.detection.detection import Detection, Detector
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.third_party.description import is_third_party
from distill.detection.third_party.detector import ThirdPartyDetector
from distill.errors import ConfigError, suggest
from distill.images import AnyPhoto, whole_photo
from distill.pretrained.registry import DEFAULT_DETECTOR

__all__ = [
    "BLAZEFACE_SCORE",
    "DEFAULT_DETECTOR",
    "DETECTORS",
    "Detection",
    "Detector",
    "FaceDetector",
    "as_detector",
    "bundled_detector",
    "open_detector",
]

_LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent / "models"
# The int8 file is faster in LiteRT alone: older runtimes compute it without XNNPACK (results/studies/int8_files.json).
_FILES = {"retinaface": "retinaface_035_fp16.tflite", "retinaface_int8": "retinaface_035_int8.tflite"}
DETECTORS = (*_FILES, "blazeface")
BLAZEFACE_SCORE = 0.6


def bundled_detector(name: str = DEFAULT_DETECTOR) -> Path:
    """Return the file of a RetinaFace that is part of the package; its description lies beside it."""
    return _FOLDER / _FILES[name]


def open_detector(
    detector: str | Path = DEFAULT_DETECTOR,
    threads: int = 1,
    min_score: float | None = None,
    size: int | None = None,
    suppression: Suppression = "hard",
) -> Detector:
    """Open a detector.

    Args:
        detector: `retinaface`, `retinaface_int8` (in 8 bits), `blazeface`, a RetinaFace file (.tflite, .onnx) with its
            description (.json), a file of another project (see `third_party.layouts`), or a folder with BlazeFace's
            files.
        threads: threads of every network.
        min_score: faces below are left out; by default what was chosen for the detector.
        size: longest side of the input in pixels, a multiple of 32; by default that of the file.
        suppression: of overlapping boxes, see `RetinaFaceDetector`; BlazeFace averages them.

    Raises:
        CheckpointError: a missing or broken file.
        ConfigError: an unknown name, an option the detector does not have, or no runtime.
    """
    if min_score is not None and not 0 <= min_score <= 1:
        raise ConfigError(f"--min_score {min_score} must be in [0, 1]")
    folder = Path(detector) if str(detector) and Path(detector).is_dir() else None
    if str(detector) == "blazeface" or folder:
        if size is not None:
            raise ConfigError("blazeface has inputs of fixed sizes: leave the detector's size out")
        if suppression != "hard":
            raise ConfigError(f"blazeface averages overlapping boxes: leave suppression '{suppression}' out")
        return BlazeFaceDetector(folder, threads, BLAZEFACE_SCORE if min_score is None else min_score)
    if str(detector) in _FILES:
        return RetinaFaceDetector(bundled_detector(str(detector)), size, threads, min_score, suppression)
    if is_third_party(detector):
        return ThirdPartyDetector(detector, size, threads, min_score, suppression)
    if Path(detector).suffix in (".tflite", ".onnx"):
        return RetinaFaceDetector(detector, size, threads, min_score, suppression)
    known = f"{suggest(str(detector), list(DETECTORS))}, or a .tflite or .onnx file"
    raise ConfigError(f"unknown detector '{detector}': {known}")


def as_detector(detector: Detector | str | Path | None, threads: int = 1) -> Detector | None:
    """Return a detector unchanged, and a `FaceDetector` for a name or a file; None stands for the default one.

    Args:
        detector: a function of a photo, or the first argument of `open_detector`.
        threads: threads of every network of a detector that is opened here.

    Raises:
        CheckpointError, ConfigError: something else, or as `open_detector` raises them.
    """
    if isinstance(detector, str | Path):
        return FaceDetector(detector, threads)
    if detector is not None and not callable(detector):
        raise ConfigError(f"{type(detector).__name__} is no detector; give a function of a photo, a name or a file")
    return detector


class FaceDetector:
    """The detector of this package that finds the faces of a photo; arguments are those of `open_detector`."""

    def __init__(
        self,
        detector: str | Path = DEFAULT_DETECTOR,
        threads: int = 1,
        min_score: float | None = None,
        size: int | None = None,
        suppression: Suppression = "hard",
    ) -> None:
        self.name = str(detector)
        self._find = open_detector(detector, threads, min_score, size, suppression)
        if isinstance(self._find, ThirdPartyDetector) and self._find.spec.table is None:
            _LOG.warning(
                "%s: %s boxes are taken for those of WIDER FACE, and crops leave out the forehead; fit them to "
                "landmarks with `distill calibrate`", Path(detector).name, self._find.layout.name,
            )  # fmt: skip

    def __call__(self, photo: AnyPhoto) -> list[Detection]:
        """Find the faces of a photo (h, w, 3) uint8 RGB, best first; an empty list when there is none.

        RetinaFace decodes a `ScaledPhoto` as needed, other detectors as a whole.
        """
        if isinstance(self._find, RetinaFaceDetector):
            return self._find(photo)
        return self._find(whole_photo(photo))
