"""Subgroups of the faces: by subset, attribute and pose."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distill.data.pose import head_pose
from distill.errors import ConfigError
from distill.evaluate.faces import FaceSet
from distill.evaluate.intervals import bootstrap_interval
from distill.evaluate.result import Evaluation

Mask = NDArray[np.bool_]
# Edges of the buckets, in degrees either way.
_ANGLES = (0, 10, 20, 30, 45, 180)


def subgroups(faces: FaceSet) -> dict[str, dict[str, Mask]]:
    """Return masks (n,) over the faces by kind and name; a kind that does not divide the faces is left out.

    Kinds: `set` (the subset a face comes from), `attribute` (its labels in the data set, one for each that is
    true or each word), `yaw` and `pitch` (size of the angle as read off the true points).
    """
    kinds = {"set": _words([record.subset for record in faces.records]), "attribute": _attributes(faces)}
    kinds |= _poses(faces)
    return {kind: masks for kind, masks in kinds.items() if len(masks) > 1 or (kind == "attribute" and masks)}


def _words(values: list[str]) -> dict[str, Mask]:
    return {value: np.array([other == value for other in values]) for value in sorted(set(values))}


def _attributes(faces: FaceSet) -> dict[str, Mask]:
    masks: dict[str, Mask] = {}
    for name in sorted({name for record in faces.records for name in record.attributes}):
        values = [record.attributes.get(name) for record in faces.records]
        if all(isinstance(value, bool) or value is None for value in values):
            masks[name] = np.array([value is True for value in values])
        elif all(isinstance(value, str) or value is None for value in values):
            words = _words([str(value) for value in values if value is not None])
            masks |= {f"{name} {word}": np.array([value == word for value in values]) for word in words}
    return {name: mask for name, mask in masks.items() if mask.any()}


def _poses(faces: FaceSet) -> dict[str, dict[str, Mask]]:
    if not all(record.known.all() for record in faces.records):
        return {}
    try:
        points = torch.from_numpy(np.stack([record.landmarks for record in faces.records])).double()
        angles = head_pose(points, faces.scheme).abs().numpy()
    except ConfigError:
        return {}  # a scheme the head has no points for, such as a user's own
    found: dict[str, dict[str, Mask]] = {}
    for axis, kind in enumerate(("yaw", "pitch")):
        masks = {
            f"{low}-{high}°" if high < _ANGLES[-1] else f"over {low}°": (angles[:, axis] >= low)
            & (angles[:, axis] < high)
            for low, high in pairwise(_ANGLES)
        }
        found[kind] = {name: mask for name, mask in masks.items() if mask.any()}
    return found


def by_subgroup(evaluation: Evaluation, faces: FaceSet) -> dict[str, dict[str, dict[str, Any]]]:
    """Return for every subgroup its number of faces, NME with 95 % interval and FR@10 (percent, primary normaliser)."""
    errors = evaluation.nme()
    return {
        kind: {name: _figures(errors[mask], evaluation.protocol.seed) for name, mask in masks.items()}
        for kind, masks in subgroups(faces).items()
    }


def _figures(errors: NDArray[np.float64], seed: int) -> dict[str, Any]:
    low, high = bootstrap_interval(errors, seed)
    return {
        "faces": len(errors),
        "nme_percent": 100 * float(errors.mean()),
        "low_percent": 100 * low,
        "high_percent": 100 * high,
        "fr10_percent": 100 * float((errors > 0.10).mean()),
    }
