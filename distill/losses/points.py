"""Losses on coordinates, for networks that regress them. All are per landmark (b, k), lengths in sides of the crop."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.landmarks import Scheme
from distill.losses.reduction import masked_mean
from distill.losses.registry import register_loss
from distill.models import Prediction

Points = Float[Tensor, "b k 2"]
PerLandmark = Float[Tensor, "b k"]

# Lengths the papers give in pixels are meant for crops of this size.
_PIXELS = 256
# Wing loss (Feng et al., CVPR 2018, arXiv 1711.06753), sec. 4: it is logarithmic up to w pixels.
_WING_WIDTH, _WING_CURVATURE = 10.0, 2.0
# Eyes nearer to one another than this, as in profile, would let one face outweigh a batch.
_NEAREST_EYES = 0.05


def wing(predicted: Points, truth: Points) -> PerLandmark:
    """Wing loss, mean of x and y: small errors keep a large gradient."""
    distance = (predicted - truth).abs() * _PIXELS
    offset = _WING_WIDTH - _WING_WIDTH * math.log1p(_WING_WIDTH / _WING_CURVATURE)
    near = _WING_WIDTH * torch.log1p(distance / _WING_CURVATURE)
    return torch.where(distance < _WING_WIDTH, near, distance - offset).mean(-1) / _PIXELS


def l1(predicted: Points, truth: Points) -> PerLandmark:
    """Mean absolute difference of x and y."""
    return (predicted - truth).abs().mean(-1)


def smooth_l1(predicted: Points, truth: Points) -> PerLandmark:
    """L1 that is quadratic below one pixel of a 256 px crop, mean of x and y."""
    return nn.functional.smooth_l1_loss(predicted, truth, beta=1 / _PIXELS, reduction="none").mean(-1)


def distance(predicted: Points, truth: Points) -> PerLandmark:
    """Euclidean distance, with a gradient of 0 where both agree."""
    return (predicted - truth).square().sum(-1).add(1e-12).sqrt()


POINT_LOSSES: Mapping[str, Callable[[Points, Points], PerLandmark]] = MappingProxyType(
    {"nme": distance, "wing": wing, "l1": l1, "smooth_l1": smooth_l1}
)


class PointLoss(nn.Module):
    """One of `POINT_LOSSES` between predicted and annotated landmarks, inside the crop or not.

    `nme` is the distance in units of the face's outer eye corners (EFLD, arXiv 2407.10228, sec. 4.1): the number it
    is measured by; of pupils where a scheme has no corners. A face whose eyes nobody marked does not count then.

    Args:
        name: a name of `POINT_LOSSES`; also the name of the term.
        scheme: gives the points of the eyes.

    Raises:
        ConfigError: `nme` for a scheme without eyes, such as a profile's.
    """

    right: Tensor | None
    left: Tensor | None

    def __init__(self, name: str, scheme: Scheme):
        super().__init__()
        self.name = name
        self.measure = POINT_LOSSES[name]
        ends = [list(end) for end in scheme.ocular or scheme.pupil or ()] if name == "nme" else None
        if ends == []:
            raise ConfigError(
                f"--loss.name nme: scheme {scheme.name} has no eyes to measure by; take wing or smooth_l1"
            )
        # Buffers, so that no list of indices is copied to the device in each step.
        for index, side in enumerate(("right", "left")):
            self.register_buffer(side, None if ends is None else torch.tensor(ends[index]), persistent=False)

    def forward(
        self, prediction: Prediction, landmarks: Points, valid: Float[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the loss, mean over the landmarks by their weights `valid`, under its name and as `loss`."""
        with torch.autocast(landmarks.device.type, enabled=False):
            values = self.measure(prediction.landmarks.float(), landmarks.float())
            if self.right is not None and self.left is not None:
                right, left = (landmarks[:, end].float().mean(1) for end in (self.right, self.left))
                values = values / (right - left).norm(dim=-1, keepdim=True).clamp_min(_NEAREST_EYES)
                valid = valid * (valid[:, torch.cat([self.right, self.left])] > 0).all(1, keepdim=True)
            loss = masked_mean(values, valid)
        return {self.name: loss, "loss": loss}


for _name in POINT_LOSSES:
    register_loss(_name, needs=("landmarks",))(partial(PointLoss, _name))
