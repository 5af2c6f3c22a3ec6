"""A study whose result holds the errors of its trainings: none is made twice, a seed counts when all arms have it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.evaluate.result import Evaluation
from distill.evaluate.seeds import seed_difference
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig
from scripts.studies import efld_table_2
from scripts.studies.common import kept_runs
from scripts.studies.common.kept_runs import Run, evaluation_of
from tests.support.evaluation import Measure


@pytest.fixture
def evaluations(measure: Measure) -> list[Evaluation]:
    return [measure(shift=(0.8, 0)), measure(shift=(0, 1.1))]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, evaluations: list[Evaluation]) -> list[str]:
    """Names of the trainings that are made; none takes time."""
    names: list[str] = []

    def train(name: str, folder: Path, options: Sequence[str]) -> Path:
        names.append(name)
        return folder / name / "best.ckpt"

    def scored(model: Path, data: Path, folder: Path, boxes: str) -> Path:
        path = tmp_path / "scored.json"
        path.write_text(json.dumps(evaluations[0].to_json()))
        return path

    monkeypatch.setattr(kept_runs, "train", train)
    monkeypatch.setattr(kept_runs, "scored", scored)
    monkeypatch.setattr(kept_runs, "steps_of", lambda model: 100)
    monkeypatch.chdir(tmp_path)
    return names


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> dict[str, Any]:
    monkeypatch.setattr("sys.argv", ["efld_table_2", "data", *words])
    efld_table_2.main()
    content: dict[str, Any] = json.loads(Path(efld_table_2.OUT["inner51"]).read_text())
    return content


def test_finished_trainings_are_not_made_again(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(monkeypatch, "--seeds", "1")
    assert made == ["cross_0", "conv_0", "pfld_0", "single_0"]
    assert first["seeds"] == [0]
    second = run(monkeypatch, "--seeds", "2")
    assert made[4:] == ["cross_1", "conv_1", "pfld_1", "single_1"]
    assert second["seeds"] == [0, 1]
    assert second["runs"]["cross_0"] == first["runs"]["cross_0"]
    assert len(second["gt"]["arms"]["conv"]["nme_percent"]) == 2


def test_options_in_the_result_do_not_depend_on_where_the_data_lie(
    made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["efld_table_2", str(tmp_path / "elsewhere"), "--seeds", "1"])
    efld_table_2.main()
    stored = json.loads(Path(efld_table_2.OUT["inner51"]).read_text())["runs"]
    assert not [word for kept in stored.values() for word in kept["options"] if "elsewhere" in word]
    made.clear()
    run(monkeypatch, "--seeds", "1")
    assert made == []


def test_a_seed_counts_when_every_arm_has_it(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, "--seeds", "1")
    del result["runs"]["single_0"]
    partial = efld_table_2.result_of(result["runs"], 300, 3)
    assert partial["seeds"] == []
    assert "gt" not in partial


def test_a_kept_training_of_other_options_is_refused(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "--seeds", "1")
    with pytest.raises(SystemExit, match=r"efld_table_2.json: cross_0 was trained with other options"):
        run(monkeypatch, "--seeds", "1", "--epochs", "5")


def test_unequal_steps_are_refused(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = run(monkeypatch, "--seeds", "1")["runs"]
    runs["pfld_0"]["steps"] = 99
    with pytest.raises(SystemExit, match=r"the arms have made .*'pfld': 99.* steps"):
        efld_table_2.result_of(runs, 300, 1)


def test_kept_errors_are_compared_as_those_of_evaluations(evaluations: list[Evaluation]) -> None:
    runs: list[Run] = [
        {"gt": {"protocol": found.protocol.to_dict(), "nme_percent": (100 * found.nme()).tolist()}}
        for found in evaluations
    ]
    kept = [evaluation_of(kept_run, "gt") for kept_run in runs]
    assert np.allclose(kept[0].nme(), evaluations[0].nme(), rtol=1e-6)
    assert kept[0].summary() == pytest.approx(evaluations[0].summary(), rel=1e-6)
    again, whole = (seed_difference([(first, second)]) for first, second in (kept, evaluations))
    assert again.mean == pytest.approx(whole.mean, rel=1e-5)
    assert (again.low, again.high) == pytest.approx((whole.low, whole.high), rel=1e-5)


@pytest.mark.parametrize("scheme", efld_table_2.OUT)
def test_the_four_trainings_differ_in_what_the_paper_changes(scheme: str, tmp_path: Path) -> None:
    found = {}
    for arm in efld_table_2.ARMS:
        words = efld_table_2.arguments(arm, 2, tmp_path, 300, scheme)
        found[arm] = StudentConfig(**parse(options_of("student", "", StudentConfig), words))
        assert found[arm].seed == 2
        assert found[arm].data.scheme == scheme
        assert found[arm].trainer.epochs == 300
        assert scheme not in found[arm].model.options.get("others", [])
    assert not found["single"].data.sets
    assert found["cross"].data == found["conv"].data == found["pfld"].data
    assert found["conv"].model.options["light"] is False
    assert found["pfld"].model.options["head"] == "pfld"
