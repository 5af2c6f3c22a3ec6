"""Distillation losses between heatmaps cell by cell: mse, l2 and kl.

`L_KD = sum_i sum_k || G_T(F_T)_k^i - G_S(F_S)_k^i ||_2` is the paper's formula (Hong and Lin, arXiv 2404.06029); its
authors' code trains with 100 x the mean squared difference instead. Both are here, and a scale-free third.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from distill.losses.registry import register_kd
from distill.models.heatmaps import as_distribution

Maps = Float[Tensor, "b k h w"]
PerLandmark = Float[Tensor, "b k"]


@register_kd("mse", needs=("heatmaps",))
def mse(student: Maps, teacher: Maps) -> PerLandmark:
    """Mean squared difference over cells: the authors' code (weight 100 there)."""
    return (student - teacher).square().mean((-2, -1))


@register_kd("l2", needs=("heatmaps",))
def l2(student: Maps, teacher: Maps) -> PerLandmark:
    """Euclidean norm of the difference: the paper's formula, averaged over faces and landmarks instead of summed."""
    return (student - teacher).square().sum((-2, -1)).add(1e-12).sqrt()


@dataclass(frozen=True)
class KLOptions:
    """Options of `kl`.

    Attributes:
        temperature: divides the log-probabilities of both maps; above 1 it softens the distributions.
    """

    temperature: float = 1.0


@register_kd("kl", needs=("heatmaps",), options=KLOptions)
def kl(student: Maps, teacher: Maps, temperature: float = 1.0) -> PerLandmark:
    """KL divergence between the normalised maps, times temperature^2 (Hinton et al., arXiv 1503.02531).

    Maps are divided by their sum first, so that the free amplitude of an instance-normalised map carries no loss. Each
    is then mixed half and half with the uniform distribution: an AAM map is exactly 0 on half of its cells, where a
    logarithm alone has no gradient, and barely above 0 on others, where its gradient is unbounded and outweighs the
    rest.
    """

    def log_probability(maps: Maps) -> Tensor:
        uniform = 1 / (maps.shape[-2] * maps.shape[-1])
        return ((as_distribution(maps) + uniform).log() / temperature).flatten(-2).log_softmax(-1)

    log_student = log_probability(student)
    log_teacher = log_probability(teacher)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1) * temperature**2
