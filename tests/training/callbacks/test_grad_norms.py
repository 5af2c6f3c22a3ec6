"""Gradient norms of single terms: right, recorded where requested, and without any effect on the training."""

from pathlib import Path
from typing import Any

import pytest
import torch

from distill.training.callbacks.grad_norms import term_norms
from distill.training.fit import train_student
from distill.training.loggers.metrics_csv import TERM_GRADIENT, read_rows, value_names


def test_norms_of_terms_by_hand() -> None:
    a, b = torch.nn.Parameter(torch.tensor([1.0, 2.0])), torch.nn.Parameter(torch.tensor(3.0))
    terms = {"line": 3 * a[0] + 4 * b, "square": (a**2).sum(), "still": torch.tensor(1.0)}
    norms = term_norms({**terms, "loss": sum(terms.values())}, [a, b])
    assert norms == pytest.approx({"line": 5.0, "square": 20**0.5, "still": 0.0})
    assert a.grad is None
    terms["square"].backward()  # the graph is still there


def test_every_term_is_recorded_and_nothing_else_changes(make_config: Any, teacher: Path, student: Path) -> None:
    config = make_config("recorded", teacher=teacher, trainer={"epochs": 1}, log={"gradients": 2})
    path = train_student(config) / "metrics.csv"
    rows = read_rows(path)
    assert [row for row in rows if not row[1].startswith(TERM_GRADIENT)] == read_rows(student / "metrics.csv")
    found = {name.removeprefix(TERM_GRADIENT) for name in value_names(path) if TERM_GRADIENT in name}
    assert found == {"star", "point", "edge", "kd"}
    norms = [(step, value) for step, name, value in rows if name.startswith(TERM_GRADIENT)]
    assert {step for step, _ in norms} == {2, 4}
    assert all(value > 0 for _, value in norms)
