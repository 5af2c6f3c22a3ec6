"""Follow faces through a video: detect once, crop each frame by the landmarks of the last one, detect again if needed.

Most of the time of a photo goes into its detection, and a new detector box in each frame adds jitter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from distill.detection.boxes import overlap
from distill.detection.detection import Detection, Detector
from distill.geometry import Box, Points
from distill.images import Photo
from distill.inference.crop_motion import is_plausible, moved_box, steadied
from distill.inference.face import Face
from distill.inference.smoothing import OneEuroFilter
from distill.inference.track_config import TrackConfig

# Overlap from which a detection is a followed face, and below which that face is followed from a new detection.
_SAME = 0.3
_DRIFTED = 0.6
# Two followed faces that overlap by this are the same.
_TWICE = 0.6
# Detections in a row that a followed face may be missing from.
_MISSES = 2
_RATE = 25.0

Locate = Callable[[Photo, Sequence[Detection]], list[Face]]


@dataclass
class _Track:
    """A face that is followed: `reference` is the face in the detector's box, `crop` the box of the next crop."""

    id: int
    reference: Face
    face: Face
    crop: Box
    smoother: OneEuroFilter
    misses: int = 0


@dataclass
class _Lost:
    """The id of a face that is not followed any more, for the case that it comes back where it was."""

    id: int
    box: Box
    frames: int = 0


@dataclass
class Tracker:
    """Faces of consecutive frames, each with an id that it keeps while it is followed.

    The detector runs in the first frame, every `redetect` frames, while no face is followed, when one is lost, and in
    each frame while it finds a face on which the landmarks cannot be placed. Ids follow places, not people.

    Attributes:
        detect: finds the faces of a frame.
        locate: (frame, detections) -> the face in each of their boxes, which are of the detector's convention.
        detections: how often the detector ran.
    """

    detect: Detector
    locate: Locate
    config: TrackConfig = field(default_factory=TrackConfig)
    detections: int = 0
    _tracks: list[_Track] = field(default_factory=list)
    _lost: list[_Lost] = field(default_factory=list)
    _wait: int = 0
    _last_id: int = 0
    _seconds: float | None = None

    def __call__(self, photo: Photo, seconds: float | None = None) -> list[Face]:
        """Return the faces of the next frame in the order of their ids; those that are not placed come last.

        Args:
            photo: (h, w, 3) uint8 RGB.
            seconds: time of the frame, for the smoothing; by default 1/25 s after the last.
        """
        step = self._step(seconds)
        self._wait -= 1
        self._lost = [
            replace(gone, frames=gone.frames + 1) for gone in self._lost if gone.frames < self.config.redetect
        ]
        crops = [Detection(track.crop, track.reference.score, roll=track.face.crop_roll) for track in self._tracks]
        found = self.locate(photo, crops) if crops else []
        pairs = zip(self._tracks, found, strict=True)
        followed = [track for track, face in pairs if self._follow(track, face, photo)]
        lost = [track for track in self._tracks if track not in followed]
        self._remove(lost)
        self._tracks = _distinct(followed)
        unplaced: list[Face] = []
        if lost or not self._tracks or self._wait <= 0:
            unplaced = self._detect(photo)
            self._wait = 0 if unplaced else self.config.redetect
        self._tracks.sort(key=lambda track: track.id)
        return [self._result(track, step) for track in self._tracks] + unplaced

    def _step(self, seconds: float | None) -> float:
        """Return the seconds since the last frame."""
        before, self._seconds = self._seconds, seconds
        known = seconds is not None and before is not None and seconds > before
        return seconds - before if known else 1 / _RATE  # type: ignore[operator]

    def _follow(self, track: _Track, found: Face, photo: Photo) -> bool:
        """Take what was found of a face in the crop that the last frame gave; return whether it is there."""
        box = moved_box(track.reference.box, track.reference.landmarks, found.landmarks)
        height, width = photo.shape[:2]
        if found.placed is False or not is_plausible(track.face.box, box, width, height):
            return False
        track.face = found._replace(box=box, id=track.id)
        track.crop = steadied(track.crop, box)
        return True

    def _detect(self, photo: Photo) -> list[Face]:
        """Detect faces, begin to follow new ones, and return those on which the landmarks are not placed."""
        self.detections += 1
        found = self.detect(photo)
        pairs = matched([face.box for face in found], [track.face.box for track in self._tracks])
        for index, track in enumerate(self._tracks):
            track.misses = 0 if index in pairs.values() else track.misses + 1
        new, drifted = list[tuple[Detection, _Track | None]](), list[_Track]()
        for index, detection in enumerate(found):
            old = self._tracks[pairs[index]] if index in pairs else None
            if old is not None and overlap(np.array(detection.box), np.array([old.face.box]))[0][0] >= _DRIFTED:
                old.reference = old.reference._replace(score=detection.score)
                continue
            new.append((detection, old))
            drifted += [old] if old is not None else []
        faces = self._begin(photo, new)
        unplaced = [face for face in faces if face.placed is False]
        begun = [
            _Track(face.id or 0, face, face, face.box, OneEuroFilter(self.config.smoothing))
            for face in faces
            if face.placed is not False
        ]
        dropped = [track for track in self._tracks if track.misses >= _MISSES]
        self._remove(dropped)
        self._tracks = [track for track in self._tracks if track not in dropped and track not in drifted] + begun
        self._lost += [_Lost(face.id or 0, face.box) for face in unplaced]
        return unplaced

    def _begin(self, photo: Photo, new: Sequence[tuple[Detection, _Track | None]]) -> list[Face]:
        """Return the faces of detections with the ids of those that were followed or lost there, else new ones."""
        faces = self.locate(photo, [detection for detection, _ in new]) if new else []
        return [face._replace(id=self._id(face, old)) for face, (_, old) in zip(faces, new, strict=True)]

    def _id(self, face: Face, old: _Track | None) -> int:
        if old is not None:
            return old.id
        pairs = matched([face.box], [lost.box for lost in self._lost])
        if pairs:
            return self._lost.pop(pairs[0]).id
        self._last_id += 1
        return self._last_id

    def _remove(self, tracks: Sequence[_Track]) -> None:
        self._lost += [_Lost(track.id, track.face.box) for track in tracks]

    def _result(self, track: _Track, step: float) -> Face:
        if not self.config.smooth:
            return track.face
        side = max(track.reference.box.width, track.reference.box.height)
        points: Points = (track.smoother(track.face.landmarks / side, step) * side).astype(np.float32)
        return track.face._replace(landmarks=points)


def matched(boxes: Sequence[Box], others: Sequence[Box]) -> dict[int, int]:
    """Return pairs (index of a box -> index of another) that overlap, each used once, the largest overlap first."""
    pairs: dict[int, int] = {}
    if not boxes or not others:
        return pairs
    shared = np.stack([overlap(np.array(box), np.array(others))[0] for box in boxes])
    while shared.max() > _SAME:
        left, right = (int(index) for index in np.unravel_index(shared.argmax(), shared.shape))
        pairs[left] = right
        shared[left], shared[:, right] = 0, 0
    return pairs


def _distinct(tracks: Sequence[_Track]) -> list[_Track]:
    """Return the tracks without later ones that have come to lie on the face of an earlier one."""
    kept: list[_Track] = []
    for track in sorted(tracks, key=lambda track: track.id):
        others = np.array([other.face.box for other in kept]).reshape(-1, 4)
        if not (overlap(np.array(track.face.box), others)[0] > _TWICE).any():
            kept.append(track)
    return kept
