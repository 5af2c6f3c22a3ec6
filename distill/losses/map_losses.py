"""Losses between heatmaps and Gaussian targets, for networks that predict one map per landmark."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.landmarks import Scheme
from distill.losses.bce import binary_cross_entropy
from distill.losses.mse import squared_error
from distill.losses.reduction import inside_crop, masked_mean
from distill.losses.registry import register_loss
from distill.models import Prediction
from distill.models.heatmaps import gaussian_maps


@dataclass(frozen=True)
class MapOptions:
    """Options of a loss between heatmaps and Gaussian targets; see `MapLoss`."""

    sigma: float = 1.0


# Losses of plain maps, each with the lowest loss of an empty map: the mass of the target or its energy, in sigma^2.
MAP_LOSSES: Mapping[str, tuple[Callable[[Tensor, Tensor], Tensor], float]] = MappingProxyType(
    {"bce": (binary_cross_entropy, 2 * math.pi), "mse": (squared_error, math.pi)}
)


class MapLoss(nn.Module):
    """One of `MAP_LOSSES` between heatmaps and Gaussians of peak 1, for networks that predict one map per landmark.

    The papers take the mean over all cells, almost all of which are background, so that its size depends on the
    resolution. Here the sum over a map is divided by the Gaussian's mass (`bce`, 2 pi sigma^2) or energy (`mse`,
    pi sigma^2): an empty map costs 1 or more at any resolution. A landmark outside the crop does not count.

    Args:
        name: a name of `MAP_LOSSES`; also the name of the term.
        sigma: standard deviation of the target maps in cells.
    """

    def __init__(self, name: str, sigma: float = 1.0):
        super().__init__()
        self.name = name
        self.sigma = sigma
        self.measure, unit = MAP_LOSSES[name]
        self.unit = unit * sigma**2

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the loss, mean over the landmarks by their weights `valid`, under its name and as `loss`."""
        heatmaps = prediction.part("heatmaps")
        height, width = heatmaps.shape[-2:]
        with torch.autocast(heatmaps.device.type, enabled=False):
            target = gaussian_maps(landmarks.float(), height, width, self.sigma)
            values = self.measure(heatmaps.float(), target) / self.unit
            loss = masked_mean(values, inside_crop(landmarks) * valid)
        return {self.name: loss, "loss": loss}


@register_loss("bce", needs=("heatmaps",), options=MapOptions)
def _bce(scheme: Scheme, sigma: float) -> MapLoss:
    return MapLoss("bce", sigma)


@register_loss("mse", needs=("heatmaps",), options=MapOptions)
def _mse(scheme: Scheme, sigma: float) -> MapLoss:
    return MapLoss("mse", sigma)
