"""A dry run that accepts anything would prove nothing: each way to fail, by name."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.errors import SubmissionError
from distill.inference.landmarker import Landmarker
from distill.submission import dry_run as trial
from distill.submission.contest_rules import Contest, load_contest
from distill.submission.package_runtime import package_runtime
from distill.submission.run_model import attempt
from tests.submission.conftest import RULES
from tests.support.environments import FOLDERS, make_linked_environment

PAIR = load_contest(RULES)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_linked_environment(tmp_path_factory.mktemp("environment"))


def test_a_whole_package_passes(
    whole_package: Path, model: Path, sample_folder: Path, python: Path, tmp_path: Path
) -> None:
    """The real run, with tflite-runtime instead of LiteRT: one, three, no face, half a file."""
    pytest.importorskip("tflite_runtime")
    photos = sorted(sample_folder.iterdir())
    with package_runtime():
        landmarker = Landmarker(model)
    expected = {photo: attempt(photo, landmarker, PAIR).faces for photo in photos}
    assert [len(faces) for faces in expected.values()] == [1, 1, 3, 0]
    trial.check_modules(whole_package, python, PAIR)
    seconds, slowest, name = trial.run_package(whole_package, python, photos, tmp_path / "results", 120)
    assert 0 < slowest < seconds
    assert name in {photo.name for photo in photos}
    faces, greatest = trial.compare(tmp_path / "results", expected, PAIR)
    assert faces == 5
    assert greatest < 0.01


@pytest.mark.parametrize(
    ("module", "distribution"),
    [("yaml", "pyyaml"), ("tflite_runtime", "tflite-runtime"), ("PIL", "pillow"), ("cv2", "opencv-python-headless")],
)
def test_a_missing_package_is_named(whole_package: Path, tmp_path: Path, module: str, distribution: str) -> None:
    """The users' 0.0: one package was not in requirements.txt, and the host's log was never shown."""
    python = make_linked_environment(tmp_path / "environment", without=module)
    with pytest.raises(SubmissionError, match=f"dry run: {distribution} is missing or broken") as caught:
        trial.check_modules(whole_package, python, PAIR)
    assert "\n" not in str(caught.value)


def test_a_package_that_does_not_import_is_named(whole_package: Path, tmp_path: Path) -> None:
    """The full OpenCV wants libGL, which servers lack: installed and still unusable."""
    python = make_linked_environment(tmp_path / "environment", without="cv2")
    (site,) = (tmp_path / "environment").glob("lib/python*/site-packages")
    (site / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    with pytest.raises(SubmissionError, match=r"opencv-python-headless is .* libGL\.so\.1"):
        trial.check_modules(whole_package, python, PAIR)


def test_every_requirement_has_a_linked_module(whole_package: Path) -> None:
    """Catches a new requirement that the environments of these tests would not have."""
    sources = {path.name: path.read_text() for path in whole_package.rglob("*.py")}
    assert set(trial.required_modules(sources, PAIR.oldest_python)) == set(FOLDERS)


def test_compare_tells_what_differs(tmp_path: Path) -> None:
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
    wrong = {
        "1 faces in the package, 2 here": block.format("91.000"),
        r"differs by 0\.200 px": block.format("91.000") + block.format("11.200"),
        "not ordered right to left": block.format("11.000") + block.format("91.000"),
        "with 3 decimals": block.format("91.0") + block.format("11.0"),
        # From 0 instead of 1: every point one pixel off.
        r"differs by 1\.000 px": (block.format("90.000") + block.format("10.000")).replace("21.", "20."),
        "does not start a face block": "",
    }
    for message, text in wrong.items():
        result.write_text(text or "nothing")
        with pytest.raises(SubmissionError, match=message):
            trial.compare(tmp_path, here, rules)
    (tmp_path / "extra.txt").touch()
    with pytest.raises(SubmissionError, match="not requested"):
        trial.compare(tmp_path, here, rules)


@pytest.mark.parametrize(("policy", "message"), [("skip", "not requested"), ("empty", "missing")])
def test_no_face_policy_is_compared(tmp_path: Path, policy: str, message: str) -> None:
    if policy == "skip":
        (tmp_path / "p.txt").touch()
    with pytest.raises(SubmissionError, match=f"p.txt is {message}"):
        trial.compare(tmp_path, {Path("p.png"): []}, replace(PAIR, no_face=policy))


def stub_package(folder: Path, code: str) -> Path:
    folder.mkdir()
    (folder / "run_model.py").write_text(code)
    return folder


FAILING = {
    "status 1: ModuleNotFoundError: No module named 'scipy'": "import scipy",
    "status 3": "import sys; sys.exit(3)",
    "more than 1 s": "import time; time.sleep(60)",
    "summary line": "print('done')",
    "status -6": "import os; os.abort()",
}


@pytest.mark.parametrize("message", FAILING)
def test_a_failing_run_is_one_line(tmp_path: Path, python: Path, message: str) -> None:
    package = stub_package(tmp_path / "package", FAILING[message])
    with pytest.raises(SubmissionError, match=message) as caught:
        trial.run_package(package, python, [tmp_path / "a.png"], tmp_path / "out", 1 if "1 s" in message else 60)
    assert "\n" not in str(caught.value)


def limits(per_photo: float | None, total: float | None) -> Contest:
    return replace(PAIR, max_seconds_per_photo=per_photo, max_seconds_total=total)


def test_time_limits() -> None:
    trial.check_speed(5.0, 0.4, "a.png", limits(0.4, 5.0))
    trial.check_speed(9e9, 9e9, "a.png", limits(None, None))
    with pytest.raises(SubmissionError, match=r"a\.png took 0\.401 s, max_seconds_per_photo is 0\.4"):
        trial.check_speed(5.0, 0.401, "a.png", limits(0.4, 5.0))
    with pytest.raises(SubmissionError, match=r"took 5\.1 s, max_seconds_total is 5"):
        trial.check_speed(5.1, 0.4, "a.png", limits(0.4, 5.0))
    # A run is killed later than the limit, so that the error can name what was slow.
    assert trial.time_limit(3, limits(20, None)) == 120
    assert trial.time_limit(3, limits(None, 1000)) == 1000


def test_distributions_on_pythonpath_are_not_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "elsewhere-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = trial.listed(Path(sys.executable))
    assert any(line.startswith("numpy==") for line in found)
    assert "elsewhere==1.0" not in found


def test_forbidden_packages_are_found_however_they_are_written() -> None:
    rules = replace(PAIR, forbidden_packages=("Tensor_Flow", "torch"))
    trial.check_installed(["numpy==1.26.4", "torchmetrics==1.0"], rules)
    trial.check_installed(["torch==2.0"], PAIR)
    for line in ("tensor-flow==2.19", "torch==2.13.0+cpu", "Torch==1.0"):
        with pytest.raises(SubmissionError, match="is installed, forbidden_packages"):
            trial.check_installed([line], rules)


def test_interpreters_that_are_none(tmp_path: Path) -> None:
    assert trial.python_version(sys.executable) == ".".join(map(str, sys.version_info[:3]))
    broken = tmp_path / "python3.10"
    printed = "pyenv: python3.10: command not found\n\nNote: See pyenv help global\n"
    broken.write_text(f"#!/bin/sh\necho '{printed}' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(SubmissionError, match=r"status 127: pyenv: python3\.10: command not found$"):
        trial.python_version(broken)
    with pytest.raises(SubmissionError, match=r"python9\.9 cannot be started \(No such file"):
        trial.python_version("python9.9")


def test_an_installation_that_fails_names_python_and_folder(tmp_path: Path) -> None:
    """Wheels of another Python, or none: pip's own last line does not say for which one it looked."""
    (tmp_path / "requirements.txt").write_text("numpy<2\n")
    with pytest.raises(SubmissionError, match=r"from .*wheels for Python 3\.\d+\.\d+ failed with .* found for numpy"):
        trial.make_environment(tmp_path / "env", tmp_path / "requirements.txt", tmp_path / "wheels")


@pytest.mark.parametrize(("python", "has_pip"), [(sys.executable, False), ("python3.9", True)])
def test_without_a_pip_for_it_the_environment_has_its_own(
    python: str, has_pip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(trial, "_has_pip", lambda _: has_pip)
    monkeypatch.setattr(trial, "_call", lambda command, *_, **__: commands.append([*map(str, command)]) or "3.9.1")
    inside = str(trial.make_environment(tmp_path / "env", tmp_path / "requirements.txt", None, python))
    assert commands[0] == [python, "-m", "venv", str(tmp_path / "env")]
    assert commands[-1][:4] == [inside, "-m", "pip", "install"]


@pytest.mark.parametrize(("answer", "expected"), [("pip 22.3 from x", True), ("pip 21.3 from x", False), ("", False)])
def test_a_pip_that_cannot_install_elsewhere_is_none(
    answer: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_call", lambda *_, **__: answer)
    assert trial._has_pip({}) is expected


def test_no_pip_is_none(tmp_path: Path) -> None:
    """One that this process finds by PYTHONPATH alone is not there for the commands of the dry run."""
    environment = {"PATH": "", "PYTHONHOME": str(tmp_path)}  # Python does not start
    assert not trial._has_pip(environment)
