"""Prior boxes (anchors) of RetinaFace as tensors."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from distill.detection.retinaface.priors import MULTIPLE, AnchorConfig, prior_boxes

__all__ = ["MULTIPLE", "AnchorConfig", "anchor_boxes"]


@lru_cache(maxsize=16)
def anchor_boxes(config: AnchorConfig, width: int, height: int) -> Float[Tensor, "n 4"]:
    """Return `prior_boxes` as a tensor.

    Raises:
        ConfigError: a side is no multiple of the coarsest stride.
    """
    return torch.from_numpy(prior_boxes(config, width, height).copy())
