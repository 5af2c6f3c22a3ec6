"""Splines through control points, and smooth steps."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def smoothstep(x: ArrayLike, low: ArrayLike, high: ArrayLike) -> NDArray[Any]:
    """0 below `low`, 1 above `high` (or the reverse when low > high), with a smooth passage."""
    s = np.minimum(np.maximum((np.asarray(x) - low) / np.subtract(high, low), 0.0), 1.0)
    return s * s * (3 - 2 * s)


@lru_cache(maxsize=512)
def _weights(knots: bytes, positions: bytes) -> Array:
    """Weights (m, n) of values at n knots for m positions: cubic Hermite with the tangents of Catmull and Rom."""
    t = np.frombuffer(knots)
    x = np.frombuffer(positions)
    count = len(t)
    eye = np.eye(count)
    slope = np.diff(np.eye(count), axis=0) / np.diff(t)[:, None]
    tangent = np.concatenate([slope[:1], (slope[1:] + slope[:-1]) / 2, slope[-1:]])
    x = np.clip(x, t[0], t[-1])
    i = np.clip(np.searchsorted(t, x, side="right") - 1, 0, count - 2)
    h = (t[i + 1] - t[i])[:, None]
    u = (x - t[i])[:, None] / h
    outer = (1 + 2 * u) * (1 - u) ** 2 * eye[i] + u * u * (3 - 2 * u) * eye[i + 1]
    return outer + u * (1 - u) ** 2 * h * tangent[i] + u * u * (u - 1) * h * tangent[i + 1]


def spline(knots: ArrayLike, values: ArrayLike, x: ArrayLike) -> Array:
    """A smooth curve through `values` (n, ...) at increasing `knots` (n,), evaluated at positions x (m,): (m, ...).

    Constant beyond the ends. The weights are cached: faces differ in values, seldom in knots and positions.
    """
    t = np.asarray(knots, np.float64)
    positions = np.asarray(x, np.float64)
    return _weights(t.tobytes(), positions.tobytes()) @ np.asarray(values, np.float64)


def along(points: ArrayLike, u: Array) -> Array:
    """Places u in [0, 1] on the smooth curve that passes through `points` (n, ...) at even steps of u: (m, ...)."""
    values = np.asarray(points, np.float64)
    return spline(_even(len(values)), values, u)


def through(points: ArrayLike, per_span: int = 6) -> Array:
    """A smooth open curve (m, 2) that passes exactly through `points` (n, 2)."""
    values = np.asarray(points, np.float64)
    return along(values, _even((len(values) - 1) * per_span + 1))


@lru_cache
def _even(count: int) -> Array:
    return np.linspace(0, 1, count)


def draw(rng: np.random.Generator, odds: Sequence[float]) -> int:
    """Draw an index with these odds, which need not add up to 1; `Generator.choice` is slow."""
    total = np.cumsum(odds)
    return int(np.searchsorted(total, rng.uniform(0, total[-1]), side="right"))


def gauss(x: NDArray[Any], y: NDArray[Any], x0: float, y0: float, sx: float, sy: float) -> NDArray[Any]:
    """A bump of height 1 at (x0, y0)."""
    return np.exp(-0.5 * (((x - x0) * (1 / sx)) ** 2 + ((y - y0) * (1 / sy)) ** 2))
