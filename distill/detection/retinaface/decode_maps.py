"""Boxes, scores and points from the outputs of an exported RetinaFace, in numpy, which decodes maps."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.detection.retinaface.priors import (
    CENTRE_VARIANCE,
    LARGEST_LOG_RATIO,
    SIZE_VARIANCE,
    AnchorConfig,
    prior_boxes,
)
from distill.errors import CheckpointError

Array = NDArray[np.float64]

# Values of a prior: score, box, five points.
PARTS = (1, 4, 10)
_TINY = float(np.finfo(np.float32).tiny)
# Axes of boxes, scores and points where the file decodes them.
_DECODED_AXES = (2, 1, 3)


class Candidates(NamedTuple):
    """Detections before suppression, in pixels.

    Attributes:
        boxes: (n, 4), x0, y0, x1, y1.
        scores: (n,), in [0, 1].
        points: (n, 5, 2).
    """

    boxes: Array
    scores: Array
    points: Array

    @property
    def longer(self) -> Array:
        """Longer sides (n,) of the boxes."""
        sides: Array = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1)
        return sides

    def at(self, indices: NDArray[np.intp]) -> "Candidates":
        """Return those of these indices, in their order."""
        return Candidates(*(values[indices] for values in self))


def concatenate(parts: Sequence[Candidates]) -> Candidates:
    """Join the candidates of several views of a photo."""
    return Candidates(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def joined_outputs(maps: Sequence[NDArray[np.floating]], anchors: AnchorConfig) -> list[NDArray[np.floating]]:
    """Return score (n,), box offsets (n, 4) and point offsets (n, 10) of all priors, in the order of `prior_boxes`.

    The order of an exported file's outputs is not kept by converters: they are told apart by size and channels.

    Raises:
        CheckpointError: the outputs are not three maps for each stride.
    """
    outputs = []
    for values in PARTS:
        channels = anchors.per_cell * values
        found = sorted((m for m in maps if m.shape[-1] == channels), key=lambda m: -m.size)
        if len(found) != len(anchors.strides) or len(maps) != len(PARTS) * len(found):
            shapes = [tuple(m.shape) for m in maps]
            raise CheckpointError(f"the detector's outputs are {shapes}, which its anchors do not fit; export it again")
        outputs.append(np.concatenate([m.reshape(-1, values) for m in found]))
    return [outputs[0][:, 0], *outputs[1:]]


def candidates_of(
    outputs: Sequence[NDArray[np.floating]], anchors: AnchorConfig, width: int, height: int, min_score: float
) -> Candidates:
    """Return the priors of at least `min_score` of any detector file; arguments are those of `decode_maps`.

    Args:
        outputs: maps (1, rows, columns, channels), or boxes (n, 4), scores (n,) and points (n, 5, 2) of a file that
            decodes them itself; converters do not keep their order.

    Raises:
        CheckpointError: neither of the two.
    """
    by_axes = {output.ndim: output for output in outputs}
    if set(by_axes) != set(_DECODED_AXES) or len(outputs) != len(_DECODED_AXES):
        return decode_maps(outputs, anchors, width, height, min_score)
    boxes, scores, points = (by_axes[axes] for axes in _DECODED_AXES)
    kept = np.flatnonzero(scores >= min_score)
    return Candidates(*(values[kept].astype(np.float64) for values in (boxes, scores, points)))


def decode_maps(
    maps: Sequence[NDArray[np.floating]], anchors: AnchorConfig, width: int, height: int, min_score: float
) -> Candidates:
    """Return the priors of at least `min_score` as boxes and points in pixels of the input.

    Args:
        maps: outputs of the network, each (1, rows, columns, channels).
        anchors: prior boxes of the network.
        width: of the input in pixels.
        height: of the input in pixels.
        min_score: in [0, 1].
    """
    logits, offsets, moves = joined_outputs(maps, anchors)
    floor = math.log(max(min_score, _TINY)) - math.log(max(1 - min_score, _TINY))
    kept = np.flatnonzero(logits >= floor)
    priors = prior_boxes(anchors, width, height)[kept].astype(np.float64)
    scores = 1 / (1 + np.exp(-logits[kept].astype(np.float64)))
    offsets, moves = offsets[kept].astype(np.float64), moves[kept].astype(np.float64).reshape(-1, 5, 2)
    centres = priors[:, :2] + offsets[:, :2] * CENTRE_VARIANCE * priors[:, 2:]
    half = priors[:, 2:] * np.exp(np.minimum(offsets[:, 2:] * SIZE_VARIANCE, LARGEST_LOG_RATIO)) / 2
    points = priors[:, None, :2] + moves * CENTRE_VARIANCE * priors[:, None, 2:]
    return Candidates(np.concatenate([centres - half, centres + half], axis=1), scores, points)
