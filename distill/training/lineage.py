"""Lineage of a training: the faces and weights it started from, its best model, and the facts beside its options."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from distill.data.datamodule import FaceData
from distill.data.records import FaceRecord
from distill.data.trained_photos import count_photos
from distill.pretrained.registry import resolve_model
from distill.provenance import commit
from distill.tracking.artifact import Artifact, dataset_artifact, file_artifact
from distill.tracking.lineage import append_job, new_job
from distill.tracking.run_folder import role_of
from distill.training.config import RunConfig, StudentConfig, TrackedConfig
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from distill.training.tasks import LandmarkTask

# Metrics that best.ckpt is chosen by, with the sign that makes the lowest value the best.
_CHOSEN_BY = {"val/nme": 1, "val/ap": -1}


def job_type(config: TrackedConfig) -> str:
    """Return the job type of a training: `teacher`, `student`, `baseline` or `detector`."""
    return role_of(plain_config(config))


def training_inputs(config: RunConfig, task: LandmarkTask, data: FaceData) -> list[Artifact]:
    """Return what a training starts from: training and validation faces, teachers, first weights.

    Args:
        config: of the run.
        task: with its `origin`, which holds the hashes of the faces.
        data: the faces.
    """
    faces = [_faces(config, task, "train", data.train.records), _faces(config, task, "val", data.val.records)]
    teachers = config.teachers if isinstance(config, StudentConfig) and config.kd.kind != "none" else []
    given = (config.model.init, config.model.weights)
    first = [resolve_model(path, weights=True) for path in given if path is not None]
    return [*faces, *(file_artifact(path) for path in (*teachers, *first) if Path(path).is_file())]


def _faces(config: RunConfig, task: LandmarkTask, split: str, records: Sequence[FaceRecord]) -> Artifact:
    data = config.data
    subset = data.subset or "all"
    if split == "val":
        subset = data.val_subset or f"{subset}-held-out"
    return dataset_artifact(
        f"{data.root.name}-{subset}", task.origin[f"{split}_hash"], len(records), data.scheme,
        split=split, format=data.format, photos=count_photos(records),
    )  # fmt: skip


def training_facts(task: LandmarkTask, data: FaceData) -> dict[str, Any]:
    """Return the facts of a run for trackers beside its options: commit, hashes, counts, loaded weights."""
    return {
        "commit": commit(),
        "train_faces": len(data.train),
        "val_faces": len(data.val),
        "weights": task.weights,
        "parameters": sum(parameter.numel() for parameter in task.net.parameters()),
        "normaliser": task.metric.normaliser,
        **task.origin,
    }


def best_metrics(folder: Path) -> dict[str, float | int]:
    """Return step and metrics of the best validation in `metrics.csv`, all as shares; empty before the first.

    The best has the lowest NME or, of a detector, the highest average precision; of equal ones it is the first.
    """
    rows = read_rows(folder / "metrics.csv")
    chosen = [(step, name, value) for step, name, value in rows if name in _CHOSEN_BY and math.isfinite(value)]
    if not chosen:
        return {}
    _, best = min((_CHOSEN_BY[name] * value, step) for step, name, value in chosen)
    values = {name.replace("/", "_"): value for step, name, value in rows if step == best and name.startswith("val/")}
    return {"best_step": best, **values}


def best_model(folder: Path) -> Artifact | None:
    """Return the best model of a run with its metrics, None where there is none."""
    path = folder / "best.ckpt"
    return file_artifact(path, aliases=["best"], metadata=best_metrics(folder)) if path.is_file() else None


def record_training(config: TrackedConfig, folder: Path, inputs: list[Artifact]) -> None:
    """Add a finished training to the lineage of its folder."""
    model = best_model(folder)
    outputs = [] if model is None else [model]
    append_job(folder, new_job(job_type(config), folder.name, inputs, outputs, best_metrics(folder)))
