"""Knowledge distillation between fused heatmaps: one small function per kind.

`L_KD = sum_i sum_k || G_T(F_T)_k^i - G_S(F_S)_k^i ||_2` is what the paper writes (Hong and Lin, arXiv 2404.06029);
its authors' code trains with 100 x the mean squared difference instead. Both are here, and a scale-free third.
Every function takes maps (b, k, h, w) of student and teacher and returns the loss of each landmark (b, k).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from distill.heatmaps import as_distribution
from distill.losses.reduction import masked_mean

Maps = Float[Tensor, "b k h w"]
PerLandmark = Float[Tensor, "b k"]


def mse(student: Maps, teacher: Maps, temperature: float = 1.0) -> PerLandmark:
    """Mean squared difference over cells: the authors' code (weight 100 there)."""
    return (student - teacher).square().mean((-2, -1))


def l2(student: Maps, teacher: Maps, temperature: float = 1.0) -> PerLandmark:
    """Euclidean norm of the difference: the paper's formula, averaged over faces and landmarks instead of summed."""
    return (student - teacher).square().sum((-2, -1)).add(1e-12).sqrt()


def kl(student: Maps, teacher: Maps, temperature: float = 1.0) -> PerLandmark:
    """KL divergence between the distributions that the decoder reads, times temperature^2 (Hinton et al., 1503.02531).

    Maps are divided by their sum first, so that the free amplitude of an instance-normalised map carries no loss.
    """

    def log_probability(maps: Maps) -> Tensor:
        return ((as_distribution(maps) + 1e-8).log() / temperature).flatten(-2).log_softmax(-1)

    log_student, log_teacher = log_probability(student), log_probability(teacher)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1) * temperature**2


MAP_LOSSES: dict[str, Callable[[Maps, Maps, float], PerLandmark]] = {"mse": mse, "l2": l2, "kl": kl}


def map_distillation(kind: str, student: Maps, teacher: Maps, temperature: float, valid: Tensor) -> Tensor:
    """Mean of one kind over the landmarks marked valid (b, k), in float32; resolutions must agree."""
    if student.shape != teacher.shape:
        raise ValueError(f"student maps {tuple(student.shape)} and teacher maps {tuple(teacher.shape)} differ in shape")
    with torch.autocast(student.device.type, enabled=False):
        return masked_mean(MAP_LOSSES[kind](student.float(), teacher.float(), temperature), valid)
