"""Concatenation of data sets with different schemes: annotation for every head, and weight, of each face.

Faces are numbered through, so a pass over all sets is one shuffled epoch (EFLD, arXiv 2407.10228, sec. 3.4), and the
stream of batches stays a pure function of seed and step.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from distill.data.config import SetConfig
from distill.data.dataset import FaceDataset, FaceSample, Target
from distill.data.records import FaceRecord, Labels
from distill.errors import ConfigError
from distill.landmarks import convert, load_scheme, scheme_name
from distill.landmarks.convert import convert_visibility, is_exact

# Default weight of a face, by the source of its points.
WEIGHTS: Mapping[str, float] = MappingProxyType({"hand": 1.0, "weak": 0.2, "none": 0.0})


@dataclass(frozen=True)
class TrainingSet:
    """One data set: its faces in its own scheme.

    Attributes:
        faces: all of them.
        weight: what each or every one counts; None: by who labelled it.
        share: how much of the set an epoch shows; the next epoch goes on where this one ended, in shuffled order.
    """

    faces: FaceDataset
    weight: float | NDArray[np.floating] | None = None
    share: float = 1.0

    @property
    def shown(self) -> int:
        """How many faces an epoch shows."""
        return max(1, round(self.share * len(self.faces)))

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The faces as they take turns; neighbours in a set are often frames of one video."""
        return np.random.default_rng(self.faces.seed).permutation(len(self.faces))


def relabelled(records: Sequence[FaceRecord], labels: Labels | None) -> list[FaceRecord]:
    """Return the faces with labels of this kind; with `none`, they have no points."""
    if labels is None:
        return list(records)
    if labels == "none":
        return [replace(record, labels=labels, known=np.zeros_like(record.known)) for record in records]
    return [replace(record, labels=labels) for record in records]


def teaches(scheme: str, head: str) -> bool:
    """Whether annotations of one scheme are exact annotations of another."""
    try:
        return is_exact(scheme, head)
    except ConfigError:
        return False


def derived_schemes(sets: Sequence[SetConfig], heads: Sequence[str]) -> tuple[str, ...]:
    """Return the schemes of further sets that have no head and whose points follow exactly from the main head's.

    Such a set (five points, where the network predicts 68) trains the main head through the map of the schemes; one
    whose points the main head learns as they are is none of them.
    """
    named = dict.fromkeys(scheme_name(item.scheme) for item in sets if item.scheme and item.labels != "none")
    without_head = (scheme for scheme in named if scheme not in heads and not teaches(scheme, heads[0]))
    return tuple(scheme for scheme in without_head if teaches(heads[0], scheme))


class MixedDataset(Dataset[FaceSample]):
    """The faces of several sets, one after the other.

    Args:
        sets: the data sets, the main one first; all with the same crop size.
        heads: landmark schemes to give targets for, the main one first. A face has those of its own scheme and those
            that follow from it exactly (51 points from 68); the others are unknown. The main head takes what the main
            set can be converted to, exactly or not, as it does without further sets.
        derived: schemes of `derived_schemes`, which have targets too: the faces annotated in this very scheme.

    Raises:
        ConfigError: an annotated set of which no head can learn.
    """

    def __init__(self, sets: Sequence[TrainingSet], heads: Sequence[str], derived: Sequence[str] = ()):
        self.sets, self.heads, self.derived = tuple(sets), tuple(heads), tuple(derived)
        self._ends = list(accumulate(part.shown for part in sets))
        self._starts = list(accumulate((len(part.faces) for part in sets), initial=0))
        self._routes = [{head for head in heads if teaches(part.faces.scheme.name, head)} for part in sets]
        self._routes[0].add(heads[0])
        for part, route in zip(sets, self._routes, strict=True):
            route |= {part.faces.scheme.name} & set(self.derived)
        for part, route in zip(sets, self._routes, strict=True):
            if not route and any(record.labels != "none" for record in part.faces.records):
                name = part.faces.scheme.name
                raise ConfigError(
                    f"--data.sets: no head learns from {name} points; add {name} to the network's heads "
                    "(--model.options.others) or give the set labels none"
                )

    @property
    def records(self) -> list[FaceRecord]:
        """All faces, in order."""
        return [record for part in self.sets for record in part.faces.records]

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, key: int | tuple[int, int]) -> FaceSample:
        epoch, slot = (0, key) if isinstance(key, int) else key
        position = bisect_right(self._ends, slot)
        part = self.sets[position]
        local = slot - (self._ends[position] - part.shown)
        if part.shown < len(part.faces):
            local = int(part.order[(epoch * part.shown + local) % len(part.faces)])
        face = part.faces[epoch, local]
        targets = {head: self._target(face, position, head) for head in (*self.heads, *self.derived)}
        main = targets[self.heads[0]]
        default = WEIGHTS[part.faces.records[local].labels]
        weight = default if part.weight is None else np.broadcast_to(part.weight, len(part.faces))[local]
        return {
            **face,
            "landmarks": main["landmarks"],
            "known": main["known"],
            "visible": main["visible"],
            "index": self._starts[position] + local,
            "targets": targets,
            "weight": torch.tensor(float(weight), dtype=torch.float32),
        }

    def _target(self, face: FaceSample, position: int, head: str) -> Target:
        scheme = self.sets[position].faces.scheme.name
        if head not in self._routes[position]:
            k = load_scheme(head).n_points
            nowhere = torch.zeros(k, dtype=torch.bool)
            return {"landmarks": torch.zeros(k, 2), "known": nowhere, "visible": nowhere}
        known, visible = (convert_visibility(face[flag].numpy(), scheme, head) for flag in ("known", "visible"))
        points = convert(face["landmarks"].numpy(), scheme, head)
        return {
            "landmarks": torch.from_numpy(points),
            "known": torch.from_numpy(known),
            "visible": torch.from_numpy(visible),
        }
