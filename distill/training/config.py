"""Configuration of a training run: optimiser, trainer, logging, and the parts it is made of."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from distill.data.config import DataConfig
from distill.errors import ConfigError
from distill.losses.config import FEATURE, KDConfig, LossConfig
from distill.models.config import ModelConfig
from distill.pretrained.registry import resolve_model

# Options of the optimiser that only one choice of another option reads.
_READ_BY = {
    "momentum": ("name", "sgd"),
    "milestones": ("schedule", "step"),
    "gamma": ("schedule", "step"),
}


NEEDS_INIT = "fine-tunes a trained network: give its checkpoint, --model.init best.ckpt"

# Rates and decays above it are mistyped: no optimiser here trains with them.
_MOST_RATE = 100


@dataclass(frozen=True)
class OptimConfig:
    """Optimiser and learning-rate schedule, with linear warm-up.

    Attributes:
        name: `adamw`, `adam` or `sgd`.
        lr: peak learning rate of backbone and neck.
        head_lr: peak learning rate of the heads; by default that of the rest.
        weight_decay: of matrices in backbone and neck; norms and biases have none.
        head_weight_decay: of the heads.
        momentum: of `sgd` [0.9].
        schedule: `cosine` to 0, `step` or `constant`.
        milestones: of `step`: shares of the training at which the rate drops [0.8, 0.95].
        gamma: of `step`: factor at each milestone [0.1].
        warmup: share of the steps over which the rate rises from 0.
        clip: largest norm of the gradient.
        ema: decay of the moving average that is validated and saved; 0 turns it off.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = 1e-3
    head_lr: float | None = None
    weight_decay: float = 0.05
    head_weight_decay: float = 1e-4
    momentum: float | None = None
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: list[float] | None = None
    gamma: float | None = None
    warmup: float = 0.05
    clip: float = 5.0
    ema: float = 0.998

    @property
    def head_lr_or_lr(self) -> float:
        return self.lr if self.head_lr is None else self.head_lr

    @property
    def momentum_or_default(self) -> float:
        return 0.9 if self.momentum is None else self.momentum

    @property
    def milestones_or_default(self) -> list[float]:
        return [0.8, 0.95] if self.milestones is None else self.milestones

    @property
    def gamma_or_default(self) -> float:
        return 0.1 if self.gamma is None else self.gamma

    def __post_init__(self) -> None:
        for name in ("lr", "head_lr", "weight_decay", "head_weight_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= _MOST_RATE:
                raise ConfigError(f"--optim.{name} {value} must be in [0, {_MOST_RATE}]")
        if not self.clip > 0:
            raise ConfigError(f"--optim.clip {self.clip} must be above 0; 1e9 clips nothing")
        for name in ("ema", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"--optim.{name} {getattr(self, name)} must be in [0, 1)")
        for name, (option, choice) in _READ_BY.items():
            if getattr(self, name) is not None and getattr(self, option) != choice:
                raise ConfigError(
                    f"--optim.{name} has no effect with --optim.{option} {getattr(self, option)}: "
                    f"it belongs to {choice}"
                )
        if not 0 <= self.momentum_or_default < 1:
            raise ConfigError(f"--optim.momentum {self.momentum} must be in [0, 1)")
        if not all(0 < share < 1 for share in self.milestones_or_default):
            raise ConfigError(f"--optim.milestones {self.milestones} must be shares of the training, in (0, 1)")
        if not 0 < self.gamma_or_default < 1:
            raise ConfigError(f"--optim.gamma {self.gamma} must be in (0, 1)")


@dataclass(frozen=True)
class TrainerConfig:
    """Length of the training, devices, precision and intervals of validation.

    Attributes:
        epochs: passes over the training faces.
        precision: `32`, `tf32` or `16` (GPU only), `bf16`, `auto` (bf16 where there is), or `int8`, simulated.
        accumulate: parts that a batch is computed in, one after the other, so that it fits the memory.
        accelerator: `auto`, `cpu`, `gpu` or `mps`.
        devices: devices per machine.
        num_nodes: machines.
        sync_batchnorm: statistics of batch norms over the batches of all GPUs, instead of each GPU's own.
        compile: compile the network (`torch.compile`).
        recompute: compute blocks of the backbone twice instead of keeping them, for less memory.
        validate_every: epochs between validations.
        checkpoint_every: steps between saves of the last checkpoint.
        patience: validations without a better NME before training stops; 0 never stops early.
        threads: CPU threads for the network; 0 leaves it to torch.
        nonfinite: a step with NaN or infinity: `stop`, or `skip` it and count it as `train/skipped`.
    """

    epochs: int = 100
    precision: Literal["auto", "32", "tf32", "bf16", "16", "int8"] = "32"
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    devices: int = 1
    num_nodes: int = 1
    sync_batchnorm: bool = False
    compile: bool = False
    recompute: bool = False
    validate_every: int = 2
    checkpoint_every: int = 100
    patience: int = 0
    threads: int = 0
    accumulate: int = 1
    nonfinite: Literal["stop", "skip"] = "stop"

    def __post_init__(self) -> None:
        for name in ("epochs", "accumulate", "devices", "num_nodes", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--trainer.{name} {getattr(self, name)} must be at least 1")
        for name in ("patience", "threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--trainer.{name} {getattr(self, name)} must be at least 0")
        if self.precision == "int8" and (self.devices * self.num_nodes > 1 or self.recompute):
            raise ConfigError(
                "--trainer.precision int8 tracks the ranges of activations in each forward pass of one process: not "
                "with several devices or --trainer.recompute"
            )
        if self.epochs % self.validate_every:
            fitting = math.gcd(self.epochs, self.validate_every)
            raise ConfigError(
                f"--trainer.epochs {self.epochs} is no multiple of --trainer.validate_every {self.validate_every}: "
                f"the last weights would never be validated; give --trainer.validate_every {fitting} as well"
            )


@dataclass(frozen=True)
class LogConfig:
    """Loggers of a run besides `metrics.csv`, which is always written.

    Attributes:
        wandb: Weights & Biases `offline`, `online` (needs a key) or `disabled`.
        to: trackers, several at once: `wandb`, `tensorboard`, `mlflow`, `trackio`; by default W&B alone.
        project: of the trackers; in MLflow the experiment.
        entity: W&B user or team; the account's default if none is given.
        group: such as the name of a study; the name of the run by default.
        tags: free words.
        notes: free text.
        system: also send the use of processor, memory and GPU to W&B.
        every: steps between records of the training losses.
        pictures: validation faces (photos of a detector) drawn with predictions; real faces are personal data.
        gradients: steps between records of each loss term's own gradient norm; 0 never.
    """

    wandb: Literal["offline", "online", "disabled"] = "offline"
    to: list[Literal["wandb", "tensorboard", "mlflow", "trackio"]] | None = None
    project: str = "distill"
    entity: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    notes: str | None = None
    system: bool = False
    every: int = 10
    pictures: int = 0
    gradients: int = 0

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"--log.every {self.every} must be at least 1; the losses are always recorded")
        if self.wandb == "disabled" and "wandb" in (self.to or ()):
            raise ConfigError("--log.to wandb contradicts --log.wandb disabled: leave one of them out")
        if self.wandb == "online" and "wandb" not in self.trackers:
            raise ConfigError("--log.wandb online has no effect: --log.to does not name wandb")

    @property
    def trackers(self) -> list[str]:
        """Names of the trackers, each once."""
        if self.to is None:
            return [] if self.wandb == "disabled" else ["wandb"]
        return list(dict.fromkeys(self.to))


class TrackedConfig(Protocol):
    """What the trackers read of the configuration of a training, beside its plain values."""

    @property
    def name(self) -> str: ...

    @property
    def runs(self) -> Path: ...

    @property
    def resume(self) -> bool: ...

    @property
    def log(self) -> LogConfig: ...


def require_run(name: str, runs: Path, seed: int) -> None:
    """Check what every run has.

    Raises:
        ConfigError: a name that is not that of a folder in `runs`, or a negative seed, which no generator takes.
    """
    folder = Path(name)
    if not folder.parts or ".." in folder.parts or folder.is_absolute():
        raise ConfigError(f"--name '{name}' is no folder in {runs}; choose another, --runs names the folder around it")
    if seed < 0:
        raise ConfigError(f"--seed {seed} must be at least 0")


@dataclass(frozen=True)
class RunConfig:
    """Configuration of every training run.

    Attributes:
        name: the run lives in `runs/NAME`.
        runs: folder of all runs.
        seed: everything random is a function of it.
        resume: continue the run from its last checkpoint instead of starting it.
        accept_data: with `resume`, accept that validation faces were corrected since.
        plugin: Python files that register networks, losses or formats of your own.
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
    accept_data: bool = False
    plugin: list[Path] | Path | None = None
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def __post_init__(self) -> None:
        if self.accept_data and not self.resume:
            raise ConfigError("--accept_data has no effect without --resume: it accepts corrected validation faces")
        require_run(self.name, self.runs, self.seed)
        parts = self.trainer.accumulate
        if self.data.batch_size % parts:
            raise ConfigError(
                f"--data.batch_size {self.data.batch_size} is no multiple of --trainer.accumulate {parts}"
            )
        if parts > 1 and self.log.gradients:
            raise ConfigError("--log.gradients reads the loss of a whole batch: not with --trainer.accumulate above 1")


@dataclass(frozen=True)
class StudentConfig(RunConfig):
    """Configuration of a training run, with or without distillation.

    Attributes:
        teacher: its checkpoint, or those of several to average; none if kd.kind is `none`.
        kd: distillation.
    """

    name: str = "student"
    teacher: list[Path] | Path | None = None
    kd: KDConfig = field(default_factory=KDConfig)

    @property
    def teachers(self) -> list[Path]:
        """The checkpoints of all teachers; the name of a released model is its weights."""
        return [resolve_model(path, weights=True) for path in self._named_teachers]

    @property
    def _named_teachers(self) -> list[Path]:
        given = self.teacher if isinstance(self.teacher, list) else [self.teacher]
        return [path for path in given if path is not None]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.plugin:
            self.kd.require_built_in()
        if self.kd.kind != "none" and not self._named_teachers:
            raise ConfigError("--teacher is missing: give a teacher's checkpoint, or --kd.kind none to train without")
        if self.kd.head_only and len(self._named_teachers) > 1:
            raise ConfigError("--kd.head_only takes one --teacher: the trained student itself")
        if self.kd.kind == "none" and self._named_teachers:
            raise ConfigError("--teacher contradicts --kd.kind none: leave one of them out")
        if set(self.kd.weights) == {FEATURE} and len(self._named_teachers) > 1:
            raise ConfigError("--kd.kind feature takes one --teacher: the features of the others have no effect")
