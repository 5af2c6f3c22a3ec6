"""A package of a network that is bad, or of which nothing is known, says so; an evaluation in its run is known."""

from pathlib import Path
from typing import Any

import pytest

from distill.submission.evaluation import concerns, evaluation_command, recorded_evaluation
from distill.tracking.artifact import EVALUATION, file_artifact
from distill.tracking.lineage import append_job, new_job

SHA = "a" * 64


def evaluation(nme: Any, sha: str = SHA, over: str = "ocular") -> dict[str, Any]:
    return {"metrics": {over: {"nme_percent": nme}}, "protocol": {"model_sha256": sha}}


@pytest.mark.parametrize(
    ("results", "messages"),
    [
        (evaluation(3.2), []),
        (evaluation(3.2, over="pupil"), []),
        (evaluation(23.456), ["the evaluation is bad: NME 23.46 % over ocular, above 8 %"]),
        (evaluation(float("nan")), ["the evaluation is bad: NME nan %"]),
        (evaluation(None), ["the evaluation is bad: NME None"]),
        (
            evaluation(3.2, sha="b"),
            ["of another file (its SHA-256 differs); evaluate the .tflite itself: distill evaluate M"],
        ),
        (evaluation(12, sha="b"), ["the evaluation is bad", "of another file"]),
        ({"anything": 1}, ["no NME over the eyes"]),
        ({}, ["no evaluation of this file is recorded in its run: run `distill evaluate M --json"]),
    ],
)
def test_concerns_name_what_is_wrong(results: dict[str, Any], messages: list[str]) -> None:
    found = concerns(results, SHA, "distill evaluate M")
    assert len(found) == len(messages)
    for line, message in zip(found, messages, strict=True):
        assert message in line
        assert "\n" not in line


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An exported file in a run."""
    run = tmp_path / "student"
    (run / "export").mkdir(parents=True)
    (run / "records").mkdir()
    (run / "config.yaml").write_text("data: {format: 300w, preset: 300w, root: data/300W, test_subset: null}\n")
    (run / "metrics.csv").write_text("step,name,value\n")
    (run / "best.ckpt").write_bytes(b"weights")
    path = run / "export" / "student_fp16.tflite"
    path.write_bytes(b"model")
    return path


def record(run: Path, evaluated: Path, name: str) -> Path:
    result = run / "records" / name
    result.write_text(name)
    append_job(run, new_job("evaluate", run.name, [file_artifact(evaluated)], [file_artifact(result, EVALUATION)]))
    return result


def test_the_last_evaluation_of_the_file_in_its_run_is_found(model: Path) -> None:
    run = model.parents[1]
    assert recorded_evaluation(model) is None
    record(run, run / "best.ckpt", "checkpoint.json")
    assert recorded_evaluation(model) is None, "of the checkpoint, not of this file"
    first, last = (record(run, model, name) for name in ("first.json", "last.json"))
    record(run, run / "best.ckpt", "again.json")
    assert recorded_evaluation(model) == last
    last.write_text("changed")
    assert recorded_evaluation(model) == first
    model.write_bytes(b"another model")
    assert recorded_evaluation(model) is None
    assert recorded_evaluation(model.with_name("missing.tflite")) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{format: 300w, preset: 300w, root: data/300W}", "--data.preset 300w --data.root data/300W"),
        (
            "{format: csv, preset: null, root: my faces, test_subset: a+b}",
            "--data.format csv --data.root 'my faces' --data.subset a+b",
        ),
        ("{format: shards, root: shards}", "--data.format FORMAT --data.root FOLDER"),
    ],
)
def test_the_command_names_the_faces_of_the_run(model: Path, data: str, words: str) -> None:
    (model.parents[1] / "config.yaml").write_text(f"data: {data}\n")
    assert evaluation_command(model) == f"distill evaluate {model} {words}"
    outside = model.parents[2] / "other.tflite"
    assert evaluation_command(outside) == f"distill evaluate {outside} --data.format FORMAT --data.root FOLDER"
