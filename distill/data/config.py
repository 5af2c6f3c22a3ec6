"""Configuration of the faces: data sets, subsets, crops and batches."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from distill.data.augment import AugmentConfig
from distill.data.records import FOUND
from distill.errors import ConfigError
from distill.geometry import CropSpec


@dataclass(frozen=True)
class SetConfig:
    """A further data set to train on, beside the main one that is also validated on.

    Attributes:
        format: how the data lie on disk.
        root: folder of the data.
        subset: faces, names joined by `+`; `all` for every face.
        scheme: landmark scheme of its annotations; a head of this scheme learns them.
        weight: how much its faces count; by default 1, and 0.2 where labels are weak.
        labels: who made the points: `hand`, `weak` (a model), `none` (only the teacher is heard); by default as marked.
        boxes: face boxes to train on; by default those of the main set.
        share: how much of it an epoch shows, the rest later on, so that a large set does not crowd out the main one.
    """

    format: str
    root: Path
    subset: str = "all"
    scheme: str | None = None
    weight: float | None = None
    labels: Literal["hand", "weak", "none"] | None = None
    boxes: list[str] | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"--data.sets: share {self.share} of {self.root} must be above 0 and at most 1")
        if self.weight is not None and self.weight < 0:
            raise ConfigError(f"--data.sets: weight {self.weight} of {self.root} must be at least 0")
        if self.boxes is not None:
            _require_boxes(f"--data.sets: boxes of {self.root},", self.boxes)


def _require_boxes(what: str, boxes: list[str]) -> None:
    if not boxes or boxes[0] == FOUND:
        raise ConfigError(
            f"{what} {boxes} must begin with gt or det; {FOUND} boxes are cut out so that they show as much"
        )


@dataclass(frozen=True)
class DataConfig:
    """Which faces, and how they are cut out.

    Attributes:
        format: how the data lie on disk: a name of docs/reference/formats.md.
        root: folder of the data.
        subset: training faces, names joined by `+`; `all` for every face.
        val_subset: validation faces; by default some training faces are held out.
        val_fraction: how much is held out when there is no val_subset.
        test_subset: faces that will be tested; training photos among them are dropped.
        scheme: landmark scheme to learn.
        boxes: face boxes, one of them at random: `gt`, `det`, last `found` (our detector's).
        crop: how a face box becomes a crop.
        augment: how training faces are changed.
        batch_size: faces per step and device.
        workers: processes that prepare faces; the result does not depend on it.
        cache: keep decoded photos in memory.
        rounds: after so many epochs a face's augmentations begin again; 0 draws new ones for ever.
        sets: further data sets, of schemes that the network has a head for.
        balance: attributes of the main set's faces; the rarer a face's kind, the more it counts.
    """

    format: str = "300w"
    root: Path = Path("data/300W")
    subset: str = "all"
    val_subset: str | None = None
    val_fraction: float = 0.1
    test_subset: str | None = None
    scheme: str = "inner51"
    boxes: list[str] = field(default_factory=lambda: ["gt"])
    crop: CropSpec = field(default_factory=CropSpec)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    batch_size: int = 32
    workers: int = 2
    cache: bool = False
    rounds: int = 0
    sets: list[SetConfig] = field(default_factory=list)
    balance: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError(f"--data.batch_size {self.batch_size} must be at least 1")
        _require_boxes("--data.boxes", self.boxes)
        if self.rounds < 0:
            raise ConfigError(f"--data.rounds {self.rounds} must be at least 0, which repeats no augmentation")


@dataclass(frozen=True)
class FacesConfig:
    """Annotated faces to measure on.

    Attributes:
        format: how the data lie on disk: a name of docs/reference/formats.md.
        root: folder of the data.
        subset: names joined by `+`, any folder or list the format knows; `all` for every face.
    """

    format: str = "300w"
    root: Path = Path("data/300W")
    subset: str = "all"
