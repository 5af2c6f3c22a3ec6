"""Smooth curves through control points and smooth steps: the pens everything else draws with."""

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def smoothstep(x: ArrayLike, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high` (or the reverse when low > high), with a smooth passage."""
    s = np.minimum(np.maximum((np.asarray(x) - low) * (1 / (high - low)), 0.0), 1.0)
    return s * s * (3 - 2 * s)


def spline(knots: ArrayLike, values: ArrayLike, x: ArrayLike) -> Array:
    """Cubic Hermite interpolation of `values` (n, ...) at increasing `knots` (n,); constant slope of zero at the ends.

    Tangents are the mean of the two neighbouring slopes, zero at an extremum, so the curve never overshoots.
    """
    t, p = np.asarray(knots, np.float64), np.asarray(values, np.float64)
    shape = (-1,) + (1,) * (p.ndim - 1)
    slope = np.diff(p, axis=0) / np.diff(t).reshape(shape)
    tangent = np.zeros_like(p)
    inner = (slope[1:] + slope[:-1]) / 2
    limit = 3 * np.minimum(np.abs(slope[1:]), np.abs(slope[:-1]))
    tangent[1:-1] = np.where(slope[1:] * slope[:-1] > 0, np.clip(inner, -limit, limit), 0.0)
    tangent[0], tangent[-1] = slope[0], slope[-1]
    at = np.clip(np.asarray(x, np.float64), t[0], t[-1])
    i = np.clip(np.searchsorted(t, at, side="right") - 1, 0, len(t) - 2)
    h = t[i + 1] - t[i]
    u = (at - t[i]) / h
    h, u = (value.reshape(value.shape + (1,) * (p.ndim - 1)) for value in (h, u))
    a, b = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2
    c, d = u * u * (3 - 2 * u), u * u * (u - 1)
    return a * p[i] + b * h * tangent[i] + c * p[i + 1] + d * h * tangent[i + 1]


@lru_cache(maxsize=256)
def _catmull_rom(count: int, places: tuple[float, ...]) -> Array:
    """Weights (m, count) of control points 0 ... count - 1 at m places between them."""
    weights = np.zeros((len(places), count))
    for row, place in zip(weights, places, strict=True):
        i = min(int(place), count - 2)
        u = place - i
        basis = np.array([-u + 2 * u**2 - u**3, 2 - 5 * u**2 + 3 * u**3, u + 4 * u**2 - 3 * u**3, u**3 - u**2]) / 2
        for offset, weight in zip((-1, 0, 1, 2), basis, strict=True):
            # Beyond the ends the curve goes on straight.
            if i + offset < 0:
                row[0] += 2 * weight
                row[1] -= weight
            elif i + offset >= count:
                row[-1] += 2 * weight
                row[-2] -= weight
            else:
                row[i + offset] += weight
    return weights


def along(points: Array, u: Array) -> Array:
    """Places u in [0, 1] on the smooth curve that passes through `points` (n, ...) at even steps of u: (m, ...)."""
    return _catmull_rom(len(points), tuple((np.asarray(u) * (len(points) - 1)).tolist())) @ points


def through(points: Array, per_span: int = 6) -> Array:
    """A smooth open curve (m, 2) that passes exactly through `points` (n, 2)."""
    return along(points, np.linspace(0, 1, (len(points) - 1) * per_span + 1))


def gauss(x: Array, y: Array, x0: float, y0: float, sx: float, sy: float) -> Array:
    """A bump of height 1 at (x0, y0)."""
    return np.exp(-0.5 * (((x - x0) / sx) ** 2 + ((y - y0) / sy) ** 2))
