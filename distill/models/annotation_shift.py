"""Annotation shift: a constant horizontal difference between annotations and what mirrored training can learn.

The landmarks of 300-W lie 0.7 % of the distance of the outer eye corners to the right on photos as they are. In a
mirrored crop they lie as far to the left, so that a network trained with both predicts the middle. The difference is
one number, measured on training faces after the training and added to the x of every predicted landmark.
"""

import torch
from torch import nn

from distill.errors import ConfigError
from distill.models.heads import AAMHead


def takes_annotation_shift(net: nn.Module) -> bool:
    """Whether a network can add an annotation shift to its output: those with the AAM head."""
    return isinstance(getattr(net, "head", None), AAMHead)


def set_annotation_shift(net: nn.Module, shift: float) -> None:
    """Let a network add a shift to the x of its landmarks, in sides of the crop; 0 for none.

    Raises:
        ConfigError: a shift of a network without the AAM head.
    """
    if not takes_annotation_shift(net):
        if shift:
            raise ConfigError(f"annotation_shift is {shift}, and {type(net).__name__} does not take one")
        return
    assert isinstance(net.head, AAMHead)
    device = net.head.heatmap.weight.device
    net.head.annotation_shift = torch.tensor([shift, 0.0], device=device) if shift else None
