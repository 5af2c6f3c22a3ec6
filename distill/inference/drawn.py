"""Draw predictions into copies of photos and videos in one folder."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2

from distill.errors import ConfigError
from distill.files import require_writable
from distill.images import whole_photo
from distill.inference.face import Face
from distill.inference.overlay import draw_faces, write_image
from distill.inference.sources import Frame, Source, frame_rate
from distill.landmarks import Scheme


class DrawingWriter:
    """Write a copy of every photo (PNG) and video (MP4) with its faces drawn in.

    Photos of a folder keep their place below it.
    """

    def __init__(self, folder: Path, sources: Iterable[Source], scheme: Scheme | None) -> None:
        """Choose a file for each source.

        Raises:
            ConfigError: two sources would be drawn to one file, one would replace a source, or nothing can be written
                there.
        """
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--draw {folder}: a file; give a folder for the drawings")
        self._scheme = scheme
        self._targets = _targets(folder, sources)
        self._video: Any = None
        self._video_path: Path | None = None
        require_writable(*list(self._targets.values())[:1])

    def __enter__(self) -> "DrawingWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_video()

    def add(self, frame: Frame, faces: Sequence[Face]) -> None:
        """Draw the faces of one photo, or append one frame to a video."""
        labels = [
            f"{face.id or number} {face.score:.2f}{' not placed' if face.placed is False else ''}"
            for number, face in enumerate(faces, 1)
        ]
        shapes = [(face.bounds, face.landmarks) for face in faces]
        uncertain = [index for index, face in enumerate(faces) if face.placed is False]
        drawn = draw_faces(whole_photo(frame.pixels), shapes, self._scheme, labels, uncertain=uncertain)
        path = self._targets[frame.source.name]
        if frame.index is None:
            write_image(path, drawn)
            return
        if path != self._video_path:
            self._close_video()
            path.parent.mkdir(parents=True, exist_ok=True)
            height, width = drawn.shape[:2]
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._video = cv2.VideoWriter(str(path), code, frame_rate(frame.source), (width, height))
            self._video_path = path
            if not self._video.isOpened():
                raise ConfigError(f"{path}: OpenCV cannot write this video; draw single frames instead")
        self._video.write(drawn[:, :, ::-1])

    def _close_video(self) -> None:
        if self._video is not None:
            self._video.release()
            self._video = self._video_path = None


def _targets(folder: Path, sources: Iterable[Source]) -> dict[str, Path]:
    """Return the drawing of each source: its name with `.png` or `.mp4`, behind its own suffix where that is needed."""
    sources = list(sources)
    short = Counter(_target(folder, source) for source in sources)
    inputs = {Path(source.name).resolve(): source.name for source in sources if source.camera is None}
    targets: dict[str, Path] = {}
    for source in sources:
        target = _target(folder, source, whole_name=short[_target(folder, source)] > 1)
        if target in targets.values():
            raise ConfigError(
                f"--draw: {source.name} is not the only photo drawn as {target}; draw them into different folders"
            )
        if (replaced := inputs.get(target.resolve())) is not None:
            raise ConfigError(
                f"--draw {folder}: the drawing of {source.name} would replace {replaced}; give a new folder"
            )
        targets[source.name] = target
    return targets


def _target(folder: Path, source: Source, whole_name: bool = False) -> Path:
    relative = source.relative if not whole_name else source.relative.with_name(f"{source.relative.name}.x")
    return folder / relative.with_suffix(".mp4" if source.is_video else ".png")
