"""Distillation of a detector: nothing to learn from an equal teacher, and what each term asks for."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from distill.detection.retinaface.distillation import DetectorKDConfig, distillation_terms, soft_score_loss
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"box": -1.0}, "--kd.box -1.0 must be at least 0"),
        ({"min_score": 1.0}, "--kd.min_score 1.0 must be at least 0 and below 1"),
        ({"score": 0.0, "box": 0.0, "points": 0.0}, "--kd.score, box and points are all 0"),
    ],
)
def test_options_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(DetectorKDConfig(), **options)
