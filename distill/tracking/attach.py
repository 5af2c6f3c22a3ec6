"""Attach a job to a run: a lineage record in its folder and, where the run is tracked, a W&B run beside it.

A record that cannot be written is one line on the error stream: a finished result is never lost to a tracker.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from distill.errors import ConfigError
from distill.tracking.artifact import Artifact
from distill.tracking.lineage import Job, append_job, new_job
from distill.tracking.run_folder import find_run, is_run, read_config
from distill.tracking.tables import Table
from distill.tracking.wandb_job import JobSettings, send_job

_NONE = Path("none")
Mode = Literal["offline", "online", "disabled"]


@dataclass(frozen=True)
class AttachConfig:
    """Run that a job is recorded in.

    Attributes:
        run: folder of the run the job belongs to; the one its file lies in by default, `none` records nothing.
        wandb: Weights & Biases `offline`, `online` or `disabled`; as the run itself by default.
        tags: W&B tags; those of the run by default.
        notes: W&B notes; those of the run by default.
    """

    run: Path | None = None
    wandb: Mode | None = None
    tags: list[str] | None = None
    notes: str | None = None


def attached_run(config: AttachConfig, *files: Path) -> Path | None:
    """Return the folder of the run that a job on these files belongs to, None where there is none.

    Raises:
        ConfigError: `--log.run` names a folder without a run, or there is none and other options of it are given.
    """
    if config.run == _NONE:
        return None
    if config.run is None:
        found = next((folder for folder in map(find_run, files) if folder is not None), None)
        given = [name for name in ("wandb", "tags", "notes") if getattr(config, name) is not None]
        if found is None and given:
            what = f"{files[0]} lies in no run" if files else "this belongs to no run"
            raise ConfigError(f"--log.{given[0]} has no effect: {what}; name one with --log.run, or leave it out")
        return found
    if not is_run(config.run):
        raise ConfigError(f"--log.run {config.run}: no run in this folder; give a folder under runs/, or none")
    return config.run.absolute()


def record_job(
    config: AttachConfig,
    folder: Path,
    type: str,
    inputs: Iterable[Artifact],
    outputs: Iterable[Artifact] = (),
    metrics: Mapping[str, Any] | None = None,
    tables: Mapping[str, Table] | None = None,
) -> Job:
    """Record a finished job in the folder of a run and in its tracker.

    Args:
        config: tracker, tags and notes.
        folder: of the run, as from `attached_run`.
        type: of the job.
        inputs: artifacts it read.
        outputs: artifacts it made.
        metrics: numbers by name.
        tables: for the tracker, by name.
    """
    job = new_job(type, folder.name, inputs, outputs, metrics)
    try:
        append_job(folder, job)
    except OSError as error:
        print(f"{folder}: the lineage of this job is not recorded ({error.strerror})", file=sys.stderr)
        return job
    log = _log_of(folder)
    mode = config.wandb or _wandb_mode(log)
    if mode != "disabled":
        group = str(log.get("group") or folder.name)
        tags = (log.get("tags") or ()) if config.tags is None else config.tags
        notes = log.get("notes") if config.notes is None else config.notes
        settings = JobSettings(
            mode, str(log.get("project", "distill")), log.get("entity"), group, tuple(map(str, tags)), notes
        )
        if problem := send_job(job, folder, settings, tables or {}):
            print(f"W&B: {problem}; the record is in {folder / 'lineage.jsonl'}", file=sys.stderr)
    return job


def _wandb_mode(log: Mapping[str, Any]) -> str:
    """Return the mode of W&B of a run, which may send its numbers to other trackers alone."""
    trackers = log.get("to")
    return "disabled" if isinstance(trackers, list) and "wandb" not in trackers else str(log.get("wandb", "offline"))


def _log_of(folder: Path) -> dict[str, Any]:
    log = read_config(folder).get("log")
    return log if isinstance(log, dict) else {}
