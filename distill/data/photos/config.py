"""Configuration of a detector's photos: sets, crops, mosaics and pasted faces."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from distill.errors import ConfigError

PhotoFormat = Literal["wider_label", "wider_text", "wider_mat", "voc", "coco"]


@dataclass(frozen=True)
class PhotoSetConfig:
    """Photos with face boxes.

    Attributes:
        labels: file (`voc`: folder) of the boxes.
        images: folder of the photos.
        format: how the boxes lie on disk.
        repeat: how often an epoch shows every photo.
        hold_out: every n-th group of photos is held out for validation; 0 holds out none.
        groups: CSV with the columns photo and near_duplicate_group; photos of a group stay on one side.
    """

    labels: Path
    images: Path
    format: PhotoFormat = "wider_label"
    repeat: int = 1
    hold_out: int = 0
    groups: Path | None = None

    def __post_init__(self) -> None:
        if self.repeat < 1 or self.hold_out < 0:
            raise ConfigError(f"--data.sets: repeat {self.repeat} must be at least 1 and hold_out at least 0")


@dataclass(frozen=True)
class PasteSetConfig:
    """Faces with landmarks, to be pasted into photos: their boxes and five points are known exactly.

    Attributes:
        format: how the faces lie on disk, as `--data.format` of a landmark network.
        root: folder of the data.
        subset: faces, names joined by `+`; never a test set.
    """

    format: str
    root: Path
    subset: str = "all"


@dataclass(frozen=True)
class SceneConfig:
    """How a training image is composed.

    Attributes:
        size: side of the square image in pixels, a multiple of 32.
        smallest: a chosen face gets a longer side between `smallest` and `largest` pixels, log-uniformly.
        largest: see `smallest`.
        ignore_below: faces with a longer side below this many pixels count as ignored.
        enlarge: largest factor that a photo is scaled up by.
        background: share of crops around no particular face.
        surround: largest side of the square that is cut out, in longer sides of the photo.
        mosaic: share of images that are composed of 4 or 16 crops.
        paste: share of images that faces are pasted into.
        pasted: largest number of pasted faces.
        paste_smallest: longer side of a pasted face in pixels, between this and `paste_largest`, log-uniformly.
        paste_largest: see `paste_smallest`.
        paste_roll: largest roll of a pasted face in degrees, to either side.
        flip: probability of mirroring.
        pixels: multiplies the probability of each change of light, colour, sharpness …; 0: none.
    """

    size: int = 320
    smallest: float = 8.0
    largest: float = 224.0
    ignore_below: float = 6.0
    enlarge: float = 2.5
    background: float = 0.1
    surround: float = 1.25
    mosaic: float = 0.3
    paste: float = 0.5
    pasted: int = 4
    paste_smallest: float = 8.0
    paste_largest: float = 120.0
    paste_roll: float = 0.0
    flip: float = 0.5
    pixels: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 64:
            raise ConfigError(
                f"--data.scene.size {self.size} must be a multiple of 64: the crops of a mosaic have a quarter of it"
            )
        for low, high in (("smallest", "largest"), ("paste_smallest", "paste_largest")):
            if not 0 < getattr(self, low) <= getattr(self, high):
                raise ConfigError(f"--data.scene.{low} must be above 0 and at most --data.scene.{high}")
        if self.enlarge < 1 or self.surround < 1:
            raise ConfigError("--data.scene.enlarge and --data.scene.surround must be at least 1")
        if not 0 <= self.paste_roll <= 180:
            raise ConfigError(f"--data.scene.paste_roll {self.paste_roll:g} must be in [0, 180] degrees")
        for name in ("background", "mosaic", "paste", "flip"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--data.scene.{name} {getattr(self, name)} must be in [0, 1]")


@dataclass(frozen=True)
class PhotoDataConfig:
    """Photos of a detector's training.

    Attributes:
        sets: photos with boxes.
        unlabelled: folders of photos without boxes, from which a student learns its teacher's outputs alone.
        paste: faces to be pasted into photos with boxes.
        scene: how a training image is composed.
        batch_size: images per step.
        workers: processes that prepare images; 0 prepares them in the training process.
        longest: photos are kept in memory with at most this many pixels on the longer side.
        val_size: longer side of validation photos as input of the network, a multiple of 32.
    """

    sets: list[PhotoSetConfig] = field(default_factory=list)
    unlabelled: list[Path] = field(default_factory=list)
    paste: list[PasteSetConfig] = field(default_factory=list)
    scene: SceneConfig = field(default_factory=SceneConfig)
    batch_size: int = 16
    workers: int = 0
    longest: int = 1024
    val_size: int = 640

    def __post_init__(self) -> None:
        if self.val_size < 32 or self.val_size % 32:
            raise ConfigError(f"--data.val_size {self.val_size} must be a multiple of 32")
        if self.batch_size < 1 or self.longest < 64:
            raise ConfigError("--data.batch_size must be at least 1 and --data.longest at least 64")
