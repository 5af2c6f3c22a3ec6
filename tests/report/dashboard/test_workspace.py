"""Workspace and report are valid objects of wandb-workspaces and show what the jobs record; no server is used."""

from pathlib import Path
from typing import Any

import pytest

from distill.cli.main import main
from distill.report.dashboard import workspace as module

VALUES = ("train/loss", "train/kd", "train/lr", "train/grad_norm", "train/grad_norm_kd", "val/nme")


@pytest.fixture(autouse=True)
def ws() -> Any:
    """Imported where the tests run: it takes three seconds, which every worker would spend when it collects them."""
    return pytest.importorskip("wandb_workspaces.workspaces", reason="wandb-workspaces is not installed")


def test_a_workspace_survives_the_form_it_is_saved_in(ws: Any) -> None:
    made = module.workspace("lab", "faces", VALUES)
    again = ws.Workspace._from_model(made._to_model())
    assert (again.entity, again.project, again.name) == ("lab", "faces", "distill")
    found = {section.name: section.panels for section in again.sections}
    assert list(found) == [
        "Validation", "Losses by term", "Gradient norms", "Teacher, student, baseline", "Accuracy", "Parity", "Latency",
    ]  # fmt: skip
    assert [panel.title for panel in found["Losses by term"]] == ["train/loss", "train/kd", "train/lr"]
    (norms,) = found["Gradient norms"]
    assert "train/grad_norm_kd" in str(norms.y)
    assert "ced" in str(found["Accuracy"])
    assert "median_ms" in str(found["Latency"][0].x)


def test_detectors_have_a_section_where_one_was_trained() -> None:
    assert "Face detectors" not in module.sections(VALUES)
    made = module.workspace("lab", "faces", [*VALUES, "val/ap"])
    (panels,) = [section.panels for section in made.sections if section.name == "Face detectors"]
    assert [panel.title for panel in panels[:3]] == ["val/ap", "val/recall", "val/recall_24px"]
    assert all(panel._to_model() for panel in panels)


def test_a_report_has_a_grid_for_each_section() -> None:
    made = module.report("lab", "faces", "t", VALUES)
    grids = [block for block in made.blocks if type(block).__name__ == "PanelGrid"]
    assert len(grids) == len(module.sections(VALUES))
    assert {(runs.entity, runs.project) for grid in grids for runs in grid.runsets} == {("lab", "faces")}
    assert all(panel._to_model() for grid in grids for panel in grid.panels)


def test_no_key_is_one_line_and_the_page_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    folder = tmp_path / "runs" / "teacher"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / "metrics.csv").write_text("step,name,value\n1,train/loss,2.0\n")
    out = tmp_path / "dashboard.html"
    assert main(["dashboard", str(tmp_path / "runs"), "--out", str(out), "--wandb"]) == 2
    assert "W&B has no key on this machine" in capsys.readouterr().err
    assert out.is_file()
