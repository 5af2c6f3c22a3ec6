"""Build training and validation faces from their configuration."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.progress import track

from distill.data.box_sources import DETECTOR
from distill.data.class_balance import attribute_weights
from distill.data.config import SHARDS, CropConfig, DataConfig, SetConfig
from distill.data.crop_extent import resolve_crop
from distill.data.datamodule import FaceData
from distill.data.dataset import FaceDataset
from distill.data.detector_boxes import DETECTED_FACES, detected_crop, with_detector_boxes
from distill.data.multi_dataset import MixedDataset, TrainingSet, derived_schemes, relabelled
from distill.data.preflight import find_unfit, without_unfit
from distill.data.presets import (
    Split,
    official_split,
    official_test_subsets,
    preset_crop,
    require_no_test_subset,
)
from distill.data.readers import parse_subsets, read_annotated, read_faces
from distill.data.records import FaceRecord, known_normalisers, with_boxes, with_points
from distill.data.shards.build import build_shard_data
from distill.data.shards.faces import ShardFaces
from distill.data.splits import split_by_group, without_groups_of
from distill.data.trained_photos import require_disjoint
from distill.detection.detector import FaceDetector
from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.landmarks import load_scheme

Notify = Callable[[str], object]

# Training on the detector's boxes helped where their offset was 8 % of a crop (boxes around the 51 inner points of
# 300-W, detector boxes at test time: 9.0 -> 6.4 % NME) and did harm where it was 3 % (around 68 points: 6.2 -> 6.5).
_LARGE_OFFSET = 0.05


def split_of(data: DataConfig) -> Split:
    """Return the subsets of a configuration: those it names, else the official split of the data set.

    Raises:
        ConfigError: it trains on a test subset by name, without naming other test faces.
    """
    named = Split(data.subset, data.val_subset, data.test_subset)
    if data.subset is not None:
        _require_no_test_subset(data)
        return named
    # Without --data.subset, training on every face would include the official test faces.
    official = official_split(data.format, data.root, data.preset, data.scheme)
    return Split(*(own if own is not None else declared for own, declared in zip(named, official, strict=True)))


def _require_no_test_subset(data: DataConfig) -> None:
    """Refuse training subsets that hold official test faces; with test faces named, those are left out."""
    if data.test_subset is not None or data.subset is None:
        return
    if parse_subsets(data.subset) is None:  # every face
        test = (official_split(data.format, data.root, data.preset, data.scheme).test or "").split("+")
    else:
        test = [*official_test_subsets(data.format, data.preset)]
    require_no_test_subset(data.subset, [name for name in test if name])


def read_split(
    data: DataConfig, split: Split, test: Sequence[FaceRecord], seed: int
) -> tuple[list[FaceRecord], list[FaceRecord]]:
    """Return training and validation faces; no photo is on both sides, none is among the test faces."""
    train = with_boxes(_read(data, split.train), data.boxes)
    if test:
        train = without_groups_of(train, test)
        if not train:
            raise ConfigError(
                f"every training face ({split.train or 'all'}) shows a person or photo of the test faces "
                f"({split.test}): choose other subsets with --data.subset and --data.test_subset"
            )
    if split.val is None:
        train, val = split_by_group(train, data.val_fraction, seed)
    else:
        val = _read(data, split.val)
        train = without_groups_of(train, val)
    return train, with_points(val, "validation faces", "choose others with --data.val_subset")


def validation_normaliser(faces: Sequence[FaceRecord], scheme: str, notify: Notify = print) -> str:
    """Return the first normaliser of the scheme whose points all validation faces have."""
    usable = known_normalisers(faces, scheme)[0]
    first = load_scheme(scheme).normalisers[0]
    if usable != first:
        notify(f"Validation by the {usable} distance: not every face has the points of the {first} distance marked")
    return usable


def build_data(
    data: DataConfig, heads: Sequence[str], seed: int, epochs: int, progress: bool = True, notify: Notify = print
) -> FaceData:
    """Read the faces of a run and wrap them for Lightning.

    Args:
        data: configuration, with the size of the crop.
        heads: landmark schemes of the network's heads.
        seed: of the split, the order of the faces and their augmentation.
        epochs: passes over the training faces.
        progress: show a progress bar where faces are detected.
        notify: receives the line about the crop.
    """
    if data.format == SHARDS:
        return build_shard_data(data, heads, seed, epochs, notify)
    split = split_of(data)
    test = [] if split.test is None else _read(data, split.test)
    train, val = read_split(data, split, test, seed)
    normaliser = validation_normaliser(val, data.scheme, lambda line: None)  # reported where it is used
    train = _fit(train, data, "training", None, notify)
    val = _fit(val, data, "validation", normaliser, notify)
    data = replace(data, crop=_crop(data, train, notify))
    crop = data.crop.spec()
    mixed = len(heads) > 1 or bool(data.sets) or bool(data.balance)
    scheme = data.scheme
    if mixed:
        train, scheme = _as_annotated(data, split, train)
    train, detector_crop = _with_detector_boxes(train, data.boxes, crop, progress)
    faces = FaceDataset(
        train, crop, scheme, data.augment, data.boxes, seed, data.cache, data.augment_period, detector_crop
    )
    weights = attribute_weights(train, data.balance) if data.balance else None
    further = [
        _further_set(data, item, seed + index, [*val, *test], progress, notify)
        for index, item in enumerate(data.sets, 1)
    ]
    derived = derived_schemes(data.sets, heads)
    everything = [*train, *(record for part in further for record in part.faces.records)]
    require_disjoint(everything, val, "validation faces")
    require_disjoint(everything, test, "test faces")
    return FaceData(
        MixedDataset([TrainingSet(faces, weights), *further], heads, derived) if mixed else faces,
        FaceDataset(val, crop, data.scheme, None, data.boxes[:1], seed, data.cache),
        batch_size=data.batch_size,
        epochs=epochs,
        workers=data.workers,
        seed=seed,
    )


def _fit(
    records: list[FaceRecord], data: DataConfig, what: str, normaliser: str | None, notify: Notify
) -> list[FaceRecord]:
    """Return the faces that a training can use; see `preflight`."""
    unfit = find_unfit(records, data.scheme, normaliser)
    return without_unfit(records, unfit, what, data.unfit_faces == "leave_out", notify)


def _crop(data: DataConfig, train: Sequence[FaceRecord], notify: Notify) -> CropConfig:
    """Return the crop with its extent: as given, else as of the preset, else as the training faces need it."""
    usual = preset_crop(data.format, data.scheme, data.preset)
    return resolve_crop(data.crop, train, data.scheme, data.boxes, data.augment, notify, usual)


def fit_detector_crop(
    faces: Sequence[FaceRecord], boxes: Sequence[str], crop: CropSpec, notify: Notify = print
) -> CropSpec | None:
    """Return how a detector's box is cut out for a network trained on these faces; report it in a line.

    Args:
        faces: training faces of the main data set.
        boxes: box sources that are trained on, the main one first.
        crop: how a box of the main source becomes a crop.
        notify: receives the line.
    """
    source = boxes[0]
    fitted = None
    offset = 0.0
    try:
        detector = FaceDetector()
    except ConfigError as error:
        what = f"No detector ({error})"
    else:
        with TemporaryDirectory() as folder:
            if isinstance(faces, ShardFaces):
                spread = np.linspace(0, len(faces) - 1, min(DETECTED_FACES, len(faces))).astype(int)
                faces = faces.extract(spread.tolist(), Path(folder))
            fitted, found, searched, offset = detected_crop(faces, crop, source, detector)
        what = f"The detector finds {found} of {searched} training faces"
    if fitted is None:
        notify(f"{what}: its boxes will be cut out as {source} boxes are")
        return None
    notify(
        f"{what}: its box is cut out {fitted.scale:.2f} times, a {source} box {crop.scale:g}, "
        f"{100 * offset:.0f} % of a crop off"
    )
    if offset > _LARGE_OFFSET and DETECTOR not in boxes:
        both = f'["{source}", "{DETECTOR}"]'
        notify(f"--data.boxes '{both}' would also train on the detector's boxes (docs/tutorials/your-own-points.md)")
    return fitted


def _read(data: DataConfig, subset: str | None) -> list[FaceRecord]:
    return read_faces(data.format, data.root, parse_subsets(subset), data.scheme)


def _with_detector_boxes(
    records: list[FaceRecord], boxes: Sequence[str], crop: CropSpec, progress: bool
) -> tuple[list[FaceRecord], CropSpec | None]:
    """Return the faces with the detector's boxes, where those are trained on, and how these are cut out.

    Raises:
        ConfigError: the detector finds too few faces to fit its boxes to the others.
    """
    if DETECTOR not in boxes:
        return records, None
    detector = FaceDetector()
    bar = track(records, "Detecting faces", console=Console(stderr=True), disable=not progress)
    faces = with_detector_boxes(bar, detector, boxes[0])
    fitted, found, searched, _ = detected_crop(faces, crop, boxes[0], detector)
    if fitted is None:
        raise ConfigError(
            f"--data.boxes: the detector finds {found} of {searched} faces, too few to train on {DETECTOR} boxes"
        )
    return faces, fitted


def _as_annotated(data: DataConfig, split: Split, faces: Sequence[FaceRecord]) -> tuple[list[FaceRecord], str]:
    """Return the same faces with the points they were annotated with, which may train more heads, and their scheme."""
    names = {face.name for face in faces}
    records = read_annotated(data.format, data.root, parse_subsets(split.train), data.scheme)
    schemes = {record.scheme for record in records if record.name in names}
    if len(schemes) > 1:
        return list(faces), data.scheme
    return [record for record in records if record.name in names], schemes.pop()


def _further_set(
    data: DataConfig, item: SetConfig, seed: int, held_out: Sequence[FaceRecord], progress: bool, notify: Notify
) -> TrainingSet:
    """Read one of `data.sets`, without the photos that are validated or tested on if it lies in the same folder."""
    records = read_faces(item.format, item.root, parse_subsets(item.subset), item.scheme)
    if item.root.resolve() == data.root.resolve():
        records = without_groups_of(records, held_out)
    if not records:
        raise ConfigError(f"--data.sets: no face of {item.root} is left to train on; choose another subset")
    if item.faces is not None:
        if item.faces > len(records):
            raise ConfigError(f"--data.sets: faces {item.faces} of {item.root}, which has {len(records)}; leave it out")
        records = random.Random(seed).sample(records, item.faces)
    records = _fit(relabelled(records, item.labels), data, "training", None, notify)
    scheme = item.scheme or records[0].scheme
    boxes = item.boxes or data.boxes
    crop = data.crop.spec()
    records, detector_crop = _with_detector_boxes(records, boxes, crop, progress)
    faces = FaceDataset(
        records, crop, scheme, data.augment, boxes, seed, data.cache, data.augment_period, detector_crop
    )
    return TrainingSet(faces, item.weight, item.share)
