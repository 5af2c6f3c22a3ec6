"""Photos from files, folders, patterns, videos and cameras, one after another."""

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from distill.errors import ConfigError, ImageError
from distill.images import AnyPhoto, read_scaled
from distill.inference.video_container import missing_bytes

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".pgm", ".ppm")
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".3gp")
# Containers whose header holds the number of frames; of others OpenCV estimates it.
_COUNTED = (".mp4", ".m4v", ".mov", ".3gp", ".avi")
_CAMERA = "camera"
_PATTERN = "*?["


@dataclass(frozen=True)
class Source:
    """Where photos come from.

    Attributes:
        name: path, or `camera:INDEX`.
        base: folder that was given, which file names are relative to; the file's own folder where it was named.
    """

    name: str
    base: Path

    @property
    def camera(self) -> int | None:
        """Index of the camera; None of a file."""
        word, _, index = self.name.partition(":")
        return int(index or 0) if word == _CAMERA and (index or "0").isdecimal() else None

    @property
    def is_video(self) -> bool:
        return self.camera is not None or Path(self.name).suffix.lower() in VIDEOS

    @property
    def relative(self) -> Path:
        """Path below `base`, for the file that it is drawn to."""
        return Path(self.name.replace(":", "_")) if self.camera is not None else Path(self.name).relative_to(self.base)


@dataclass(frozen=True)
class Frame:
    """One photo.

    Attributes:
        source: where it comes from.
        pixels: (h, w, 3) uint8 RGB; of a large JPEG, a photo that is decoded as needed.
        index: number of the frame in a video or camera, from 0; None of a photo.
        seconds: time of the frame from the start of the video; of a camera, since it was opened.
    """

    source: Source
    pixels: AnyPhoto
    index: int | None = None
    seconds: float | None = None

    @property
    def name(self) -> str:
        return self.source.name if self.index is None else f"{self.source.name}#{self.index}"


def find_sources(names: Iterable[str | Path]) -> list[Source]:
    """Return the photos and videos that names stand for, in order, each once.

    Args:
        names: files, folders (searched with their subfolders), patterns such as `photos/*.jpg`, `camera` or `camera:1`.

    Raises:
        ConfigError: a folder or a pattern without photos, an empty name, an address, or `-`.
    """
    found: dict[str, Source] = {}
    for name in map(str, names):
        for source in _expand(name):
            found.setdefault(source.name, source)
    return list(found.values())


def _expand(name: str) -> list[Source]:
    if not name.strip():  # Path("") is the current folder, which a shell variable without a value did not mean
        raise ConfigError("an empty name of a photo: give a file, or . for the current folder")
    if "://" in name:
        raise ConfigError(f"{name}: photos are not downloaded; save the photo and give its file")
    path = Path(name)
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in PHOTOS + VIDEOS and file.is_file()]
        if not files:
            raise ConfigError(f"{name}: no photos or videos in this folder; known are {', '.join(PHOTOS + VIDEOS)}")
        return [Source(str(file), path) for file in files]
    if any(sign in name for sign in _PATTERN) and not path.exists():
        root = Path(path.anchor)
        files = [file for file in sorted(root.glob(str(path.relative_to(root)))) if file.is_file()]
        if not files:
            raise ConfigError(f"{name}: no file of this pattern")
        return [Source(str(file), file.parent) for file in files]
    if name == "-":
        raise ConfigError("-: photos are not read from standard input; give files, folders, patterns or camera")
    return [Source(name, path.parent)]


def frames(source: Source) -> Iterator[Frame]:
    """Yield the photos of a source: one, or the frames of a video or camera.

    Raises:
        ImageError: the file is missing or broken, or the camera cannot be opened. Of a video that was cut off, after
            its last frame.
    """
    if not source.is_video:
        yield Frame(source, read_scaled(source.name))
        return
    if source.camera is None and not Path(source.name).is_file():
        raise ImageError(f"{source.name}: no such video; check the path")
    missing = missing_bytes(source.name) if source.camera is None else 0
    capture = _open(source)
    try:
        if not capture.isOpened():
            reason = "cannot be decoded" if source.camera is None else "no such camera, or another program uses it"
            cut = f"; it is cut off, {missing} bytes are missing: copy it again" if missing else ""
            raise ImageError(f"{source.name}: {reason}{cut}")
        index, start = 0, time.monotonic()
        while True:
            whole, pixels = capture.read()
            if not whole:
                break
            # Of the frame that was read last; cameras often state none.
            position = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            seconds = position if source.camera is None else time.monotonic() - start
            yield Frame(source, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), index, seconds)
            index += 1
        if index == 0:
            raise ImageError(f"{source.name}: holds no frame that can be decoded")
        if missing:
            stated = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), index)
            raise ImageError(
                f"{source.name}: cut off, {missing} bytes are missing: {index} of {stated} frames were read; "
                "copy it again"
            )
    finally:
        capture.release()


def _open(source: Source) -> cv2.VideoCapture:
    # FFmpeg would print a line of its own about each damaged frame.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    return cv2.VideoCapture(source.name if source.camera is None else source.camera)


def stated_frames(source: Source) -> int | None:
    """Return the number of frames in a video's header; None where it holds none.

    A complete video may have fewer: an edit list hides those that were trimmed off.
    """
    if Path(source.name).suffix.lower() not in _COUNTED:
        return None
    capture = _open(source)
    try:
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        capture.release()
    return count if count > 0 else None


def frame_rate(source: Source) -> float:
    """Return the frames per second of a video as its header states them, 25 where it states none."""
    capture = _open(source)
    try:
        rate = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return rate if 1 <= rate <= 1000 else 25.0
