"""Distillation loss between a student's Gaussian and the teacher's map (DistilPose, arXiv 2303.05063)."""

import torch
from jaxtyping import Float
from torch import Tensor

from distill.losses.registry import register_kd
from distill.models.heatmaps import MASS_FLOOR, cell_centres


@register_kd("gaussian", needs=("landmarks", "sigmas"), teacher_needs=("heatmaps",))
def gaussian(
    student: Float[Tensor, "b k 2"], sigmas: Float[Tensor, "b k 2"], teacher: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b k"]:
    """Compare the Gaussian of a student's point and predicted spread with the teacher's map (DistilPose, sec. 3.3).

    Both have peak 1. The squared difference is divided by the energy of the teacher's map: DistilPose's plain mean over
    cells depends on the resolution and is almost all background. An empty map of the teacher has loss 0.
    """
    peak = teacher.amax((-2, -1), keepdim=True)
    target = teacher / peak.clamp_min(MASS_FLOOR)
    x = (cell_centres(target.shape[-1], target) - student[..., :1]) / sigmas[..., :1]
    y = (cell_centres(target.shape[-2], target) - student[..., 1:]) / sigmas[..., 1:]
    drawn = torch.exp(-0.5 * y.square())[..., :, None] * torch.exp(-0.5 * x.square())[..., None, :]
    energy = target.square().sum((-2, -1)).clamp_min(1)
    return (drawn - target).square().sum((-2, -1)) / energy * (peak[..., 0, 0] > MASS_FLOOR)
