"""A folder of generated faces in the package's own manifest format."""

import json
import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from distill.data.synthetic.render import GeneratedFace, render_face
from distill.errors import ConfigError
from distill.files import remove_unfinished, write_bytes, write_json, write_text
from distill.geometry import box_of_points
from distill.system.locks import NAME as LOCK
from distill.system.locks import folder_lock
from distill.system.processes import end_with_parent

MANIFEST_FORMAT = "distill-faces/1"
# Raise it whenever the same seed gives other pictures or points, so that old folders are not continued with new faces.
VERSION = 2
SUBSETS: Mapping[str, float] = {"train": 0.8, "val": 0.1, "test": 0.1}
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class _Task:
    root: Path
    seed: int
    size: int
    difficulty: float

    def image(self, index: int) -> Path:
        return self.root / "images" / f"{index:06d}.jpg"

    def points(self, index: int) -> Path:
        return self.root / "points" / f"{index:06d}.json"

    def is_done(self, index: int) -> bool:
        """Whether picture and points are there and whole; the points are written first."""
        image = self.image(index)
        if not (image.is_file() and self.points(index).is_file()):
            return False
        with image.open("rb") as file:
            file.seek(0, 2)
            if file.tell() < 4:
                return False
            file.seek(-2, 2)
            return file.read() == _JPEG_END


def _annotation(face: GeneratedFace) -> dict[str, Any]:
    points = {scheme: np.round(at.astype(float), 3).tolist() for scheme, at in face.landmarks.items()}
    visible = {scheme: flags.astype(int).tolist() for scheme, flags in face.visible.items()}
    box = [round(float(v), 3) for v in box_of_points(face.landmarks["ibug68"])]
    return {"points": points, "visible": visible, "boxes": {"gt": box}}


def _write_face(task: _Task, index: int) -> int:
    if not task.is_done(index):
        face = render_face(task.seed, index, task.size, task.difficulty)
        _, content = cv2.imencode(".jpg", face.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        write_text(task.points(index), json.dumps(_annotation(face), separators=(",", ":")))
        write_bytes(task.image(index), content.tobytes())
    return index


def _start_worker() -> None:
    """Prepare a worker process, which the calling process ends: at Ctrl-C, and when it is killed itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # ends a worker without a message when nobody reads its results any more
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    end_with_parent()
    cv2.setNumThreads(1)


def _finish(task: _Task, indices: Iterable[int], workers: int) -> Generator[int]:
    if not workers:
        yield from map(partial(_write_face, task), indices)
        return
    # Spawned, not forked: the caller may hold threads of torch or OpenCV. One thread each: faces are the parallelism.
    with multiprocessing.get_context("spawn").Pool(workers, _start_worker) as pool:
        yield from pool.imap_unordered(partial(_write_face, task), indices, chunksize=8)


def _remove_unfinished(task: _Task) -> None:
    """Remove the temporary files of processes that were ended while they wrote."""
    for folder in (task.root, task.root / "images", task.root / "points"):
        remove_unfinished(folder)


def _claim(task: _Task) -> None:
    """Mark the folder as a generated data set, or refuse one that holds anything else."""
    label = task.root / "generator.json"
    wanted = {"seed": task.seed, "size": task.size, "difficulty": task.difficulty, "version": VERSION}
    if label.is_file():
        try:
            existing = json.loads(label.read_text())
        except ValueError:
            existing = "not JSON"
        if existing != wanted:
            raise ConfigError(f"{task.root}: holds other faces ({existing}, requested {wanted}); name an empty folder")
    elif any(path.name != LOCK for path in task.root.iterdir()):
        raise ConfigError(f"{task.root}: holds other files and no generator.json; name an empty folder")
    else:
        write_json(label, wanted)


def _subset(index: int, shares: Mapping[str, float]) -> str:
    """Which subset a face belongs to: spread evenly, and the same however many faces are written."""
    # Multiples of the golden ratio fill [0, 1) evenly from the first one on.
    position = (index * 0.6180339887498949) % 1.0 * sum(shares.values())
    for name, share in shares.items():
        if position < share:
            return name
        position -= share
    return next(reversed(dict(shares)))


def _entry(task: _Task, index: int, shares: Mapping[str, float]) -> dict[str, Any]:
    subset = _subset(index, shares)
    number = f"{index:06d}"
    try:
        annotation = json.loads(task.points(index).read_text())
    except ValueError as error:
        raise ConfigError(f"{task.points(index)}: damaged ({error}); delete it and run again") from error
    head = {"name": f"{subset}/{number}", "image": f"images/{number}.jpg"}
    return {**head, **annotation, "group": number, "subset": subset}


def write_faces(
    root: Path,
    count: int,
    seed: int,
    size: int = 256,
    subsets: Mapping[str, float] | None = None,
    workers: int = 0,
    difficulty: float = 1.0,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write faces 0 ... count - 1 of a seed as JPEGs with a manifest; run again after an interruption to continue.

    Args:
        root: a folder that is empty, missing, or was begun by the same call.
        size: side of the pictures in pixels.
        subsets: share of each subset, default train 0.8, val 0.1, test 0.1; shares need not add up to 1.
        workers: processes; 0 renders in this one.
        difficulty: see `render_face`.
        progress: called with the number of faces finished so far after each.

    Returns:
        ROOT/faces.json, written last.

    Raises:
        ConfigError: the folder holds something else, another process writes there, or counts or shares make no sense.
    """
    shares = dict(SUBSETS if subsets is None else subsets)
    require_possible(count, size, workers)
    if seed < 0 or not 0 <= difficulty <= 1:
        raise ConfigError(f"seed {seed}, difficulty {difficulty}: give a seed >= 0 and a difficulty in 0 ... 1")
    if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
        raise ConfigError(f"subsets {shares}: give at least one positive share, for example train=0.8")
    with folder_lock(Path(root), "is rendering to", "folder"):
        return _write(_Task(Path(root), seed, size, difficulty), count, shares, workers, progress)


def require_possible(count: int, size: int, workers: int) -> None:
    """Check numbers of `write_faces`.

    Raises:
        ConfigError: no faces, images below 32 pixels, or a negative number of processes.
    """
    if count < 1 or size < 32 or workers < 0:
        raise ConfigError(f"count {count}, size {size}, workers {workers}: give count >= 1, size >= 32, workers >= 0")


def _write(
    task: _Task, count: int, shares: Mapping[str, float], workers: int, progress: Callable[[int], None] | None
) -> Path:
    _remove_unfinished(task)
    _claim(task)
    try:
        # Closed here, so that an interruption ends the workers before their temporary files are removed.
        with closing(_finish(task, range(count), workers)) as finished:
            for done, _ in enumerate(finished, start=1):
                if progress is not None:
                    progress(done)
    finally:
        _remove_unfinished(task)
    faces = [_entry(task, index, shares) for index in range(count)]
    manifest = task.root / "faces.json"
    content = {"format": MANIFEST_FORMAT, "faces": faces}
    write_text(manifest, json.dumps(content, separators=(",", ":"), allow_nan=False))
    return manifest
