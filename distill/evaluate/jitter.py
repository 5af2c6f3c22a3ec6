"""Jitter of the landmarks: their standard deviation over images of a face that does not move.

Equation 6 of the landmark thesis: the standard deviation of a landmark over images of the same face,
`sqrt(sum |y_i - mean|^2 / (n - 1)) / d`, averaged over landmarks and faces; d is the distance of the
outer eye corners.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from distill.detection.detector import FaceDetector
from distill.errors import ConfigError, ImageError
from distill.evaluate.evaluate import Change, View
from distill.evaluate.faces import FaceSet
from distill.evaluate.robustness import change
from distill.geometry import Box, CropSpec, apply_affine, crop_affine, denormalise, invert_affine, similarity
from distill.images import Photo, read_image, warp
from distill.inference.backend import Backend
from distill.landmarks import load_scheme

SIGMAS = (0.01, 0.1, 0.2)
NOISE: Mapping[str, Change] = MappingProxyType({str(sigma): change("noise", sigma) for sigma in SIGMAS})
_SEED = 0
# Largest shift and change of size (shares of the crop's side) and rotation (degrees) of a still.
_SHIFT = 0.02
_ZOOM = 0.02
_ROTATION = 2.0


def standard_deviation(points: NDArray[np.floating], distance: NDArray[np.floating] | float) -> float:
    """Equation 6 for repeated predictions (..., n, k, 2) of still faces; `distance` (...) in the unit of the points."""
    centred = points - points.mean(-3, keepdims=True)
    spread = np.sqrt((centred**2).sum((-3, -1)) / (points.shape[-3] - 1))
    return float((spread.mean(-1) / distance).mean())


def frame_jitter(track: NDArray[np.floating], distance: float) -> float:
    """Return the jitter of a video (t, k, 2): the deviation of a landmark from its neighbours in time.

    The second difference of white noise has six times its variance, and that of steady motion is zero, so this
    compares with `standard_deviation`; abrupt motion counts as jitter.
    """
    bend = track[:-2] - 2 * track[1:-1] + track[2:]
    return float(np.sqrt((bend**2).sum(-1).mean(0) / 6).mean() / distance)


def _spread(faces: FaceSet, count: int) -> list[int]:
    return [int(index) for index in np.linspace(0, len(faces.records) - 1, min(count, len(faces.records)))]


def still_jitter(
    backend: Backend,
    faces: FaceSet,
    count: int = 20,
    copies: int = 50,
    progress: bool = True,
    noise: Mapping[str, Change] = NOISE,
) -> dict[str, Any]:
    """Measure equation 6 under Gaussian noise and under small known motions of the photo.

    Args:
        count: faces, evenly spread over `faces`.
        copies: images of each (the thesis: 200 of one).
        noise: changes of a photo that leave the face where it is, by name; by default Gaussian noise by its standard
            deviation.

    Returns:
        `noise_percent` by name of the noise, and `motion_percent`, in percent of the outer eye distance.

    Raises:
        ConfigError: the scheme has no outer eye corners.
    """
    if "ocular" not in faces.distances:
        raise ConfigError(f"jitter is measured in outer eye distances, which scheme {faces.scheme} does not have")
    chosen, crop = _spread(faces, count), faces.crop(backend.spec)
    points: dict[str, list[NDArray[np.float32]]] = {name: [] for name in (*noise, "motion")}
    for index in track(chosen, description="Jitter", console=Console(stderr=True), disable=not progress):
        record, rng = faces.records[index], np.random.default_rng([_SEED, index])
        photo, box = read_image(record.image), record.boxes[faces.boxes]
        fixed = crop_affine(box, crop)
        for name, add in noise.items():
            noisy = (add(View(photo, box), rng).photo for _ in range(copies))
            points[name].append(_points(backend, [warp(p, fixed, crop.size) for p in noisy], [fixed] * copies))
        moved = [_moved(box, crop, rng) for _ in range(copies)]
        points["motion"].append(_points(backend, [warp(photo, affine, crop.size) for affine in moved], moved))
    distances = faces.distances["ocular"][chosen]
    values = {name: 100 * standard_deviation(np.stack(found), distances) for name, found in points.items()}
    return {
        "faces": len(chosen),
        "copies": copies,
        "noise_percent": {name: values[name] for name in noise},
        "motion_percent": values["motion"],
    }


def _moved(box: Box, crop: CropSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    side, x, y = crop.side_and_centre(box)
    dx, dy = rng.uniform(-_SHIFT, _SHIFT, 2) * side
    zoom = 1 + rng.uniform(-_ZOOM, _ZOOM)
    rotation = float(rng.uniform(-_ROTATION, _ROTATION))
    return similarity(side * zoom, x + dx, y + dy, crop.size, rotation)


def _points(backend: Backend, crops: Sequence[Photo], affines: Sequence[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Predictions (n, k, 2) in pixels of the photo."""
    size = backend.spec.crop.size
    pixels = denormalise(backend(np.stack(crops)), size, size)
    return np.stack([apply_affine(invert_affine(a), p) for a, p in zip(affines, pixels, strict=True)])


def read_video(path: str | Path) -> list[Photo]:
    """Return the frames (h, w, 3) uint8 RGB of a video.

    Raises:
        ImageError: missing, or nothing in it can be decoded.
    """
    if not Path(path).is_file():
        raise ImageError(f"{path}: no such video; check the path")
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    if not frames:
        raise ImageError(f"{path}: no frame can be decoded; convert it to MP4 or MPEG")
    return frames


def video_jitter(
    backend: Backend, videos: Sequence[Path], detector: FaceDetector | None = None, progress: bool = True
) -> dict[str, Any]:
    """Measure `frame_jitter` on videos of one face.

    Returns:
        in percent of the outer eye distance: `fixed_box_percent`, every frame cut out by the box found in the first,
        which shows the jitter of the model, and `detected_box_percent`, every frame cut out by its own box, which
        adds the detector's.

    Raises:
        ImageError: a video that cannot be read.
        ConfigError: fewer than 3 frames, no face in a frame, or the scheme has no outer eye corners.
    """
    detector = detector or FaceDetector()
    values: dict[str, list[float]] = {"fixed_box_percent": [], "detected_box_percent": []}
    for path in track(videos, description="Videos", console=Console(stderr=True), disable=not progress):
        frames = read_video(path)
        if len(frames) < 3:
            raise ConfigError(f"{path}: {len(frames)} frames show no jitter; give a clip of 3 or more")
        boxes = [_face(detector, frame, path) for frame in frames]
        for name, used in (("fixed_box_percent", [boxes[0]] * len(frames)), ("detected_box_percent", boxes)):
            values[name].append(100 * _video(backend, frames, used))
    return {"videos": len(videos), **{name: float(np.mean(found)) for name, found in values.items()}}


def _face(detector: FaceDetector, frame: Photo, path: Path) -> Box:
    found = detector(frame)
    if not found:
        raise ConfigError(f"{path}: no face found in one of its frames; give videos that show one face throughout")
    return found[0].box


def _video(backend: Backend, frames: Sequence[Photo], boxes: Sequence[Box]) -> float:
    crop, scheme = backend.spec.detected_crop, load_scheme(backend.spec.scheme)
    affines = [crop_affine(box, crop) for box in boxes]
    crops = [warp(frame, affine, crop.size) for frame, affine in zip(frames, affines, strict=True)]
    points = _points(backend, crops, affines)
    return frame_jitter(points, float(scheme.eye_distance(points, "ocular").mean()))
