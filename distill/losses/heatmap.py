"""Losses between predicted maps and Gaussians at the annotated landmarks, cell by cell."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.heatmaps import gaussian_maps
from distill.losses.reduction import masked_mean
from distill.models import Prediction

Maps = Float[Tensor, "b k h w"]


def bce(predicted: Maps, target: Maps) -> Maps:
    """Binary cross-entropy of each cell (Lite-HRNet Plus, sec. 4.1); both lie in [0, 1].

    Targets between 0 and 1 leave a remainder, their own entropy, which no network can lower.
    """
    return nn.functional.binary_cross_entropy(predicted, target, reduction="none")


def mse(predicted: Maps, target: Maps) -> Maps:
    """Squared difference of each cell (HRNet, arXiv 1908.07919); the prediction may be of any sign."""
    return (predicted - target).square()


HEATMAP_LOSSES: Mapping[str, Callable[[Maps, Maps], Maps]] = MappingProxyType({"bce": bce, "mse": mse})


class HeatmapLoss(nn.Module):
    """One of `HEATMAP_LOSSES` between point maps and Gaussians, mean over the cells.

    A landmark outside the crop counts: its target is what of its Gaussian falls inside, mostly nothing.

    Args:
        kind: a name of `HEATMAP_LOSSES`; also the name of the term.
        sigma: standard deviation of the targets in cells.
    """

    def __init__(self, kind: str, sigma: float = 1.0):
        super().__init__()
        self.kind, self.measure, self.sigma = kind, HEATMAP_LOSSES[kind], sigma
        self._checked = False

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Float[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the loss, mean over the landmarks by their weights `valid`, under its name and as `loss`.

        Raises:
            ConfigError: maps that this loss alone does not train.
        """
        maps = prediction.part("point_maps")
        with torch.autocast(maps.device.type, enabled=False):
            maps, landmarks = maps.float(), landmarks.float()
            if not self._checked:  # once: looking at values stops a GPU
                self._require_fits(prediction, maps)
                self._checked = True
            target = gaussian_maps(landmarks, maps.shape[-2], maps.shape[-1], self.sigma)
            loss = masked_mean(self.measure(maps, target).mean((-2, -1)), valid)
        return {self.kind: loss, "loss": loss}

    def _require_fits(self, prediction: Prediction, maps: Maps) -> None:
        if prediction.edge_maps is not None:
            raise ConfigError(
                f"--loss.kind {self.kind} trains point maps, and this network decodes from others too: take maps"
            )
        low, high = (float(bound) for bound in maps.detach().aminmax())
        if self.kind == "bce" and (low < 0 or high > 1):
            raise ConfigError(f"--loss.kind bce needs maps in [0, 1], these span {low:.2g} ... {high:.2g}: take mse")
