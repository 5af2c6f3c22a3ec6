"""Runs below a folder, with everything the dashboard shows of them; what cannot be read is named, not fatal."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import AnnotationError, ConfigError, DistillError
from distill.evaluate.detector_result import FORMAT as DETECTION
from distill.evaluate.result import FORMAT as EVALUATION
from distill.evaluate.result import Evaluation
from distill.export.pipeline import FORMAT as EXPORT
from distill.files import read_regular
from distill.provenance import BENCH
from distill.tracking.artifact import Artifact, dataset_artifact, file_artifact
from distill.tracking.lineage import Job, read_jobs
from distill.tracking.result_tables import detection_table
from distill.tracking.run_folder import RECORDS, is_run, read_config, role_of

# In the order they are shown.
ROLES = ("teacher", "student", "baseline", "detector", "model")
_DEPTH = 4


@dataclass(frozen=True)
class RunEntry:
    """One run.

    Attributes:
        name: of its folder, relative to the folder of all runs.
        folder: of the run.
        role: `teacher`, `student`, `baseline`, `detector`, or `model` for results that lie outside a run.
        config: of the training.
        summary: content of `summary.json`, empty while the training runs.
        evaluations: each different one once.
        detections: content of every evaluation of a face detector.
        exports: content of every `export.json`.
        benches: content of every bench file.
        jobs: lineage records.
    """

    name: str
    folder: Path
    role: str
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    detections: list[Mapping[str, Any]] = field(default_factory=list)
    exports: list[Mapping[str, Any]] = field(default_factory=list)
    benches: list[Mapping[str, Any]] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)

    @property
    def metrics(self) -> Path | None:
        """`metrics.csv`, if there is one."""
        path = self.folder / "metrics.csv"
        return path if self.role != "model" and path.is_file() else None


def collect(root: Path) -> tuple[list[RunEntry], list[str]]:
    """Return all runs in and below a folder, and a line for each file that could not be read.

    Raises:
        ConfigError: no such folder, or no run in it.
    """
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder; give the folder of all runs, such as runs")
    problems: list[str] = []
    entries = [_read_run(root, folder, problems) for folder in _run_folders(root)]
    entries.sort(key=lambda entry: (entry.folder.parent, ROLES.index(entry.role), entry.name))
    if not is_run(root):
        loose = _read_files(RunEntry(root.name, root, "model"), [root], root, problems)
        entries += [loose] if loose.evaluations or loose.detections or loose.benches else []
    if not entries:
        raise ConfigError(f"{root}: no run in or below it; a run is a folder with config.yaml and metrics.csv")
    return entries, problems


def _run_folders(root: Path, depth: int = _DEPTH) -> Iterator[Path]:
    if is_run(root):
        yield root
    elif depth:
        for folder in sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")):
            yield from _run_folders(folder, depth - 1)


def _read_run(root: Path, folder: Path, problems: list[str]) -> RunEntry:
    config = read_config(folder)
    name = folder.relative_to(root).as_posix() if folder != root else folder.name
    summary = folder / "summary.json"
    content = _read(summary, root, problems) if summary.is_file() else {}
    role, jobs = role_of(config), read_jobs(folder)
    # A trained run of an earlier version has no record of its training.
    if not any(artifact.type == "model" for job in jobs for artifact in job.outputs):
        jobs = [*_training_of(folder, role, config, content), *jobs]
    entry = RunEntry(name, folder, role, config, content, jobs=jobs)
    return _read_files(entry, [folder, folder / "export", folder / RECORDS], root, problems)


def _training_of(folder: Path, role: str, config: Mapping[str, Any], summary: Mapping[str, Any]) -> list[Job]:
    """Return the training of a landmark network from `summary.json`, which holds the hashes of faces and teachers."""
    best, data = folder / "best.ckpt", config.get("data")
    if role == "detector" or not (best.is_file() and summary.get("train_hash") and isinstance(data, Mapping)):
        return []
    root = Path(str(data.get("root"))).name
    faces = [
        dataset_artifact(
            f"{root}-{data.get('subset' if split == 'train' else 'val_subset') or split}",
            str(summary[f"{split}_hash"]), int(summary[f"{split}_faces"]), str(data.get("scheme")), split=split,
        )
        for split in ("train", "val")
        if summary.get(f"{split}_hash")
    ]  # fmt: skip
    teachers = [Artifact("model", "teacher", digest) for digest in summary.get("teachers", [])]
    metrics = {name: summary.get(name) for name in ("val_nme", "best_step", "steps")}
    model = file_artifact(best, aliases=["best"], metadata=metrics)
    commit, key = str(summary.get("commit", "unknown")), f"summary-{model.sha256[:12]}"
    return [Job(role, folder.name, [*faces, *teachers], [model], metrics, key, commit=commit)]


def _read_files(entry: RunEntry, folders: list[Path], root: Path, problems: list[str]) -> RunEntry:
    """Add the results in some folders to an entry."""
    known: set[tuple[Any, ...]] = set()
    for path in sorted(file for folder in folders for file in folder.glob("*.json")):
        raw = _read(path, root, problems)
        if raw.get("format") == EVALUATION:
            try:
                evaluation = Evaluation.from_json(path)
            except AnnotationError as error:
                problems.append(str(error))
                continue
            p = evaluation.protocol
            key = (p.model_sha256, p.data_hash, p.boxes, p.scheme, p.flip_tta, p.change, p.runtime)
            if key not in known:
                known.add(key)
                entry.evaluations.append(evaluation)
        elif raw.get("format") == DETECTION:
            try:
                detection_table([raw])
            except (KeyError, TypeError) as error:
                problems.append(f"{path.relative_to(root)}: not whole ({error!r})")
                continue
            entry.detections.append(raw)
        elif raw.get("format") == EXPORT:
            entry.exports.append(raw)
        elif raw.get("format") == BENCH:
            entry.benches.append(raw)
    return entry


def _read(path: Path, root: Path, problems: list[str]) -> dict[str, Any]:
    try:
        raw = json.loads(read_regular(path))
    except (OSError, ValueError, DistillError) as error:
        problems.append(f"{path.relative_to(root)}: not JSON ({error})")
        return {}
    return raw if isinstance(raw, dict) else {}
