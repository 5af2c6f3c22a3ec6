"""Knowledge distillation for RetinaFace: scores, boxes and points of a teacher with the same prior boxes."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError


@dataclass(frozen=True)
class DetectorKDConfig:
    """Weights and options of the distillation.

    Attributes:
        score: weight of the cross-entropy with the teacher's probabilities.
        box: weight of the smooth L1 loss between the box offsets.
        points: weight of the smooth L1 loss between the point offsets.
        min_score: boxes and points are learned where the teacher's probability is at least this, in [0, 1).
    """

    score: float = 1.0
    box: float = 1.0
    points: float = 0.1
    min_score: float = 0.3

    def __post_init__(self) -> None:
        for name in ("score", "box", "points"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"--kd.{name} {getattr(self, name)} must be at least 0")
        if not (self.score or self.box or self.points):
            raise ConfigError("--kd.score, box and points are all 0: leave --teacher out, or give one of them a weight")
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
