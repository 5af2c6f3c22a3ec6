"""`distill predict PHOTO ...`: faces and their landmarks in photos, videos and camera images."""

import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import ConfigError
from distill.inference.confidence import MIN_CONFIDENCE, require_share
from distill.inference.roll import MAX_ROLL
from distill.inference.track_config import DEFAULT_REDETECT, tracking_options
from distill.options.parser import options_of, parse
from distill.pretrained.registry import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from distill.inference.landmarker import Landmarker

_DESCRIPTION = "Find faces and their landmarks; needs neither torch nor tensorflow."


def predict(
    photos: list[str] = [],  # noqa: B006  never changed
    model: str = DEFAULT_MODEL,
    json: Path | None = None,
    jsonl: Path | None = None,
    csv: Path | None = None,
    draw: Path | None = None,
    detector: str = DEFAULT_DETECTOR,
    detector_size: int | None = None,
    min_score: float | None = None,
    min_confidence: float = MIN_CONFIDENCE,
    max_roll: float = MAX_ROLL,
    max_frames: int | None = None,
    track: bool = True,
    redetect: int = DEFAULT_REDETECT,
    smooth: bool = True,
    threads: int = 1,
) -> int:
    """Predict landmarks; a photo that cannot be read is reported and skipped, and the exit status is then 1.

    Args:
        photos: image and video files, folders, patterns such as 'photos/*.jpg', or camera, camera:1.
        model: name of a released model (`distill models`), or a .tflite or .onnx file with its .json beside it.
        json: write all points here, as one JSON object.
        jsonl: write them here as JSON Lines, one photo or frame a line, while it runs.
        csv: write them here as CSV, one face a row.
        draw: folder for copies of the photos (PNG) and videos (MP4) with the faces drawn in.
        detector: retinaface, retinaface_int8 (faster in LiteRT), blazeface, or a file, also of another project.
        detector_size: longer side of the detector's input, a multiple of 32 [320]; 640 finds smaller faces, 3 x slower.
        min_score: faces the detector is less certain of are left out, in [0, 1]; by default chosen for each detector.
        min_confidence: faces on which the landmarks are less certain are marked as not placed, in [0, 1].
        max_roll: faces tilted further, in degrees, are cut out again, turned upright; 180 turns no crop.
        max_frames: stop a video or camera after this many frames.
        track: follow the faces of videos by their landmarks and give each an id; false detects them in each frame.
        redetect: frames after which the detector looks for new faces again.
        smooth: filter the landmarks of followed faces with a One-Euro filter: a third less jitter, 4 to 16 ms of lag.
        threads: CPU threads; several photos are predicted at the same time, one in each thread.
    """
    from distill.inference.run import BrokenSource, open_writers, predict_sources
    from distill.inference.sources import find_sources

    if not photos:
        raise ConfigError("no photos given: distill predict PHOTO ...")
    if threads < 1:
        raise ConfigError(f"--threads {threads} must be at least 1")
    sources = find_sources(photos)
    require_share("--min_confidence", min_confidence)
    config = tracking_options(track, redetect, smooth, max_frames, any(source.is_video for source in sources))
    make = partial(_landmarker, model, detector, detector_size, min_score, min_confidence, max_roll)
    tables = _tables(json=json, jsonl=jsonl, csv=csv)
    landmarker, broken = make(threads), 0
    _require_confidence(min_confidence, landmarker, model)
    with ExitStack() as stack:
        writers = open_writers(landmarker, model, tables, draw, sources)
        for writer in writers:
            stack.enter_context(writer)
        for result in predict_sources(sources, landmarker, writers, make, max_frames, config, threads):
            print(result, file=sys.stderr if isinstance(result, BrokenSource) else sys.stdout)
            broken += isinstance(result, BrokenSource)
    return 1 if broken else 0


def _require_confidence(lowest: float, landmarker: Any, model: str) -> None:
    if lowest != MIN_CONFIDENCE and not landmarker.gives_confidence:
        raise ConfigError(f"--min_confidence has no effect: {model} gives no confidence; leave it out")


def _tables(**paths: Path | None) -> list[Path]:
    """Return the files for the points, which are given by the option of their format.

    Raises:
        ConfigError: a name that ends otherwise.
    """
    for option, path in paths.items():
        if path is not None and path.suffix != f".{option}":
            other = path.suffix.removeprefix(".")
            hint = f", or write --{other} {path}" if other in paths else ""
            raise ConfigError(f"--{option} {path}: give a file that ends in .{option}{hint}")
    return [path for path in paths.values() if path is not None]


def _landmarker(
    model: str,
    detector: str,
    size: int | None,
    min_score: float | None,
    min_confidence: float,
    max_roll: float,
    threads: int,
) -> "Landmarker":
    from distill.detection.detector import FaceDetector
    from distill.inference.landmarker import Landmarker

    return Landmarker(model, FaceDetector(detector, threads, min_score, size), threads, min_confidence, max_roll)


def run(argv: list[str]) -> int:
    return predict(**parse(options_of("predict", _DESCRIPTION, predict, "photos..."), argv, "photos..."))
