"""Prediction of many sources in order: photos in several threads, videos frame by frame, with a line about each."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

from distill.errors import ImageError
from distill.images import whole_photo
from distill.inference.face import Face
from distill.inference.landmarker import Landmarker
from distill.inference.photo_pool import map_in_threads
from distill.inference.sources import Frame, Source, frames, stated_frames
from distill.inference.track_config import TrackConfig
from distill.landmarks import load_scheme

if TYPE_CHECKING:
    from distill.inference.drawn import DrawingWriter
    from distill.inference.predictions import PredictionWriter


def open_writers(
    landmarker: Landmarker, model: str, tables: Sequence[Path], draw: Path | None, sources: Sequence[Source]
) -> "list[PredictionWriter | DrawingWriter]":
    """Return the writers of the requested files."""
    from distill.inference.drawn import DrawingWriter
    from distill.inference.predictions import PredictionWriter

    spec = landmarker.spec
    writers: list[PredictionWriter | DrawingWriter] = [
        PredictionWriter(path, Path(model).name, spec.scheme, spec.n_points) for path in tables
    ]
    return writers if draw is None else [*writers, DrawingWriter(draw, sources, load_scheme(spec.scheme))]


class BrokenSource(str):
    """The line about a source that could not be read."""


def predict_sources(
    sources: Sequence[Source],
    landmarker: Landmarker,
    writers: "Sequence[PredictionWriter | DrawingWriter]",
    make: Callable[[int], Landmarker],
    max_frames: int | None,
    config: TrackConfig | None,
    threads: int,
) -> Iterator[str]:
    """Predict and write all sources in order, and yield the line about each.

    Several photos in a row are predicted at the same time, each in a thread of its own; a video has all threads.
    """
    for is_video, group in groupby(sources, lambda source: source.is_video):
        some = list(group)
        if is_video or threads == 1 or len(some) == 1:
            for source in some:
                try:
                    yield _predict_source(source, landmarker, writers, max_frames, config)
                except ImageError as error:
                    yield BrokenSource(f"error: {error}")
            continue
        for found in map_in_threads(lambda: partial(_predict_photo, make(1)), some, min(threads, len(some))):
            if isinstance(found, BrokenSource):
                yield found
                continue
            frame, faces = found
            for writer in writers:
                writer.add(frame, faces)
            yield _line(frame.source.name, [face.placed for face in faces])


def _predict_photo(landmarker: Landmarker, source: Source) -> tuple[Frame, list[Face]] | BrokenSource:
    try:
        (frame,) = frames(source)
        return frame, landmarker(frame.pixels)
    except ImageError as error:
        return BrokenSource(f"error: {error}")


def _line(name: str, placed: Sequence[bool | None], of_video: str = "", speed: str = "") -> str:
    """Return the line about a source."""
    unplaced = sum(value is False for value in placed)
    marked = f", {unplaced} not placed" if unplaced else ""
    return f"{name}: {len(placed)} face{'s' * (len(placed) != 1)}{of_video}{marked}{speed}"


def _predict_source(
    source: Source,
    landmarker: Landmarker,
    writers: "Sequence[PredictionWriter | DrawingWriter]",
    max_frames: int | None,
    config: TrackConfig | None,
) -> str:
    """Predict all frames of a source, write them and return the line about it.

    Raises:
        ImageError: it cannot be read; the frames before are written.
    """
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
    stated = None if n_frames == max_frames else stated_frames(source)
    fewer = f" of {stated} in its header" if stated is not None and n_frames < stated else ""
    return _line(source.name, every, f" in {n_frames} frames{fewer}", f", {rate:.1f} frames per second")
