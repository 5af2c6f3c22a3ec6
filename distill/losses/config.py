"""Configuration of the supervised loss and of knowledge distillation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from distill.errors import ConfigError, suggest
from distill.losses.built_in import BUILT_IN_KD, FEATURE

_LOSS_OPTIONS = ("star", "star_eigen", "point", "edge", "sigma")


@dataclass(frozen=True)
class LossConfig:
    """The supervised loss; an option left at None has the default of the chosen loss, which must have that option.

    Attributes:
        name: `maps`, `bce`, `mse`, `nme`, `wing`, `l1`, `smooth_l1`, `pip`, `pfld`, or a plugin's.
        star: weight of the STAR loss on the decoded landmarks, for `maps` [1].
        star_eigen: weight of its eigenvalue restriction, for `maps` [1].
        point: weight of adaptive wing on the point maps, for `maps` [10].
        edge: weight of adaptive wing on the edge maps, for `maps` [10].
        sigma: standard deviation of the target maps in heatmap cells, for `maps`, `bce` and `mse` [1].
        options: options of a plugin's loss.
    """

    name: str = "default"
    star: float | None = None
    star_eigen: float | None = None
    point: float | None = None
    edge: float | None = None
    sigma: float | None = None
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def given_options(self) -> dict[str, Any]:
        """Options that are not left at their defaults."""
        flat = {name: getattr(self, name) for name in _LOSS_OPTIONS if getattr(self, name) is not None}
        return {**flat, **self.options}

    def __post_init__(self) -> None:
        if self.sigma is not None and not self.sigma > 0:
            raise ConfigError(f"--loss.sigma {self.sigma} must be above 0")
        for name in ("star", "star_eigen", "point", "edge"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ConfigError(f"--loss.{name} {value} must be at least 0: a negative weight raises the loss")
        _require_given_once("loss", self.options, {name: getattr(self, name) for name in _LOSS_OPTIONS})


@dataclass(frozen=True)
class CacheConfig:
    """Cached teacher outputs on disk.

    Attributes:
        form: maps of every crop, whole or a `window`; `landmarks` once per face; `none`.
        folder: where; one folder serves several runs.
        max_gb: largest size in gigabytes; outputs that do not fit are computed again.
    """

    form: Literal["none", "window", "maps", "landmarks"] = "none"
    folder: Path = Path("runs/teacher_cache")
    max_gb: float = 20.0

    def __post_init__(self) -> None:
        if self.max_gb <= 0:
            raise ConfigError(f"--kd.cache.max_gb {self.max_gb} must be above 0; --kd.cache.form none turns it off")


@dataclass(frozen=True)
class KDConfig:
    """Distillation from the teacher: between maps or features, or to the coordinates of a regression network.

    Attributes:
        kind: `mse`, `l2`, `kl`, `covariance`, `feature`, `coordinate`, `gaussian`, a plugin's, or `none`.
        weight: weight of this loss (the authors: 100 for mse; about 1 for the others).
        extra: further distillation losses at the same time, with their weights.
        temperature: softens the distributions, for `kl` [1].
        options: options of a plugin's distillation loss.
        decay: `constant`, or `linear` decay of all weights to 0 (DWPose).
        supervised: false trains without supervised loss.
        flip: average the teacher's outputs with those for the mirrored crop.
        head_only: train neck and heads from scratch behind the frozen backbone of --teacher (DWPose, stage 2).
        inherit_heads: start the student's heads from the teacher's; both need the same neck width.
        cache: cached teacher outputs.
    """

    kind: str = "mse"
    weight: float = 100.0
    extra: dict[str, float] = field(default_factory=dict)
    temperature: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    decay: Literal["constant", "linear"] = "constant"
    supervised: bool = True
    flip: bool = False
    head_only: bool = False
    inherit_heads: bool = False
    cache: CacheConfig = field(default_factory=CacheConfig)

    @property
    def weights(self) -> dict[str, float]:
        """Every distillation loss with its weight, `kind` first."""
        return {} if self.kind == "none" else {self.kind: self.weight, **self.extra}

    @property
    def given_options(self) -> dict[str, Any]:
        """Options that are not left at their defaults."""
        flat = {} if self.temperature is None else {"temperature": self.temperature}
        return {**flat, **self.options}

    def require_built_in(self) -> None:
        """Refuse names that are not in the package, where no plugin can add them.

        Raises:
            ConfigError: naming the nearest.
        """
        known = [*BUILT_IN_KD, "none"]
        if self.kind not in known:
            raise ConfigError(f"unknown --kd.kind '{self.kind}': {suggest(self.kind, known)}")
        valid = [name for name in BUILT_IN_KD if name != self.kind]
        for name in self.extra:
            if name not in valid:
                raise ConfigError(f"--kd.extra '{name}' beside --kd.kind {self.kind}: {suggest(name, valid)}")

    def __post_init__(self) -> None:
        if self.temperature is not None and not self.temperature > 0:
            raise ConfigError(f"--kd.temperature {self.temperature} must be above 0")
        further = {f"extra.{name}": weight for name, weight in self.extra.items()}
        for name, weight in {"weight": self.weight, **further}.items():
            if weight < 0:
                raise ConfigError(f"--kd.{name} {weight} must be at least 0: a negative weight raises the loss")
        # The teacher may give its heads alone.
        if self.kind != "none" and not any(self.weights.values()) and not (self.inherit_heads and self.supervised):
            raise ConfigError(f"--kd.weight {self.weight} has no effect: train without a teacher by --kd.kind none")
        _require_given_once("kd", self.options, {"temperature": self.temperature})
        if self.kind == "none":
            _require_defaults(self)
        for name in ("none", self.kind):
            if name in self.extra:
                raise ConfigError(f"--kd.extra '{name}' beside --kd.kind {self.kind}: name other losses")
        if FEATURE in self.weights and self.cache.form != "none":
            raise ConfigError("--kd.cache.form: features are not cached; take none, or leave out the loss feature")
        if self.flip and set(self.weights) == {FEATURE}:
            raise ConfigError("--kd.flip has no effect with --kd.kind feature: its features are of the crop alone")


def _require_defaults(kd: KDConfig) -> None:
    """Refuse options of a distillation that is switched off."""
    defaults = {option.name: option.default for option in fields(KDConfig)}
    defaults |= {"extra": {}, "options": {}, "cache": CacheConfig()}
    for name, default in defaults.items():
        if name != "kind" and getattr(kd, name) != default:
            flag = next(iter(_changed(kd.cache)), name) if name == "cache" else name
            raise ConfigError(f"--kd.{flag} needs a teacher, but --kd.kind is none")


def _changed(cache: CacheConfig) -> list[str]:
    default = asdict(CacheConfig())
    return [f"cache.{name}" for name, value in asdict(cache).items() if value != default[name]]


def _require_given_once(group: str, options: Mapping[str, Any], flat: Mapping[str, Any]) -> None:
    for name in options:
        if flat.get(name) is not None:
            raise ConfigError(f"--{group}.{name} and {name} in --{group}.options: give one of them")
