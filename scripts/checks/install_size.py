"""Install the wheel with `[runtime]` into fresh environments and predict in an empty folder.

`install_size.py PYTHON ...`: PYTHON are interpreters. Each gets an environment with numpy 1 and one with numpy 2;
numpy 1 has no wheel for 3.13. The size is what the installation adds to an environment that has pip alone; the times
are those of `distill --version` and of the first prediction. Writes results/checks/install_size.json.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.provenance import write_result
from distill.submission.samples import sample_photos
from scripts.studies.common.marked_blocks import ROOT

RESULT = "results/checks/install_size.json"
LIMIT_MB = 350
# ml_dtypes 0.6 needs numpy 2, and 0.5 takes 15 MB more than 0.4.
NUMPY_1, NUMPY_2 = ("numpy<2", "ml_dtypes<0.5"), ("numpy>=2",)
# The first release with wheels for Python 3.13 is 2.1.
WITHOUT_NUMPY_1 = "3.13."


def size_mb(folder: Path) -> float:
    """Return the size of all files below a folder in units of 10^6 bytes; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()) / 1e6


def build_wheel(folder: Path) -> Path:
    """Build the wheel of the checkout."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-qq",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def timed(command: list[str], folder: Path) -> float:
    """Run a command in an empty environment and folder; return its seconds."""
    started = time.monotonic()
    subprocess.run(command, check=True, cwd=folder, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def environments(pythons: Sequence[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield interpreter and requirements of numpy of each environment."""
    for python in pythons:
        number = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
        versions = (NUMPY_2,) if number.startswith(WITHOUT_NUMPY_1) else (NUMPY_1, NUMPY_2)
        yield from ((python, numpy) for numpy in versions)


def measure(python: str, numpy: Sequence[str], wheel: Path, photo: Path, folder: Path) -> dict[str, Any]:
    """Return sizes and times of one environment."""
    # PYTHONPATH would show pip the checkout as an installed package.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([python, "-m", "venv", str(folder / "env")], check=True, env=clean)
    interpreter = folder / "env" / "bin" / "python"
    before = size_mb(folder / "env")
    install = [str(interpreter), "-m", "pip", "install", "-qq", "--only-binary", ":all:", f"{wheel}[runtime]", *numpy]
    subprocess.run(install, check=True, env=clean)
    empty = folder / "empty"
    empty.mkdir()
    distill = str(interpreter.with_name("distill"))
    version = timed([distill, "--version"], empty)
    predict = timed([distill, "predict", str(photo), "--draw", "out", "--json", "points.json"], empty)
    packages = subprocess.run(
        [str(interpreter), "-m", "pip", "freeze"], capture_output=True, text=True, check=True
    ).stdout
    number = subprocess.run([str(interpreter), "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {
        "python": number,
        "numpy": packages.partition("numpy==")[2].split()[0],
        "mb": round(size_mb(folder / "env") - before, 1),
        "version_seconds": round(version, 2),
        "predict_seconds": round(predict, 2),
        "drawn": len(list((empty / "out").iterdir())),
        "packages": [line for line in packages.splitlines() if not line.startswith("distill")],
    }


def main() -> None:
    """Measure every interpreter, compare with the limit, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("python", nargs="+")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photo = sample_photos(folder)[0]
        wheel = build_wheel(folder)
        wheel_mb = round(wheel.stat().st_size / 1e6, 2)
        rows = []
        for index, (python, numpy) in enumerate(environments(options.python)):
            environment = folder / str(index)
            environment.mkdir()
            rows.append(measure(python, numpy, wheel, photo, environment))
            shutil.rmtree(environment)
    write_result(ROOT / RESULT, {"wheel_mb": wheel_mb, "limit_mb": LIMIT_MB, "environments": rows})
    if max(row["mb"] for row in rows) > LIMIT_MB:
        raise SystemExit(f"an environment is larger than {LIMIT_MB} MB")


if __name__ == "__main__":
    main()
