"""Find an environment that exists: one that was named, the cached one, or this interpreter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from distill.environments.known import ENVIRONMENTS, Environment
from distill.errors import ConfigError
from distill.files import cache_folder
from distill.system.processes import ending_with_parent

# Written last: a folder without it was not finished.
COMPLETE = ".complete"
_SECONDS = 60
_PROBE = """
import sys
from importlib import metadata
for pair in sys.argv[1:]:
    name, _, wanted = pair.partition("==")
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = "none"
    if found != wanted:
        sys.exit(f"{name} {wanted} is needed, found {found}")
"""


def find_environment(name: str, chosen: str | Path | None = None) -> str | None:
    """Return the interpreter of an environment, or None where it was not made yet.

    The first of: `chosen`, the environment variable of `ENVIRONMENTS`, the cache, and this interpreter if it has the
    packages.

    Args:
        name: in `ENVIRONMENTS`.
        chosen: an interpreter, or the folder of a virtual environment.

    Raises:
        ConfigError: what was chosen lacks the packages.
    """
    environment = ENVIRONMENTS[name]
    named = chosen or os.environ.get(environment.variable)
    if named:
        python = _interpreter(Path(named))
        problem = _missing(python, tuple(environment.packages.items()))
        if problem:
            source = "--environment" if chosen else environment.variable
            raise ConfigError(f"{source} {named}: {problem}; install {environment.lock} there with pip")
        return python
    made = folder_of(environment)
    if (made / COMPLETE).is_file():
        return _interpreter(made)
    return sys.executable if has_packages(environment.packages) else None


def folder_of(environment: Environment) -> Path:
    """Return where an environment lies in the cache."""
    return cache_folder() / "environments" / environment.key


def _interpreter(path: Path) -> str:
    """Return the interpreter of an environment's folder; not resolved, which would lead out of the environment."""
    return str(path / "bin" / "python") if path.is_dir() else str(path)


def has_packages(packages: Mapping[str, str]) -> bool:
    """Whether this interpreter has all packages in these versions."""
    try:
        return all(metadata.version(name) == version for name, version in packages.items())
    except metadata.PackageNotFoundError:
        return False


@cache
def _missing(python: str, packages: tuple[tuple[str, str], ...]) -> str | None:
    """Return what another interpreter lacks, or None."""
    if shutil.which(python) is None:
        return "this Python does not start (no such program)"
    wanted = [f"{name}=={version}" for name, version in packages]
    try:
        command = ending_with_parent([python, "-c", _PROBE, *wanted])
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"this Python does not start ({error})"
    return (done.stderr.strip().splitlines() or ["this Python does not start"])[-1] if done.returncode else None
