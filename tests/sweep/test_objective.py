"""What a sweep reads of a training: the value of each validation, and the result once there is one."""

from pathlib import Path

import pytest

from distill.sweep.objective import OBJECTIVES, finished, validations

NME = OBJECTIVES["student"]


def test_validations_in_order_without_a_line_that_is_being_written(tmp_path: Path) -> None:
    assert validations(tmp_path, NME) == []
    (tmp_path / "metrics.csv").write_text("step,name,value\n1,train/loss,9.0\n4,val/nme,0.5\n8,val/nme,0.25\n12,val/nm")
    assert validations(tmp_path, NME) == [0.5, 0.25]


@pytest.mark.parametrize("content", [None, "", "{}", '{"val_nme": 0.2', "[1]"])
def test_a_training_without_a_whole_summary_is_not_finished(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "summary.json").write_text(content)
    assert finished(tmp_path, NME) is None


def test_the_result_of_each_command(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"val_nme": 0.2, "val/ap": 0.9, "seconds": 3}')
    assert {name: finished(tmp_path, objective) for name, objective in OBJECTIVES.items()} == {
        "teacher": (0.2, 3.0), "student": (0.2, 3.0), "detector": (0.9, 3.0),
    }  # fmt: skip
