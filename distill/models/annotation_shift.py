"""Annotation shift: a constant horizontal difference between annotations and what mirrored training can learn.

The landmarks of 300-W lie 0.7 % of the distance of the outer eye corners to the right on photos as they are. In a
mirrored crop they lie as far to the left, so that a network trained with both predicts the middle. The difference is
one number, measured on training faces after the training and added to the x of every predicted landmark.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.errors import ConfigError


class AnnotationShift(nn.Module):
    """Last step of a head: adds the shift to its landmarks, where there is one. It is stored in the spec, no weight."""

    shift: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("shift", None, persistent=False)

    def forward(self, landmarks: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k 2"]:
        return landmarks if self.shift is None else landmarks + self.shift


def takes_annotation_shift(net: nn.Module) -> bool:
    """Whether a network can add an annotation shift to its output."""
    return _first(net) is not None


def set_annotation_shift(net: nn.Module, shift: float) -> None:
    """Let a network add a shift to the x of its landmarks, in sides of the crop; 0 for none.

    Of several heads the first one does, which is that of the main data set.

    Raises:
        ConfigError: a shift of a network that cannot add one.
    """
    part = _first(net)
    if part is not None:
        device = next(net.parameters()).device
        part.shift = torch.tensor([shift, 0.0], device=device) if shift else None
    elif shift:
        raise ConfigError(f"annotation_shift is {shift}, and {type(net).__name__} does not take one")


def _first(net: nn.Module) -> AnnotationShift | None:
    return next((part for part in net.modules() if isinstance(part, AnnotationShift)), None)
