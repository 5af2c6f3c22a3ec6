"""Conversion between landmark schemes: linear maps of the points, each marked exact or approximate.

A scheme's YAML defines under `from:` how each of its points is computed from another scheme: an index or range, the
mean of some points, a weighted blend, or separate sources for x and y. An approximate map has a `bias`, the distance
between the converted points and the annotation of the target scheme, measured on real faces by
scripts/generate/scheme_bias.py.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import ConfigError
from distill.landmarks.parse import expand_indices
from distill.landmarks.schemes import clear_own_schemes, load_scheme, scheme_name


class Bias(NamedTuple):
    """Systematic error of a map, as fractions of the distance between the outer eye corners (five points: the pupils).

    Attributes:
        mean: mean over the points of the distance between mean shapes.
        max: that of the worst point.
        faces: faces of the smaller of the two sets compared.
    """

    mean: float
    max: float
    faces: int


def _rows(rule: Any, n: int) -> list[NDArray[np.float32]]:
    """One rule -> rows (2, n): the weights of the source points for x and for y."""

    def row(weights: Mapping[int, float]) -> NDArray[np.float32]:
        out = np.zeros(n, np.float32)
        for index, weight in weights.items():
            out[index] += weight
        return out

    def mean(spec: Any) -> NDArray[np.float32]:
        indices = expand_indices(spec)
        return row(dict.fromkeys(indices, 1 / len(indices)))

    if isinstance(rule, Mapping):
        if "stride" in rule:
            return [np.stack([row({i: 1.0})] * 2) for i in expand_indices(rule["stride"])[:: rule["step"]]]
        if "mean" in rule:
            return [np.stack([mean(rule["mean"])] * 2)]
        if "blend" in rule:
            return [np.stack([row(rule["blend"])] * 2)]
        return [np.stack([mean(rule["x"]), mean(rule["y"])])]
    return [np.stack([row({i: 1.0})] * 2) for i in expand_indices(rule)]


def _used(rule: Any) -> tuple[int, ...]:
    """Every source point a rule mentions."""
    if not isinstance(rule, Mapping):
        return expand_indices(rule)
    specs = (list(spec) if key == "blend" else spec for key, spec in rule.items() if key != "step")
    return tuple(index for spec in specs for index in expand_indices(spec))


@lru_cache
def _map(source: str, target: str) -> tuple[NDArray[np.float32], bool]:
    """Weights (k_target, 2, k_source) and whether the map is exact."""
    rule = load_scheme(target).sources.get(source)
    if rule is None:
        reachable = ", ".join(load_scheme(target).sources) or "no other scheme"
        raise ConfigError(
            f"scheme {target} cannot be made from {source} points: it comes from {reachable}; choose scheme {source}"
        )
    if "through" in rule:
        first, first_exact = _map(source, rule["through"])
        second, second_exact = _map(rule["through"], target)
        return np.einsum("kam,mas->kas", second, first), first_exact and second_exact
    n = load_scheme(source).n_points
    beyond = max(max(_used(part)) for part in rule["points"])
    if beyond >= n:
        raise ConfigError(f"scheme {target}: from: {source} uses point {beyond}, but it has {n} (0-{n - 1}); fix it")
    return np.stack([row for part in rule["points"] for row in _rows(part, n)]), rule["exact"]


def is_exact(source: str, target: str) -> bool:
    """Whether converting `source` to `target` gives exactly the points that `target` defines."""
    source, target = scheme_name(source), scheme_name(target)
    return source == target or _map(source, target)[1]


def map_weights(source: str, target: str) -> NDArray[np.float32]:
    """The map of `convert` as weights (k_target, 2, k_source), for x and y of each target point.

    Raises:
        ConfigError: there is no map between the two schemes.
    """
    return _map(scheme_name(source), scheme_name(target))[0]


def selected_points(source: str, target: str) -> list[int] | None:
    """Return which points of one scheme are those of another, or None where some are no points of it or not fewer."""
    try:
        weights = map_weights(source, target)
    except ConfigError:
        return None
    chosen = [int(index) for index in weights[:, 0].argmax(-1)]
    alone = np.zeros_like(weights)
    alone[np.arange(len(chosen)), :, chosen] = 1
    return chosen if np.array_equal(alone, weights) and len(chosen) < weights.shape[-1] else None


def map_bias(source: str, target: str) -> Bias | None:
    """The measured bias of a map, or None where no data holds both schemes.

    Raises:
        ConfigError: there is no map between the two schemes.
    """
    _map(source, target)
    bias = load_scheme(target).sources.get(source, {}).get("bias")
    return Bias(float(bias["mean"]), float(bias["max"]), int(bias["faces"])) if bias else None


def convert(points: NDArray[np.floating], source: str, target: str) -> NDArray[np.float32]:
    """Convert points (..., k_source, 2) of one scheme to (..., k_target, 2) of another.

    Raises:
        ConfigError: there is no map between the two schemes.
    """
    source, target = scheme_name(source), scheme_name(target)
    if source == target:
        return points.astype(np.float32)
    weights, _ = _map(source, target)
    return np.einsum("kas,...sa->...ka", weights, points).astype(np.float32)


def convert_visibility(visible: NDArray[np.bool_], source: str, target: str) -> NDArray[np.bool_]:
    """A converted point (..., k_target) is visible when every point it comes from is."""
    source, target = scheme_name(source), scheme_name(target)
    if source == target:
        return visible
    weights, _ = _map(source, target)
    needed = (np.abs(weights).sum(1) > 0).astype(np.float32)
    return np.einsum("ks,...s->...k", needed, (~visible).astype(np.float32)) == 0


def clear_own_schemes_and_maps() -> None:
    """Remove the users' schemes and the maps between them, for a process that reads files changed since."""
    clear_own_schemes()
    _map.cache_clear()
