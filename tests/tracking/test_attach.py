"""Jobs are recorded in the run their file lies in, with numeric tables; a record that fails costs no result."""

import json
from pathlib import Path
from typing import Any

import pytest

from distill.errors import ConfigError
from distill.report.tables import evaluation_tables
from distill.tracking.artifact import file_artifact
from distill.tracking.attach import AttachConfig, _wandb_mode, attached_run, record_job
from distill.tracking.lineage import read_jobs
from distill.tracking.result_tables import files_table, parity_table
from distill.tracking.run_folder import network_of, read_config, role_of
from distill.training.detector_config import DetectorConfig
from distill.training.loggers.csv import plain_config
from tests.support.evaluation import Measure
from tests.support.wandb_files import read_wandb

LOG = "log: {wandb: offline, project: faces, entity: lab, group: study}\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "student"
    (folder / "export").mkdir(parents=True)
    (folder / "config.yaml").write_text("kd: {kind: none}\n" + LOG)
    (folder / "metrics.csv").write_text("step,name,value\n")
    (folder / "export" / "student_fp16.tflite").write_bytes(b"model")
    return folder


def test_a_file_belongs_to_the_run_around_it(run: Path, tmp_path: Path) -> None:
    model = run / "export" / "student_fp16.tflite"
    assert attached_run(AttachConfig(), model) == run
    assert attached_run(AttachConfig(), tmp_path / "other.tflite", model) == run
    assert attached_run(AttachConfig(), tmp_path / "other.tflite") is None
    assert attached_run(AttachConfig(Path("none")), model) is None
    assert attached_run(AttachConfig(run), tmp_path / "other.tflite") == run
    with pytest.raises(ConfigError, match=r"--log\.run .*: no run in this folder"):
        attached_run(AttachConfig(tmp_path), model)
    assert role_of(read_config(run)) == "baseline"
    detector = plain_config(DetectorConfig())
    assert (role_of(detector), network_of(detector)) == ("detector", "retinaface 0.35")


def test_options_of_a_run_are_refused_where_there_is_none(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    for option, value in {"wandb": "offline", "tags": ["a"], "notes": "hello"}.items():
        given = AttachConfig(**{option: value})
        with pytest.raises(
            ConfigError, match=rf"--log.{option} has no effect: .*other.tflite lies in no run; name one"
        ):
            attached_run(given, other)
        with pytest.raises(ConfigError, match=rf"--log.{option} has no effect: this belongs to no run"):
            attached_run(given)
        assert attached_run(given, run / "export" / "student_fp16.tflite") == run
        assert attached_run(AttachConfig(run=run, **{option: value}), other) == run


def test_a_job_is_a_run_beside_its_training(run: Path, measure: Measure) -> None:
    model = file_artifact(run / "export" / "student_fp16.tflite", aliases=["fp16"])
    tables = evaluation_tables({"student": measure(shift=(3, 4))})
    config = AttachConfig(tags=["t"], notes="n")
    job = record_job(config, run, "evaluate", [model], (), {"nme_percent": 12.5, "fr8_percent": None}, tables)
    assert [found.id for found in read_jobs(run)] == [job.id]
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    found = read_wandb(file, wait_s=30)
    settings = {key: found.run[key] for key in ("project", "entity", "group", "job_type", "name", "tags", "notes")}
    assert settings == {
        "project": "faces", "entity": "lab", "group": "study", "job_type": "evaluate", "name": "student-evaluate",
        "tags": ["t"], "notes": "n",
    }  # fmt: skip
    assert found.summary["nme_percent"] == 12.5
    assert found.used["student-student_fp16"]["files"] == {"export.tflite"}
    accuracy = json.loads(found.tables["accuracy"].read_text())
    values = dict(zip(accuracy["columns"], accuracy["data"][0], strict=True))
    assert values["nme_percent"] == pytest.approx(12.5)  # 5 px of an eye distance of 40
    assert all(isinstance(value, int | float) for name, value in values.items() if name.endswith(("percent", "faces")))
    assert len(json.loads(found.tables["landmarks"].read_text())["data"]) == 51
    assert not list(run.glob("wandb/*/logs"))


@pytest.mark.parametrize(
    ("config", "tags", "notes"),
    [
        (AttachConfig(), ["a", "b"], "n"),
        (AttachConfig(tags=["c"]), ["c"], "n"),
        (AttachConfig(tags=[], notes=""), [], ""),
    ],
)
def test_a_job_has_the_tags_and_notes_of_its_run_unless_given(
    run: Path, config: AttachConfig, tags: list[str], notes: str
) -> None:
    text = LOG.replace("group: study", "group: study, tags: [a, b], notes: n")
    (run / "config.yaml").write_text("kd: {kind: none}\n" + text)
    record_job(config, run, "check", [])
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    found = read_wandb(file, wait_s=30).run
    assert (found.get("tags", []), found.get("notes", "")) == (tags, notes)


def test_a_failing_tracker_costs_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**options: Any) -> None:
        raise BrokenPipeError("the service is gone")

    monkeypatch.setattr("wandb.init", fail)
    record_job(AttachConfig(), run, "check", [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("W&B: failed (the service is gone); the record is in ")
    assert len(read_jobs(run)) == 1


def test_a_folder_that_cannot_be_written_costs_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "lineage.jsonl").mkdir()
    record_job(AttachConfig(wandb="disabled"), run, "check", [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "the lineage of this job is not recorded (Is a directory)" in line


def test_no_server_is_recorded_offline(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("distill.tracking.wandb_job.why_offline", lambda *arguments, **options: "no key")
    record_job(AttachConfig(wandb="online"), run, "check", [])
    assert f"recorded offline (no key), later: distill sync {run}" in capsys.readouterr().err
    assert list(run.glob("wandb/offline-run-*"))


def test_parity_is_a_table_of_numbers() -> None:
    result = {"name": "fp16 on litert", "max_px": 0.5, "mean_px": 0.25, "gate": {"max_px": 1}, "nme_rise": 0.001}
    export = {"parity": {"results": [result]}, "files": {"fp16": {"bytes": 10}}}
    assert parity_table(export).rows == (("fp16 on litert", 0.5, 0.25, 1, 0.1),)
    assert files_table(export).rows == (("fp16", 10),)


@pytest.mark.parametrize(
    ("log", "mode"),
    [
        ({}, "offline"),
        ({"wandb": "disabled"}, "disabled"),
        ({"wandb": "online", "to": None}, "online"),
        ({"wandb": "offline", "to": ["mlflow"]}, "disabled"),
        ({"wandb": "online", "to": ["mlflow", "wandb"]}, "online"),
    ],
)
def test_a_job_goes_to_wandb_where_its_run_does(log: dict[str, Any], mode: str) -> None:
    assert _wandb_mode(log) == mode
