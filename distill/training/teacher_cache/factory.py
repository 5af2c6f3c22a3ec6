"""Cache of teacher outputs on disk, so that a crop that repeats is not computed again.

A crop repeats when `data.augment_period` repeats the augmentations (from that epoch on), and in every other training
with the same seed, faces and augmentation. Outputs are read from the record in any case, so that cached and new ones
are equal. `identity` decides which trainings share a folder.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

import torch

from distill.data.dataset import FaceDataset
from distill.data.multi_dataset import MixedDataset
from distill.data.splits import data_hash
from distill.files import sha256
from distill.landmarks import own_definition
from distill.training.config import StudentConfig
from distill.training.precision import resolved
from distill.training.teacher import FrozenTeacher, Teacher
from distill.training.teacher_cache.cached_teacher import CachedTeacher
from distill.training.teacher_cache.codec import MapCodec
from distill.training.teacher_cache.per_face import PerFaceLandmarks
from distill.training.teacher_cache.record_store import RecordStore

# Cells around a peak that `window` stores in full resolution; its error is measured in results/bench/kd_step.json.
WINDOW = 15


def with_cache(teacher: FrozenTeacher, config: StudentConfig, faces: FaceDataset | MixedDataset) -> Teacher:
    """Return the teacher, with the cache that `kd.cache` configures."""
    form = config.kd.cache.form
    if form == "none":
        return teacher
    inputs = identity(config, faces)
    name = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]
    folder = config.kd.cache.folder / f"{form}_{name}"
    blank = teacher.blank(config.data.crop.spec().size)
    points, limit = blank.landmarks.shape[1], int(config.kd.cache.max_gb * 1e9)
    if form == "landmarks":
        store = RecordStore(folder, len(faces.records), MapCodec(points).size, limit)
        return PerFaceLandmarks(teacher, store, inputs, parts_of(faces))
    height, width = blank.heatmaps.shape[-2:] if blank.heatmaps is not None else (0, 0)
    codec = MapCodec(points, height, width, WINDOW if form == "window" else 0)
    return CachedTeacher(teacher, RecordStore(folder, len(faces.records), codec.size, limit), inputs, codec)


def identity(config: StudentConfig, faces: FaceDataset | MixedDataset) -> dict[str, Any]:
    """Return all inputs of the outputs, so that those of unlike teachers, crops or machines are never mixed.

    The batch is part of it because sums in a batch of another size may round differently in the last bit.
    """
    sets = parts_of(faces)
    names = hashlib.sha256("\0".join(record.name for record in faces.records).encode()).hexdigest()
    once = config.kd.cache.form == "landmarks"
    batch = {"size": config.data.batch_size, "world": config.trainer.devices * config.trainer.num_nodes}
    return {
        "format": f"distill-teacher-cache/1 {config.kd.cache.form}",
        "teachers": [sha256(path) for path in config.teachers],
        "flip": config.kd.flip,
        # Which of its points a teacher is reduced to; a user's scheme may have changed under its name.
        "scheme": [config.data.scheme, own_definition(config.data.scheme)],
        "faces": data_hash(faces.records),
        "order": names,
        "crop": asdict(config.data.crop.spec()) | ({"size": "the teacher's"} if once else {}),
        "boxes": [list(part.boxes) for part in sets],
        # Without augmentation the seed only chooses among several boxes of a face.
        "seeds": [None if once and len(part.boxes) == 1 else part.seed for part in sets],
        "augment": None if once else asdict(config.data.augment),
        "stream": None if once else {"seed": config.seed, **batch},
        "precision": "32" if once or (precision := resolved(config.trainer)) == "int8" else precision,
        "device": [config.trainer.accelerator, torch.cuda.is_available()],
    }


def parts_of(faces: FaceDataset | MixedDataset) -> list[FaceDataset]:
    """Return the data sets that faces are numbered through, in order."""
    return [part.faces for part in faces.sets] if isinstance(faces, MixedDataset) else [faces]
