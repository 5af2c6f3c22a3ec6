"""Configuration of the supervised loss and of knowledge distillation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from distill.errors import ConfigError, suggest

KDName = Literal["mse", "l2", "kl", "covariance", "feature", "coordinate", "gaussian", "none"]


@dataclass(frozen=True)
class LossConfig:
    """The supervised loss; an option left at None has the default of the chosen loss, which must have that option.

    Attributes:
        kind: `maps`, `bce`, `mse`, `nme`, `wing`, `l1`, `smooth_l1`, or the network's own.
        star: weight of the STAR loss on the decoded landmarks, for `maps` [1].
        star_eigen: weight of its eigenvalue restriction, for `maps` [1].
        point: weight of adaptive wing on the point maps, for `maps` [10].
        edge: weight of adaptive wing on the edge maps, for `maps` [10].
        sigma: standard deviation of the target maps in heatmap cells, for `maps`, `bce` and `mse` [1].
    """

    kind: str = "default"
    star: float | None = None
    star_eigen: float | None = None
    point: float | None = None
    edge: float | None = None
    sigma: float | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None and not self.sigma > 0:
            raise ConfigError(f"--loss.sigma {self.sigma} must be above 0")


@dataclass(frozen=True)
class CacheConfig:
    """What the teacher said, kept on disk.

    Attributes:
        form: maps of every crop, whole or a `window`; `landmarks` once per face; `none`.
        folder: where; one folder serves several runs.
        gigabytes: the most it may take; what does not fit is asked again.
    """

    form: Literal["none", "window", "maps", "landmarks"] = "none"
    folder: Path = Path("runs/teacher_cache")
    gigabytes: float = 20.0

    def __post_init__(self) -> None:
        if self.gigabytes <= 0:
            raise ConfigError(f"--kd.cache.gigabytes {self.gigabytes} must be above 0; --kd.cache.form none keeps none")


@dataclass(frozen=True)
class KDConfig:
    """Distillation from the teacher: between maps or features, or to the coordinates of a regression network.

    Attributes:
        kind: `mse`, `l2`, `kl`, `covariance`, `feature`, `coordinate`, `gaussian` or `none`.
        weight: weight of this kind (the authors: 100 for mse; about 1 for the others).
        extra: further kinds at the same time, with their weights.
        temperature: softens the distributions of `kl`.
        decay: `constant`, or `linear` to fade all weights to 0 (DWPose).
        only: no supervised loss; the teacher alone is heard.
        flip: average the teacher's answer with that for the mirrored crop.
        head_only: train what is behind the frozen backbone of --teacher anew (DWPose, stage 2).
        inherit_heads: start the student's heads from the teacher's; both need the same neck width.
        cache: what the teacher said, kept on disk.
    """

    kind: KDName = "mse"
    weight: float = 100.0
    extra: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    decay: Literal["constant", "linear"] = "constant"
    only: bool = False
    flip: bool = False
    head_only: bool = False
    inherit_heads: bool = False
    cache: CacheConfig = field(default_factory=CacheConfig)

    @property
    def weights(self) -> dict[str, float]:
        """Every kind with its weight, `kind` first."""
        return {} if self.kind == "none" else {self.kind: self.weight, **self.extra}

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise ConfigError(f"--kd.temperature {self.temperature} must be above 0")
        kinds = [name for name in get_args(KDName) if name not in ("none", self.kind)]
        for name in self.extra:
            if name not in kinds:
                raise ConfigError(f"--kd.extra '{name}' beside --kd.kind {self.kind}: {suggest(name, kinds)}")
        if "feature" in self.weights and self.cache.form != "none":
            raise ConfigError("--kd.cache.form: features are not cached; take none, or leave out the kind feature")
        if self.kind == "none":
            for name in ("extra", "only", "flip", "head_only", "inherit_heads"):
                if getattr(self, name):
                    raise ConfigError(f"--kd.{name} needs a teacher, but --kd.kind is none")
