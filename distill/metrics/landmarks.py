"""The metrics of `functional` over many batches and processes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from distill.landmarks import Scheme
from distill.metrics.functional import check_normaliser, nme_per_face, normaliser, summarise

# Faces without an identity are never treated as the same face.
_ANONYMOUS = -1.0


class LandmarkMetrics(Metric):
    """NME, FR@8, FR@10, AUC@8 and AUC@10 of all faces so far, as fractions.

    The error of every face is kept, so neither the batch size nor the number of processes changes a result by one bit.

    Attributes:
        better: whether `min` or `max` of each result is the best, for checkpoints and early stopping.
        face_errors: NME of every face of all processes, of the last call of `compute`.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    better: Mapping[str, Literal["min", "max"]] = MappingProxyType(
        {"nme": "min", "fr8": "min", "fr10": "min", "auc8": "max", "auc10": "max"}
    )

    errors: list[Tensor]
    identities: list[Tensor]

    def __init__(self, scheme: Scheme, normaliser: str = "ocular") -> None:
        """Choose what an error is divided by: `ocular`, `pupil` or `box`.

        Raises:
            ConfigError: the scheme has no such distance; nothing else is taken instead.
        """
        super().__init__()
        check_normaliser(scheme, normaliser)
        self.scheme = scheme
        self.face_errors: Tensor | None = None
        self.normaliser = normaliser
        # A process without faces joins the exchange with an empty tensor of this type, so both states have it.
        self.set_dtype(torch.float64)
        self.add_state("errors", default=[], dist_reduce_fx="cat")
        self.add_state("identities", default=[], dist_reduce_fx="cat")

    def update(
        self,
        predicted: Float[Tensor, "n k 2"],
        target: Float[Tensor, "n k 2"],
        box_size: Float[Tensor, "n 2"] | None = None,
        identities: Int[Tensor, " n"] | None = None,
        known: Bool[Tensor, "n k"] | None = None,
    ) -> None:
        """Add faces.

        Args:
            predicted: points in pixels of the photo or of a square crop (any similarity gives the same NME).
            target: the truth in the same pixels.
            box_size: width and height of the true face boxes in the same pixels; only the `box` normaliser needs it.
            identities: the index >= 0 of each face in its data set. Samplers repeat faces to give all processes
                equally many; a face with an index counts once, however often it is added.
            known: which points are annotated; by default all. Those of the normaliser must be among them.
        """
        distance = normaliser(self.scheme, target, self.normaliser, box_size)
        errors = nme_per_face(predicted, target, distance, known).detach()
        self.errors.append(errors)
        if identities is None:
            self.identities.append(torch.full_like(errors, _ANONYMOUS))
        else:
            self.identities.append(identities.to(errors))

    def compute(self) -> dict[str, Tensor]:
        """Return `nme`, `fr8`, `fr10`, `auc8`, `auc10` as scalars, and keep the error of every face."""
        self.face_errors = self.per_face()
        return summarise(self.face_errors)

    def per_face(self) -> Float[Tensor, " n"]:
        """Return the NME of the faces this process holds (of all of them inside `compute`), each face once."""
        identities, order = dim_zero_cat(self.identities).sort(stable=True)
        repeated = torch.zeros_like(order, dtype=torch.bool)
        repeated[1:] = (identities[1:] == identities[:-1]) & (identities[1:] != _ANONYMOUS)
        return dim_zero_cat(self.errors)[order[~repeated]]
