"""Run a finished package as a host would: in an environment that holds its requirements and nothing else."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.errors import SubmissionError
from distill.submission.contest_rules import Contest, Points, ordered, parse_photos, parse_result, result_name
from distill.submission.requirements import canonical, required_modules
from distill.system.processes import ending_with_parent

_INSTALL_SECONDS = 300
_START_SECONDS = 60
_SECONDS_PER_PHOTO = 10
# Three decimals round by 0.0005; the rest is room for another build of the same runtime.
TOLERANCE_PX = 0.05
# Prints what fails to import, as JSON {module: reason}.
_PROBE = """
import importlib, json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = " ".join(str(error).split())
print(json.dumps(failed))
"""
_LIST = """
from importlib.metadata import distributions
print(*sorted({f"{found.metadata['Name']}=={found.version}" for found in distributions()}))
"""
# Variables by which packages are read from or written to another place than the environment.
_ELSEWHERE = ("PYTHON", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER")
# The first with `--python`.
_PIP = (22, 3)


@dataclass(frozen=True)
class DryRun:
    """What a dry run showed.

    Attributes:
        photos, faces: how many were read and found.
        max_px: greatest difference to the prediction made here, in photo pixels.
        seconds: of the run alone, start included.
        slowest: seconds of the slowest photo.
        python: version that ran it.
        installed: distributions of the environment, each `name==version`.
    """

    photos: int
    faces: int
    max_px: float
    seconds: float
    slowest: float
    python: str
    installed: tuple[str, ...]


def _call(command: Sequence[str | Path], what: str, seconds: float, shown: int = -1, **options: object) -> str:
    """Run a command and return what it prints; of one that fails, the message has the line `shown` of its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired as error:
        raise SubmissionError(f"dry run: {what} took more than {seconds:.0f} s") from error
    except OSError as error:
        raise SubmissionError(f"dry run: {what}: {command[0]} cannot be started ({error.strerror})") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise SubmissionError(f"dry run: {what} failed with status {done.returncode}: {lines[shown]}")
    return str(done.stdout)


def python_version(python: str | Path) -> str:
    """Return the version of an interpreter, such as 3.10.13.

    Raises:
        SubmissionError: it is not there or does not start.
    """
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    # The last lines of a shim of pyenv are a note on its settings.
    return _call([python, "-c", code], f"starting {python}", 60, shown=0).strip()


def make_environment(
    folder: Path, requirements: Path, wheels: Path | None, python: str | Path = sys.executable
) -> Path:
    """Make a virtual environment of `python` with these requirements alone; return its interpreter."""
    # Not a link to an environment's own packages, nor a user's: only what requirements.txt brings.
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(_ELSEWHERE)}
    # A pip in the environment takes half of the time, and is needed for another Python than the one that has ours.
    ours = str(python) == sys.executable and _has_pip(hidden)
    without = ["--without-pip"] if ours else []
    _call([python, "-m", "venv", *without, folder], "making a virtual environment", _INSTALL_SECONDS, env=hidden)
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", inside] if ours else [inside, "-m", "pip"]
    source = ["--no-index", "--find-links", str(wheels.resolve())] if wheels else []
    what = f"installing requirements.txt{f' from {wheels}' if wheels else ''} for Python {python_version(inside)}"
    # What is imported is compiled by `check_modules`.
    options = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    _call([*pip, "install", *options, *source, "-r", requirements], what, _INSTALL_SECONDS, env=hidden)
    return inside


def _has_pip(environment: Mapping[str, str]) -> bool:
    """Whether this Python, with these variables, has a pip that installs into another environment."""
    try:
        answer = _call([sys.executable, "-m", "pip", "--version"], "starting pip", _START_SECONDS, env=environment)
        return tuple(map(int, answer.split()[1].split(".")[:2])) >= _PIP
    except (SubmissionError, IndexError, ValueError):
        return False


def check_modules(package: Path, python: Path, contest: Contest) -> None:
    """Import in the environment whatever the packaged files import from outside.

    Raises:
        SubmissionError: naming the distribution that is missing or does not work.
    """
    sources = {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    modules = required_modules(sources, contest.oldest_python)
    answer = _call([python, "-c", _PROBE, *sorted(modules)], "importing the requirements", 60, env={})
    for module, reason in json.loads(answer.splitlines()[-1]).items():
        raise SubmissionError(
            f"dry run: {modules[module]} is missing or broken (import {module}: {reason}); fix requirements.txt"
        )


def listed(python: Path) -> tuple[str, ...]:
    """Return the distributions of an environment (`name==version`), not those that PYTHONPATH adds."""
    return tuple(_call([python, "-I", "-c", _LIST], "listing its distributions", 60).split())


def check_installed(installed: Sequence[str], contest: Contest) -> None:
    """Hold the installed distributions (`name==version`) against the forbidden ones.

    Raises:
        SubmissionError: naming the first that is forbidden.
    """
    names = {canonical(line.partition("==")[0]) for line in installed}
    for name in contest.forbidden_packages or ():
        if canonical(name) in names:
            raise SubmissionError(f"dry run: {name} is installed, forbidden_packages of {contest.name} lists it")


def time_limit(photos: int, contest: Contest) -> float:
    """Return after how many seconds a run is killed: generous, because `check_speed` judges a finished run."""
    each = max(contest.max_seconds_per_photo or 0, _SECONDS_PER_PHOTO)
    return max(contest.max_seconds_total or 0, _START_SECONDS + photos * each)


def check_speed(seconds: float, slowest: float, photo: str, contest: Contest) -> None:
    """Hold the time of a run and of its slowest photo against the limits.

    Raises:
        SubmissionError: naming the limit.
    """
    if contest.max_seconds_per_photo is not None and slowest > contest.max_seconds_per_photo:
        limit = f"max_seconds_per_photo is {contest.max_seconds_per_photo:g}"
        raise SubmissionError(f"dry run: {photo} took {slowest:.3f} s, {limit}; use a smaller model")
    if contest.max_seconds_total is not None and seconds > contest.max_seconds_total:
        limit = f"max_seconds_total is {contest.max_seconds_total:g}"
        raise SubmissionError(f"dry run: the run took {seconds:.1f} s, {limit}; use a smaller model")


def run_package(
    package: Path, python: Path, photos: Sequence[Path], output: Path, seconds: float
) -> tuple[float, float, str]:
    """Call `python run_model.py image_list.txt OUTPUT` with an empty environment, elsewhere.

    Returns:
        seconds of the run, seconds of its slowest photo, and that photo's name.
    """
    elsewhere = output.parent / "elsewhere"
    elsewhere.mkdir()
    image_list = elsewhere / "image list.txt"
    image_list.write_text("".join(f"{photo.resolve()}\n" for photo in photos), encoding="utf-8")
    start = time.perf_counter()
    command = ending_with_parent([str(python), str(package / "run_model.py"), str(image_list), str(output)])
    printed = _call(command, "run_model.py", seconds, cwd=elsewhere, env={"HOME": str(elsewhere)})
    whole = time.perf_counter() - start
    found = re.search(r"slowest ([\d.]+) s (.*)", printed)
    if found is None:
        raise SubmissionError("dry run: run_model.py did not end with its summary line; is it this project's?")
    return whole, float(found[1]), found[2]


def compare(output: Path, expected: Mapping[Path, Sequence[Points]], contest: Contest) -> tuple[int, float]:
    """Compare result files with the faces predicted here (photo -> points (k, 2)).

    Returns:
        the number of faces and the greatest difference in photo pixels.

    Raises:
        SubmissionError: a file is missing, breaks a rule, or holds other faces.
    """
    if contest.result and not contest.result.per_photo:
        return _compare_together(output, expected, contest)
    wanted = {
        result_name(contest, photo.stem) for photo, faces in expected.items() if faces or contest.no_face != "skip"
    }
    written = {path.name for path in output.iterdir()} if output.is_dir() else set()
    for name in sorted(wanted ^ written):
        state = "missing" if name in wanted else "not requested"
        raise SubmissionError(f"dry run: result {name} is {state}")
    count, greatest = 0, 0.0
    for photo, faces in expected.items():
        name = result_name(contest, photo.stem)
        if name in wanted:
            found = parse_result((output / name).read_text(encoding="utf-8"), contest, photo.name)
            count, greatest = count + len(found), max(greatest, _distance(photo, faces, found, contest))
    return count, greatest


def _compare_together(output: Path, expected: Mapping[Path, Sequence[Points]], contest: Contest) -> tuple[int, float]:
    """Compare the one result file of all photos, as `compare`."""
    assert contest.result is not None
    path = output / result_name(contest, "")
    if not path.is_file():
        raise SubmissionError(f"dry run: result {path.name} is missing")
    stated = parse_photos(path.read_text(encoding="utf-8"), contest, path.name)
    count, greatest = 0, 0.0
    for photo, faces in expected.items():
        words = contest.result.words(photo.name)
        found = stated.pop(words["photo"], None) or stated.pop(words["name"], [])
        count, greatest = count + len(found), max(greatest, _distance(photo, faces, found, contest))
    if stated:
        raise SubmissionError(f"dry run: {path.name} has faces of {min(stated)}, which is not among the photos")
    return count, greatest


def _distance(photo: Path, here: Sequence[Points], found: Sequence[Points], contest: Contest) -> float:
    """Return the greatest difference between the faces of a photo here and in the package, in pixels.

    Raises:
        SubmissionError: another number of faces, or more than `TOLERANCE_PX`.
    """
    if len(found) != len(here):
        raise SubmissionError(f"dry run: {photo.name} has {len(found)} faces in the package, {len(here)} here")
    pairs = zip(ordered(here, contest.order), found, strict=True)
    distances = [float(np.abs(ours - written).max()) for ours, written in pairs]
    for distance in distances:
        if distance > TOLERANCE_PX:
            raise SubmissionError(f"dry run: {photo.name} differs by {distance:.3f} px, allowed {TOLERANCE_PX}")
    return max(distances, default=0.0)


def dry_run(
    package_zip: Path,
    expected: Mapping[Path, Sequence[Points]],
    contest: Contest,
    wheels: Path | None,
    python: str | Path = sys.executable,
) -> DryRun:
    """Install, unpack, run and compare a package.

    Args:
        package_zip: the finished package.
        expected: photo -> faces (k, 2) in photo pixels, as predicted here.
        contest: the rules.
        wheels: folder with the wheels of requirements.txt; None asks the package index.
        python: interpreter the environment is made of.

    Raises:
        SubmissionError: it cannot be installed or run, is too slow, or gives other results than expected.
    """
    photos = list(expected)
    with tempfile.TemporaryDirectory(prefix="distill-dry-run-") as name:
        folder = Path(name).resolve()
        package, output = folder / "package", folder / "results"
        with zipfile.ZipFile(package_zip) as archive:
            archive.extractall(package)
        inside = make_environment(folder / "env", package / "requirements.txt", wheels, python)
        installed = listed(inside)
        check_installed(installed, contest)
        check_modules(package, inside, contest)
        limit = time_limit(len(photos), contest)
        seconds, slowest, photo = run_package(package, inside, photos, output, limit)
        check_speed(seconds, slowest, photo, contest)
        faces, greatest = compare(output, expected, contest)
        release = python_version(inside)
    return DryRun(len(photos), faces, greatest, seconds, slowest, release, installed)
