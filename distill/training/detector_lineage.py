"""Lineage of a detector's training: the photos, faces and weights it started from, and the facts beside its options."""

from collections.abc import Sequence
from typing import Any

from distill.data.photos.datamodule import PhotoData
from distill.data.photos.scene import Scene
from distill.provenance import commit
from distill.tracking.artifact import Artifact, dataset_artifact, file_artifact
from distill.training.detector_config import DetectorConfig
from distill.training.detector_task import DetectorTask


def detector_inputs(config: DetectorConfig, data: PhotoData) -> list[Artifact]:
    """Return what a training starts from: photos, faces to be pasted, the teacher and the first weights."""
    photos = [
        dataset_artifact(
            f"photos-{split}", data.hashes[f"{split}_hash"], count_faces(scenes), "boxes",
            split=split, photos=len(scenes),
        )
        for split, scenes in (("train", data.train.scenes), ("val", data.val.scenes))
    ]  # fmt: skip
    pasted = len(data.train.faces)
    faces = [dataset_artifact("faces-pasted", data.hashes["paste_hash"], pasted, "five", split="train")]
    files = [path for path in (config.teacher, config.model.init, config.model.weights) if path is not None]
    return [*photos, *(faces if pasted else []), *(file_artifact(path) for path in files if path.is_file())]


def detector_facts(task: DetectorTask, data: PhotoData) -> dict[str, Any]:
    """Return the facts of a run beside its options: commit, counts, hashes, loaded weights."""
    teacher = task.origin.get("teacher")
    return {
        "commit": commit(),
        "train_photos": len(data.train),
        "val_photos": len(data.val),
        "train_faces": count_faces(data.train.scenes),
        "val_faces": count_faces(data.val.scenes),
        "pasted_faces": len(data.train.faces),
        "weights": task.weights,
        "parameters": sum(parameter.numel() for parameter in task.net.parameters()),
        "teachers": [] if teacher is None else [teacher],
        **data.hashes,
    }


def count_faces(scenes: Sequence[Scene]) -> int:
    """Return the number of labelled faces that count."""
    return sum(int((~scene.ignored).sum()) for scene in scenes)
