"""Distillation loss between the landmarks of student and teacher."""

from jaxtyping import Float
from torch import Tensor

from distill.losses.registry import register_kd

# Half-width of the quadratic zone, in sides of the crop: about one pixel of a 128 px crop.
_NEAR = 0.01


@register_kd("coordinate", needs=("landmarks",))
def coordinate(student: Float[Tensor, "b k 2"], teacher: Float[Tensor, "b k 2"]) -> Float[Tensor, "b k"]:
    """Distance between the landmarks in sides of the crop, quadratic below about one pixel of a 128 px crop.

    Beyond, it grows linearly (pseudo-Huber), so that the few points a teacher has wrong do not dominate the gradient.
    """
    squared = (student - teacher).square().sum(-1)
    return _NEAR * ((1 + squared / _NEAR**2).sqrt() - 1)
