"""Content of the `.wandb` file of an offline run, read by W&B's own reader; what a kill cut off is not there."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class WandbFile:
    """Recorded parts of a run.

    Attributes:
        run: id, project, entity, group, job type, name, notes, tags and configuration.
        numbers: (step, name) -> value of the history.
        summary: last value of every key; keys of nested ones are joined by `/`.
        used, logged: artifacts by name -> type, aliases, metadata and names of the files inside.
        tables: paths of logged tables by name.
    """

    run: dict[str, Any] = field(default_factory=dict)
    numbers: dict[tuple[int, str], float] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    used: dict[str, dict[str, Any]] = field(default_factory=dict)
    logged: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, Path] = field(default_factory=dict)


def read_wandb(path: Path, wait_s: float = 0) -> WandbFile:
    """Return the records of a file.

    Args:
        wait_s: how long to wait for the first record, which W&B's service may write after the run has ended.
    """
    end = time.monotonic() + wait_s
    while not (found := _read(path)).run and time.monotonic() < end:
        time.sleep(0.2)
    return found


def _read(path: Path) -> WandbFile:
    from wandb.proto.wandb_internal_pb2 import Record
    from wandb.sdk.internal.datastore import DataStore

    store, found = DataStore(), WandbFile()
    store.open_for_scan(str(path))
    while True:
        try:
            data = store.scan_data()
        except AssertionError:
            break
        if data is None:
            return found
        record = Record()
        record.ParseFromString(data)
        _add(found, record, path.parent)
    return found


def _add(found: WandbFile, record: Any, folder: Path) -> None:
    if record.HasField("run"):
        run = record.run
        found.run |= {
            "id": run.run_id, "project": run.project, "entity": run.entity, "group": run.run_group,
            "job_type": run.job_type, "name": run.display_name, "notes": run.notes, "tags": list(run.tags),
            "config": {item.key: json.loads(item.value_json) for item in run.config.update},
        }  # fmt: skip
    if record.HasField("summary"):
        found.summary |= {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.summary.update}
    if record.HasField("history"):
        values = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}
        step = values.pop("_step", record.history.step.num)
        for name, value in values.items():
            if name[0] != "_" and isinstance(value, int | float):
                found.numbers[step, name] = float(value)
            if value == "table-file" and name.endswith("/_type"):
                key = name.removesuffix("/_type")
                found.tables[key] = folder / "files" / values[f"{key}/path"]
    if record.HasField("artifact") or record.request.HasField("log_artifact"):
        artifact = record.artifact if record.HasField("artifact") else record.request.log_artifact.artifact
        if artifact.type == "run_table":  # how W&B stores a table
            return
        direction = found.used if artifact.use_after_commit else found.logged
        direction[artifact.name] = {
            "type": artifact.type,
            "aliases": list(artifact.aliases),
            "metadata": json.loads(artifact.metadata or "{}"),
            "files": {entry.path for entry in artifact.manifest.contents},
            "digest": artifact.digest,
        }
