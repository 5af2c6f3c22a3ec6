"""What teacher and student both learn from annotated faces: maps, or points, by the kind of the network."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from distill.errors import ConfigError, suggest
from distill.landmarks import Scheme
from distill.losses.bce import binary_cross_entropy
from distill.losses.mse import squared_error
from distill.losses.pfld import PfldLoss
from distill.losses.points import POINT_LOSSES, PointLoss
from distill.losses.reduction import masked_mean
from distill.losses.star import StarLoss
from distill.losses.wing import AdaptiveWingLoss
from distill.models import Prediction
from distill.models.heatmaps import edge_maps, edge_weights, gaussian_maps

_MAPS = ("heatmaps", "point_maps", "edge_maps")


class SupervisedLoss(nn.Module):
    """`star * STAR + point * AWing(point maps) + edge * AWing(edge maps)`, targets drawn on the training device.

    A landmark outside the crop cannot be decoded from a map and does not count; its edges are still drawn as far as
    they are inside. An edge counts where all of its points are annotated.

    Args:
        scheme: gives the edges.
        star, point, edge: weights of the three terms (the paper's code: 1, 10, 10).
        star_eigen: weight of STAR's eigenvalue restriction.
        sigma: standard deviation of the target maps in cells.
    """

    def __init__(
        self,
        scheme: Scheme,
        star: float = 1.0,
        star_eigen: float = 1.0,
        point: float = 10.0,
        edge: float = 10.0,
        sigma: float = 1.0,
    ):
        super().__init__()
        self.weights = {"star": star, "point": point, "edge": edge}
        self.sigma = sigma
        self.star, self.wing = StarLoss(star_eigen), AdaptiveWingLoss()
        self.edges = [list(edge.points) for edge in scheme.edges]
        for place, weights in enumerate(edge_weights(scheme)):
            self.register_buffer(f"curve_{place}", weights, persistent=False)

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the weighted terms by name (`star`, `point`, `edge`) and their sum (`loss`).

        Args:
            prediction: with all three kinds of maps.
            landmarks: annotated, normalised to the crop.
            valid: which of them are annotated, or how much each counts.
        """
        heatmaps, point_maps, edges = (prediction.part(name) for name in _MAPS)
        height, width = heatmaps.shape[-2:]
        point_targets = gaussian_maps(landmarks, height, width, self.sigma)
        curves = [self.get_buffer(f"curve_{place}") for place in range(len(self.edges))]
        edge_targets = edge_maps(landmarks, curves, height, width, self.sigma)
        decodable = inside_crop(landmarks) * valid
        whole = torch.stack([valid[:, points].amin(1) for points in self.edges], 1)
        terms = {
            "star": self.star(heatmaps, landmarks, decodable),
            "point": self.wing(point_maps, point_targets, decodable),
            "edge": self.wing(edges, edge_targets, whole),
        }
        weighted = {name: self.weights[name] * term for name, term in terms.items()}
        return {**weighted, "loss": sum(weighted.values())}


# Losses of plain maps, each with what an empty map costs at least: the mass of the target or its energy, in sigma^2.
MAP_LOSSES: Mapping[str, tuple[Callable[[Tensor, Tensor], Tensor], float]] = MappingProxyType(
    {"bce": (binary_cross_entropy, 2 * math.pi), "mse": (squared_error, math.pi)}
)


class MapLoss(nn.Module):
    """One of `MAP_LOSSES` between heatmaps and Gaussians of peak 1, for networks that predict one map per landmark.

    The papers take the mean over all cells, almost all of which are background, so that its size depends on the
    resolution. Here the sum over a map is divided by the Gaussian's mass (`bce`, 2 pi sigma^2) or energy (`mse`,
    pi sigma^2): an empty map costs 1 or more at any resolution. A landmark outside the crop does not count.

    Args:
        kind: a name of `MAP_LOSSES`; also the name of the term.
        sigma: standard deviation of the target maps in cells.
    """

    def __init__(self, kind: str, sigma: float = 1.0):
        super().__init__()
        self.kind, self.sigma = kind, sigma
        self.measure, unit = MAP_LOSSES[kind]
        self.unit = unit * sigma**2

    def forward(
        self, prediction: Prediction, landmarks: Float[Tensor, "b k 2"], valid: Bool[Tensor, "b k"] | Tensor
    ) -> dict[str, Tensor]:
        """Return the loss, mean over the landmarks by their weights `valid`, under its name and as `loss`."""
        heatmaps = prediction.part("heatmaps")
        height, width = heatmaps.shape[-2:]
        with torch.autocast(heatmaps.device.type, enabled=False):
            target = gaussian_maps(landmarks.float(), height, width, self.sigma)
            values = self.measure(heatmaps.float(), target) / self.unit
            loss = masked_mean(values, inside_crop(landmarks) * valid)
        return {self.kind: loss, "loss": loss}


def inside_crop(landmarks: Float[Tensor, "b k 2"]) -> Bool[Tensor, "b k"]:
    """Which normalised landmarks lie within the crop."""
    return ((landmarks >= 0) & (landmarks <= 1)).all(-1)


@dataclass(frozen=True)
class NoOptions:
    """Options of a loss that has none."""


@dataclass(frozen=True)
class MapOptions:
    """Options of a loss between heatmaps and Gaussian targets; see `MapLoss`."""

    sigma: float = 1.0


@dataclass(frozen=True)
class StarOptions(MapOptions):
    """Options of STAR with adaptive wing on point and edge maps; see `SupervisedLoss`."""

    star: float = 1.0
    star_eigen: float = 1.0
    point: float = 10.0
    edge: float = 10.0


class LossKind(NamedTuple):
    """Entry of a supervised loss in the registry.

    Attributes:
        make: (scheme, **options) -> module; it maps (prediction, landmarks (b, k, 2), valid (b, k)) to its terms by
            name and their sum, `loss`.
        needs: the parts of a `Prediction` it reads.
        options: dataclass of its options and their defaults.
    """

    make: Callable[..., nn.Module]
    needs: tuple[str, ...]
    options: type = NoOptions

    def option_names(self) -> tuple[str, ...]:
        """Return the names of its options."""
        return tuple(field.name for field in fields(self.options))


def _map_loss(name: str) -> LossKind:
    return LossKind(lambda scheme, sigma: MapLoss(name, sigma), ("heatmaps",), MapOptions)


def _point_loss(name: str) -> LossKind:
    return LossKind(lambda scheme: PointLoss(name, scheme), ("landmarks",))


LOSSES: Mapping[str, LossKind] = MappingProxyType(
    {
        "maps": LossKind(SupervisedLoss, _MAPS, StarOptions),
        **{name: _map_loss(name) for name in MAP_LOSSES},
        **{name: _point_loss(name) for name in POINT_LOSSES},
        "pfld": LossKind(PfldLoss, ("landmarks",)),
    }
)


def make_loss(kind: str, scheme: Scheme, **options: float | None) -> nn.Module:
    """Build a supervised loss by name.

    Args:
        kind: a name of `LOSSES`.
        scheme: landmark scheme of the annotations.
        options: options of this loss; None is its default.

    Raises:
        ConfigError: unknown name, an option the loss does not have, or a scheme without the points it needs.
    """
    if kind not in LOSSES:
        raise ConfigError(f"unknown --loss.kind '{kind}': {suggest(kind, ['default', *LOSSES])}")
    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        _require_option(kind, name)
    chosen = LOSSES[kind].options(**given)
    return LOSSES[kind].make(scheme, **{name: getattr(chosen, name) for name in LOSSES[kind].option_names()})


def _require_option(kind: str, name: str) -> None:
    if name not in LOSSES[kind].option_names():
        having = ", ".join(other for other, entry in LOSSES.items() if name in entry.option_names())
        hint = f"leave it out, or choose --loss.kind {having}" if having else "no loss has it; leave it out"
        raise ConfigError(f"--loss.{name} has no effect with --loss.kind {kind}: {hint}")


def require_loss_fits(kind: str, prediction: Prediction) -> None:
    """Refuse a kind of loss that reads what a network does not predict.

    Raises:
        ConfigError: naming the kinds that fit.
    """
    if not prediction.has(LOSSES[kind].needs):
        fitting = ", ".join(name for name, other in LOSSES.items() if prediction.has(other.needs))
        raise ConfigError(
            f"--loss.kind {kind} needs {', '.join(LOSSES[kind].needs)}, and the network predicts only "
            f"{', '.join(prediction.parts)}: take {fitting}"
        )
