"""Study of the paper's distillation: arms differ in what they are named after, and tables state what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.evaluate.protocol import Protocol
from distill.evaluate.result import Evaluation
from distill.geometry import CropSpec
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig
from distill.training.loggers.csv import plain_config
from distill.training.resume import effective_config
from scripts.studies import student_recipe
from scripts.studies.common.marked_blocks import ROOT
from scripts.studies.swinv2_mobilevitv2 import BASELINES, REFERENCE, TEACHER, TITLES, arguments, measured, table


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, StudentConfig]:
    monkeypatch.chdir(ROOT)
    arms = arguments(tmp_path / "faces", tmp_path / "teacher.ckpt", tmp_path / "student.ckpt", 6)
    return {arm: StudentConfig(**parse(options_of("student", "", StudentConfig), words)) for arm, words in arms.items()}


def changes(before: StudentConfig, after: StudentConfig) -> set[str]:
    """Return the options that differ, such as kd.weight."""
    first, second = (flat(effective_config(plain_config(config))) for config in (before, after))
    return {name for name in {**first, **second} if first.get(name) != second.get(name)}


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_arms_are_trained_alike_but_for_network_heads_and_teacher(configs: dict[str, StudentConfig]) -> None:
    assert set(configs) == set(TITLES) - {TEACHER}
    assert set(BASELINES) == set(configs) - {REFERENCE}
    for config in configs.values():
        for name in changes(config, configs[REFERENCE]):
            assert name.startswith("kd.") or name in ("teacher", "model.options.feature_noise"), name


def test_the_authors_arms_differ_in_the_loss_alone(configs: dict[str, StudentConfig]) -> None:
    baseline, authors = configs["authors_baseline"], configs["authors"]
    for config in (baseline, authors):
        assert config.kd.inherit_heads
        assert config.model.options["feature_noise"] == 0.1
    assert (authors.kd.kind, authors.kd.weight) == ("mse", 100)
    assert baseline.kd.weight == 0
    assert changes(baseline, authors) <= {"kd.kind", "kd.weight", "kd.flip", "kd.cache.form"}


def test_the_formula_adds_the_norms_of_all_landmarks(configs: dict[str, StudentConfig]) -> None:
    assert (configs["l2"].kd.kind, configs["l2"].kd.weight) == ("l2", 68)
    assert student_recipe.SCHEME == "ibug68"


def test_our_arm_is_the_recipe(configs: dict[str, StudentConfig], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = StudentConfig(**parse(options_of("student", "", StudentConfig), ["--config", "configs/student.yaml"]))
    assert configs["ours"].kd == recipe.kd
    assert configs["ours"].model.arch == recipe.model.arch
    assert configs["ours"].loss == recipe.loss


def evaluation(error: float) -> Evaluation:
    """Four faces of two points, each `error` pixels off, with eyes 100 px and pupils 50 px apart."""
    offsets = np.zeros((4, 68, 2), np.float32)
    offsets[..., 0] = error
    protocol = Protocol(
        "ibug68", 68, ("ocular", "pupil"), "gt", "300w", "test", 4, "hash", False, CropSpec(128), "torch", "sha", 0,
        "none", "exact", 0,
    )  # fmt: skip
    distances = {"ocular": np.full(4, 100.0), "pupil": np.full(4, 50.0)}
    return Evaluation("model", protocol, tuple("abcd"), offsets, distances)


def test_the_table_compares_each_arm_with_its_own_baseline() -> None:
    errors = {"none": 4.0, "authors_baseline": 6.0, "authors": 5.0, "l2": 3.0, "ours": 3.5}
    found = measured({arm: [evaluation(error)] * 2 for arm, error in errors.items()}, evaluation(2.0))
    assert found["scores"][TEACHER]["within_5px_percent"] == 100
    assert found["scores"]["authors_baseline"]["within_5px_percent"] == 0
    assert found["scores"]["l2"]["pupil_nme_percent"] == pytest.approx(6.0)
    assert found["arms"]["none"]["fr10_percent"] == 0
    assert found["arms"]["none"]["auc10_percent"] == pytest.approx(60, abs=0.1)
    lines = table({"development": found, "test": found}).splitlines()
    assert len(lines) == 2 + 2 * len(TITLES)
    (line,) = [line for line in lines if "`authors`:" in line and line.startswith("| 4 test")]
    assert line.endswith("| 100.00 | 5.00, 5.00 | 5.00 | -1.00 (-1.00 to -1.00) (`authors_baseline`) |")
    assert all("| – |" in line for line in lines if line.startswith("| 4 development"))
