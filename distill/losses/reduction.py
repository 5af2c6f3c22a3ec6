"""Masks and the weighted mean that reduces a loss per landmark to one number."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(values: Float[Tensor, "b k"], valid: Bool[Tensor, "b k"] | Tensor) -> Float[Tensor, ""]:
    """Mean over the entries by their weights `valid`; 0, with a gradient, when none counts, whatever it is (NaN)."""
    valid = valid.to(values.dtype)
    return (torch.where(valid > 0, values, 0) * valid).sum() / valid.sum().clamp_min(1)


def inside_crop(landmarks: Float[Tensor, "b k 2"]) -> Bool[Tensor, "b k"]:
    """Which normalised landmarks lie within the crop."""
    return ((landmarks >= 0) & (landmarks <= 1)).all(-1)
