"""What can be configured. A field's doc line is its help text; contradictions are refused where they are written."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from distill.data.augment import AugmentConfig
from distill.data.records import FOUND
from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.losses.kd import KDConfig


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
        format: how the data lie on disk: a name of docs/data.md.
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
class ModelConfig:
    """Which network.

    Attributes:
        arch: name in the zoo.
        options: keyword arguments of the architecture.
        init: checkpoint to start from; its weights that fit by name and shape are taken.
    """

    arch: str = "mobilevit_v2_050"
    options: dict[str, Any] = field(default_factory=dict)
    init: Path | None = None


@dataclass(frozen=True)
class LossConfig:
    """The supervised loss.

    Attributes:
        kind: `maps`, `bce`, `mse`, `nme`, `wing`, `l1`, `smooth_l1`, or the network's own.
        star: weight of the STAR loss on the decoded landmarks; for `maps`, as what follows.
        star_eigen: weight of its eigenvalue restriction.
        point: weight of adaptive wing on the point maps.
        edge: weight of adaptive wing on the edge maps.
        sigma: standard deviation of the target maps, in heatmap cells.
    """

    kind: str = "default"
    star: float = 1.0
    star_eigen: float = 1.0
    point: float = 10.0
    edge: float = 10.0
    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not self.sigma > 0:
            raise ConfigError(f"--loss.sigma {self.sigma} must be above 0")


@dataclass(frozen=True)
class OptimConfig:
    """AdamW with linear warm-up and cosine decay.

    Attributes:
        lr: peak learning rate of backbone and neck.
        head_lr: peak learning rate of the heads; DAN has none apart.
        weight_decay: of matrices in backbone and neck; norms and biases have none.
        head_weight_decay: of the heads.
        warmup: share of the steps over which the rate rises from 0.
        clip: largest norm of the gradient.
        ema: decay of the moving average that is validated and saved; 0 turns it off.
    """

    lr: float = 1e-3
    head_lr: float = 1e-3
    weight_decay: float = 0.05
    head_weight_decay: float = 1e-4
    warmup: float = 0.05
    clip: float = 5.0
    ema: float = 0.998

    def __post_init__(self) -> None:
        for name in ("lr", "head_lr", "weight_decay", "head_weight_decay"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"--optim.{name} {getattr(self, name)} must be at least 0")
        if not self.clip > 0:
            raise ConfigError(f"--optim.clip {self.clip} must be above 0; 1e9 clips nothing")
        if not 0 <= self.ema < 1:
            raise ConfigError(f"--optim.ema {self.ema} must be in [0, 1)")
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"--optim.warmup {self.warmup} must be in [0, 1)")


@dataclass(frozen=True)
class TrainerConfig:
    """How long, on what, and how often to look.

    Attributes:
        epochs: passes over the training faces.
        precision: `32`, `bf16` (activations only; losses stay in float32) or `auto`, the faster.
        accelerator: `auto`, `cpu`, `gpu` or `mps`.
        devices: devices per machine.
        num_nodes: machines.
        validate_every: epochs between validations.
        checkpoint_every: steps between saves of the last checkpoint.
        patience: validations without a better NME before training stops; 0 never stops early.
        threads: CPU threads for the network; 0 leaves it to torch.
    """

    epochs: int = 100
    precision: Literal["auto", "32", "bf16"] = "32"
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    validate_every: int = 2
    checkpoint_every: int = 100
    patience: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "devices", "num_nodes", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--trainer.{name} {getattr(self, name)} must be at least 1")
        if self.epochs % self.validate_every:
            raise ConfigError(
                f"--trainer.epochs {self.epochs} is no multiple of --trainer.validate_every {self.validate_every}: "
                "the last weights would never be validated"
            )


@dataclass(frozen=True)
class LogConfig:
    """Where a run is recorded besides `metrics.csv`, which is always written.

    Attributes:
        wandb: Weights & Biases `offline`, `online` (needs a key) or `disabled`.
        project: W&B project.
        every: steps between records of the training losses.
        pictures: validation faces drawn with predictions (real faces are personal data).
        gradients: steps between records of each loss term's own gradient norm; 0 never.
    """

    wandb: Literal["offline", "online", "disabled"] = "offline"
    project: str = "distill"
    every: int = 10
    pictures: int = 0
    gradients: int = 0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"--log.every {self.every} must be at least 1; the losses are always recorded")


@dataclass(frozen=True)
class RunConfig:
    """What every training run has.

    Attributes:
        name: the run lives in `runs/NAME`.
        runs: folder of all runs.
        seed: everything random is a function of it.
        resume: continue the run from its last checkpoint instead of starting it.
        data: faces.
        model: network.
        loss: supervised loss.
        optim: optimiser.
        trainer: length and hardware.
        log: tracking.
    """

    name: str = "teacher"
    runs: Path = Path("runs")
    seed: int = 0
    resume: bool = False
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    log: LogConfig = field(default_factory=LogConfig)


@dataclass(frozen=True)
class StudentConfig(RunConfig):
    """A training run that may learn from a teacher.

    Attributes:
        teacher: its checkpoint, or those of several to average; none if kd.kind is `none`.
        kd: distillation.
    """

    name: str = "student"
    teacher: list[Path] | Path | None = None
    kd: KDConfig = field(default_factory=KDConfig)

    @property
    def teachers(self) -> list[Path]:
        """The checkpoints of all teachers."""
        given = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        return [path for path in given if path is not None]

    def __post_init__(self) -> None:
        if self.kd.kind != "none" and not self.teachers:
            raise ConfigError("--teacher is missing: give a teacher's checkpoint, or --kd.kind none to train without")
        if self.kd.head_only and len(self.teachers) > 1:
            raise ConfigError("--kd.head_only takes one --teacher: the trained student itself")


@dataclass(frozen=True)
class FacesConfig:
    """Annotated faces to measure on.

    Attributes:
        format: how the data lie on disk: a name of docs/data.md.
        root: folder of the data.
        subset: names joined by `+`, any folder or list the format knows; `all` for every face.
    """

    format: str = "300w"
    root: Path = Path("data/300W")
    subset: str = "all"
