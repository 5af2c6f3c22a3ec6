"""Training, distillation, export and prediction on a few generated faces, by the commands a user types."""

import json
import shutil
from pathlib import Path

import pytest

from distill.cli.main import main

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with faces and the files of the student, outside its run, where commands would record themselves."""
    root = tmp_path_factory.mktemp("end_to_end")
    (root / "faces").symlink_to(pipeline / "faces")
    shutil.copytree(pipeline / "runs/student/export", root / "export")
    shutil.copy(pipeline / "runs/student/best.ckpt", root / "student.ckpt")
    return root


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_kinds_of_file_are_measured_alike(folder: Path) -> None:
    where = ["--data.format", "manifest", "--data.root", str(folder / "faces")]
    nme = {}
    for model in ("student.ckpt", "export/student.onnx", "export/student_fp32.tflite"):
        out = folder / "evaluation.json"
        assert main(["evaluate", str(folder / model), *where, "--json", str(out)]) == 0
        result = json.loads(out.read_text())
        nme[model] = result["metrics"]["ocular"]["nme_percent"]
        assert result["protocol"]["n_faces"] == 2  # the test subset
    assert max(nme.values()) - min(nme.values()) < 0.01


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_exported_file_passes_the_check_and_finds_faces(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(folder / "export" / "student_fp16.tflite")
    assert main(["check", model, "--runtime", "2.11.0"]) == 0
    assert "runs on TFLite 2.11.0" in capsys.readouterr().out
    photo = str(folder / "faces" / "images" / "000000.jpg")
    points = folder / "points.json"
    assert main(["predict", photo, "--model", model, "--json", str(points), "--draw", str(folder / "drawn")]) == 0
    assert set(json.loads(points.read_text())["photos"]) == {photo}
    assert (folder / "drawn" / "000000.png").stat().st_size > 0
    # A photo that cannot be read does not take the others along; two that would be one picture are told at once.
    torn = folder / "torn.jpg"
    torn.write_bytes(Path(photo).read_bytes()[:300])
    assert main(["predict", str(torn), photo, "--model", model, "--json", str(points)]) == 1
    assert set(json.loads(points.read_text())["photos"]) == {photo}
    assert "torn.jpg" in capsys.readouterr().err
    same = [photo, str(folder / "elsewhere" / "000000.jpg")]
    assert main(["predict", *same, "--model", model, "--draw", str(folder / "drawn")]) == 2
    assert "is not the only photo drawn as" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bad_input_is_one_line_and_status_2(pipeline: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = folder / "page.ckpt"
    page.write_text("<!DOCTYPE html><html>404</html>")
    where = ["--data.format", "manifest", "--data.root", str(folder / "faces")]
    student = str(ROOT / "configs" / "demo" / "student.yaml")
    calls = {
        "a web page, not a model": ["evaluate", str(page), *where],
        "no such checkpoint": [
            *("student", "--config", student, "--teacher", str(folder / "none.ckpt"), *where),
            *("--runs", str(folder / "elsewhere")),  # `make demo` may have left a run where the recipe puts it
        ],
        "no such folder": ["evaluate", str(folder / "student.ckpt"), "--data.root", str(folder / "nowhere")],
        "subset": [
            "evaluate",
            str(folder / "student.ckpt"),
            *where,
            "--data.subset",
            "x",
        ],
        "did you mean 'trainer.epochs'": ["teacher", "--trainer.epoch", "3"],
        "this run exists": [
            *("teacher", "--config", str(ROOT / "configs/demo/teacher.yaml"), "--runs", str(pipeline / "runs")),
            *("--name", "teacher", *where),
        ],
        "differ in scheme": [
            *("student", "--config", student, "--teacher", str(pipeline / "runs/teacher/best.ckpt"), "--name", "other"),
            *(*where, "--runs", str(pipeline / "runs"), "--data.scheme", "ibug68", "--data.sets", "[]"),
            *("--data.crop.scale", "1.4", "--data.crop.shift_y", "0"),
        ],
    }
    for expected, argv in calls.items():
        assert main(argv) == 2, expected
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert error.startswith("error: ")
        assert expected in error
