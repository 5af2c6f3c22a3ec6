"""Configuration of a detector's training run."""

from dataclasses import dataclass, field
from pathlib import Path

from distill.data.photos.config import PhotoDataConfig
from distill.detection.retinaface.distillation import DetectorKDConfig
from distill.detection.retinaface.loss import DetectionLossConfig
from distill.detection.retinaface.net import RetinaFaceConfig
from distill.errors import ConfigError
from distill.training.config import NEEDS_INIT, LogConfig, OptimConfig, TrainerConfig, require_run


@dataclass(frozen=True)
class DetectorModelConfig(RetinaFaceConfig):
    """Network of the detector and where its weights come from.

    Attributes:
        weights: file of MobileNetV2's ImageNet weights for width 1.0, as published by torchvision or timm; a thinner
            backbone starts from the channels whose batch norms scale the most.
        init: trained detector of the same architecture to start from.
    """

    weights: Path | None = None
    init: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights is not None and self.init is not None:
            raise ConfigError("--model.weights contradicts --model.init: give one of them")

    def net(self) -> RetinaFaceConfig:
        """Return the architecture alone."""
        return RetinaFaceConfig(self.width, self.pyramid, self.anchors)


@dataclass(frozen=True)
class DetectorConfig:
    """A training run of a face detector.

    Attributes:
        name: the run lives in `runs/NAME`.
        runs: folder of all runs.
        seed: everything random is a function of it.
        resume: continue the run from its last checkpoint instead of starting it.
        data: photos.
        model: network.
        loss: RetinaFace's multi-task loss.
        teacher: trained detector with the same prior boxes, such as one of width 1.0, to learn from as well.
        kd: weights of what is learned from it.
        optim: optimiser.
        trainer: length and hardware.
        log: tracking.
    """

    name: str = "detector"
    runs: Path = Path("runs")
    seed: int = 0
    resume: bool = False
    data: PhotoDataConfig = field(default_factory=PhotoDataConfig)
    model: DetectorModelConfig = field(default_factory=DetectorModelConfig)
    loss: DetectionLossConfig = field(default_factory=DetectionLossConfig)
    teacher: Path | None = None
    kd: DetectorKDConfig = field(default_factory=DetectorKDConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    log: LogConfig = field(default_factory=LogConfig)

    def __post_init__(self) -> None:
        require_run(self.name, self.runs, self.seed)
        if self.data.unlabelled and self.teacher is None:
            raise ConfigError("--data.unlabelled: photos without boxes teach nothing without --teacher; give one")
        single = {
            "accumulate": 1,
            "devices": 1,
            "num_nodes": 1,
            "sync_batchnorm": False,
            "patience": 0,
        }
        for name, value in single.items():
            if getattr(self.trainer, name) != value:
                raise ConfigError(f"--trainer.{name} has no effect on the training of a detector: leave it {value}")
        if self.trainer.compile:
            raise ConfigError("--trainer.compile: the training of a detector is not compiled; leave the option out")
        if self.trainer.precision == "int8" and self.model.init is None:
            raise ConfigError(f"--trainer.precision int8 {NEEDS_INIT}")
