"""Landmark schemes as frozen data, one YAML file each.

A scheme says what its points are, which of them swap when a face is mirrored, which belong together, which edges the
anisotropic attention module draws and which distances normalise an error. Nothing else in the package may ask how
many points there are in order to know what they mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from distill.errors import ConfigError, suggest

_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Edge:
    """A curve through points, in order; a closed one returns to its first point."""

    name: str
    points: tuple[int, ...]
    closed: bool


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
        sources: for each other scheme this one can be computed from, the rule as read from YAML.
    """

    name: str
    title: str
    n_points: int
    flip: tuple[int, ...]
    groups: Mapping[str, tuple[int, ...]]
    edges: tuple[Edge, ...]
    ocular: tuple[tuple[int, ...], tuple[int, ...]] | None
    pupil: tuple[tuple[int, ...], tuple[int, ...]] | None
    sources: Mapping[str, Mapping[str, Any]]

    @cached_property
    def edge_matrix(self) -> NDArray[np.float32]:
        """Points x edges, 1 where the point lies on the edge (AAM's E2H, ADNet, arXiv 2109.05721)."""
        matrix = np.zeros((self.n_points, len(self.edges)), np.float32)
        for column, edge in enumerate(self.edges):
            matrix[list(edge.points), column] = 1
        return matrix

    def eye_distance(self, points: NDArray[np.floating], kind: str) -> NDArray[np.floating]:
        """Return the `ocular` or `pupil` distance of points (..., k, 2) as (...)."""
        ends = {"ocular": self.ocular, "pupil": self.pupil}[kind]
        if ends is None:
            raise ConfigError(f"scheme {self.name} has no {kind} distance: use another normaliser (pupil, ocular, box)")
        right, left = (points[..., list(end), :].mean(-2) for end in ends)
        return np.linalg.norm(right - left, axis=-1)


def expand_indices(spec: Any) -> tuple[int, ...]:
    """`17-21` -> (17, ..., 21); a number or a list of numbers and ranges likewise."""
    if isinstance(spec, int):
        return (spec,)
    if isinstance(spec, str):
        first, _, last = spec.partition("-")
        return tuple(range(int(first), int(last or first) + 1))
    return tuple(index for part in spec for index in expand_indices(part))


def _eye_ends(spec: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    if spec is None:
        return None
    right, left = (expand_indices(end) for end in spec)
    return right, left


def _parse(raw: Mapping[str, Any]) -> Scheme:
    flip = list(range(raw["n_points"]))
    for a, b in raw["flip"]:
        flip[a], flip[b] = b, a
    return Scheme(
        name=raw["name"],
        title=raw["title"],
        n_points=raw["n_points"],
        flip=tuple(flip),
        groups={name: expand_indices(points) for name, points in raw["groups"].items()},
        edges=tuple(Edge(e["name"], expand_indices(e["points"]), e["closed"]) for e in raw["edges"]),
        ocular=_eye_ends(raw.get("ocular")),
        pupil=_eye_ends(raw.get("pupil")),
        sources=raw.get("from", {}),
    )


def list_schemes() -> list[str]:
    """Return the names of the schemes that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


@lru_cache
def load_scheme(name: str) -> Scheme:
    """Return a scheme by the name of a built-in one or by the path of a YAML file of the same form.

    Raises:
        ConfigError: no such scheme, or a file that does not describe one.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else _FOLDER / f"{name}.yaml"
    if not path.is_file():
        valid = suggest(name, list_schemes())
        raise ConfigError(f"unknown landmark scheme '{name}': {valid}, or a path to a .yaml file")
    try:
        return _parse(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"not a landmark scheme ({error!r})"
        raise ConfigError(f"{path}: {reason}; compare with {_FOLDER / 'ibug68.yaml'}") from error
