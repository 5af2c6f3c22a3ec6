"""Lineage of a whole pipeline by the commands a user types, read from our records and from W&B's offline files."""

import json
from pathlib import Path

import pytest

from distill.tracking.graph import Graph, lineage_graph
from distill.tracking.lineage import read_jobs
from tests.support.lineage import ancestors
from tests.support.wandb_files import WandbFile, read_wandb


@pytest.fixture(scope="module")
def runs(pipeline: Path) -> Path:
    return pipeline / "runs"


@pytest.fixture(scope="module")
def graph(runs: Path) -> Graph:
    return lineage_graph(job for name in ("teacher", "student") for job in read_jobs(runs / name))


@pytest.fixture(scope="module")
def tracked(runs: Path) -> dict[str, WandbFile]:
    files = [read_wandb(path) for path in sorted(runs.glob("*/wandb/offline-run-*/*.wandb"))]
    return {file.run["job_type"]: file for file in files}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_our_records_hold_the_whole_graph(graph: Graph) -> None:
    assert [job.type for job in graph.jobs.values()] == ["teacher", "student", "export", "check", "evaluate"]
    jobs = {job.type: job for job in graph.jobs.values()}
    (result,) = jobs["evaluate"].outputs
    made_from = ancestors(graph, result.sha256)
    assert {graph.jobs[node].type for node in made_from & graph.jobs.keys()} == {
        "teacher", "student", "export", "evaluate",
    }  # fmt: skip
    found = [graph.artifacts[node] for node in made_from & graph.artifacts.keys()]
    assert {artifact.name for artifact in found} >= {"faces-train", "faces-val", "teacher-best", "student-best"}
    # The student's include as many without landmarks.
    assert {artifact.metadata["faces"] for artifact in found if artifact.name == "faces-train"} == {20, 40}
    assert jobs["check"].metrics["runs"] is True
    assert jobs["evaluate"].metrics["nme_percent"] > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wandb_holds_the_same_edges(graph: Graph, tracked: dict[str, WandbFile]) -> None:
    assert set(tracked) == {"teacher", "student", "export", "check", "evaluate"}
    assert {file.run["group"] for file in tracked.values()} == {"study"}
    for job in graph.jobs.values():
        file = tracked[job.type]
        assert {artifact.sha256 for artifact in job.inputs} == hashes(file.used), job.type
        assert {artifact.sha256 for artifact in job.outputs} == hashes(file.logged), job.type
    # One version of an artifact, made by one run and used by the next: W&B identifies it by its digest.
    for maker, user, name in (
        ("teacher", "student", "teacher-best"),
        ("student", "export", "student-best"),
        ("export", "check", "student-student_fp16"),
    ):
        assert tracked[maker].logged[name]["digest"] == tracked[user].used[name]["digest"]


def hashes(artifacts: dict[str, dict]) -> set[str]:
    return {artifact["metadata"]["sha256"] for artifact in artifacts.values()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_results_are_kept_in_the_run(runs: Path, tracked: dict[str, WandbFile]) -> None:
    kept = {path.name.partition("-")[0]: json.loads(path.read_text()) for path in runs.glob("student/records/*.json")}
    assert set(kept) == {"check", "evaluate"}
    assert kept["evaluate"]["protocol"]["n_faces"] == 2
    assert set(tracked["evaluate"].tables) == {"accuracy", "landmarks", "groups", "ced"}
    assert set(tracked["export"].tables) == {"parity", "files"}
    assert "fp16" in tracked["export"].logged["student-student_fp16"]["aliases"]
