"""Landmark schemes as frozen data, one YAML file each.

A scheme defines its points, the flip permutation, the groups of points, the edges of the anisotropic attention module
and the distances that normalise an error (inter-ocular, inter-pupil). No other module derives the meaning of points
from their number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from distill.errors import ConfigError, suggest
from distill.files import read_regular
from distill.landmarks.parse import Edge, EyeEnds, parse_scheme

_GUIDE = "docs/how-to/add-a-landmark-scheme.md"
_FOLDER = Path(__file__).parent / "data"
_SUFFIXES = (".yaml", ".yml")
# Users' schemes by their declared name: content of the file, and the parsed scheme.
_OWN: dict[str, tuple[Mapping[str, Any], "Scheme"]] = {}


@dataclass(frozen=True)
class Scheme:
    """The meaning of one set of landmarks.

    Attributes:
        name: how files and commands refer to it.
        title: what it is, for people.
        n_points: number of points k.
        flip: permutation of length k; point i of a mirrored face was point flip[i] of the original.
        groups: named, disjoint parts of the face that together hold every point.
        edges: curves for the anisotropic attention module.
        ocular: the points whose means are the outer eye corners (subject's right, left), or None.
        pupil: the points whose means are the pupils (subject's right, left), or None.
        about: where the definition comes from and how it was checked.
        sources: for each other scheme this one can be computed from, the rule as read from YAML.
    """

    name: str
    title: str
    n_points: int
    flip: tuple[int, ...]
    groups: Mapping[str, tuple[int, ...]]
    edges: tuple[Edge, ...]
    ocular: EyeEnds | None
    pupil: EyeEnds | None
    sources: Mapping[str, Mapping[str, Any]]
    about: str = ""

    @cached_property
    def edge_matrix(self) -> NDArray[np.float32]:
        """Points x edges, 1 where the point lies on the edge (AAM's E2H, ADNet, arXiv 2109.05721)."""
        matrix = np.zeros((self.n_points, len(self.edges)), np.float32)
        for column, edge in enumerate(self.edges):
            matrix[list(edge.points), column] = 1
        return matrix

    @property
    def eye_ends(self) -> dict[str, EyeEnds]:
        """The ends of the eye distances it has, `ocular` before `pupil`."""
        ends = {"ocular": self.ocular, "pupil": self.pupil}
        return {name: end for name, end in ends.items() if end is not None}

    @property
    def normalisers(self) -> tuple[str, ...]:
        """What an error of these points can be divided by; a profile has no two eyes."""
        return (*self.eye_ends, "box")

    def points_of(self, normaliser: str) -> list[int]:
        """Return the points that a normaliser lies between, none for `box`."""
        return [point for end in self.eye_ends.get(normaliser, ()) for point in end]

    def eye_distance(self, points: NDArray[np.floating], normaliser: str) -> NDArray[np.floating]:
        """Return the inter-ocular (`ocular`) or inter-pupil (`pupil`) distance of points (..., k, 2) as (...)."""
        if normaliser not in self.eye_ends:
            others = " or ".join(self.normalisers)
            raise ConfigError(f"scheme {self.name} has no {normaliser} distance: use another normaliser ({others})")
        right, left = (points[..., list(end), :].mean(-2) for end in self.eye_ends[normaliser])
        return np.linalg.norm(right - left, axis=-1)


def list_schemes() -> list[str]:
    """Return the names of the schemes that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def scheme_file(name: str) -> Path | None:
    """Return the file of a scheme that comes with the package, None for a user's own."""
    path = _FOLDER / f"{name}.yaml"
    return path if path.is_file() else None


def load_scheme(name: str | Path) -> Scheme:
    """Return a scheme by its name, or by the path of a YAML file, which makes its declared name known.

    Raises:
        ConfigError: no such scheme, or a file that does not describe one.
    """
    name = _as_text(name)
    if name in _OWN:
        return _OWN[name][1]
    if name.endswith(_SUFFIXES):
        return load_scheme(_read_own(name))
    return _built_in(name)


def _as_text(name: str | Path) -> str:
    if not isinstance(name, str | Path):
        raise ConfigError(f"{type(name).__name__} is no landmark scheme; give a name or the path of a YAML file")
    return str(name)


def scheme_name(name: str | Path) -> str:
    """Return the declared name of a scheme, which is given by name or by the path of a YAML file.

    Records, models and results name a scheme by this name, so that they do not depend on where its file lies.

    Raises:
        ConfigError: see `load_scheme`.
    """
    name = _as_text(name)
    return load_scheme(name).name if name.endswith(_SUFFIXES) else name


def own_definition(name: str) -> dict[str, Any]:
    """Return the content of the YAML file of a user's scheme, to be stored with a model; empty for a built-in one."""
    return dict(_OWN[name][0]) if name in _OWN else {}


def own_definitions(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the content of the YAML files of those schemes that are a user's own, to be stored with a model."""
    return {name: own_definition(name) for name in map(scheme_name, names) if own_definition(name)}


def register_scheme(content: Any, source: str) -> str:
    """Make a user's scheme known by its declared name, and return that.

    Args:
        content: of its YAML file.
        source: the file named in errors.

    Raises:
        ConfigError: not a scheme, or its name is that of a scheme of other points.
    """
    try:
        scheme = Scheme(**parse_scheme(content))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}; see {_GUIDE}") from error
    known = _OWN[scheme.name][1] if scheme.name in _OWN else None
    if known is None and scheme.name in list_schemes():
        known = _built_in(scheme.name)
    if known is not None and _meaning(known) != _meaning(scheme):
        raise ConfigError(f"{source}: another scheme is called {scheme.name!r}; give this one a name of its own")
    if known is None:
        _OWN[scheme.name] = (content, scheme)
    return scheme.name


def _meaning(scheme: Scheme) -> tuple[Any, ...]:
    """What two schemes of one name must agree in: the order of the points, and what they are."""
    return scheme.n_points, scheme.flip, dict(scheme.groups), scheme.ocular, scheme.pupil


@lru_cache
def _read_own(path: str) -> str:
    if not Path(path).is_file():
        raise _unknown(path)
    return register_scheme(_read_yaml(Path(path)), path)


@lru_cache
def _built_in(name: str) -> Scheme:
    path = scheme_file(name)
    if path is None:
        raise _unknown(name)
    return Scheme(**parse_scheme(_read_yaml(path)))


def _unknown(name: str) -> ConfigError:
    valid = suggest(name, list_schemes())
    return ConfigError(f"unknown landmark scheme '{name}': {valid}, or a path to a .yaml file")


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(read_regular(path).decode())
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: not a landmark scheme ({reason}); see {_GUIDE}") from error


def clear_own_schemes() -> None:
    """Remove the users' schemes; see `convert.clear_own_schemes_and_maps`."""
    _OWN.clear()
    _read_own.cache_clear()
