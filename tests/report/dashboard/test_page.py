"""The dashboard shows all runs below a folder, needs no request, and names what it cannot read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from distill.cli.main import main
from distill.errors import ConfigError
from distill.files import sha256, write_json
from distill.provenance import BENCH
from distill.report.dashboard.collect import collect
from distill.report.dashboard.data import detection_rows, evaluation_groups, pareto_points, runs_table, thinned
from distill.report.dashboard.page import build
from distill.tracking.artifact import file_artifact
from distill.tracking.lineage import append_job, new_job
from tests.support.detector_runs import write_detector_run
from tests.support.evaluation import Measure

EVIL = '</script><script>alert("x")</script>'
CONFIG = "seed: 0\nmodel: {arch: efld}\ndata: {scheme: inner51, root: faces, subset: train}\n"


@pytest.fixture
def runs(tmp_path: Path, measure: Measure) -> Path:
    """A teacher and a student with evaluations of one protocol; the student has a second one, a bench and a record."""
    root = tmp_path / "all_runs"
    for name, shift in (("teacher", 1.0), ("student", 2.0)):
        folder = root / "study" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(CONFIG + ("kd: {kind: mse}\n" if name == "student" else ""))
        (folder / "metrics.csv").write_text("step,name,value\n1,train/loss,2.0\n2,train/loss,1.0\n2,val/nme,0.04\n")
        (folder / "best.ckpt").write_bytes(name.encode())
        write_json(folder / "records" / "evaluate.json", measure(shift=(shift, 0)).to_json())
        write_json(folder / "evaluation.json", measure(shift=(shift, 0)).to_json())  # the same once more
    student = root / "study" / "student"
    write_json(student / "hard.json", measure(shift=(2, 0), subset="hard").to_json())
    write_json(student / "bench.json", bench())
    append_job(student, new_job("check", "student", [file_artifact(student / "best.ckpt")]))
    teacher = file_artifact(root / "study" / "teacher" / "best.ckpt").sha256
    trained = {"val_nme": 0.04, "train_hash": "1" * 64, "train_faces": 20, "val_hash": "2" * 64, "val_faces": 3}
    write_json(student / "summary.json", {**trained, "teachers": [teacher], "seconds": 60, "commit": "c" * 40})
    write_json(root / "study" / "teacher" / "summary.json", {**trained, "teachers": []})
    return root


def bench() -> dict[str, Any]:
    def model(name: str, sha256: str, nme: float | None) -> dict[str, Any]:
        costs = {"bytes": 1000, "macs": 5, "peak_rss_bytes": 7, "nme_percent": nme}
        return {"name": name, "sha256": sha256, **costs}

    def time(name: str, ms: float, threads: int = 1, part: str = "model") -> dict[str, Any]:
        return {
            "name": name, "part": part, "threads": threads, "median_ms": ms, "iqr_ms": 0.1, "ratio": 1, "stable": True,
        }  # fmt: skip

    models = [model("fast", "a" * 64, 6.0), model("slow", "b" * 64, 5.0), model("worse", "0" * 64, None)]
    times = [time("fast", 1.0), time("fast", 0.5, 2), time("slow", 2.0), time("worse", 3), time("worse", 9, 1, "crop")]
    return {"format": BENCH, "models": models, "times": times}


def test_a_run_shows_its_own_error(runs: Path, measure: Measure) -> None:
    """Another model that was evaluated with `--log.run` came first by the name of its file."""
    student = runs / "study" / "student"
    write_json(student / "aaa.json", replace_model(measure(shift=(4, 0)).to_json(), "1" * 64))
    write_json(student / "own.json", replace_model(measure(shift=(3, 0)).to_json(), sha256(student / "best.ckpt")))
    append_job(student, new_job("student", "student", [], [file_artifact(student / "best.ckpt")]))
    table = runs_table(collect(runs)[0])
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert rows["study/student"]["test_nme_percent"] == pytest.approx(100 * 3 / 40, abs=1e-3)


def replace_model(content: dict[str, Any], digest: str) -> dict[str, Any]:
    return content | {"protocol": content["protocol"] | {"model_sha256": digest}}


def test_every_run_below_the_folder_is_found(runs: Path) -> None:
    entries, problems = collect(runs)
    # A teacher before its student.
    assert [(e.name, e.role) for e in entries] == [("study/teacher", "teacher"), ("study/student", "student")]
    assert problems == []
    assert [len(entry.evaluations) for entry in entries] == [1, 2]
    table = runs_table(entries)
    row = dict(zip(table.columns, table.rows[1], strict=True))
    assert (row["network"], row["val_nme_percent"], row["minutes"], row["commit"]) == ("efld", 4.0, 1.0, "c" * 8)
    groups = evaluation_groups(entries)
    assert [len(group) for group in groups] == [2, 1]
    assert [entry.role for entry, _ in groups[0].values()] == ["teacher", "student"]


def test_a_face_detector_among_other_runs(runs: Path) -> None:
    """Of its summary no training of a landmark network is made: it has neither a root nor a scheme."""
    write_detector_run(runs / "detector")
    write_json(runs / "detector" / "damaged.json", {"format": "distill-detector-evaluation/1"})
    entries, problems = collect(runs)
    assert problems == ["detector/damaged.json: not whole (KeyError('model'))"]
    assert next(entry.jobs for entry in entries if entry.role == "detector") == []
    table = runs_table(entries)
    row = next(dict(zip(table.columns, values, strict=True)) for values in table.rows if values[0] == "detector")
    assert (row["role"], row["network"], row["val_ap_percent"]) == ("detector", "retinaface 0.35", 50.0)
    (found,) = detection_rows(entries).rows
    assert found[:2] == ("detector", "best.ckpt")
    page = build(entries, "t")
    assert "Validation AP" in [chart["label"] for chart in page.charts.values()]
    assert re.search(r"<h2[^>]*>Face detectors", page.html())


def test_the_front_holds_what_no_other_model_dominates(runs: Path) -> None:
    """The NME of a file that the bench run does not know is that of its evaluation, found by the hash."""
    entries, _ = collect(runs)
    points = {point["name"].split()[-1]: point for point in pareto_points(entries, evaluation_groups(entries)[0])}
    assert {name: (p["x"], p["y"], p["front"]) for name, p in points.items()} == {
        "fast": (1.0, 6.0, True), "slow": (2.0, 5.0, True), "worse": (3.0, points["worse"]["y"], False),
    }  # fmt: skip
    assert points["worse"]["y"] == pytest.approx(5.0)  # 2 px of an eye distance of 40
    assert "worse" not in str(pareto_points(entries, None))


def test_a_page_without_requests(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "dashboard.html"
    assert main(["dashboard", str(runs), "--out", str(out)]) == 0
    assert "2 runs" in capsys.readouterr().out
    page = out.read_text()
    for part in ("Runs", "Training", "Accuracy: manifest all", "Accuracy: manifest hard", "Latency", "Lineage"):
        assert re.search(rf"<h2[^>]*>{part}", page), part
    assert not re.search(r'<link|<iframe|@import|url\((?!#)|(src|href)="(?!#)|fetch\(|XMLHttp|import\(', page)
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_older_runs_have_a_lineage_too(runs: Path) -> None:
    """Without a record of the training, summary.json says which faces and which teacher a student had."""
    svg = build(collect(runs)[0], "t").html()
    assert svg.count('<g class="job"') == 3  # two trainings and the check
    assert svg.count('<g class="artifact"') == 4  # two data sets, two models
    assert svg.count('class="edge"') == 2 * 3 + 2  # two data sets and a model each; the teacher, the check


def test_text_is_never_markup(tmp_path: Path, measure: Measure) -> None:
    folder = tmp_path / "evil"
    folder.mkdir()
    (folder / "config.yaml").write_text(f"model: {{arch: '{EVIL}'}}\n")
    (folder / "metrics.csv").write_text(f"step,name,value\n1,{EVIL},2.0\n")
    raw = measure().to_json() | {"model": EVIL}
    write_json(folder / "evaluation.json", raw)
    append_job(folder, new_job(EVIL, EVIL))
    page = build(collect(tmp_path)[0], EVIL, [EVIL]).html()
    assert "<script>alert" not in page
    assert page.count("<script") == 2
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert data is not None
    assert EVIL in str(json.loads(data[1]))


def test_what_cannot_be_read_is_named(runs: Path) -> None:
    (runs / "study" / "teacher" / "broken.json").write_text("{")
    entries, problems = collect(runs)
    assert len(entries) == 2
    assert problems[0].startswith("study/teacher/broken.json: not JSON")
    assert "Not shown" in build(entries, "t", problems).html()


@pytest.mark.parametrize(("name", "message"), [("nowhere", "no such folder"), ("", "no run in or below it")])
def test_a_folder_without_runs_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        collect(tmp_path / name)


def test_long_curves_are_thinned_to_means() -> None:
    points = [(step, float(step % 2)) for step in range(4000)]
    short = thinned(points)
    assert len(short) == 400
    assert {value for _, value in short} == {0.5}
    assert short[-1][0] == 3999
    assert thinned(points[:10]) == [[x, y] for x, y in points[:10]]
