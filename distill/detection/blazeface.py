"""Face detection with the two BlazeFace networks in `models/`.

Three steps, chosen by measurement (docs of `BlazeFaceDetector`): propose with both nets over the whole photo and with
the short-range net over overlapping tiles; refine each proposal with the short-range net at one fixed relative size,
which confirms it and makes its box as precise for small faces as for large ones; drop duplicates.

Source of the nets, anchors and decoding: MediaPipe (Apache-2.0), modules/face_detection, 0.10.21.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.detection.blazeface_boxes import FULL_RANGE_BOX, POINTS_TO_BOX, SHORT_RANGE_BOX
from distill.detection.boxes import Array, Square, group, overlap, squares
from distill.detection.detection import Detection
from distill.errors import ConfigError
from distill.geometry import Box, apply_affine, invert_affine, similarity
from distill.images import warp
from distill.pretrained.released_files import require_undamaged_release
from distill.tflite.interpreter import TFLiteNet

# Low, because the refinement decides.
_PROPOSAL_SCORE = 0.5

_MODELS = Path(__file__).parent / "models"


@dataclass(frozen=True)
class BlazeFaceVariant:
    """The constants of one BlazeFace net.

    Attributes:
        file: name of the TFLite file.
        layers: (cells per side, anchors per cell) of each output layer.
        box: (scale x, scale y, shift x, shift y) from the net's own box to the tight box of the 68 points, in units of
            the net's box; measured by scripts/generate/calibrate_detector.py.
    """

    file: str
    layers: tuple[tuple[int, int], ...]
    box: tuple[float, float, float, float]


SHORT_RANGE = BlazeFaceVariant("face_detection_short_range.tflite", ((16, 2), (8, 6)), SHORT_RANGE_BOX)
FULL_RANGE = BlazeFaceVariant("face_detection_full_range_sparse.tflite", ((48, 1),), FULL_RANGE_BOX)


def locate_model(file: str, folder: str | Path | None = None) -> Path:
    """Return the path of a BlazeFace file in `folder`; by default the one in the package.

    Raises:
        ConfigError: the folder does not hold it.
    """
    path = Path(folder or _MODELS) / file
    if not path.is_file():
        raise ConfigError(f"{path}: no such detector file; install the package again, or name another folder")
    return path


def anchor_centres(layers: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Return the anchors' centres (n, 2), normalised to the input, in the order of the net's outputs."""
    parts = []
    for cells, per_cell in layers:
        line = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        parts.append(np.repeat(grid, per_cell, axis=0))
    return np.concatenate(parts)


class BlazeFace:
    """One BlazeFace net, applied to one square of a photo."""

    def __init__(self, variant: BlazeFaceVariant, folder: str | Path | None = None, threads: int = 1) -> None:
        self.variant = variant
        path = locate_model(variant.file, folder)
        require_undamaged_release(path)
        self._net = TFLiteNet(path, threads)
        self._size = self._net.input_shape[1]
        self._anchors = anchor_centres(variant.layers)

    def __call__(self, photo: NDArray[np.uint8], square: Square, min_score: float) -> tuple[Array, Array]:
        """Return the detections of the net in a square (side, centre x, centre y), unmerged.

        Returns:
            values (n, 8, 2): centre and size of the net's own box, then eyes, nose, mouth, ears, in photo pixels;
            scores (n,) in [0, 1], each at least `min_score`.
        """
        affine = similarity(*square, size=self._size)
        view = warp(photo, affine, self._size).astype(np.float32) / 127.5 - 1
        outputs = {array.shape[-1]: array[0].astype(np.float64) for array in self._net(view[None])}
        scores = 1 / (1 + np.exp(-np.clip(outputs[1][:, 0], -100, 100)))
        keep = scores >= min_score
        values = outputs[16][keep].reshape(-1, 8, 2)
        zoom = square[0] / self._size
        points = values[:, [0, 2, 3, 4, 5, 6, 7]] + self._anchors[keep][:, None] * self._size - 0.5
        points = apply_affine(invert_affine(affine), points).astype(np.float64)
        return np.concatenate([points[:, :1], values[:, 1:2] * zoom, points[:, 1:]], axis=1), scores[keep]

    def boxes(self, values: Array) -> Array:
        """Return the boxes (n, 4) of `values` (n, 8, 2), brought to the training convention by constants."""
        scale = np.array(self.variant.box[:2])
        shift = np.array(self.variant.box[2:])
        centre = values[:, 0] + shift * values[:, 1]
        half = scale * values[:, 1] / 2
        return np.concatenate([centre - half, centre + half], axis=1)


def features(values: Array) -> Array:
    """Return what a box is predicted from, (13,): 1 and the six points of a detection (8, 2) relative to its box."""
    return np.concatenate([[1.0], ((values[2:] - values[0]) / values[1].mean()).ravel()])


def box_from_points(values: Array) -> Box:
    """Return the tight box of the 68 points, predicted linearly from one detection (8, 2)."""
    side = values[1].mean()
    width, height, x, y = features(values) @ POINTS_TO_BOX * side
    x, y = values[0] + np.array([x, y])
    return Box(float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2))


class BlazeFaceDetector:
    """Every face of a photo, large or small, best score first.

    Measured on dlib's 9 photos with 43 faces of 37 to 109 px in 500 px (no face got two boxes) and on 150 unlabelled
    photos of WFLW of about 640 px (boxes; in brackets photos without any):

    ============================================  =======  ========  ==
    passes                                        dlib     WFLW      ms
    ============================================  =======  ========  ==
    short range, whole photo                      12 / 43  137 (54)   2
    full range, whole photo                       42 / 43  287 (7)    4
    both, whole photo, refined: `tiles=()`         42 / 43  297 (6)    9
    and short range on tiles: `tiles=(2,)`        43 / 43  332 (2)   19
    and smaller tiles: `tiles=(2, 4)`             43 / 43  366 (2)   46
    ============================================  =======  ========  ==

    The first two rows have no refinement; it brings the centre's error on dlib's small faces from 8 % of the face's
    longer side (full range) down to 3.4 %. `(2, 4)` also gave two boxes that dlib does not list. Of the 21 boxes in
    WFLW that came with the lower score for proposals, 17 were faces. The settings were chosen on these photos. Times
    are of one idle core, with proposals from score 0.6: compare them with each other only.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        threads: int = 1,
        min_score: float = 0.6,
        tiles: tuple[int, ...] = (2,),
        zoom: float = 2.0,
    ) -> None:
        """Load both nets.

        Args:
            folder: where the two BlazeFace files lie; default: in the package.
            threads: threads of each net.
            min_score: faces below are removed in the refinement.
            tiles: besides the whole photo, search tiles of the longer side divided by each of these; (2, 4) finds
                faces half as large as (2,) for about four times the time, () is the fastest.
            zoom: side of the square of the refinement, in units of the proposal's longer side.

        Raises:
            ConfigError: no detector files or no TFLite runtime.
        """
        self._short = BlazeFace(SHORT_RANGE, folder, threads)
        self._full = BlazeFace(FULL_RANGE, folder, threads)
        self._min_score = min_score
        self._tiles = tiles
        self._zoom = zoom

    def __call__(self, photo: NDArray[np.uint8]) -> list[Detection]:
        """Find the faces of a photo (h, w, 3) uint8 RGB; an empty list when there is none."""
        refined = (self.refine(photo, proposal) for proposal in self.propose(photo))
        confirmed = [detection for detection in refined if detection is not None]
        if not confirmed:
            return []
        faces = [Detection(box_from_points(values), score) for values, score in confirmed]
        groups = group(np.array([face.box for face in faces]), np.array([face.score for face in faces]))
        return [faces[indices[0]] for indices in groups]

    def propose(self, photo: NDArray[np.uint8]) -> list[Box]:
        """Return roughly placed boxes, best first."""
        height, width = photo.shape[:2]
        views = [(self._full, square) for square in squares(width, height, (1,))]
        views += [(self._short, square) for square in squares(width, height, (1, *self._tiles))]
        boxes = []
        scores = []
        for net, square in views:
            values, score = net(photo, square, _PROPOSAL_SCORE)
            boxes.append(net.boxes(values))
            scores.append(score)
        every = np.concatenate(boxes)
        weights = np.concatenate(scores)
        means = [np.average(every[same], axis=0, weights=weights[same]) for same in group(every, weights)]
        return [Box(*(float(value) for value in mean)) for mean in means]

    def refine(self, photo: NDArray[np.uint8], proposal: Box) -> tuple[Array, float] | None:
        """Return the short-range (values (8, 2), score) for a proposal cropped at a fixed relative size, or None."""
        side = self._zoom * max(proposal.width, proposal.height)
        values, scores = self._short(photo, (side, *proposal.centre), self._min_score)
        if not len(scores):
            return None
        groups = group(self._short.boxes(values), scores)
        means = np.array([np.average(values[same], axis=0, weights=scores[same]) for same in groups])
        union, _ = overlap(np.array(proposal), self._short.boxes(means))
        best = int(union.argmax())
        return (means[best], float(scores[groups[best][0]])) if union[best] > 0.3 else None
