"""Smooth curves through control points and smooth steps: the pens everything else draws with."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def smoothstep(x: ArrayLike, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high` (or the reverse when low > high), with a smooth passage."""
    s = np.clip((np.asarray(x, np.float64) - low) / (high - low), 0.0, 1.0)
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


def through(points: ArrayLike, per_span: int = 6) -> Array:
    """A smooth open curve (m, 2) that passes exactly through `points` (n, 2)."""
    p = np.asarray(points, np.float64)
    return spline(np.arange(len(p)), p, np.linspace(0, len(p) - 1, (len(p) - 1) * per_span + 1))


def gauss(x: Array, y: Array, x0: float, y0: float, sx: float, sy: float) -> Array:
    """A bump of height 1 at (x0, y0)."""
    return np.exp(-0.5 * (((x - x0) / sx) ** 2 + ((y - y0) / sy) ** 2))
