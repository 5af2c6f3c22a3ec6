"""Refinement of detected boxes: the same network once more on each face, at the size where its boxes are precise.

A face may have any size in the input of the search, and large ones lie at the end of the range of the prior boxes. In
the refinement every face has the same size in a small input, and the boxes of all priors that overlap it are averaged.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.detection.boxes import overlap
from distill.detection.retinaface.decode_maps import Candidates, candidates_of
from distill.detection.retinaface.priors import AnchorConfig
from distill.geometry import apply_affine, invert_affine, similarity
from distill.images import AnyPhoto, Photo, warp_photo

Array = NDArray[np.float64]

_SMALLEST = 24.0  # smaller faces gain nothing by being enlarged
_MIN_SCORE = 0.1
_MIN_IOU = 0.3


@dataclass(frozen=True)
class RefineConfig:
    """Crop of a face that the network gets; chosen on training faces by `scripts/studies/detector_refinement.py`.

    Attributes:
        size: side of the input in pixels, a multiple of 32.
        zoom: side of the square shown, in longer sides of the face.
    """

    size: int = 128
    zoom: float = 1.5


def refined(
    photo: AnyPhoto,
    found: Candidates,
    net: Callable[[Photo], list],
    anchors: AnchorConfig,
    config: RefineConfig = RefineConfig(),
) -> Candidates:
    """Return the faces with refined boxes and points; scores, their order and faces below 24 px stay as they are.

    Args:
        photo: (h, w, 3) uint8 RGB, or a JPEG that is decoded as needed.
        found: faces after suppression, in pixels of the photo.
        net: input image -> outputs of the file.
        anchors: prior boxes of the network.
        config: what the network is shown of a face.
    """
    boxes, points = found.boxes.copy(), found.points.copy()
    for index, box in enumerate(found.boxes):
        longer = float((box[2:] - box[:2]).max())
        refinement = _refined_face(photo, box, longer, net, anchors, config) if longer >= _SMALLEST else None
        if refinement is not None:
            boxes[index], points[index] = refinement
    return Candidates(boxes, found.scores, points)


def _refined_face(
    photo: AnyPhoto,
    box: Array,
    longer: float,
    net: Callable[[Photo], list],
    anchors: AnchorConfig,
    config: RefineConfig,
) -> tuple[Array, Array] | None:
    """Return box (4,) and points (5, 2) averaged over the priors that show this face; None if there are none."""
    x, y = (box[:2] + box[2:]) / 2
    affine = similarity(config.zoom * longer, float(x), float(y), config.size)
    near = candidates_of(net(warp_photo(photo, affine, config.size)), anchors, config.size, config.size, _MIN_SCORE)
    same = overlap(apply_affine(affine, box.reshape(2, 2)).ravel().astype(np.float64), near.boxes)[0] > _MIN_IOU
    if not same.any():
        return None
    boxes, scores, points = near.at(np.flatnonzero(same))
    # Odds, limited: what is certain counts most, and no single prior alone.
    weights = scores / (1 - scores + 1e-3)
    weights /= weights.sum()
    mean = weights @ np.concatenate([boxes, points.reshape(len(points), -1)], axis=1)
    moved = apply_affine(invert_affine(affine), mean.reshape(-1, 2)).astype(np.float64)
    return moved[:2].ravel(), moved[2:]
