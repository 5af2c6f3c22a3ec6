"""The whole road on a handful of generated faces, by the commands a user types."""

import json
from pathlib import Path

import pytest

from distill.cli.main import main

ROOT = Path(__file__).parents[1]
TINY = ["--trainer.epochs", "1", "--trainer.validate_every", "1", "--data.batch_size", "4", "--log.wandb", "disabled"]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with faces, a trained teacher and student, and the exported student."""
    folder = tmp_path_factory.mktemp("road")
    faces, runs = str(folder / "faces"), ["--runs", str(folder / "runs"), "--data.workers", "0"]
    assert main(["data", "synth", faces, "--count", "24", "--size", "128", "--workers", "0"]) == 0
    data, demo = ["--data.root", faces], ROOT / "configs" / "demo"
    assert main(["teacher", "--config", str(demo / "teacher.yaml"), *data, *runs, *TINY]) == 0
    teacher = ["--teacher", str(folder / "runs" / "teacher" / "best.ckpt")]
    assert main(["student", "--config", str(demo / "student.yaml"), *teacher, *data, *runs, *TINY]) == 0
    best = folder / "runs" / "student" / "best.ckpt"
    where = ["--data.format", "manifest", "--data.root", faces]
    assert main(["export", str(best), "--out", str(folder / "export"), *where, "--faces", "4"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_kinds_of_file_are_measured_alike(road: Path) -> None:
    where = ["--data.format", "manifest", "--data.root", str(road / "faces"), "--data.subset", "train"]
    nme = {}
    for model in ("runs/student/best.ckpt", "export/student.onnx", "export/student_fp32.tflite"):
        out = road / "evaluation.json"
        assert main(["evaluate", str(road / model), *where, "--json", str(out)]) == 0
        result = json.loads(out.read_text())
        nme[model] = result["metrics"]["ocular"]["nme_percent"]
        assert result["protocol"]["n_faces"] == 20
    assert max(nme.values()) - min(nme.values()) < 0.01


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_exported_file_passes_the_check_and_finds_faces(road: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(road / "export" / "student_fp16.tflite")
    assert main(["check", model, "--runtime", "2.11.0"]) == 0
    assert "runs on TFLite 2.11.0" in capsys.readouterr().out
    photo = str(road / "faces" / "images" / "000000.jpg")
    points = road / "points.json"
    assert main(["predict", photo, "--model", model, "--json", str(points), "--draw", str(road / "drawn")]) == 0
    assert set(json.loads(points.read_text())["photos"]) == {photo}
    assert (road / "drawn" / "000000.png").stat().st_size > 0
    # A photo that cannot be read does not take the others along; two that would be one picture are told at once.
    torn = road / "torn.jpg"
    torn.write_bytes(Path(photo).read_bytes()[:300])
    assert main(["predict", str(torn), photo, "--model", model, "--json", str(points)]) == 1
    assert set(json.loads(points.read_text())["photos"]) == {photo}
    assert "torn.jpg" in capsys.readouterr().err
    same = [photo, str(road / "elsewhere" / "000000.png")]
    assert main(["predict", *same, "--model", model, "--draw", str(road / "drawn")]) == 2
    assert "is not the only photo drawn as" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bad_input_is_one_line_and_status_2(road: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = road / "page.ckpt"
    page.write_text("<!DOCTYPE html><html>404</html>")
    where = ["--data.format", "manifest", "--data.root", str(road / "faces")]
    student = str(ROOT / "configs" / "demo" / "student.yaml")
    calls = {
        "a web page, not a model": ["evaluate", str(page), *where],
        "no such checkpoint": ["student", "--config", student, "--teacher", str(road / "none.ckpt"), *where],
        "no such folder": ["evaluate", str(road / "runs/student/best.ckpt"), "--data.root", str(road / "nowhere")],
        "subset": [
            "evaluate",
            str(road / "runs/student/best.ckpt"),
            *where,
            "--data.subset",
            "x",
        ],
        "did you mean 'trainer.epochs'": ["teacher", "--trainer.epoch", "3"],
        "this run exists": [
            *("teacher", "--config", str(ROOT / "configs/demo/teacher.yaml"), "--runs", str(road / "runs")),
            *where,
        ],
        "differ in scheme": [
            *("student", "--config", student, "--teacher", str(road / "runs/teacher/best.ckpt"), "--name", "other"),
            *(*where, "--runs", str(road / "runs"), "--data.scheme", "ibug68"),
        ],
    }
    for expected, argv in calls.items():
        assert main(argv) == 2, expected
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ")
        assert expected in error
