"""Squared error of maps with Gaussian targets (HRNet, arXiv 1908.07919)."""

from jaxtyping import Float
from torch import Tensor


def squared_error(prediction: Float[Tensor, "b k h w"], target: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k"]:
    """`sum (p - t)^2` over the cells of each map."""
    return (prediction - target).square().sum((-2, -1))
