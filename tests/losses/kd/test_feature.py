"""Feature distillation aligns what it compares, counts in the teacher's energy, and refuses unlike strides."""

import pytest
import torch
from torch import nn

from distill.errors import ConfigError
from distill.losses.kd.feature import FeatureLoss


def _loss(student: int = 3, teacher: int = 5) -> FeatureLoss:
    torch.manual_seed(0)
    return FeatureLoss(student, teacher)


def test_an_aligned_student_costs_nothing() -> None:
    loss, student = _loss(), torch.rand(2, 3, 4, 4)
    assert float(loss(student, loss.align(student).detach()).detach().max()) == 0


def test_a_silent_student_costs_one_whatever_the_scale() -> None:
    loss = _loss()
    nn.init.zeros_(loss.align.weight)
    nn.init.zeros_(loss.align.bias)  # type: ignore[arg-type]
    teacher = torch.rand(2, 5, 4, 4) * torch.tensor([1.0, 100.0])[:, None, None, None]
    assert loss(torch.rand(2, 3, 4, 4), teacher).tolist() == pytest.approx([1, 1])


def test_each_face_by_itself_against_the_formula() -> None:
    loss, student, teacher = _loss(), torch.rand(2, 3, 4, 6), torch.rand(2, 5, 4, 6)
    aligned = torch.einsum("oc,bchw->bohw", loss.align.weight[..., 0, 0], student) + loss.align.bias[:, None, None]  # type: ignore[index]
    expected = ((aligned - teacher) ** 2).sum((1, 2, 3)) / (teacher**2).sum((1, 2, 3))
    assert torch.allclose(loss(student, teacher), expected, rtol=1e-5)


def test_gradcheck() -> None:
    loss = _loss().double()
    student, teacher = (torch.rand(2, c, 3, 3, dtype=torch.float64) for c in (3, 5))
    assert torch.autograd.gradcheck(
        lambda features, weight: torch.func.functional_call(loss, {"align.weight": weight}, (features, teacher)),
        (student.requires_grad_(), loss.align.weight),
    )


def test_half_precision_is_compared_in_float32() -> None:
    loss = _loss().bfloat16()
    assert loss(torch.rand(2, 3, 4, 4).bfloat16(), torch.rand(2, 5, 4, 4).bfloat16()).dtype == torch.float32


def test_unlike_strides_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\(4, 4\) and \(8, 8\) cells: give both necks of one stride"):
        _loss()(torch.rand(1, 3, 4, 4), torch.rand(1, 5, 8, 8))
