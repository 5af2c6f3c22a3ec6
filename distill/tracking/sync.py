"""Upload of W&B runs that were recorded offline, in the order they were recorded."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from distill.errors import ConfigError
from distill.system.processes import ending_with_parent

# Words before the folder of a run.
UPLOAD: Sequence[str] = (sys.executable, "-m", "wandb", "sync")
_STARTED = re.compile(r"offline-run-(\d{8}_\d{6})-")
# What `wandb sync` prints of a run: the address of the server, entity (may be empty), project and run.
_ADDRESS = re.compile(r"([\w.-]*)/([\w.-]+)/runs/([\w.-]+)")
_TIMEOUT_S = 20
# Bytes before the first record: all that is left where W&B's helper process was killed early.
_HEADER = 7


def offline_runs(root: Path) -> list[Path]:
    """Return the folders of W&B runs below a folder that were recorded offline and not uploaded, the oldest first.

    A run that was resumed has one folder a start; each holds the whole run up to its end.

    Raises:
        ConfigError: no such folder.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder; give a run, or the folder of all runs")
    found = [path for path in root.rglob("offline-run-*") if path.is_dir() and _STARTED.match(path.name)]
    return sorted(filter(_is_waiting, found), key=lambda path: path.name)


def _is_waiting(folder: Path) -> bool:
    """Whether a run has records and was not uploaded; `wandb sync` leaves a mark beside the file of one that was."""
    recorded = any(file.stat().st_size > _HEADER for file in folder.glob("*.wandb"))
    return recorded and not any(folder.glob("*.wandb.synced"))


def require_key() -> None:
    """Check that W&B is installed and has a key; nothing is sent.

    Raises:
        ConfigError: with the command that helps.
    """
    try:
        import wandb
    except ModuleNotFoundError as error:
        raise ConfigError("wandb is not installed: pip install 'distill-landmarks[track]'") from error
    if not wandb.api.api_key:
        raise ConfigError("W&B has no key on this machine: run `wandb login`, or set WANDB_API_KEY")


def upload(folders: Sequence[Path]) -> Iterator[Path]:
    """Upload runs one after the other and yield each that is done.

    Raises:
        ConfigError: one could not be uploaded; those before it are done, those after it were not tried.
    """
    for folder in folders:
        done = subprocess.run(
            ending_with_parent([*UPLOAD, str(folder)]), capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
            raise ConfigError(f"{folder}: not uploaded ({lines[-1][:200]}); the same command continues here")
        try:
            require_arrival(done.stdout + done.stderr)
        except ConfigError as error:
            for mark in folder.glob("*.wandb.synced"):
                mark.unlink()
            raise ConfigError(f"{folder}: not uploaded ({error}); the same command continues here") from error
        yield folder


def require_arrival(output: str) -> None:
    """Check that the server has the run that `wandb sync` names; it reports success without a server, too.

    Raises:
        ConfigError: no answer, a key that is not valid, or no such run.
    """
    import wandb

    found = _ADDRESS.search(output)
    if found is None:
        raise ConfigError("`wandb sync` named no run")
    try:
        wandb.Api(timeout=_TIMEOUT_S).run("/".join(filter(None, found.groups())))
    except Exception as error:  # of wandb, of what it connects with, or ValueError
        raise ConfigError(f"the server does not show the run: {str(error).splitlines()[0][:200]}") from error
