"""Configuration of the faces: data sets, subsets, crops and batches."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from distill.data.augment import AugmentConfig
from distill.data.box_sources import DETECTOR, require_box_source
from distill.data.presets import official_split, packed_split, preset
from distill.errors import ConfigError
from distill.geometry import CropSpec

_ROOT = Path("data/300W")
_FORMAT = "300w"
# The format of `distill data pack --shards`, which trainings alone read.
SHARDS = "shards"
_VAL_FRACTION = 0.1
# Default of a field that __post_init__ fills in, so that what is given can be told from what is left open. It is None
# behind `Any`, because the field of a finished configuration never is.
_OPEN: Any = None


@dataclass(frozen=True)
class SetConfig:
    """A further data set to train on, beside the main one that is also validated on.

    Attributes:
        format: how the data lie on disk.
        root: folder of the data.
        subset: faces, names joined by `+`; `all` for every face.
        scheme: landmark scheme of its annotations; a head of this scheme learns them.
        weight: how much its faces count; by default 1, and 0.2 where labels are weak.
        labels: who made the points: `hand`, `weak` (a model), `none` (distillation only); by default as marked.
        boxes: face boxes to train on; by default those of the main set.
        faces: how many of its faces, drawn at random by the seed; by default all.
        share: how much of it an epoch shows, the rest later on, so that a large set does not crowd out the main one.
    """

    format: str
    root: Path
    subset: str = "all"
    scheme: str | None = None
    weight: float | None = None
    labels: Literal["hand", "weak", "none"] | None = None
    boxes: list[str] | None = None
    faces: int | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"--data.sets: share {self.share} of {self.root} must be above 0 and at most 1")
        if self.faces is not None and self.faces < 1:
            raise ConfigError(f"--data.sets: faces {self.faces} of {self.root} must be at least 1")
        if self.weight is not None and self.weight < 0:
            raise ConfigError(f"--data.sets: weight {self.weight} of {self.root} must be at least 0")
        if self.boxes is not None:
            _require_boxes(f"--data.sets: boxes of {self.root},", self.boxes)


def _require_boxes(what: str, boxes: list[str]) -> None:
    for source in boxes:
        require_box_source(what, source)
    if not boxes or boxes[0] == DETECTOR:
        raise ConfigError(
            f"{what} {boxes} must begin with gt or dataset; the crop of {DETECTOR} boxes is fitted to them"
        )


@dataclass(frozen=True)
class ShardConfig:
    """How the shards of `--data.format shards` are read.

    Attributes:
        window: shards whose faces are mixed; an epoch passes over all shards in shuffled order.
        max_gb: room for copies of shards at a URL, in `DISTILL_CACHE`.
    """

    window: int = 8
    max_gb: float = 100.0

    def __post_init__(self) -> None:
        if self.window < 1 or self.max_gb <= 0:
            raise ConfigError(
                f"--data.shards: window {self.window} must be at least 1 and max_gb {self.max_gb} above 0"
            )


@dataclass(frozen=True)
class CropConfig:
    """How a face box becomes the square crop that a network receives.

    Attributes:
        size: side of the crop in pixels; by default what the network is made for.
        scale: side of the crop in longer sides of the face box; by default what holds every landmark.
        shift_y: how far the crop's centre lies below the box's, in longer sides of the box; by default as `scale`.
    """

    size: int | None = None
    scale: float | None = None
    shift_y: float | None = None

    def spec(self) -> CropSpec:
        """Return the crop of a network, whose values must be known by now.

        Raises:
            ConfigError: they are not.
        """
        if self.size is None:
            raise ConfigError("--data.crop.size is not set; give it, or a network that has one")
        if self.scale is None or self.shift_y is None:
            raise ConfigError("--data.crop.scale and shift_y are not set; give both, or faces to choose them by")
        return CropSpec(self.size, self.scale, self.shift_y)


@dataclass(frozen=True)
class DataConfig:
    """Which faces, and how they are cut out.

    Attributes:
        preset: public data set with its official split: 300w, wflw, cofw, lapa, youtube_faces, muct, aflw.
        format: how the data lie on disk: a name of docs/reference/formats.md [the preset's, else 300w].
        root: folder of the data [the preset's, else data/300W].
        subset: training faces, names joined by `+`; `all` for every face; by default the official training faces.
        val_subset: validation faces; by default the official ones, else some training faces are held out.
        val_fraction: share of the training faces held out for want of validation faces, in (0, 1).
        test_subset: test faces; training photos among them are dropped. By default the official ones.
        scheme: landmark scheme to learn.
        boxes: face boxes, one of them at random: `gt`, `dataset`, last `detector`.
        crop: how a face box becomes a crop.
        augment: how training faces are changed.
        batch_size: faces per step and device.
        workers: processes that prepare faces; the result does not depend on it.
        cache: keep decoded photos in memory.
        augment_period: epochs after which the augmentations of a face repeat; 0 never repeats them.
        sets: further data sets, of schemes that the network has a head for.
        balance: attributes of the main set's faces; the rarer a face's kind, the more it counts.
        unfit_faces: faces that spoil a training, as with points far outside: `refuse` to start, or `leave_out`.
        shards: how shards are read, of `--data.format shards`.
    """

    format: str = _OPEN
    root: Path = _OPEN
    subset: str | None = None
    val_subset: str | None = None
    val_fraction: float = _VAL_FRACTION
    test_subset: str | None = None
    scheme: str = "inner51"
    boxes: list[str] = field(default_factory=lambda: ["gt"])
    crop: CropConfig = field(default_factory=CropConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    batch_size: int = 16
    workers: int = 1
    cache: bool = True
    augment_period: int = 0
    sets: list[SetConfig] = field(default_factory=list)
    balance: list[str] = field(default_factory=list)
    preset: str | None = None
    unfit_faces: Literal["refuse", "leave_out"] = "refuse"
    shards: ShardConfig = field(default_factory=ShardConfig)

    def __post_init__(self) -> None:
        _apply_preset(self)
        if self.shards != ShardConfig() and self.format != SHARDS:
            raise ConfigError(f"--data.shards has no effect on --data.format {self.format}, only on {SHARDS}")
        if not 0 < self.val_fraction < 1:
            raise ConfigError(f"--data.val_fraction {self.val_fraction} must be above 0 and below 1")
        if self.batch_size < 1:
            raise ConfigError(f"--data.batch_size {self.batch_size} must be at least 1")
        if self.workers < 0:
            raise ConfigError(f"--data.workers {self.workers} must be at least 0, which prepares faces in the training")
        _require_boxes("--data.boxes", self.boxes)
        if self.augment_period < 0:
            raise ConfigError(
                f"--data.augment_period {self.augment_period} must be at least 0, which repeats no augmentation"
            )

    def holds_out_faces(self) -> bool:
        """Return whether training faces are held out for validation: no others are named, or declared by the data.

        Raises:
            AnnotationError: data that have to be read for it are missing or broken.
        """
        if self.val_subset is not None:
            return False
        if self.format == SHARDS:
            from distill.data.shards.index import open_index

            about = open_index(self.root, self.shards.max_gb).about
            return packed_split(about["source"], about["preset"], about["subsets"]).val is None
        return self.subset is not None or official_split(self.format, self.root, self.preset, self.scheme).val is None


@dataclass(frozen=True)
class FacesConfig:
    """Annotated faces to measure on.

    Attributes:
        format: how the data lie on disk: a name of docs/reference/formats.md [the preset's, else 300w].
        root: folder of the data [the preset's, else data/300W].
        subset: names joined by `+`, any folder or list of the format; `all` for every face. By default the official
            test faces for what measures a model, and every face for what looks at data.
        preset: public data set whose format and official split are used.
    """

    format: str = _OPEN
    root: Path = _OPEN
    subset: str | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        _apply_preset(self)

    def test_faces(self) -> "FacesConfig":
        """Return the faces to measure a model on: those named, else the official test or validation faces."""
        if self.subset is not None:
            return self
        split = official_split(self.format, self.root, self.preset)
        return replace(self, subset=split.test or split.val or "all")


def _apply_preset(config: DataConfig | FacesConfig) -> None:
    """Fill in the format and the folder that are left open: those of the preset, else of 300-W.

    Raises:
        ConfigError: a format is given that is not the preset's.
    """
    public = {} if config.preset is None else preset(config.preset)
    format, root = public.get("format", _FORMAT), Path(public.get("root", _ROOT))
    if config.format is None:
        object.__setattr__(config, "format", format)
    elif public and config.format != format:
        raise ConfigError(
            f"--data.format {config.format} contradicts --data.preset {config.preset}, which is {format}: "
            "leave one of them out"
        )
    if config.root is None:
        object.__setattr__(config, "root", root)
