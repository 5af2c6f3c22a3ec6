"""`distill predict PHOTO ...`: faces and their landmarks in photos, videos and camera images."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, ImageError
from distill.inference.confidence import MIN_CONFIDENCE, require_share
from distill.inference.track_config import DEFAULT_REDETECT
from distill.pretrained.registry import DEFAULT_DETECTOR, DEFAULT_MODEL

if TYPE_CHECKING:
    from distill.inference.drawn import DrawingWriter
    from distill.inference.face import Face
    from distill.inference.landmarker import Landmarker
    from distill.inference.predictions import PredictionWriter
    from distill.inference.sources import Frame, Source
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
        detector: retinaface, blazeface, or a RetinaFace .tflite or .onnx file with its .json beside it.
        detector_size: longer side of the photo as RetinaFace sees it, in pixels, a multiple of 32 (default 320); 640
            finds smaller faces and takes three times as long.
        min_score: faces the detector is less certain of are left out, in [0, 1]; by default chosen for each detector.
        min_confidence: faces on which the landmarks are less certain are marked as not placed, in [0, 1].
        max_frames: stop a video or camera after this many frames.
        track: follow the faces of videos and cameras by their landmarks and give each an id; false detects them anew in
            each frame.
        redetect: frames after which the detector looks for new faces again.
        smooth: filter the landmarks of followed faces with a One-Euro filter: a third less jitter, 4 to 15 ms of lag.
        threads: CPU threads; several photos are predicted at the same time, one in each thread.
    """
    from distill.inference.sources import find_sources

    if not photos:
        raise ConfigError("no photos given: distill predict PHOTO ...")
    sources = find_sources(photos)
    require_share("--min_confidence", min_confidence)
    config = _track_config(track, redetect, smooth)

    def make(threads: int) -> "Landmarker":
        return _landmarker(model, detector, detector_size, min_score, min_confidence, threads)

    landmarker, broken = make(threads), 0
    with ExitStack() as stack:
        tables = [path for path in (json, jsonl, csv) if path is not None]
        writers = _writers(landmarker, model, tables, draw, sources)
        for writer in writers:
            stack.enter_context(writer)
        for result in _results(sources, landmarker, writers, make, max_frames, config, threads):
            print(result, file=sys.stderr if isinstance(result, _Broken) else sys.stdout)
            broken += isinstance(result, _Broken)
    return 1 if broken else 0


class _Broken(str):
    """The line about a source that could not be read."""


def _results(
    sources: "Sequence[Source]",
    landmarker: "Landmarker",
    writers: "Sequence[PredictionWriter | DrawingWriter]",
    make: "Callable[[int], Landmarker]",
    max_frames: int | None,
    config: "TrackConfig | None",
    threads: int,
) -> Iterator[str]:
    """Predict and write all sources in order, and yield the line about each.

    Several photos in a row are predicted at the same time, each in a thread of its own; a video has all threads.
    """
    from distill.inference.photo_pool import map_in_threads

    for is_video, group in groupby(sources, lambda source: source.is_video):
        some = list(group)
        if is_video or threads == 1 or len(some) == 1:
            for source in some:
                try:
                    yield _predict_source(source, landmarker, writers, max_frames, config)
                except ImageError as error:
                    yield _Broken(f"error: {error}")
            continue
        for found in map_in_threads(lambda: partial(_predict_photo, make(1)), some, min(threads, len(some))):
            if isinstance(found, _Broken):
                yield found
                continue
            frame, faces = found
            for writer in writers:
                writer.add(frame, faces)
            yield _line(frame.source.name, [face.placed for face in faces])


def _predict_photo(landmarker: "Landmarker", source: "Source") -> "tuple[Frame, list[Face]] | _Broken":
    from distill.inference.sources import frames

    try:
        (frame,) = frames(source)
        return frame, landmarker(frame.pixels)
    except ImageError as error:
        return _Broken(f"error: {error}")


def _line(name: str, placed: Sequence[bool | None], of_video: str = "", speed: str = "") -> str:
    """Return the line about a source."""
    unplaced = sum(value is False for value in placed)
    marked = f", {unplaced} not placed" if unplaced else ""
    return f"{name}: {len(placed)} face{'s' * (len(placed) != 1)}{of_video}{marked}{speed}"


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
    from distill.images import whole_photo
    from distill.inference.sources import frames

    n_frames, every = 0, list[bool | None]()
    tracker = landmarker.tracker(config) if source.is_video and config is not None else None
    start = time.perf_counter()
    for frame in islice(frames(source), max_frames if source.is_video else None):
        faces = landmarker(frame.pixels) if tracker is None else tracker(whole_photo(frame.pixels), frame.seconds)
        for writer in writers:
            writer.add(frame, faces)
        every += [face.placed for face in faces]
        n_frames += 1
    if not source.is_video:
        return _line(source.name, every)
    rate = n_frames / max(time.perf_counter() - start, 1e-9)
    return _line(source.name, every, f" in {n_frames} frames", f", {rate:.1f} frames per second")


def _track_config(track: bool, redetect: int, smooth: bool) -> "TrackConfig | None":
    """Return how faces are followed, None for a detection in each frame.

    Raises:
        ConfigError: an option of the tracking without it, or a number of frames below 1.
    """
    from distill.inference.track_config import TrackConfig

    if track:
        return TrackConfig(redetect, smooth)
    if not smooth or redetect != DEFAULT_REDETECT:
        raise ConfigError("--smooth and --redetect have no effect with --track false: leave them out")
    return None


def run(argv: list[str]) -> int:
    return predict(**parse(options_of("predict", _DESCRIPTION, predict, "photos..."), argv, "photos..."))
