"""Distilling what lies before the heads: FitNets' hint (arXiv 1412.6550), as DWPose's first stage does (2307.15880)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError

Features = Float[Tensor, "b c h w"]


class FeatureLoss(nn.Module):
    """Mean squared difference between the teacher's features and the student's, aligned by a 1 x 1 convolution.

    DWPose's mean over cells and channels is divided by the energy of the teacher's features, so that a student that
    says nothing costs 1 whatever the teacher's scale.

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
        # Squares of bfloat16 would lose what they are to measure.
        exact = torch.promote_types(aligned.dtype, torch.float32)
        aligned, wanted = aligned.to(exact), teacher.to(exact)
        return (aligned - wanted).square().mean((1, 2, 3)) / wanted.square().mean((1, 2, 3)).clamp_min(1e-6)
