"""`distill evaluate` measures the official test faces unless a subset is named."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.cli.main import main
from distill.data.synthetic import render_face
from distill.evaluate.evaluate import evaluate
from distill.inference.load import open_backend

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "checkpoints" / "student_128_turned_fp16.tflite"
FOLDERS = ("helen/trainset", "helen/testset", "lfpw/testset", "afw")


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out as 300-W: one face in each of four subsets."""
    root = tmp_path_factory.mktemp("300w")
    for index, folder in enumerate(FOLDERS):
        face = render_face(3, index, 160, 0.2)
        path = root / folder / f"{index}_1"
        path.parent.mkdir(parents=True)
        cv2.imwrite(f"{path}.png", np.ascontiguousarray(face.image[..., ::-1]))
        points = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in face.landmarks["ibug68"])
        path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    return root


def test_the_preset_is_measured_on_its_official_test_faces(annotated: Path, tmp_path: Path) -> None:
    out = tmp_path / "evaluation.json"
    words = ["evaluate", str(MODEL), "--data.preset", "300w", "--data.root", str(annotated), "--json", str(out)]
    assert main(words) == 0
    content = json.loads(out.read_text())
    assert content["protocol"]["subset"] == "helen/testset+lfpw/testset"
    assert content["protocol"]["n_faces"] == 2
    assert main([*words, "--data.subset", "all"]) == 0
    assert json.loads(out.read_text())["protocol"]["n_faces"] == 4


def test_the_function_has_the_same_default(annotated: Path) -> None:
    model = open_backend(MODEL)
    assert evaluate(model, preset="300w", root=annotated, progress=False).protocol.n_faces == 2
    assert evaluate(model, root=annotated, subset="all", progress=False).protocol.n_faces == 4


def test_a_detector_that_would_not_be_run_is_refused(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(MODEL), "--data.preset", "300w", "--data.root", str(annotated)]
    assert main([*words, "--detector", "blazeface"]) != 0
    assert "--detector belongs to --boxes detector" in capsys.readouterr().err
    assert main([*words, "--boxes", "detector", "--detector", "retinafase"]) != 0
    assert "did you mean 'retinaface'" in capsys.readouterr().err


def test_categories_without_the_suite_are_refused(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(MODEL), "--data.root", str(annotated), "--categories", "categories.csv"]) != 0
    assert "--categories belong to --suite full" in capsys.readouterr().err
