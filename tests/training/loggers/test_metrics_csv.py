"""`metrics.csv` is read back to the last digit, whatever moment the run was killed at."""

from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.training.loggers.metrics_csv import read_curve, read_rows


def test_a_line_cut_short_by_a_kill_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,name,value\n10,train/loss,2.5\n20,val/nme,0.3\n30,train/loss,1.")
    assert read_rows(path) == [(10, "train/loss", 2.5), (20, "val/nme", 0.3)]
    steps, values = read_curve(path, "val/nme")
    assert (steps.tolist(), values.tolist()) == ([20], [0.3])
    assert len(read_curve(path, "val/other")[0]) == 0


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    with pytest.raises(ConfigError, match="no such file"):
        read_rows(path)
    path.write_text("step,name,value\n1,train/loss,2.0\n2,train/loss\n")
    with pytest.raises(ConfigError, match=r"line 3 is no step,name,value but '2,train/loss'"):
        read_rows(path)
    path.write_text("epoch,step,loss\n0,1,2\n")
    with pytest.raises(ConfigError, match="does not begin with 'step,name,value'"):
        read_rows(path)
