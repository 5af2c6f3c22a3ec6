"""Lineage records: one JSON line in `lineage.jsonl` of the run folder for every job that made or measured something.

The file needs no tracker; trackers receive the same record.
"""

import json
import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distill.provenance import command_line, commit
from distill.tracking.artifact import Artifact

FORMAT = "distill-lineage/1"
NAME = "lineage.jsonl"
_DIRTY = "-dirty"


@dataclass(frozen=True)
class Job:
    """One job: what it read, what it made and what it measured.

    Attributes:
        type: `teacher`, `student`, `baseline`, `detector`, `evaluate`, `export`, `check`, `bench` or `submit`.
        run: name of the run whose folder holds the record.
        inputs: artifacts it read.
        outputs: artifacts it made.
        metrics: numbers and truth values by name; percentages have names that end in `_percent`.
        id: of the record.
        time: of its end, ISO 8601 in UTC.
        command: the command line, paths outside the project cut to their last part.
        commit: of the code, `unknown` outside a checkout.
        clean: whether the files were those of the commit; None where that is unknown.
    """

    type: str
    run: str
    inputs: Sequence[Artifact] = ()
    outputs: Sequence[Artifact] = ()
    metrics: Mapping[str, float | int | bool | None] = field(default_factory=dict)
    id: str = ""
    time: str = ""
    command: str = ""
    commit: str = "unknown"
    clean: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "id": self.id,
            "time": self.time,
            "type": self.type,
            "run": self.run,
            "command": self.command,
            "commit": self.commit,
            "clean": self.clean,
            "inputs": [artifact.to_dict() for artifact in self.inputs],
            "outputs": [artifact.to_dict() for artifact in self.outputs],
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Job":
        """Return a recorded job.

        Raises:
            ValueError: another format.
            KeyError, TypeError: a field is missing or of another type.
        """
        if raw["format"] != FORMAT:
            raise ValueError(f"its format is {raw['format']}, not {FORMAT}")
        inputs, outputs = (tuple(map(Artifact.from_dict, raw[name])) for name in ("inputs", "outputs"))
        plain = {name: raw[name] for name in ("id", "time", "type", "run", "command", "commit", "clean", "metrics")}
        return cls(inputs=inputs, outputs=outputs, **plain)


def new_job(
    type: str,
    run: str,
    inputs: Iterable[Artifact] = (),
    outputs: Iterable[Artifact] = (),
    metrics: Mapping[str, Any] | None = None,
) -> Job:
    """Return the record of a job that the running process has just done."""
    head = commit()
    numbers = {name: _finite(value) for name, value in (metrics or {}).items()}
    return Job(
        type,
        run,
        tuple(inputs),
        tuple(outputs),
        numbers,
        id=uuid.uuid4().hex[:12],
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_line().replace("python distill ", "distill ", 1),
        commit=head.removesuffix(_DIRTY),
        clean=None if head == "unknown" else not head.endswith(_DIRTY),
    )


def _finite(value: Any) -> float | int | bool | None:
    """Return a number that JSON has, None in place of NaN and infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def append_job(folder: Path, job: Job) -> Path:
    """Add a record to the run folder and return the file.

    Raises:
        OSError: the file cannot be written.
    """
    path = folder / NAME
    line = json.dumps(job.to_dict(), ensure_ascii=False, default=str) + "\n"
    with path.open("a+b") as file:
        file.seek(0, 2)
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # a kill cut the last line short
                line = "\n" + line
        file.write(line.encode())
    return path


def read_jobs(folder: Path) -> list[Job]:
    """Return the records of a run folder in the order they were written; lines that are not records do not count."""
    path = folder / NAME
    if not path.is_file():
        return []
    jobs = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            jobs.append(Job.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return jobs
