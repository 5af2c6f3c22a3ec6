"""Knowledge distillation: one small function per kind, and what each needs of student and teacher.

Maps are distilled from map to map. A student that regresses coordinates learns the teacher's coordinates, or shows its
own uncertainty as a Gaussian and is compared with the teacher's map (DistilPose, arXiv 2303.05063).

`L_KD = sum_i sum_k || G_T(F_T)_k^i - G_S(F_S)_k^i ||_2` is what the paper writes (Hong and Lin, arXiv 2404.06029);
its authors' code trains with 100 x the mean squared difference instead. Both are here, and a scale-free third; means
and covariances are in `distill.losses.covariance`, features, which are no part of a prediction, in
`distill.losses.feature`. Every function returns the loss of each landmark (b, k).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from distill.errors import ConfigError
from distill.losses.covariance import covariance
from distill.losses.reduction import masked_mean
from distill.models import Prediction
from distill.models.heatmaps import MASS_FLOOR, as_distribution, cell_centres

Points = Float[Tensor, "b k 2"]
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

    Maps are divided by their sum first, so that the free amplitude of an instance-normalised map carries no loss. Each
    is then mixed half and half with the uniform distribution: an AAM map is exactly 0 on half of its cells, where a
    logarithm alone has no gradient, and barely above 0 on others, where its gradient has no bound and is all there is.
    """

    def log_probability(maps: Maps) -> Tensor:
        uniform = 1 / (maps.shape[-2] * maps.shape[-1])
        return ((as_distribution(maps) + uniform).log() / temperature).flatten(-2).log_softmax(-1)

    log_student, log_teacher = log_probability(student), log_probability(teacher)
    return (log_teacher.exp() * (log_teacher - log_student)).sum(-1) * temperature**2


def coordinate(student: Points, teacher: Points) -> PerLandmark:
    """Distance between the landmarks in sides of the crop, quadratic below about one pixel of a 128 px crop.

    Beyond, it grows linearly (pseudo-Huber), so the few points a teacher has wrong do not govern the rest.
    """
    squared = (student - teacher).square().sum(-1)
    return _NEAR * ((1 + squared / _NEAR**2).sqrt() - 1)


_NEAR = 0.01


def gaussian(student: Points, sigmas: Points, teacher: Maps) -> PerLandmark:
    """Compare the Gaussian a student's point and spread describe with the teacher's map (DistilPose, sec. 3.3).

    Both have peak 1. The squared difference is divided by the energy of the teacher's map: DistilPose's plain mean over
    cells depends on the resolution and is almost all background. An empty map of the teacher teaches nothing.
    """
    peak = teacher.amax((-2, -1), keepdim=True)
    target = teacher / peak.clamp_min(MASS_FLOOR)
    x = (cell_centres(target.shape[-1], target) - student[..., :1]) / sigmas[..., :1]
    y = (cell_centres(target.shape[-2], target) - student[..., 1:]) / sigmas[..., 1:]
    drawn = torch.exp(-0.5 * y.square())[..., :, None] * torch.exp(-0.5 * x.square())[..., None, :]
    energy = target.square().sum((-2, -1)).clamp_min(1)
    return (drawn - target).square().sum((-2, -1)) / energy * (peak[..., 0, 0] > MASS_FLOOR)


class KDKind(NamedTuple):
    """One kind of distillation.

    Attributes:
        loss: (student, teacher, temperature) -> loss of each landmark (b, k), in float32.
        student, teacher: the parts of a `Prediction` it reads of each.
    """

    loss: Callable[[Prediction, Prediction, float], PerLandmark]
    student: tuple[str, ...]
    teacher: tuple[str, ...]


def _between_maps(loss: Callable[[Maps, Maps, float], PerLandmark]) -> KDKind:
    def between(student: Prediction, teacher: Prediction, temperature: float) -> PerLandmark:
        mine, theirs = student.part("heatmaps"), teacher.part("heatmaps")
        if mine.shape != theirs.shape:
            shapes = f"{tuple(mine.shape)} and {tuple(theirs.shape)}"
            raise ConfigError(
                f"maps of student and teacher are {shapes}: give both necks of one stride, or --kd.kind coordinate"
            )
        return loss(mine.float(), theirs.float(), temperature)

    return KDKind(between, ("heatmaps",), ("heatmaps",))


def _coordinate(student: Prediction, teacher: Prediction, temperature: float) -> PerLandmark:
    return coordinate(student.landmarks.float(), teacher.landmarks.float())


def _gaussian(student: Prediction, teacher: Prediction, temperature: float) -> PerLandmark:
    return gaussian(student.landmarks.float(), student.part("sigmas").float(), teacher.part("heatmaps").float())


def _covariance(student: Prediction, teacher: Prediction, temperature: float) -> PerLandmark:
    return covariance(student.part("heatmaps").float(), teacher.part("heatmaps").float())


KD_KINDS: Mapping[str, KDKind] = MappingProxyType(
    {
        "mse": _between_maps(mse),
        "l2": _between_maps(l2),
        "kl": _between_maps(kl),
        "covariance": KDKind(_covariance, ("heatmaps",), ("heatmaps",)),
        "coordinate": KDKind(_coordinate, ("landmarks",), ("landmarks",)),
        "gaussian": KDKind(_gaussian, ("landmarks", "sigmas"), ("heatmaps",)),
    }
)


def distillation(
    kind: str, student: Prediction, teacher: Prediction, temperature: float, valid: Float[Tensor, "b k"] | Tensor
) -> Tensor:
    """Mean of one kind over the landmarks by their weights `valid`, in float32.

    Raises:
        ConfigError: maps of unlike resolution.
    """
    with torch.autocast(student.landmarks.device.type, enabled=False):
        return masked_mean(KD_KINDS[kind].loss(student, teacher, temperature), valid)


def require_kind_fits(kind: str, student: Prediction, teacher: Prediction) -> None:
    """Refuse a kind of distillation that student and teacher are not made for, by what they say of a blank crop.

    Raises:
        ConfigError: what it reads is missing, naming the kinds that fit; or maps of unlike resolution.
    """
    for who, prediction, needs in (
        ("student", student, KD_KINDS[kind].student),
        ("teacher", teacher, KD_KINDS[kind].teacher),
    ):
        if not prediction.has(needs):
            fitting = [name for name, k in KD_KINDS.items() if student.has(k.student) and teacher.has(k.teacher)]
            hint = " (--model.options '{uncertainty: true}' where the network has it)" if "sigmas" in needs else ""
            shared = " (of several teachers only what all have in one shape is heard)" if who == "teacher" else ""
            raise ConfigError(
                f"--kd.kind {kind} needs {', '.join(needs)}{hint}, and the {who} predicts only "
                f"{', '.join(prediction.parts)}: take {', '.join(fitting)} or none{shared}"
            )
    with torch.no_grad():
        KD_KINDS[kind].loss(student, teacher, 1.0)
