"""Environments of the tests: of links to the packages the tests run with, and those that `make setup` makes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from distill.environments import ENVIRONMENTS, find_environment
from distill.export.config import Lane

# What requirements.txt brings, by module: folders of site-packages, with the shared libraries beside them.
FOLDERS = {
    "numpy": ("numpy", "numpy.libs"),
    "cv2": ("cv2", "opencv_python_headless.libs"),
    "PIL": ("PIL", "pillow.libs"),
    "yaml": ("yaml", "_yaml"),
    "tflite_runtime": ("tflite_runtime",),
}


def make_linked_environment(folder: Path, without: str = "") -> Path:
    """Return the interpreter of a new environment with the modules of the requirements but one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    (target,) = folder.glob("lib/python*/site-packages")
    source = Path(numpy.__file__).parents[1]
    for module, names in FOLDERS.items():
        for name in names if module != without else ():
            if (source / name).is_dir():
                (target / name).symlink_to(source / name)
    return folder / "bin" / "python"


def environment_variables() -> dict[str, str]:
    """Return the variables by which a process with another home folder finds the environments of `make setup`."""
    found = {environment.variable: find_environment(name) for name, environment in ENVIRONMENTS.items()}
    return {variable: python for variable, python in found.items() if python}


def present_lane() -> Lane:
    """Return the lane whose environment is there, the modern one first; skip the test without any."""
    for lane in ("modern", "classic"):
        if find_environment(lane):
            return lane  # type: ignore[return-value]
    pytest.skip("no converter: `make setup` makes the environments of the lanes")


def require_lane(lane: Lane) -> str:
    """Return the Python of a lane; skip the test if its environment is not there."""
    python = find_environment(lane)
    if python is None:
        pytest.skip(f"no {lane} converter: `make setup` makes the environments of the lanes")
    return python


def run_tensorflow(code: str, *arguments: str) -> None:
    """Run code in the Python of the classic lane, which has TensorFlow; skip the test without one."""
    command = [require_lane("classic"), "-c", code, *arguments]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False, env=kept)
    assert done.returncode == 0, done.stderr[-2000:]
