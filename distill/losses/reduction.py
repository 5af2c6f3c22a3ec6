"""How a loss per landmark becomes one number."""

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mean(values: Float[Tensor, "b k"], valid: Bool[Tensor, "b k"]) -> Float[Tensor, ""]:
    """Mean over the entries marked valid; 0, with a gradient, when there are none."""
    valid = valid.to(values.dtype)
    return (values * valid).sum() / valid.sum().clamp_min(1)
