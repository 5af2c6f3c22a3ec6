"""Distillation loss between features of the necks: FitNets (arXiv 1412.6550), DWPose stage 1 (2307.15880)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError

Features = Float[Tensor, "b c h w"]


class FeatureLoss(nn.Module):
    """Mean squared difference between the teacher's features and the student's, aligned by a 1 x 1 convolution.

    DWPose's mean over cells and channels is divided by the energy of the teacher's features, so that features
    of 0 cost 1 at any scale of the teacher.

    Args:
        student, teacher: channels of their features.
    """

    def __init__(self, student: int, teacher: int):
        super().__init__()
        self.align = nn.Conv2d(student, teacher, 1)

    def forward(self, student: Features, teacher: Features) -> Float[Tensor, " b"]:
        """Return the loss of each face.

        Raises:
            ConfigError: features of unlike resolution.
        """
        if student.shape[-2:] != teacher.shape[-2:]:
            shapes = f"{tuple(student.shape[-2:])} and {tuple(teacher.shape[-2:])}"
            raise ConfigError(f"features of student and teacher are {shapes} cells: give both necks of one stride")
        aligned = self.align(student)
        # Squares in bfloat16 are too coarse.
        exact = torch.promote_types(aligned.dtype, torch.float32)
        aligned = aligned.to(exact)
        target = teacher.to(exact)
        return (aligned - target).square().mean((1, 2, 3)) / target.square().mean((1, 2, 3)).clamp_min(1e-6)
