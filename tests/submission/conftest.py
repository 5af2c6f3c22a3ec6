"""An unpacked package with a model of known outputs, and the photos hosts really have."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.files import write_bytes
from distill.submission import run_model, samples
from distill.submission.build import package_files
from distill.submission.contest_rules import load_contest
from tests.support.tiny_models import write_tiny_tflite

RULES = Path(__file__).resolve().parents[2] / "configs" / "contest" / "icme2024_pair.yaml"


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("model") / "student.tflite")


@pytest.fixture(scope="session")
def whole_package(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("unpacked package")
    for name, content in package_files(model, RULES, load_contest(RULES), {}).items():
        write_bytes(folder / name, content)
    return folder


@pytest.fixture
def own_package(whole_package: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole_package, tmp_path / "own package")


@pytest.fixture
def plain_photo(tmp_path: Path) -> Path:
    """A photo without a face."""
    path = tmp_path / "a plain photo.png"
    cv2.imwrite(str(path), samples.texture(3))
    return path


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated photos with one face, three faces, none, and a torn one."""
    folder = tmp_path_factory.mktemp("samples")
    samples.sample_photos(folder)
    return folder


@pytest.fixture
def texture() -> np.ndarray:
    return samples.texture(3)


Run = Callable[..., tuple[int, list[str], dict[str, str]]]


@pytest.fixture
def run(
    whole_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Call main in this process; return its status, its complaints, and the results by name."""

    def call(
        photos: list[Path] | bytes, package: Path = whole_package, output: Path = tmp_path / "out"
    ) -> tuple[int, list[str], dict[str, str]]:
        content = photos if isinstance(photos, bytes) else "".join(f"{photo}\n" for photo in photos).encode()
        (tmp_path / "list.txt").write_bytes(content)
        monkeypatch.setattr(run_model, "HERE", package)
        monkeypatch.setattr(sys, "argv", ["run_model.py", str(tmp_path / "list.txt"), str(output)])
        capsys.readouterr()
        status = run_model.main()
        complaints = capsys.readouterr().err.splitlines()
        files = sorted(output.glob("*.txt")) if output.is_dir() else []
        return status, complaints, {path.name: path.read_text() for path in files}

    return call
