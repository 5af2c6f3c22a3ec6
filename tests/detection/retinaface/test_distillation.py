"""Distillation of a detector: nothing to learn from an equal teacher, and what each term asks for."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from distill.detection.retinaface.distillation import (
    DetectorFeatureLoss,
    DetectorKDConfig,
    distillation_terms,
    soft_score_loss,
    standardized,
)
from distill.detection.retinaface.net import RawDetections
from distill.errors import ConfigError

N = 200


def outputs(seed: int) -> RawDetections:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((2, N), (2, N, 4), (2, N, 10))
    return RawDetections(*(torch.randn(shape, generator=generator) for shape in shapes))


def with_gradient(raw: RawDetections) -> RawDetections:
    return RawDetections(*(value.clone().requires_grad_() for value in raw))


def test_an_equal_teacher_has_nothing_to_teach() -> None:
    teacher, student = outputs(0), with_gradient(outputs(0))
    terms = distillation_terms(student, teacher, DetectorKDConfig())
    assert set(terms) == {"kd_score", "kd_box", "kd_points"}
    assert all(float(term.detach()) == 0 for term in terms.values())
    torch.stack(list(terms.values())).sum().backward()
    assert all(value.grad is not None and float(value.grad.abs().max()) == 0 for value in student)


def test_boxes_and_points_are_learned_where_the_teacher_sees_a_face_and_in_its_measure() -> None:
    teacher, student = outputs(0), with_gradient(outputs(1))
    terms = distillation_terms(student, teacher, DetectorKDConfig(box=2.0, points=0.5, min_score=0.6))
    share = teacher.logits.sigmoid()
    sure = share >= 0.6
    for name, values, weight in (("kd_box", "boxes", 2.0), ("kd_points", "points", 0.5)):
        given, wanted = getattr(student, values), getattr(teacher, values)
        each = functional.smooth_l1_loss(given, wanted, reduction="none").sum(dim=-1)
        assert torch.allclose(terms[name], weight * (each * share)[sure].sum() / share.sum())
    torch.stack(list(terms.values())).sum().backward()
    assert student.boxes.grad is not None
    assert student.logits.grad is not None
    assert bool((student.boxes.grad.abs().amax(dim=-1) > 0)[sure].all())
    assert float(student.boxes.grad[~sure].abs().max()) == 0
    assert bool((torch.sign(student.logits.grad) == torch.sign(student.logits.detach().sigmoid() - share)).all())


def test_scores_that_agree_count_little() -> None:
    """Thousands of priors are background to both networks."""
    target = torch.tensor([[0.01] * 1000 + [0.9]])
    near = torch.logit(torch.tensor([[0.012] * 1000 + [0.9]]))
    missed = torch.logit(torch.tensor([[0.01] * 1000 + [0.5]]))
    assert float(soft_score_loss(near, target)) < 0.01 * float(soft_score_loss(missed, target))


def test_a_teacher_that_sees_no_face_divides_by_one() -> None:
    teacher = outputs(0)
    teacher = replace_logits(teacher, torch.full_like(teacher.logits, -20.0))
    terms = distillation_terms(outputs(1), teacher, DetectorKDConfig())
    assert all(bool(torch.isfinite(term)) for term in terms.values())
    assert float(terms["kd_box"]) == float(terms["kd_points"]) == 0
    assert float(terms["kd_score"]) > 1


def replace_logits(raw: RawDetections, logits: torch.Tensor) -> RawDetections:
    return RawDetections(logits, raw.boxes, raw.points)


SHAPES = ((4, 6), (2, 3))


def maps(seed: int, channels: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((2, channels, *shape), generator=generator) for shape in SHAPES]


def cell_logits(level: int, row: int, column: int, priors: int = 3) -> torch.Tensor:
    """Return logits of a teacher that finds a face with one prior of one cell."""
    logits = torch.full((2, sum(rows * columns for rows, columns in SHAPES), priors), -30.0)
    start = sum(rows * columns for rows, columns in SHAPES[:level])
    logits[0, start + row * SHAPES[level][1] + column, 1] = 9.0
    return logits.flatten(1)


def equal_channels() -> DetectorFeatureLoss:
    loss = DetectorFeatureLoss(4, 4, levels=len(SHAPES))
    for layer in loss.align:
        torch.nn.init.dirac_(layer.weight)  # type: ignore[arg-type]
        torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return loss


def cost(student: list[torch.Tensor], teacher: list[torch.Tensor], logits: torch.Tensor) -> float:
    with torch.no_grad():
        return float(equal_channels()(student, teacher, logits))


def test_equal_features_cost_nothing_at_any_scale_of_a_channel() -> None:
    teacher = maps(0, 4)
    assert cost(teacher, teacher, torch.zeros(2, 30 * 3)) == 0
    scaled = [values * torch.tensor([1.0, 3.0, 9.0, 27.0]).reshape(1, 4, 1, 1) + 5 for values in teacher]
    assert cost(scaled, teacher, cell_logits(0, 1, 2)) < 1e-6


def test_features_are_learned_where_the_teacher_finds_a_face() -> None:
    teacher = maps(0, 4)
    changed = [values.clone() for values in teacher]
    changed[1][0, :, 1, 2] += 3
    assert cost(changed, teacher, cell_logits(1, 1, 2)) > 10 * cost(changed, teacher, cell_logits(1, 0, 0))
    assert cost(changed, teacher, cell_logits(0, 1, 2)) < 1e-9, "the other level is equal"


def test_the_gradient_of_features_reaches_the_student_and_its_convolutions() -> None:
    torch.manual_seed(0)
    student, loss = [values.requires_grad_() for values in maps(1, 4)], DetectorFeatureLoss(4, 6, levels=len(SHAPES))
    loss(student, maps(0, 6), torch.zeros(2, 30 * 3)).backward()
    for values in (*student, *loss.align.parameters()):
        assert values.grad is not None
    assert all(float(values.grad.abs().max()) > 0 for values in student if values.grad is not None)
    weights = [layer.weight.grad for layer in loss.align]
    assert all(isinstance(grad, torch.Tensor) and float(grad.abs().max()) > 0 for grad in weights)


def test_a_constant_channel_has_no_scale() -> None:
    assert float(standardized(torch.full((2, 3, 4, 4), 7.0)).abs().max()) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box": -1.0}, "--kd.box -1.0 must be at least 0"),
        ({"min_score": 1.0}, "--kd.min_score 1.0 must be at least 0 and below 1"),
        ({"features": -1.0}, "--kd.features -1.0 must be at least 0"),
        ({"score": 0.0, "box": 0.0, "points": 0.0}, "--kd.score, box, points and features are all 0"),
    ],
)
def test_options_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(DetectorKDConfig(), **options)
