"""`distill predict PHOTO ...`: faces and their landmarks in photos, videos and camera images."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, ImageError
from distill.inference.confidence import MIN_CONFIDENCE, require_share
from distill.pretrained.registry import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from distill.inference.drawn import DrawingWriter
    from distill.inference.landmarker import Landmarker
    from distill.inference.predictions import PredictionWriter
    from distill.inference.sources import Source

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
        threads: CPU threads.
    """
    from distill.detection.detector import FaceDetector
    from distill.inference.drawn import DrawingWriter
    from distill.inference.landmarker import Landmarker
    from distill.inference.predictions import PredictionWriter
    from distill.inference.sources import find_sources
    from distill.landmarks import load_scheme

    if not photos:
        raise ConfigError("no photos given: distill predict PHOTO ...")
    sources = find_sources(photos)
    require_share("--min_confidence", min_confidence)
    found_by = FaceDetector(detector, threads, min_score, detector_size)
    landmarker = Landmarker(model, found_by, threads, min_confidence)
    spec, broken = landmarker.spec, 0
    with ExitStack() as stack:
        writers: list[PredictionWriter | DrawingWriter] = [
            stack.enter_context(PredictionWriter(path, Path(model).name, spec.scheme, spec.n_points))
            for path in (json, jsonl, csv)
            if path is not None
        ]
        if draw is not None:
            writers.append(stack.enter_context(DrawingWriter(draw, sources, load_scheme(spec.scheme))))
        for source in sources:
            try:
                print(_predict_source(source, landmarker, writers, max_frames))
            except ImageError as error:
                print(f"error: {error}", file=sys.stderr)
                broken += 1
    return 1 if broken else 0


def _predict_source(
    source: "Source",
    landmarker: "Landmarker",
    writers: "Sequence[PredictionWriter | DrawingWriter]",
    max_frames: int | None,
) -> str:
    """Predict all frames of a source, write them and return the line about it.

    Raises:
        ImageError: it cannot be read; the frames before are written.
    """
    from distill.inference.sources import frames

    count = unplaced = n_frames = 0
    for frame in islice(frames(source), max_frames if source.is_video else None):
        faces = landmarker(frame.pixels)
        for writer in writers:
            writer.add(frame, faces)
        count += len(faces)
        n_frames += 1
        unplaced += sum(face.placed is False for face in faces)
    of_video = f" in {n_frames} frames" if source.is_video else ""
    marked = f", {unplaced} not placed" if unplaced else ""
    return f"{source.name}: {count} face{'s' * (count != 1)}{of_video}{marked}"


def run(argv: list[str]) -> int:
    return predict(**parse(options_of("predict", _DESCRIPTION, predict, "photos..."), argv, "photos..."))
