"""Photos that detectors are trained on, chosen on and measured on, in a folder DATA."""

from pathlib import Path
from typing import NamedTuple

from distill.data.photos.build import read_photos
from distill.data.photos.config import PhotoSetConfig
from distill.data.photos.records import PhotoRecord, hold_out

HELD_OUT = 5  # as in configs/detector.yaml


class MaskBoxes(NamedTuple):
    """Photos of `mask_boxes`; near duplicates lie in one part.

    Attributes:
        train: four fifths, for training.
        chosen_on: half of the fifth that the training held out; score and size of the input are chosen on it.
        measured_on: the other half. The training chose its checkpoint on both halves.
    """

    train: list[PhotoRecord]
    chosen_on: list[PhotoRecord]
    measured_on: list[PhotoRecord]


def mask_boxes(data: Path) -> MaskBoxes:
    """Read DATA/mask_boxes."""
    folder = data / "mask_boxes"
    photos = read_photos(PhotoSetConfig(folder / "label.txt", folder / "images", groups=folder / "groups.csv"))
    train, held = hold_out(photos, HELD_OUT)
    return MaskBoxes(train, *hold_out(held, 2))


def wider_subset(data: Path) -> list[PhotoRecord]:
    """Read the 135 photos of WIDER FACE's validation set in DATA/widerface; no step was chosen on them."""
    folder = data / "widerface" / "WIDER_val_subset" / "val"
    return read_photos(PhotoSetConfig(folder / "label.txt", folder / "images"))
