"""The thesis on 68 points: which networks are put through its tests, and DAN's second stage where the first is gone."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from distill.evaluate.result import Evaluation
from scripts.studies import thesis_68
from scripts.studies.common import kept_runs
from tests.support.evaluation import Measure


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, measure: Measure) -> list[str]:
    """Names of the trainings that are made or looked for; none takes time."""
    names: list[str] = []
    found: Evaluation = measure(shift=(1, 0))

    def train(name: str, folder: Path, options: Sequence[str]) -> Path:
        names.append(name)
        return folder / name / "best.ckpt"

    def scored(model: Path, data: Path, folder: Path, boxes: str) -> Path:
        path = tmp_path / "scored.json"
        path.write_text(json.dumps(found.to_json()))
        return path

    for module in (kept_runs, thesis_68):
        monkeypatch.setattr(module, "train", train)
        monkeypatch.setattr(module, "scored", scored)
    monkeypatch.setattr(kept_runs, "steps_of", lambda model: 100)
    monkeypatch.setattr(thesis_68, "tests_of", lambda model, data: {"model": model.parent.name})
    monkeypatch.setattr(thesis_68, "update", lambda paper: None)
    monkeypatch.chdir(tmp_path)
    return names


def test_all_are_measured_and_the_first_seed_is_tested(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["thesis_68", "data"])
    thesis_68.main()
    result = json.loads(Path(thesis_68.OUT).read_text())
    assert result["seeds"] == [0, 1, 2]
    assert set(result["gt"]["arms"]) == set(thesis_68.NETS)
    tested = {name for name, run in result["runs"].items() if "tests" in run}
    assert tested == {"pfld_025_0", "pfld_100_0", "dan_1_0", "dan_2_0", "hrnet_w18_0"}
    assert result["runs"]["dan_2_0"]["tests"] == {"model": "dan_2_0"}


def test_the_first_stage_is_trained_again_where_the_result_alone_holds_it(
    made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["thesis_68", "data"])
    thesis_68.main()
    result = json.loads(Path(thesis_68.OUT).read_text())
    del result["runs"]["dan_2_1"]
    Path(thesis_68.OUT).write_text(json.dumps(result))
    made.clear()
    thesis_68.main()
    assert made == ["dan_1_1", "dan_2_1"]
