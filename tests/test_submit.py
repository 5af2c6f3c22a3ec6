"""Packages: the same bytes twice, exactly the right requirements, every rule enforced, and a package that runs."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml

from distill import submit
from distill.contest import load_contest, parse_result
from distill.detector import Detection
from distill.errors import SubmissionError
from distill.geometry import Box
from distill.submission import dry_run as trial
from distill.submission import requirements, run_model, samples
from distill.submission.techreport import render_pdf
from tests.tiny_models import write_tiny_tflite

ROOT = Path(__file__).resolve().parents[1]
RULES = ROOT / "configs" / "contest" / "icme2024_pair.yaml"
PAIR = load_contest(RULES)
WHEELS = ROOT / ".wheels"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("model") / "student.tflite")


@pytest.fixture(scope="module")
def package(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package."""
    folder = tmp_path_factory.mktemp("unpacked package")
    submit.write_zip(folder.with_suffix(".zip"), submit.package_files(model, RULES, PAIR, {}))
    with zipfile.ZipFile(folder.with_suffix(".zip")) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def plain_photo(tmp_path: Path) -> Path:
    path = tmp_path / "a plain photo.png"
    cv2.imwrite(str(path), samples.texture(3))
    return path


def rules_with(folder: Path, **changes: object) -> Path:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RULES.read_text()), **changes}))
    return path


def test_zip_has_the_same_bytes_twice(model: Path, tmp_path: Path) -> None:
    """Catches timestamps, order, permissions and PDF dates that leak into the package."""
    for name in ("one.zip", "two.zip"):
        files = submit.package_files(model, RULES, PAIR, {"student": {"nme_percent": 3.5}})
        submit.write_zip(
            tmp_path / name, dict(sorted(files.items(), key=lambda item: item[0], reverse=name == "two.zip"))
        )
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert set(PAIR.files) <= set(archive.namelist())
        assert all(entry.date_time[0] == 1980 for entry in archive.infolist())


def test_shipped_code_is_the_tested_code(package: Path) -> None:
    for path in (package / "distill").iterdir():
        assert path.read_bytes() == (ROOT / "distill" / path.name).read_bytes()


def test_report_is_a_pdf_with_every_result() -> None:
    first = render_pdf("t", {"a": {f"value_{place}": place / 3 for place in range(100)}})
    assert first.startswith(b"%PDF")
    assert first == render_pdf("t", {"a": {f"value_{place}": place / 3 for place in range(100)}})
    assert first.count(b"/Type /Page ") == 3


SOURCES = {"run_model.py": "import os\nimport numpy as np\nfrom distill.a import b\n", "distill/a.py": "import cv2\n"}
EXACT = "numpy<2\nopencv-python-headless==4.11.0.86  # headless\n"


def test_requirements_must_fit_exactly() -> None:
    requirements.check_requirements(SOURCES, EXACT, (3, 10))
    with pytest.raises(SubmissionError, match="lacks opencv-python-headless"):
        requirements.check_requirements(SOURCES, "numpy<2", (3, 10))
    with pytest.raises(SubmissionError, match="names torch"):
        requirements.check_requirements(SOURCES, EXACT + "torch\n", (3, 10))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import scipy", "no known distribution"),
        ("from distill.data import pts", "not in the package"),
        ("from distill import heatmaps", "not in the package"),
        ("def f():\n    import torch", "no known distribution"),
        ("match 1:\n    case 1: pass\ntype X = int", "not valid in Python 3.10"),
    ],
)
def test_unfit_code_is_refused(line: str, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        requirements.check_requirements({**SOURCES, "distill/b.py": line}, EXACT, (3, 10))


def call(package: Path, image_list: Path, output: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, str(package / "run_model.py"), str(image_list), str(output)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_run_model_survives_broken_photos(package: Path, plain_photo: Path, tmp_path: Path) -> None:
    """One run from elsewhere: spaces, blank lines, names relative to the list, torn, missing and faceless photos."""
    whole = cv2.imencode(".jpg", samples.texture(4))[1].tobytes()
    (tmp_path / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    image_list, output, cwd = tmp_path / "image list.txt", tmp_path / "new" / "out put", tmp_path / "elsewhere"
    cwd.mkdir()
    image_list.write_text(f"{plain_photo}\n\n   \ntorn.jpg\nmissing.png\r\n")
    done = call(package, image_list, output, cwd)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if line.startswith("run_model:")]
    assert len(complaints) == 2
    assert "torn.jpg" in complaints[0]
    assert sorted(path.name for path in output.iterdir()) == ["a plain photo.txt", "missing.txt", "torn.txt"]
    assert (output / "torn.txt").read_text() == ""
    (guess,) = parse_result((output / "a plain photo.txt").read_text(), PAIR)
    assert guess.shape == (51, 2)
    assert "Traceback" not in done.stderr


def test_run_model_with_an_empty_list(package: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    done = call(package, tmp_path / "list.txt", tmp_path / "out", tmp_path)
    assert done.returncode == 0
    assert list((tmp_path / "out").iterdir()) == []


def test_run_model_without_a_list(package: Path, tmp_path: Path) -> None:
    done = call(package, tmp_path / "none.txt", tmp_path / "out", tmp_path)
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if "none.txt" in line]) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("policy", "content"), [("skip", None), ("empty", ""), ("guess", "version: 1\n")])
def test_no_face_policies(
    policy: str, content: str | None, package: Path, plain_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_model, "HERE", package)
    monkeypatch.setattr(run_model, "load_contest", lambda path: replace(PAIR, no_face=policy))
    (tmp_path / "list.txt").write_text(f"{plain_photo}\n")
    run_model.run(tmp_path / "list.txt", tmp_path / "out")
    written = [path.read_text() for path in (tmp_path / "out").iterdir()]
    assert written == [] if content is None else written[0][:11] == content


def test_photos_of_one_name_do_not_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.txt").write_text("a.png\na.jpg\na.png\n")
    assert run_model.read_list(tmp_path / "list.txt") == [tmp_path / "a.png"]
    assert "a.jpg: left out" in capsys.readouterr().err


REFUSED = {
    "max_model_bytes": ({"max_model_bytes": 100}, "max_model_bytes is 100"),
    "max_zip_bytes": ({"max_zip_bytes": 1000}, "max_zip_bytes is 1000"),
    "runtime": ({"runtime": "1.13.1"}, "does not run on TFLite 1.13.1"),
    "scheme": ({"scheme": "ibug68", "n_points": 68}, "wants ibug68 with 68"),
    "files": ({"files": ["best.tflite", "poster.pdf"]}, "asks for poster.pdf"),
    "python": ({"python": ["3.8"]}, "3.8"),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_broken_rules_leave_nothing_behind(rule: str, model: Path, plain_photo: Path, tmp_path: Path) -> None:
    changes, message = REFUSED[rule]
    target = tmp_path / "dist" / "submission.zip"
    with pytest.raises(SubmissionError, match=message) as caught:
        submit.build_submission(model, target, rules_with(tmp_path, **changes), [plain_photo], {})
    assert "\n" not in str(caught.value)
    assert not target.parent.exists() or list(target.parent.iterdir()) == []


def test_a_failed_dry_run_leaves_nothing_behind(
    model: Path, plain_photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise SubmissionError("dry run: run_model.py failed")

    monkeypatch.setattr(submit, "dry_run", fail)
    with pytest.raises(SubmissionError, match="dry run"):
        submit.build_submission(model, tmp_path / "dist" / "submission.zip", RULES, [plain_photo], {})
    assert list((tmp_path / "dist").iterdir()) == []


def test_no_photos_for_the_dry_run(model: Path, tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match="no photos"):
        submit.build_submission(model, tmp_path / "submission.zip", RULES, [], {})


def test_compare_tells_what_differs(tmp_path: Path) -> None:
    """A dry run that accepts anything would prove nothing."""
    rules, photo = replace(PAIR, n_points=1), Path("p.png")
    here = {photo: [np.array([[10.0, 20.0]]), np.array([[90.0, 20.0]])]}
    with pytest.raises(SubmissionError, match="missing"):
        trial.compare(tmp_path, here, rules)
    block = "version: 1\nn_points: 1\n{{\n{} 21.000\n}}\n"
    result = tmp_path / "p.txt"
    result.write_text(block.format("91.000") + block.format("11.004"))
    count, greatest = trial.compare(tmp_path, here, rules)
    assert count == 2
    assert greatest == pytest.approx(0.004)
    result.write_text(block.format("91.000"))
    with pytest.raises(SubmissionError, match="1 faces in the package, 2 here"):
        trial.compare(tmp_path, here, rules)
    result.write_text(block.format("91.000") + block.format("11.200"))
    with pytest.raises(SubmissionError, match=r"differs by 0\.200 px"):
        trial.compare(tmp_path, here, rules)
    (tmp_path / "extra.txt").touch()
    with pytest.raises(SubmissionError, match="not asked for"):
        trial.compare(tmp_path, here, rules)


def test_a_slow_or_failing_command_is_one_line() -> None:
    with pytest.raises(SubmissionError, match="more than 1 s"):
        trial._call([sys.executable, "-c", "import time; time.sleep(30)"], "sleeping", 1)
    with pytest.raises(SubmissionError, match="status 1: ValueError: no") as caught:
        trial._call([sys.executable, "-c", "raise ValueError('no')"], "failing", 20)
    assert "\n" not in str(caught.value)


def white_squares(photo: np.ndarray) -> list[Detection]:
    """Stand in for a detector: one face per white square."""
    count, _, stats, _ = cv2.connectedComponentsWithStats((photo.min(2) == 255).astype(np.uint8))
    return [Detection(Box(x, y, x + w, y + h), 1.0) for x, y, w, h, _ in stats[1:count] if w > 20]


def test_samples_skip_faces_the_detector_does_not_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import distill.data.synthetic as synthetic

    def render(seed: int, index: int, size: int) -> SimpleNamespace:
        return SimpleNamespace(image=np.full((size, size, 3), 255 if index % 2 else 0, np.uint8))

    monkeypatch.setattr(synthetic, "render_face", render)
    paths = submit.sample_photos(tmp_path, white_squares)
    counts = {path.stem: len(white_squares(cv2.imread(str(path)))) for path in paths}
    assert counts == {"one": 1, "several": 3, "none": 0}
    with pytest.raises(SubmissionError, match="saw 0 of 100"):
        submit.sample_photos(tmp_path, lambda photo: [])


@pytest.mark.slow
def test_the_package_runs_in_an_empty_environment(model: Path, tmp_path: Path) -> None:
    if not WHEELS.is_dir():
        pytest.skip("no .wheels folder: `make setup` fills it")
    photos = submit.sample_photos(tmp_path)
    target = tmp_path / "dist" / "submission.zip"
    report = submit.build_submission(model, target, RULES, photos, {"note": "test"}, wheels=WHEELS)
    assert zipfile.is_zipfile(target)
    assert report.dry_run.photos == 3
    assert report.dry_run.faces == 5
    assert report.dry_run.max_px < 0.01
    assert json.loads((target.parent / "submission.json").read_text())["sha256"] == report.sha256
    names = {line.split("==")[0].lower() for line in report.dry_run.installed}
    assert names <= {"numpy", "opencv-python-headless", "pillow", "pyyaml", "tflite-runtime", "pip", "setuptools"}
