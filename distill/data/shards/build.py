"""Training and validation faces of shards; single faces become objects only when they are read."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from distill.data.config import CropConfig, DataConfig
from distill.data.crop_extent import resolve_crop
from distill.data.datamodule import FaceData
from distill.data.dataset import FaceDataset
from distill.data.presets import Split, packed_split, preset_crop, require_no_test_subset
from distill.data.readers import parse_subsets
from distill.data.records import known_normalisers
from distill.data.shards.faces import ShardFaces, open_shards
from distill.data.shards.storage import INDEX
from distill.data.splits import position_of_group
from distill.errors import AnnotationError, ConfigError, suggest
from distill.landmarks import load_scheme

# Faces that the extent of the crop is chosen by.
_MEASURED = 5000


def build_shard_data(
    data: DataConfig, heads: Sequence[str], seed: int, epochs: int, notify: Callable[[str], object]
) -> FaceData:
    """Open shards as the faces of a run.

    Args:
        data: configuration, with the size of the crop.
        heads: landmark schemes of the network's heads.
        seed: of the split, the order of the faces and their augmentation.
        epochs: passes over the training faces.
        notify: receives the line about the crop.

    Raises:
        ConfigError: options that shards do not have, or no face is left to train or to validate on.
        AnnotationError: shards are missing or damaged, or a validation face cannot be measured.
    """
    _require_supported(data, heads)
    faces = open_shards(data.root, data.shards.window, data.shards.max_gb).in_scheme(data.scheme)
    train, val = split_shards(faces, data, seed)
    _require_measurable(val, data.scheme)
    data = replace(data, crop=_crop(data, train, notify))
    crop = data.crop.spec()
    return FaceData(
        FaceDataset(train, crop, data.scheme, data.augment, data.boxes, seed, False, data.augment_period),
        FaceDataset(val, crop, data.scheme, None, data.boxes[:1], seed),
        batch_size=data.batch_size,
        epochs=epochs,
        workers=data.workers,
        seed=seed,
    )


def _require_supported(data: DataConfig, heads: Sequence[str]) -> None:
    without = {"sets": data.sets, "balance": data.balance, "preset": data.preset}
    for name, value in without.items():
        if value:
            raise ConfigError(f"--data.{name} has no effect on --data.format shards: leave it out")
    if len(heads) > 1:
        raise ConfigError(f"--data.format shards trains one head, not {', '.join(heads)}: leave the others out")


def split_shards(faces: ShardFaces, data: DataConfig, seed: int) -> tuple[ShardFaces, ShardFaces]:
    """Return training and validation faces; no group is on both sides, and none of a test face in either.

    Subsets that the configuration leaves open are those of the data set that was packed.

    Raises:
        AnnotationError: unknown subsets.
        ConfigError: test faces are trained on by name, without naming other test faces, or a side without faces.
    """
    named = Split(data.subset, data.val_subset, data.test_subset)
    about = faces.shards.about
    declared = packed_split(about["source"], about["preset"], about["subsets"])
    if data.subset is not None and data.test_subset is None and declared.test is not None:
        require_no_test_subset(data.subset, declared.test.split("+"))
    split = Split(*(own if own is not None else packed for own, packed in zip(named, declared, strict=True)))
    groups = faces.column("group")
    train = _in_subsets(faces, split.train) & (faces.has_points() | faces.has_box(data.boxes))
    if split.test is not None:
        train &= ~np.isin(groups, groups[_in_subsets(faces, split.test)])
    if split.val is None:
        numbers = np.unique(groups[train])
        held_out = [position_of_group(seed, f"{int(group):016x}") < data.val_fraction for group in numbers]
        val = train & np.isin(groups, numbers[np.array(held_out, bool)])
    else:
        val = _in_subsets(faces, split.val)
    train &= ~np.isin(groups, groups[val])
    val &= faces.has_points()
    if not (train.any() and val.any()):
        raise ConfigError(
            f"{train.sum()} faces to train and {val.sum()} with points to validate are left of {len(faces)}: choose "
            "other subsets with --data.subset, --data.val_subset and --data.test_subset"
        )
    return faces.select(train), faces.select(val)


def _in_subsets(faces: ShardFaces, text: str | None) -> NDArray[np.bool_]:
    """Return which faces are of subsets `a+b`, or of folders that hold theirs.

    Raises:
        AnnotationError: a subset that no face has.
    """
    names = parse_subsets(text)
    if names is None:
        return np.ones(len(faces), bool)
    subsets, of_face = np.unique(faces.column("subset"), return_inverse=True)
    texts = [bytes(subset).decode() for subset in subsets]
    chosen = np.zeros(len(texts), bool)
    for name in names:
        found = [subset == name or subset.startswith(f"{name}/") for subset in texts]
        if not any(found):
            where = faces.shards.storage.url or faces.shards.storage.root
            raise AnnotationError(f"{where}/{INDEX}: no subset '{name}': {suggest(name, texts)}")
        chosen |= found
    return np.asarray(chosen[of_face])


def _require_measurable(val: ShardFaces, scheme: str) -> None:
    """Refuse validation faces whose error has no distance to be divided by."""
    normaliser = known_normalisers(val, scheme)[0]
    if normaliser == "box":
        return
    meaning = load_scheme(scheme)
    for start in range(0, len(val), _MEASURED):
        faces = list(val[start : start + _MEASURED])
        points = np.stack([face.landmarks for face in faces]).astype(np.float64)
        distances = meaning.eye_distance(points, normaliser)
        unfit = np.flatnonzero(~(np.isfinite(distances) & (distances > 0)))
        if len(unfit):
            raise AnnotationError(
                f"{len(unfit)} validation faces have no {normaliser} distance, {val.full_name(faces[unfit[0]])} among "
                "them; fix them and pack again"
            )


def _crop(data: DataConfig, train: ShardFaces, notify: Callable[[str], object]) -> CropConfig:
    """Return the crop with its extent: as given, else as of the packed preset, else as some training faces need it."""
    packed = train.shards.about
    usual = preset_crop(packed["source"], data.scheme, packed["preset"])
    spread = np.linspace(0, len(train) - 1, min(_MEASURED, len(train))).astype(int)
    faces = [train[int(index)] for index in spread]
    return resolve_crop(data.crop, faces, data.scheme, data.boxes, data.augment, notify, usual)
