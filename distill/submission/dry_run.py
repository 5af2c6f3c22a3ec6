"""Run a finished package as a host would: in an environment that holds its requirements and nothing else."""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from distill.contest import Contest, Points, parse_result, right_to_left
from distill.errors import SubmissionError

_INSTALL_SECONDS = 300
_START_SECONDS = 60
_SECONDS_PER_PHOTO = 10
# Three decimals round by 0.0005; the rest is room for another release of the runtime.
TOLERANCE_PX = 0.05


@dataclass(frozen=True)
class DryRun:
    """What a dry run showed.

    Attributes:
        photos, faces: how many were read and found.
        max_px: greatest difference to the prediction made here, in photo pixels.
        seconds: of the run alone, start included.
        python: version that ran it.
        installed: distributions of the environment, as pip lists them.
    """

    photos: int
    faces: int
    max_px: float
    seconds: float
    python: str
    installed: tuple[str, ...]


def _call(command: Sequence[str | Path], what: str, seconds: float, **options: object) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False, **options)  # type: ignore[call-overload]
    except subprocess.TimeoutExpired as error:
        raise SubmissionError(f"dry run: {what} took more than {seconds:.0f} s") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise SubmissionError(f"dry run: {what} failed with status {done.returncode}: {last[0]}")
    return str(done.stdout)


def make_environment(folder: Path, requirements: Path, wheels: Path | None) -> Path:
    """Make a virtual environment with these requirements alone; return its interpreter."""
    _call([sys.executable, "-m", "venv", folder], "making a virtual environment", _INSTALL_SECONDS)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    source = ["--no-index", "--find-links", str(wheels.resolve())] if wheels else []
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *source,
        "-r",
        requirements,
    ]
    hidden = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    _call(install, "installing requirements.txt", _INSTALL_SECONDS, env=hidden)
    return python


def run_package(package: Path, python: Path, photos: Sequence[Path], output: Path, seconds: float) -> float:
    """Call `python run_model.py image_list.txt OUTPUT` with an empty environment, elsewhere; return seconds."""
    elsewhere = output.parent / "elsewhere"
    elsewhere.mkdir()
    image_list = elsewhere / "image list.txt"
    image_list.write_text("".join(f"{photo.resolve()}\n" for photo in photos), encoding="utf-8")
    start = time.perf_counter()
    command = [python, package / "run_model.py", image_list, output]
    _call(command, "run_model.py", seconds, cwd=elsewhere, env={"HOME": str(elsewhere)})
    return time.perf_counter() - start


def compare(output: Path, expected: Mapping[Path, Sequence[Points]], contest: Contest) -> tuple[int, float]:
    """Compare result files with the faces predicted here (photo -> points (k, 2)).

    Returns:
        the number of faces and the greatest difference in photo pixels.

    Raises:
        SubmissionError: a file is missing, breaks a rule, or holds other faces.
    """
    wanted = {f"{photo.stem}.txt" for photo, faces in expected.items() if faces or contest.no_face != "skip"}
    written = {path.name for path in output.iterdir()} if output.is_dir() else set()
    for name in sorted(wanted ^ written):
        state = "missing" if name in wanted else "not asked for"
        raise SubmissionError(f"dry run: result {name} is {state}")
    count, greatest = 0, 0.0
    for photo, faces in expected.items():
        if f"{photo.stem}.txt" not in wanted:
            continue
        found = parse_result((output / f"{photo.stem}.txt").read_text(encoding="utf-8"), contest, photo.name)
        if len(found) != len(faces):
            raise SubmissionError(f"dry run: {photo.name} has {len(found)} faces in the package, {len(faces)} here")
        for ours, theirs in zip(right_to_left(faces), found, strict=True):
            distance = float(np.abs(ours - theirs).max())
            count, greatest = count + 1, max(greatest, distance)
            if distance > TOLERANCE_PX:
                raise SubmissionError(f"dry run: {photo.name} differs by {distance:.3f} px, allowed {TOLERANCE_PX}")
    return count, greatest


def dry_run(
    package_zip: Path, expected: Mapping[Path, Sequence[Points]], contest: Contest, wheels: Path | None
) -> DryRun:
    """Install, unpack, run and compare a package.

    Args:
        package_zip: the finished package.
        expected: photo -> faces (k, 2) in photo pixels, as predicted here.
        contest: the rules.
        wheels: folder with the wheels of requirements.txt; None asks the package index.

    Raises:
        SubmissionError: it cannot be installed or run, is too slow, or gives other results than expected.
    """
    photos = list(expected)
    with tempfile.TemporaryDirectory(prefix="distill-dry-run-") as name:
        folder = Path(name).resolve()
        package, output = folder / "package", folder / "results"
        with zipfile.ZipFile(package_zip) as archive:
            archive.extractall(package)
        python = make_environment(folder / "env", package / "requirements.txt", wheels)
        limit = _START_SECONDS + len(photos) * (contest.max_seconds_per_photo or _SECONDS_PER_PHOTO)
        seconds = run_package(package, python, photos, output, limit)
        faces, greatest = compare(output, expected, contest)
        listed = _call([python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"], "pip list", 60)
    version = ".".join(map(str, sys.version_info[:3]))
    return DryRun(len(photos), faces, greatest, seconds, version, tuple(listed.split()))
