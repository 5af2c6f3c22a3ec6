"""Triangle mesh: vertices with shading attributes, and triangles."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Surface:
    """Triangles in head space with values at their v vertices.

    Attributes:
        position: (v, 3) cm.
        normal: (v, 3) unit.
        paint: (v, 2) template coordinates for skin; (angle in degrees, height in cm) for hair.
        tint: (v,) factor on brightness, for shadows that always lie there.
        cloth: (v,) above 0 where it is cloth instead of skin or hair; the passage is the seam.
        cover: (v,) cm inside the outline of hair; what is below 0 is cut away.
        body: (v,) 0 turns with the head, 1 with the shoulders.
        faces: (f, 3).
    """

    position: Array
    normal: Array
    paint: Array
    tint: Array
    cloth: Array
    cover: Array
    body: Array
    faces: NDArray[np.int32]

    @property
    def values(self) -> NDArray[np.float32]:
        """(5, v): paint, tint, cloth, cover."""
        columns = (*self.paint.T, self.tint, self.cloth, self.cover)
        return np.stack(columns).astype(np.float32)


def make_surface(
    position: Array,
    normal: Array,
    faces: NDArray[np.int32],
    *,
    paint: Array | tuple[float, float] = (7.8, 0.0),
    tint: Array | float = 1.0,
    cloth: Array | float = -1.0,
    cover: Array | float = 9.0,
    body: Array | float = 0.0,
) -> Surface:
    """Build a surface from grids (..., 3) or flat arrays; single values hold for every vertex."""
    position = position.reshape(-1, 3)
    count = len(position)

    def per_vertex(values: Array | float) -> Array:
        flat = np.asarray(values, np.float64)
        return np.full(count, flat) if flat.ndim == 0 else flat.reshape(count)

    paint = np.asarray(paint, np.float64)
    paint = np.broadcast_to(paint, (count, 2)) if paint.ndim == 1 else paint.reshape(count, 2)
    return Surface(
        position=position,
        normal=normal.reshape(-1, 3),
        paint=paint,
        tint=per_vertex(tint),
        cloth=per_vertex(cloth),
        cover=per_vertex(cover),
        body=per_vertex(body),
        faces=faces,
    )


def join(surfaces: list[Surface]) -> Surface:
    """Put several surfaces into one."""
    starts = np.cumsum([0] + [len(s.position) for s in surfaces[:-1]])
    faces = [s.faces + np.int32(start) for s, start in zip(surfaces, starts, strict=True)]
    values = {
        name: np.concatenate([getattr(surface, name) for surface in surfaces])
        for name in ("position", "normal", "paint", "tint", "cloth", "cover", "body")
    }
    return Surface(**values, faces=np.concatenate(faces))


def both_sides(surface: Surface, inner_tint: float) -> Surface:
    """Add the inside of a sheet, `inner_tint` as bright."""
    inside = replace(surface, normal=-surface.normal, tint=surface.tint * inner_tint, faces=surface.faces[:, ::-1])
    return join([surface, inside])
