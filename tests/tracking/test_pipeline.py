"""Lineage of a whole pipeline by the commands a user types, read from our records and from W&B's offline files."""

import json
from pathlib import Path

import pytest

from distill.cli.main import main
from distill.tracking.graph import Graph, lineage_graph
from distill.tracking.lineage import read_jobs
from tests.support.environments import require_lane
from tests.support.lineage import ancestors
from tests.support.wandb_files import WandbFile, read_wandb

ROOT = Path(__file__).parents[2]
STUDENT = ["--name", "student", "--model", "{arch: efld}", "--kd", "{kind: coordinate, weight: 1}"]
TINY = [
    "--trainer.epochs",
    "1",
    "--trainer.validate_every",
    "1",
    "--data.batch_size",
    "4",
    "--log.group",
    "study",
    "--log.wandb",
    "offline",
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a teacher and a student that was exported, checked and evaluated."""
    require_lane("modern")
    root = tmp_path_factory.mktemp("pipeline")
    faces, runs = str(root / "faces"), ["--runs", str(root / "runs"), "--data.workers", "0"]
    assert main(["data", "synth", faces, "--count", "24", "--size", "128", "--workers", "0"]) == 0
    data = ["--data.root", faces]
    assert main(["teacher", "--config", str(ROOT / "configs/demo/teacher.yaml"), *data, *runs, *TINY]) == 0
    teacher = ["--teacher", str(root / "runs/teacher/best.ckpt")]
    base = str(ROOT / "configs/base/demo.yaml")
    assert main(["student", "--config", base, *teacher, *STUDENT, *data, *runs, *TINY]) == 0
    best = str(root / "runs/student/best.ckpt")
    where = ["--data.format", "manifest", *data]
    assert main(["export", best, *where, "--faces", "4", "--modes", "fp16"]) == 0
    fp16 = str(root / "runs/student/export/student_fp16.tflite")
    assert main(["check", fp16]) == 0
    assert main(["evaluate", fp16, *where]) == 0
    return root / "runs"


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
    assert {artifact.metadata["faces"] for artifact in found if artifact.name == "faces-train"} == {20}
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
