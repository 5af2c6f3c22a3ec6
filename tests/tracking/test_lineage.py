"""Lineage records survive damage and join by content into one graph."""

import json
from pathlib import Path

import pytest

from distill.pretrained.registry import checksums
from distill.pretrained.resources import CHECKPOINTS
from distill.tracking.artifact import Artifact, dataset_artifact, file_artifact, plain_name
from distill.tracking.graph import lineage_graph
from distill.tracking.lineage import NAME, append_job, new_job, read_jobs
from tests.support.lineage import ancestors


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "student"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("kd: {kind: mse}\n")
    (folder / "metrics.csv").write_text("step,name,value\n")
    (folder / "best.ckpt").write_bytes(b"weights")
    return folder


def test_a_record_survives_the_file(run: Path) -> None:
    faces = dataset_artifact("faces-train", "0" * 64, 12, "inner51", split="train")
    model = file_artifact(run / "best.ckpt", aliases=["best"], metadata={"nme_percent": 3.25})
    job = new_job("student", run.name, [faces], [model], {"steps": 7, "nme": 0.0325, "bad": float("nan")})
    append_job(run, job)
    (found,) = read_jobs(run)
    assert (found.id, found.time, found.commit, found.command) == (job.id, job.time, job.commit, job.command)
    assert found.metrics == {"steps": 7, "nme": 0.0325, "bad": None}
    assert found.inputs == (faces,)
    (output,) = found.outputs
    assert (output.name, output.type, output.path) == ("student-best", "model", Path("best.ckpt"))
    assert output.metadata == {"bytes": 7, "nme_percent": 3.25}
    assert str(run) not in (run / NAME).read_text()


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_line_cut_short_costs_no_other(run: Path, cut: int) -> None:
    first, last = new_job("teacher", "t"), new_job("check", "t")
    append_job(run, first)
    append_job(run, new_job("export", "t"))
    path = run / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    append_job(run, last)
    found = [job.id for job in read_jobs(run)]
    assert (found[0], found[-1]) == (first.id, last.id)
    assert len(found) == (3 if cut == 1 else 2)


def test_other_formats_are_skipped(run: Path) -> None:
    append_job(run, new_job("teacher", "t"))
    with (run / NAME).open("a") as file:
        file.write("[]\n" + json.dumps({"format": "distill-lineage/0"}) + "\n")
    assert len(read_jobs(run)) == 1
    assert read_jobs(run / "nowhere") == []


def test_one_content_is_one_node_wherever_it_lies(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere.ckpt"
    copy.write_bytes((run / "best.ckpt").read_bytes())
    faces = dataset_artifact("faces", "0" * 64, 12, "inner51")
    trained = new_job("teacher", "t", [faces], [file_artifact(run / "best.ckpt", aliases=["best"])])
    exported = Artifact("export", "e", "1" * 64)
    export = new_job("export", "s", [file_artifact(copy)], [exported])
    graph = lineage_graph([trained, export, export])
    assert len(graph.artifacts) == 3
    assert len(graph.edges) == 4
    assert ancestors(graph, exported.sha256) == {export.id, file_artifact(copy).sha256, trained.id, faces.sha256}
    assert ancestors(graph, faces.sha256) == set()
    assert graph.artifacts[file_artifact(copy).sha256].aliases == ("best",)


def test_a_released_file_is_known_as_released() -> None:
    name = next(name for name in checksums() if name.endswith("int8.tflite"))
    artifact = file_artifact(CHECKPOINTS / name)
    assert (artifact.type, artifact.aliases) == ("export", ("released",))


@pytest.mark.parametrize("text", ["ICME 2024 PAIR", "a/b:c", "+", "x" * 300])
def test_names_fit_every_tracker(text: str) -> None:
    import wandb

    assert wandb.Artifact(plain_name(text), type="model").name == plain_name(text)
