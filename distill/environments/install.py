"""Make an environment from its lock, with uv or with venv and pip: complete, or not at all."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from distill.environments.find import COMPLETE, find_environment, folder_of
from distill.environments.known import ENVIRONMENTS, Environment
from distill.environments.pythons import find_python
from distill.errors import ConfigError
from distill.files import write_text
from distill.system.locks import folder_lock
from distill.system.processes import ending_with_parent

# When set, nothing is installed; the tests set it.
OFFLINE = "DISTILL_OFFLINE"
_INSTALL_SECONDS = 1800
_POLL_SECONDS = 1.0


def ensure_environment(name: str, chosen: str | Path | None = None) -> str:
    """Return the interpreter of an environment, which is made on first use.

    One process installs, others wait for it. A line on standard error names what is installed, and how large it is.

    Args:
        name: in `ENVIRONMENTS`.
        chosen: an interpreter, or the folder of a virtual environment, to use instead.

    Raises:
        ConfigError: what was chosen lacks the packages, no fitting Python is installed, or the installation failed;
            one line with how to provide the environment.
    """
    python = find_environment(name, chosen)
    if python is not None:
        return python
    environment = ENVIRONMENTS[name]
    if os.environ.get(OFFLINE):
        raise ConfigError(f"{environment.what} are not installed, and {OFFLINE} is set; {_remedy(environment)}")
    base = find_python(environment.pythons)
    if base is None:
        versions = " or ".join(environment.pythons)
        raise ConfigError(
            f"{environment.what} need Python {versions}, which is not on PATH, in pyenv or in uv; install it "
            f"(`uv python install {environment.pythons[0]}`), or {_remedy(environment)}"
        )
    _install_alone(environment, base)
    made = find_environment(name)
    assert made is not None
    return made


def _remedy(environment: Environment) -> str:
    return (
        f"with a network run `python -m distill.environments {environment.name}`, or name a Python that has the "
        f"packages of {environment.lock} with {environment.variable}"
    )


def _install_alone(environment: Environment, base: str) -> None:
    """Install unless another process does or did; in that case wait for it."""
    folder, deadline = folder_of(environment), time.monotonic() + _INSTALL_SECONDS
    owner = folder.with_name(f"{folder.name}.owner")
    while not (folder / COMPLETE).is_file():
        try:
            with folder_lock(owner, "installs the environment of"):
                if not (folder / COMPLETE).is_file():
                    _install(environment, base, folder)
        except ConfigError as error:
            held = isinstance(error.__cause__, BlockingIOError | PermissionError)
            if not held or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _install(environment: Environment, base: str, folder: Path) -> None:
    print(
        f"installing {environment.what} in {folder} ({environment.megabytes} MB, once; as a child process only)",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for command in commands(environment, base, folder):
            _call(environment, command)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_text(folder / COMPLETE, environment.lock.name + "\n")


def commands(environment: Environment, base: str, folder: Path) -> list[list[str]]:
    """Return the commands that make an environment: uv's where it is on PATH, else those of venv and pip."""
    python, lock = str(folder / "bin" / "python"), ["--no-deps", "--require-hashes", "-r", str(environment.lock)]
    uv = shutil.which("uv")
    if uv:
        # uv compiles nothing by itself: without bytecode each conversion would spend seconds on importing onnx2tf.
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
        install += ["--only-binary", ":all:", *lock]
        return [[uv, "venv", "--quiet", "--python", base, str(folder)], install]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    return [[base, "-m", "venv", str(folder)], [python, "-m", "pip", "install", *quiet, *lock]]


def _call(environment: Environment, command: Sequence[str]) -> None:
    # PYTHONPATH and PYTHONHOME would lead the other Python to this one's packages.
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        done = subprocess.run(
            ending_with_parent(command),
            env=kept,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_INSTALL_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"cannot install {environment.what} ({error}); {_remedy(environment)}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"status {done.returncode}"]
        reason = next((line.strip() for line in lines if "error" in line.lower()), lines[-1].strip())[:200]
        raise ConfigError(f"cannot install {environment.what} ({reason}); {_remedy(environment)}")
