"""Binary cross entropy of maps with Gaussian targets (Lite-HRNet Plus, sec. 4.2)."""

from jaxtyping import Float
from torch import Tensor, nn


def binary_cross_entropy(
    prediction: Float[Tensor, "b k h w"], target: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b k"]:
    """`-sum t log p + (1 - t) log(1 - p)` over the cells of each map; both maps lie in [0, 1].

    A soft target keeps it above 0: where both agree it is the target's entropy, and its gradient is 0. Near the peak it
    is steeper than the squared error. Logarithms are cut off at -100.
    """
    return nn.functional.binary_cross_entropy(prediction, target, reduction="none").sum((-2, -1))
