"""`distill predict PHOTO ...`: faces and their landmarks in photos, videos and camera images."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, ImageError
from distill.inference.confidence import MIN_CONFIDENCE, require_share
from distill.inference.track_config import DEFAULT_REDETECT
from distill.pretrained.registry import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from distill.inference.drawn import DrawingWriter
    from distill.inference.landmarker import Landmarker
    from distill.inference.predictions import PredictionWriter
    from distill.inference.sources import Source
    from distill.inference.track_config import TrackConfig

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
    max_frames: int | None = None,
    track: bool = True,
    redetect: int = DEFAULT_REDETECT,
    smooth: bool = False,
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
        detector: retinaface, blazeface, or a RetinaFace .tflite or .onnx file with its .json beside it.
        detector_size: longer side of the photo as RetinaFace sees it, in pixels, a multiple of 32 (default 320); 640
            finds smaller faces and takes three times as long.
        min_score: faces the detector is less certain of are left out, in [0, 1]; by default chosen for each detector.
        min_confidence: faces on which the landmarks are less certain are marked as not placed, in [0, 1].
        max_frames: stop a video or camera after this many frames.
        track: follow the faces of videos and cameras by their landmarks and give each an id; false detects them anew in
            each frame.
        redetect: frames after which the detector looks for new faces again.
        smooth: filter the landmarks of followed faces with a One-Euro filter: less jitter, but they lag behind motion.
        threads: CPU threads.
    """
    from distill.inference.sources import find_sources

    if not photos:
        raise ConfigError("no photos given: distill predict PHOTO ...")
    sources = find_sources(photos)
    require_share("--min_confidence", min_confidence)
    config = _track_config(track, redetect, smooth)
    landmarker = _landmarker(model, detector, detector_size, min_score, min_confidence, threads)
    broken = 0
    with ExitStack() as stack:
        tables = [path for path in (json, jsonl, csv) if path is not None]
        writers = [stack.enter_context(writer) for writer in _writers(landmarker, model, tables, draw, sources)]
        for source in sources:
            try:
                print(_predict_source(source, landmarker, writers, max_frames, config))
            except ImageError as error:
                print(f"error: {error}", file=sys.stderr)
                broken += 1
    return 1 if broken else 0


def _landmarker(
    model: str, detector: str, size: int | None, min_score: float | None, min_confidence: float, threads: int
) -> "Landmarker":
    from distill.detection.detector import FaceDetector
    from distill.inference.landmarker import Landmarker

    return Landmarker(model, FaceDetector(detector, threads, min_score, size), threads, min_confidence)


def _writers(
    landmarker: "Landmarker", model: str, tables: Sequence[Path], draw: Path | None, sources: "Sequence[Source]"
) -> "list[PredictionWriter | DrawingWriter]":
    """Return the writers of the files asked for."""
    from distill.inference.drawn import DrawingWriter
    from distill.inference.predictions import PredictionWriter
    from distill.landmarks import load_scheme

    spec = landmarker.spec
    writers: list[PredictionWriter | DrawingWriter] = [
        PredictionWriter(path, Path(model).name, spec.scheme, spec.n_points) for path in tables
    ]
    return writers if draw is None else [*writers, DrawingWriter(draw, sources, load_scheme(spec.scheme))]


def _predict_source(
    source: "Source",
    landmarker: "Landmarker",
    writers: "Sequence[PredictionWriter | DrawingWriter]",
    max_frames: int | None,
    config: "TrackConfig | None",
) -> str:
    """Predict all frames of a source, write them and return the line about it.

    Raises:
        ImageError: it cannot be read; the frames before are written.
    """
    from distill.inference.sources import frames

    count = unplaced = n_frames = 0
    tracker = landmarker.tracker(config) if source.is_video and config is not None else None
    start = time.perf_counter()
    for frame in islice(frames(source), max_frames if source.is_video else None):
        faces = landmarker(frame.pixels) if tracker is None else tracker(frame.pixels, frame.seconds)
        for writer in writers:
            writer.add(frame, faces)
        count += len(faces)
        n_frames += 1
        unplaced += sum(face.placed is False for face in faces)
    rate = n_frames / max(time.perf_counter() - start, 1e-9)
    of_video = f" in {n_frames} frames" if source.is_video else ""
    marked = f", {unplaced} not placed" if unplaced else ""
    speed = f", {rate:.1f} frames per second" if source.is_video else ""
    return f"{source.name}: {count} face{'s' * (count != 1)}{of_video}{marked}{speed}"


def _track_config(track: bool, redetect: int, smooth: bool) -> "TrackConfig | None":
    """Return how faces are followed, None for a detection in each frame.

    Raises:
        ConfigError: an option of the tracking without it, or a number of frames below 1.
    """
    from distill.inference.track_config import TrackConfig

    if track:
        return TrackConfig(redetect, smooth)
    if smooth or redetect != DEFAULT_REDETECT:
        raise ConfigError("--smooth and --redetect have no effect with --track false: leave them out")
    return None


def run(argv: list[str]) -> int:
    return predict(**parse(options_of("predict", _DESCRIPTION, predict, "photos..."), argv, "photos..."))
