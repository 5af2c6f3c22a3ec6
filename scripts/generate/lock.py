"""Write requirements.lock and scripts/torch.lock: exact versions, with hashes, for Python 3.11 to 3.13.

Usage: make lock, after changing versions in .venv and running the tests. Needs uv (`pip install uv`). The versions of
the packages in .venv are kept; for other versions of Python uv adds what they need. torch and torchvision have other
files, and hashes, for every kind of device, so that they are pinned apart, without hashes.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from distill.files import write_text

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
TORCH_LOCK = ROOT / "scripts" / "torch.lock"
PROJECT = "distill-landmarks"
EXTRAS = ("runtime", "heic", "train", "track", "sweep", "convert", "old-runtime", "peers", "docs", "dev")
OLDEST_PYTHON = "3.11"
# A build of torch brings its own libraries: those of CUDA, or none.
WITH_TORCH = ("torch", "torchvision")
LEFT_TO_TORCH = ("nvidia-", "cuda-", "triton")
HEADER = """\
# Exact versions and hashes for Python 3.11, 3.12 and 3.13; torch and torchvision are in scripts/torch.lock.
# Made by `make lock`, which keeps the versions in .venv. To change one: .venv/bin/pip install NAME==VERSION, make test,
# make lock.
"""
TORCH_HEADER = """\
# Versions of torch; without a local version and hashes, as the CPU and the CUDA builds both satisfy them.
"""

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==")


def installed(name: str = PROJECT, extras: Iterable[str] = EXTRAS) -> dict[str, str]:
    """Return {package: version} of what a package with extras needs in this environment, itself left out."""
    pins: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    todo = [(name, frozenset(extras))]
    while todo:
        package, wanted = todo.pop()
        if (package, wanted) in done:
            continue
        done.add((package, wanted))
        distribution = metadata.distribution(package)
        pins[package] = distribution.version.partition("+")[0]
        for line in distribution.requires or []:
            need = Requirement(line)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in (wanted or {""})):
                continue
            needed = canonicalize_name(need.name)
            if not needed.startswith(LEFT_TO_TORCH):
                todo.append((needed, frozenset(need.extras)))
    del pins[name]
    return pins


def compile_lock(pins: dict[str, str]) -> str:
    """Return the pins of every Python version with their hashes; those of this environment are kept.

    Raises:
        SystemExit: uv is missing or finds no solution.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("lock: uv is missing; run `pip install uv`")
    with tempfile.TemporaryDirectory() as folder:
        # uv prefers the versions that stand in its output file.
        out = Path(folder) / LOCK.name
        out.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
        command = [uv, "pip", "compile", "-q", str(ROOT / "pyproject.toml"), "-o", str(out)]
        command += ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes"]
        command += ["--no-annotate", "--no-header", *(word for extra in EXTRAS for word in ("--extra", extra))]
        if subprocess.run(command).returncode:
            raise SystemExit("lock: uv found no versions that fit together")
        return out.read_text()


def entries(text: str) -> dict[str, list[str]]:
    """Return the entries of a lock, package -> its entries with their hashes; one each where versions differ."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if pin := _PIN.match(line):
            found.setdefault(canonicalize_name(pin[1]), []).append(line)
            name = canonicalize_name(pin[1])
        elif line.startswith("    ") and found:
            found[name][-1] += f"\n{line}"
    return found


def main() -> None:
    """Write both files."""
    found = entries(compile_lock(installed()))
    plain = [" ".join(entry.split(" \\\n")[:1]) for name in WITH_TORCH for entry in found.pop(name)]
    kept = [entry for name, many in found.items() if not name.startswith(LEFT_TO_TORCH) for entry in many]
    write_text(LOCK, HEADER + "\n".join(kept) + "\n")
    write_text(TORCH_LOCK, TORCH_HEADER + "\n".join(plain) + "\n")


if __name__ == "__main__":
    main()
