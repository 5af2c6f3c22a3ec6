"""Find an interpreter of a given version of Python: this one, on PATH, of pyenv, or of uv."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from distill.system.processes import ending_with_parent

_SECONDS = 30
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def find_python(versions: Sequence[str]) -> str | None:
    """Return an interpreter of the first of these versions that is installed, such as 3.12; None without any.

    Args:
        versions: minor versions, the preferred one first. This interpreter is taken before any other.
    """
    if f"{sys.version_info[0]}.{sys.version_info[1]}" in versions:
        return sys.executable
    for version in versions:
        for candidate in _candidates(version):
            if python_version(candidate) == version:
                return candidate
    return None


def _candidates(version: str) -> Iterator[str]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path  # of pyenv it may be a shim that only prints an error
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True))
    uv = shutil.which("uv")
    if uv:
        found = _output([uv, "python", "find", "--no-python-downloads", version])
        if found:
            yield found


@cache
def python_version(python: str) -> str | None:
    """Return the minor version of an interpreter, such as 3.12, or None if it does not start."""
    return _output([python, "-c", _VERSION])


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(ending_with_parent(command), capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
