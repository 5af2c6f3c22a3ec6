"""Knowledge distillation for RetinaFace: outputs and feature maps of a teacher with the same prior boxes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError

_EPSILON = 1e-5  # beside the variance of a channel


@dataclass(frozen=True)
class DetectorKDConfig:
    """Weights and options of the distillation.

    Attributes:
        score: weight of the cross-entropy with the teacher's probabilities.
        box: weight of the smooth L1 loss between the box offsets.
        points: weight of the smooth L1 loss between the point offsets.
        features: weight of the squared error between the maps that the heads read.
        min_score: boxes and points are learned where the teacher's probability is at least this, in [0, 1).
    """

    score: float = 1.0
    box: float = 1.0
    points: float = 0.1
    # Whether it helps has not been measured.
    features: float = 0.0
    min_score: float = 0.3

    def __post_init__(self) -> None:
        weights = ("score", "box", "points", "features")
        for name in weights:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"--kd.{name} {getattr(self, name)} must be at least 0")
        if not any(getattr(self, name) for name in weights):
            given = "--kd.score, box, points and features are all 0"
            raise ConfigError(f"{given}: leave --teacher out, or give one of them a weight")
        if not 0 <= self.min_score < 1:
            raise ConfigError(f"--kd.min_score {self.min_score} must be at least 0 and below 1")


def distillation_terms(
    student: RawDetections, teacher: RawDetections, config: DetectorKDConfig
) -> dict[str, Float[Tensor, ""]]:
    """Return the weighted terms `kd_score`, `kd_box` and `kd_points`, each divided by the sum of teacher's scores.

    Args:
        student: outputs with a gradient.
        teacher: outputs for the same images.
        config: weights and options.
    """
    target = teacher.logits.float().sigmoid()
    count = target.sum().clamp(min=1)
    sure = target >= config.min_score
    weight = target[sure][:, None]
    terms = {"kd_score": config.score * soft_score_loss(student.logits.float(), target)}
    for name, scale in (("boxes", config.box), ("points", config.points)):
        given, wanted = getattr(student, name)[sure].float(), getattr(teacher, name)[sure].float()
        terms[f"kd_{name.removesuffix('es')}"] = scale * (weight * _smooth_l1(given, wanted)).sum()
    return {name: term / count for name, term in terms.items()}


def soft_score_loss(logits: Float[Tensor, "b n"], target: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Return the quality focal loss, summed: cross-entropy with soft targets, times the squared difference.

    Of the thousands of priors of an image nearly all are background to both networks; the factor leaves those that
    the student has yet to learn (Li et al., Generalized Focal Loss, arXiv 2006.04388, eq. 5, beta 2).
    """
    difference = (logits.detach().sigmoid() - target).square()
    return (difference * functional.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum()


def _smooth_l1(given: Tensor, wanted: Tensor) -> Tensor:
    return functional.smooth_l1_loss(given, wanted, reduction="none").sum(dim=-1, keepdim=True)


class DetectorFeatureLoss(nn.Module):
    """Squared error between the maps that the heads of student and teacher read, at every level.

    These are the outputs of the context modules: the heads are 1x1 convolutions of them, so everything that a teacher
    finds is in them, and nothing is added behind them. A learned 1x1 convolution takes the student's channels to the
    teacher's. Each channel is then brought to mean 0 and variance 1 over the positions of the batch, as in PKD (Cao et
    al., arXiv 2207.02039), so that neither the scale of a network nor its largest channels decide.

    Args:
        student: channels of the student's maps.
        teacher: channels of the teacher's maps.
        levels: number of maps.
    """

    def __init__(self, student: int, teacher: int, levels: int) -> None:
        super().__init__()
        self.align = nn.ModuleList(nn.Conv2d(student, teacher, 1) for _ in range(levels))

    def forward(
        self, student: Sequence[Tensor], teacher: Sequence[Tensor], logits: Float[Tensor, "b n"]
    ) -> Float[Tensor, ""]:
        """Return the mean squared error over all positions, each counted by the teacher's largest probability there.

        Args:
            student: maps (b, c, h, w) with a gradient, finest first.
            teacher: maps (b, d, h, w) for the same images.
            logits: of the teacher, in the order of `anchor_boxes`.
        """
        cells = sum(wanted[0, 0].numel() for wanted in teacher)
        shares = logits.float().sigmoid().unflatten(1, (cells, -1)).amax(dim=-1)  # the priors of a cell are neighbours
        aligned = [layer(given) for layer, given in zip(self.align, student, strict=True)]
        errors = [
            (standardized(given) - standardized(wanted)).square().mean(dim=1).flatten(1)
            for given, wanted in zip(aligned, teacher, strict=True)
        ]
        return (shares * torch.cat(errors, dim=1)).sum() / shares.sum().clamp(min=1)


def standardized(maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Return maps whose channels have mean 0 and variance 1 over images and positions; constant ones become 0."""
    variance, mean = torch.var_mean(maps.float(), dim=(0, 2, 3), keepdim=True, correction=0)
    return (maps.float() - mean) * (variance + _EPSILON).rsqrt()
