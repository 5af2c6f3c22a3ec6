"""Packages: the same bytes twice, every rule enforced, and a package that runs."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import yaml

from distill.detection.detector import Detection
from distill.errors import ConfigError, DistillError, SubmissionError
from distill.geometry import Box, CropSpec
from distill.inference.load import open_backend
from distill.spec import ModelSpec, read_sidecar, write_sidecar
from distill.submission import build as submit
from distill.submission import dry_run as trial
from distill.submission import samples
from distill.submission.contest_rules import Contest, format_result, guess_box, load_contest, parse_result
from distill.submission.techreport import render_pdf
from distill.tflite.model import Operator, Tensor
from distill.tflite.serialization import read_model, write_model
from tests.support.tiny_models import SIZE, write_batched_tflite, write_tiny_tflite

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "configs" / "contest" / "icme2024_pair.yaml"
PAIR = load_contest(RULES)
# Wheels of requirements.txt for this Python, and, for the second dry run, for the other one the rules name.
WHEELS = Path(os.environ.get("DISTILL_WHEELS", ROOT / ".wheels"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("model") / "student.tflite")


@pytest.fixture
def plain_photo(tmp_path: Path) -> Path:
    path = tmp_path / "a plain photo.png"
    cv2.imwrite(str(path), samples.texture(3))
    return path


def rules_with(folder: Path, **changes: object) -> Path:
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RULES.read_text()), **changes}))
    return path


BUILD = """
import os, sys
from pathlib import Path
from distill.submission.contest_rules import load_contest
from distill.submission.build import package_files, write_zip
os.umask(int(sys.argv[4], 8))
rules = Path(sys.argv[2])
files = package_files(Path(sys.argv[1]), rules, load_contest(rules), {"student": {"nme_percent": 3.5}})
names = sorted(files, reverse=sys.argv[4] == "077")
write_zip(Path(sys.argv[3]), {name: files[name] for name in names})
"""


def test_zip_has_the_same_bytes_on_another_machine(model: Path, tmp_path: Path) -> None:
    """Catches time zone, umask, dates and order of files, hash seed, locale and settings of matplotlib in the zip."""
    built = []
    for copy, (zone, umask) in enumerate((("UTC", "022"), ("Pacific/Kiritimati", "077"))):
        machine = tmp_path / f"machine {copy}"
        shutil.copytree(ROOT / "distill", machine / "distill", ignore=shutil.ignore_patterns("__pycache__"))
        for name in (model.name, model.with_suffix(".json").name):
            shutil.copy(model.with_name(name), machine / name)
        for path in sorted(machine.rglob("*")):
            os.utime(path, (1_000_000_000 * copy, 1_500_000_000 - copy * 10**8))
            if path.is_file():
                path.chmod((0o644, 0o755)[copy])
        environment = os.environ | {
            "TZ": zone, "PYTHONHASHSEED": str(copy), "LC_ALL": ("C", "C.UTF-8")[copy], "PYTHONPATH": str(machine),
            "SOURCE_DATE_EPOCH": str(10**9 * copy + 10**8),
        }  # fmt: skip
        (machine / "matplotlibrc").write_text(f"font.size: {20 + copy}\npdf.fonttype: {(3, 42)[copy]}\n")
        target = machine / "submission.zip"
        command = [sys.executable, "-c", BUILD, str(machine / model.name), str(RULES), str(target), umask]
        subprocess.run(command, cwd=machine, env=environment, check=True, timeout=120)
        built.append(target)
    assert built[0].read_bytes() == built[1].read_bytes()
    with zipfile.ZipFile(built[0]) as archive:
        assert set(PAIR.files) <= set(archive.namelist())
        assert all(entry.date_time[0] == 1980 for entry in archive.infolist())


def test_shipped_code_is_the_tested_code(model: Path) -> None:
    files = submit.package_files(model, RULES, PAIR, {})
    shipped = [name for name in files if name.startswith("distill/")]
    assert len(shipped) > 5
    assert all(files[name] == (ROOT / name).read_bytes() for name in shipped)
    assert files["run_model.py"] == (ROOT / "distill" / "submission" / "run_model.py").read_bytes()


def test_report_is_a_pdf_with_every_result() -> None:
    first = render_pdf("t", {"a": {f"value_{index}": index / 3 for index in range(100)}})
    assert first.startswith(b"%PDF")
    assert first == render_pdf("t", {"a": {f"value_{index}": index / 3 for index in range(100)}})
    assert first.count(b"/Type /Page ") == 3


def build(model: Path, folder: Path, photo: Path, **changes: object) -> None:
    submit.build_submission(model, folder / "dist" / "submission.zip", rules_with(folder, **changes), [photo], {})


def points(x: float) -> np.ndarray:
    return np.full((51, 2), x) + np.arange(51)[:, None]


def parse_wrong(change: Callable[[str], str]) -> Callable[..., None]:
    """Break a result of two faces and read it under the contest's rules."""

    def violate(model: Path, folder: Path, photo: Path) -> None:
        text = format_result([points(10), points(400)], PAIR)
        assert change(text) != text
        parse_result(change(text), PAIR)

    return violate


def count_from_zero(model: Path, folder: Path, photo: Path) -> None:
    """A package without the shift, found by the comparison."""
    (folder / "p.txt").write_text(format_result([points(10)], replace(PAIR, first_pixel=0)))
    (folder / "out").mkdir()
    (folder / "p.txt").rename(folder / "out" / "p.txt")
    trial.compare(folder / "out", {Path("p.png"): [points(10)]}, PAIR)


def write_nothing(model: Path, folder: Path, photo: Path) -> None:
    """A package that skips photos without a face although the rules want a guess."""
    (folder / "out").mkdir()
    trial.compare(folder / "out", {Path("p.png"): [points(10)]}, PAIR)


def swap_faces(text: str) -> str:
    half = len(format_result([points(400)], PAIR))
    return text[half:] + text[:half]


def test_a_model_of_more_points_is_told_how_to_leave_some_out(tmp_path: Path) -> None:
    path = tmp_path / "net_fp16.tflite"
    path.write_bytes(b"")
    spec = ModelSpec("net", "ibug68", 68, CropSpec(64))
    told = r"net_fp16\.tflite: ibug68 with 68 points, .* wants inner51 with 51; distill export --scheme inner51 keeps"
    with pytest.raises(SubmissionError, match=told):
        submit._require_points(path, spec, PAIR)
    with pytest.raises(SubmissionError, match=r"wants inner51 with 51$"):
        submit._require_points(path, ModelSpec("net", "wflw98", 98, CropSpec(64)), PAIR)


def test_a_model_of_several_faces_a_call_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"takes 4 faces a call, .* export with --batch 1$"):
        submit._check_model(write_batched_tflite(tmp_path / "b.tflite", 4), PAIR)


# A violation of every rule, and what the one line must say.
VIOLATIONS: dict[str, tuple[Callable[..., None], str]] = {
    "name": (lambda *given: build(*given, name=3), "name is 3; it must be text"),
    "scheme": (lambda *given: build(*given, scheme="ibug68"), "wants ibug68 with 51"),
    "n_points": (lambda *given: build(*given, n_points=68), "wants inner51 with 68"),
    "decimals": (parse_wrong(lambda text: text.replace(".000", ".00")), "with 3 decimals"),
    "order": (parse_wrong(swap_faces), "not ordered right to left"),
    "header": (
        parse_wrong(lambda text: text.replace("version: 1", "version: 1(right one)", 1)),
        "header suffixes are",
    ),
    "first_pixel": (count_from_zero, "differs by 1.000 px"),
    "no_face": (write_nothing, "p.txt is missing"),
    "result": (lambda *given: build(*given, result={"file": "all.txt"}), "missing part 'face' of result"),
    "guess_box": (lambda *given: build(*given, guess_box=None), "guess_box is None"),
    "runtime": (lambda *given: build(*given, runtime="1.13.1"), "does not run on TFLite 1.13.1"),
    "model_name": (lambda *given: build(*given, model_name="../best.tflite"), "model_name is '../best.tflite'"),
    "files": (lambda *given: build(*given, files=["best.tflite", "poster.pdf"]), "asks for poster.pdf"),
    "python": (lambda *given: build(*given, python=["3.1"]), "needs Python 3.1 (ICME 2024 PAIR), which is not on PATH"),
    "forbidden_packages": (lambda *given: build(*given, forbidden_packages=["NumPy"]), "requirements.txt names numpy"),
    "max_zip_bytes": (lambda *given: build(*given, max_zip_bytes=1000), "max_zip_bytes is 1000"),
    "max_model_bytes": (lambda *given: build(*given, max_model_bytes=100), "max_model_bytes is 100"),
    "max_seconds_per_photo": (
        lambda *given: trial.check_speed(1.0, 0.5, "p.png", replace(PAIR, max_seconds_per_photo=0.4)),
        "max_seconds_per_photo is 0.4",
    ),
    "max_seconds_total": (
        lambda *given: trial.check_speed(1.0, 0.5, "p.png", replace(PAIR, max_seconds_total=0.9)),
        "max_seconds_total is 0.9",
    ),
}


def test_the_dry_run_takes_the_newest_python_of_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Python 3.12 and 3.13 a contest that runs 3.10 or 3.11 is tried in 3.11, whose wheels `make setup` fetches."""
    requested: list[list[str]] = []
    monkeypatch.setattr(
        submit, "find_python", lambda versions: requested.append(list(versions)) or "/usr/bin/python3.11"
    )
    rules = replace(PAIR, python=("3.9", "3.11", "3.10"))
    assert submit._allowed_python(rules, None) == "/usr/bin/python3.11"
    assert requested == [["3.11", "3.10", "3.9"]]


def test_a_python_of_another_version_than_the_rules_name_is_refused() -> None:
    here = ".".join(map(str, sys.version_info[:2]))
    with pytest.raises(SubmissionError, match=rf"has Python {here}, .* runs 3.1; name one: --python"):
        submit._allowed_python(replace(PAIR, python=("3.1",)), sys.executable)
    assert submit._allowed_python(replace(PAIR, python=(here,)), sys.executable) == sys.executable


def test_a_confidence_is_not_packaged(model: Path, tmp_path: Path) -> None:
    """Contests ask for the landmarks alone, and the default of an export is a second output."""
    content = read_model(model)
    confidence = Tensor("FLOAT32", (1, 51), "confidence")
    content.main.operators.append(Operator("CUSTOM:confidence", [content.main.outputs[0]], [confidence]))
    content.main.outputs.append(confidence)
    path = tmp_path / "student.tflite"
    path.write_bytes(write_model(content))
    write_sidecar(path, read_sidecar(model))
    with submit._single_output(path, PAIR) as shipped:
        assert shipped.name == path.name
        crop = np.random.default_rng(0).random((1, 64, 64, 3)).astype(np.float32)
        np.testing.assert_array_equal(open_backend(shipped)(crop), open_backend(model)(crop))
        assert submit._check_model(shipped, PAIR)
    with pytest.raises(SubmissionError, match=f"^{path}: t"), submit._single_output(path, PAIR) as shipped:
        raise SubmissionError(f"{shipped}: takes 4 faces a call")
    with submit._single_output(model, PAIR) as shipped:
        assert shipped == model


def test_every_rule_has_a_violation() -> None:
    """A new rule needs one here."""
    assert set(VIOLATIONS) == {field.name for field in fields(Contest)} == set(yaml.safe_load(RULES.read_text()))


@pytest.mark.parametrize("rule", VIOLATIONS)
def test_broken_rules_are_one_line_and_leave_nothing_behind(
    rule: str, model: Path, plain_photo: Path, tmp_path: Path
) -> None:
    violate, message = VIOLATIONS[rule]
    with pytest.raises(DistillError, match=re.escape(message)) as caught:
        violate(model, tmp_path, plain_photo)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "dist").exists() or list((tmp_path / "dist").iterdir()) == []


def test_unknown_rules_and_guesses_without_a_box(model: Path, plain_photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown rule 'max_zip_byte'; did you mean 'max_zip_bytes'") as caught:
        build(model, tmp_path, plain_photo, max_zip_byte=3)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="no guess_box"):
        guess_box(replace(PAIR, guess_box=None), 10, 10)


@pytest.mark.parametrize("kind", ["missing", "wrong hash", "no sidecar", "not a model", "onnx"])
def test_a_wrong_model_is_refused_before_anything_else(
    kind: str, model: Path, plain_photo: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.tflite"
    if kind != "missing":
        own.write_bytes(b"<html>" if kind == "not a model" else model.read_bytes())
        write_sidecar(own, ModelSpec("tiny", "inner51", 51, CropSpec(SIZE)))
    if kind == "wrong hash":
        own.write_bytes(own.read_bytes() + b"x")
    if kind == "no sidecar":
        own.with_suffix(".json").unlink()
    if kind == "onnx":
        own = own.rename(tmp_path / "own.onnx")
    with pytest.raises(DistillError, match="own") as caught:
        build(own, tmp_path, plain_photo)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "dist").exists()


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
    assert paths.pop().name == "torn.jpg"
    counts = {path.stem: len(white_squares(cv2.imread(str(path)))) for path in paths}
    assert counts == {"one": 1, "several": 3, "none": 0}
    with pytest.raises(SubmissionError, match="saw 0 of 100"):
        submit.sample_photos(tmp_path, lambda photo: [])


@pytest.mark.slow
@pytest.mark.parametrize("python", ["", "3.10"])
def test_the_package_runs_in_an_empty_environment(python: str, model: Path, tmp_path: Path) -> None:
    """With the wheels of requirements.txt, in this Python and in the older one that the contest's host had."""
    interpreter = sys.executable if not python else shutil.which(f"python{python}")
    if not WHEELS.is_dir() or (python and not list(WHEELS.glob(f"numpy*cp{python.replace('.', '')}*"))):
        pytest.skip("no wheels for this Python: `make setup` fills .wheels, or set DISTILL_WHEELS")
    try:
        trial.python_version(interpreter or f"python{python}")
    except SubmissionError:
        pytest.skip(f"no python{python} on PATH")
    photos = submit.sample_photos(tmp_path)
    target = tmp_path / "dist" / "submission.zip"
    report = submit.build_submission(model, target, RULES, photos, {"note": "test"}, WHEELS, str(interpreter))
    assert zipfile.is_zipfile(target)
    assert report.dry_run.photos == 4
    assert report.dry_run.faces == 5
    assert report.dry_run.max_px < 0.01
    assert report.dry_run.python.startswith(python or "3.")
    assert json.loads((target.parent / "submission.json").read_text())["sha256"] == report.sha256
    names = {line.split("==")[0].lower() for line in report.dry_run.installed}
    assert names <= {"numpy", "opencv-python-headless", "pillow", "pyyaml", "tflite-runtime", "pip", "setuptools"}
