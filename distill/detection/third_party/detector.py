"""Third-party detectors on photos: scaling, network, suppression, and boxes in the convention of the landmarks."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.detection.boxes import FOREHEAD, INSIDE_TILED, Suppression, photo_tiles, require_suppression, suppress
from distill.detection.detection import Detection
from distill.detection.retinaface.box_calibration import N_POINTS, calibrated
from distill.detection.retinaface.decode_maps import Candidates, concatenate
from distill.detection.retinaface.letterbox import Letterboxed, to_photo
from distill.detection.retinaface.priors import MULTIPLE, require_side
from distill.detection.retinaface.sidecar import require_score
from distill.detection.third_party.description import read_third_party_spec
from distill.detection.third_party.net import ThirdPartyNet
from distill.errors import ConfigError
from distill.geometry import Box
from distill.images import Photo

Array = NDArray[np.float64]

# Photos are enlarged by this at most, as by `MapDetector`.
_ENLARGE = 2.0


class ThirdPartyDetector:
    """Every face of a photo, best score first, with five points where the network has them.

    The whole photo is scaled to fit the input; wide and large ones are also searched in square tiles, as by
    `MapDetector`.

    Attributes:
        spec: what was measured of the file.
        size: longer side of the input in pixels.
        min_score: faces below are left out.
    """

    def __init__(
        self,
        path: str | Path,
        size: int | None = None,
        threads: int = 1,
        min_score: float | None = None,
        suppression: Suppression = "hard",
    ) -> None:
        """Load a detector file.

        Args:
            path: `.onnx` or `.tflite` of a known layout.
            size: longer side of the input in pixels, a multiple of 32; by default that of the layout, and no other
                where the file has a fixed one.
            threads: threads of the network.
            min_score: faces below are left out; by default the score of the description, else that of the layout.
            suppression: of overlapping boxes, see `MapDetector`.

        Raises:
            CheckpointError: see `ThirdPartyNet`.
            ConfigError: a size that is no multiple of 32 or not the fixed one, a score outside [0, 1], or another
                suppression.
        """
        self.spec = read_third_party_spec(path)
        self._net = ThirdPartyNet(path, threads)
        self.layout = self._net.layout
        fixed = self._net.fixed
        if fixed and size not in (None, max(fixed)):
            raise ConfigError(f"{path}: has a fixed input of {fixed[0]}x{fixed[1]} px: leave --detector_size out")
        self.size = max(fixed) if fixed else self.layout.size if size is None else size
        if not fixed:
            require_side(self.size)
        require_suppression(suppression)
        self.operating_score = self.layout.min_score if self.spec.min_score is None else self.spec.min_score
        self.min_score = self.operating_score if min_score is None else min_score
        require_score(self.min_score)
        self._suppression = suppression

    def __call__(self, photo: Photo) -> list[Detection]:
        """Find the faces of a photo (h, w, 3) uint8 RGB, with boxes in the convention of the landmarks."""
        found = self.find(photo)
        boxes = landmark_boxes(found, self.spec.table)
        points = found.points.astype(np.float32) if found.points.shape[1] else [None] * len(boxes)
        return [
            Detection(Box(*(float(value) for value in box)), float(score), of_face)
            for box, score, of_face in zip(boxes, found.scores, points, strict=True)
        ]

    def find(self, photo: Photo) -> Candidates:
        """Return the faces with the network's own boxes, best first; points are (n, 0, 2) where it has none."""
        height, width = photo.shape[:2]
        windows = [(0, 0, width, height), *photo_tiles(width, height, self.size)]
        found = concatenate([self._window(photo, window) for window in windows])
        inside = INSIDE_TILED if len(windows) > 1 else 1.0
        kept, scores = suppress(found.boxes, found.scores, self._suppression, self.layout.iou, self.min_score, inside)
        return found.at(kept)._replace(scores=scores)

    def _window(self, photo: Photo, window: tuple[int, int, int, int]) -> Candidates:
        """Return what the network finds in a part of the photo, in pixels of the photo."""
        left, top, right, bottom = window
        width, height = self._net.fixed or self.input_size(right - left, bottom - top)
        inputs = fitted(photo[top:bottom, left:right], width, height)
        found = self._net(inputs.image, self.min_score)
        origin = np.array([left, top], np.float64)
        boxes = to_photo(found.boxes, inputs.scale).reshape(-1, 2, 2) + origin
        return Candidates(boxes.reshape(-1, 4), found.scores, to_photo(found.points, inputs.scale) + origin)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of the input for a part of a photo, both multiples of 32."""
        scale = min(self.size / max(width, height), _ENLARGE)
        across, down = (-(-max(1, round(side * scale)) // MULTIPLE) * MULTIPLE for side in (width, height))
        return across, down


def fitted(photo: Photo, width: int, height: int) -> Letterboxed:
    """Scale a photo to fit into width x height pixels, at most to twice its size, and fill up with black.

    As the programs of these networks do; what is filled lies at the right and the bottom.
    """
    rows, columns = photo.shape[:2]
    scale = min(width / columns, height / rows, _ENLARGE)
    inner = min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = np.zeros((height, width, 3), np.uint8)
    image[: inner[1], : inner[0]] = cv2.resize(photo, inner, interpolation=method)
    return Letterboxed(image, scale)


def landmark_boxes(found: Candidates, table: Array | None) -> Array:
    """Return the boxes (n, 4) of faces in the convention of the 68 points.

    Args:
        found: faces with own boxes.
        table: calibration, (12, 4). Without one the boxes count as WIDER FACE's, on which these networks are trained,
            and lose the forehead.
    """
    if table is not None:
        return calibrated(found.boxes, calibration_points(found), table)
    boxes = found.boxes.copy()
    boxes[:, 1] += (boxes[:, 3] - boxes[:, 1]) * FOREHEAD / (1 + FOREHEAD)
    return boxes


def calibration_points(found: Candidates) -> Array:
    """Return the points (n, 5, 2) that a calibration takes; the centres of the boxes where there are none."""
    if found.points.shape[1]:
        return found.points
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    return np.repeat(centres[:, None], N_POINTS, axis=1)
