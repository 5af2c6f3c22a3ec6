"""Hair, caps and scarves: shells over the head, cut along a hairline, and what hangs from them."""

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.curves import smoothstep, spline
from distill.data.synthetic.head import grid_faces, normals, template
from distill.data.synthetic.look import Look
from distill.data.synthetic.surface import Surface, both_sides, make_surface

Array = NDArray[np.float64]

# Height of the hairline over the angle from the face's middle, in degrees.
_ANGLES = (0, 25, 42, 55, 66, 74, 82, 92, 104, 125, 180)
_LINES = {
    "natural": (6.9, 7.0, 6.4, 4.8, 2.6, -0.3, -1.6, 1.0, -0.5, -5.5, -7.5),
    "receding": (8.6, 9.4, 8.8, 6.2, 3.4, 0.0, -1.6, 1.0, -0.5, -5.5, -7.5),
    "bald": (20.0, 20.0, 20.0, 20.0, 16.0, 2.4, 0.4, 1.6, 0.6, -5.0, -7.5),
    "fringe": (2.9, 2.8, 2.6, 1.8, 0.2, -2.0, -3.0, -1.5, -3.0, -6.5, -8.0),
    "cap": (4.6, 4.5, 4.2, 3.6, 3.0, 2.6, 2.2, 1.8, 1.2, 0.0, -0.8),
}
_THICKNESS = {
    "bald": 0.3,
    "buzz": 0.25,
    "short": 0.9,
    "quiff": 1.1,
    "fringe": 1.3,
    "long": 1.1,
    "long_fringe": 1.2,
    "bun": 0.6,
    "afro": 3.6,
    "receding": 0.5,
    "scarf": 0.9,
    "cap": 0.9,
}


def _line(look: Look) -> str:
    style = look.hair_style
    if style in ("receding", "bald", "cap"):
        return style
    return "fringe" if "fringe" in style else "natural"


def _cover(angle: Array, y: Array, paint: Array, look: Look) -> Array:
    """How far inside the hair each vertex lies, cm."""
    if look.hair_style == "scarf":
        x = paint[..., 0] / 6.25
        height = (paint[..., 1] + 2.6) / 8.6
        return (np.sqrt(x**2 + height**2) - 1) * 5 + 6 * (np.abs(angle) > np.pi / 2)
    line = spline(_ANGLES, _LINES[_line(look)], np.rad2deg(np.abs(angle[0])))
    if look.hair_style in ("short", "quiff", "long", "bun"):
        line = line + 0.9 * np.exp(-(((np.rad2deg(angle) / 40) - look.parting) ** 2) * 9) * (np.abs(angle) < 0.9)
    if look.hair_style.startswith("long"):
        line = np.where(np.abs(angle) > 1.2, np.minimum(line, -6.0), line)
    return y - line


def _shell(head: Array, normal: Array, look: Look) -> Surface:
    grid = template()
    rows = np.r_[0:10:3, 10 : len(head) - 1 : 2, len(head) - 1]
    columns = np.arange(0, head.shape[1], 2)
    pick = np.ix_(rows, columns)
    y = grid.position[pick][..., 1]
    angle = np.broadcast_to(grid.angle[columns], y.shape)
    cover = _cover(angle, y, grid.paint[pick], look)
    style = look.hair_style
    grown = _THICKNESS[style] * (look.hair_volume if style not in ("scarf", "cap", "buzz") else 1.0)
    thick = 0.12 + grown * smoothstep(cover, -0.2, 2.4 if style != "afro" else 4.5)
    if style in ("quiff", "short"):
        thick = thick + (1.3 if style == "quiff" else 0.5) * smoothstep(y, 4.5, 8.0) * (np.cos(angle) > -0.2)
    if style == "cap":
        thick = thick + 0.5 * smoothstep(y, 5.5, 9.5)
    if style == "afro":
        thick = thick + 0.35 * np.sin(9 * angle + 2.0 * y) * np.sin(1.7 * y)
    position = head[pick] + normal[pick] * thick[..., None]
    position[..., 1] += np.where(style == "afro", 0.8, 0.0) * smoothstep(y, 4, 10)
    shade = 0.62 + 0.38 * smoothstep(cover, -0.3, 1.6)
    faces = grid_faces(len(position), position.shape[1], closed=True)
    faces = faces[cover.reshape(-1)[faces].max(1) > -0.8]
    return make_surface(
        position,
        normals(position),
        faces,
        paint=np.stack([np.rad2deg(angle) * np.clip((12 - y) / 8, 0.25, 1), y], -1),
        tint=shade,
        cloth=1.0 if style in ("scarf", "cap") else -1.0,
        cover=cover,
        body=np.broadcast_to(0.0, y.shape),
    )


def _curtain(look: Look) -> Surface:
    """Long hair or a scarf hanging behind the ears from the crown to the shoulders."""
    scarf = look.hair_style == "scarf"
    bottom = -15.5 if scarf else -9.5 - 8.5 * look.hair_length
    y = np.linspace(bottom, 6.5, 14)[:, None]
    start = 92 if scarf else 68
    angle = np.deg2rad(np.linspace(start, 360 - start, 26))[None]
    down = np.clip((6.5 - y) / (6.5 - bottom), 0, 1)
    wide = spline([-20, -12, -6, 0, 4, 6.5], [8.3, 7.9, 7.9, 8.2, 8.0, 7.0], y[:, 0])[:, None]
    wide = wide + 0.5 * (look.hair_volume - 1)
    ripple = 0.0 if scarf else 0.25 * down * np.sin(angle * 14)
    x = (wide + ripple) * np.sin(angle)
    z = -1.0 + (spline([-20, -9, 0, 6.5], [8.0, 8.2, 9.6, 9.0], y[:, 0])[:, None] + ripple) * np.cos(angle)
    # Seen from outside, columns must run to the viewer's right: from the viewer's right side round the back they do.
    position = np.stack([x, np.broadcast_to(y, x.shape), z], -1)
    edge = np.minimum(angle - angle.min(), angle.max() - angle) * 8
    cover = np.minimum(np.broadcast_to(edge, x.shape), (y - bottom) * 0.8)
    degrees = np.broadcast_to(np.rad2deg(angle), x.shape)
    sheet = make_surface(
        position,
        normals(position, closed=False),
        grid_faces(len(x), x.shape[1], closed=False),
        paint=np.stack([degrees, np.broadcast_to(y, x.shape)], -1),
        tint=np.broadcast_to(0.72 + 0.28 * smoothstep(y, -12, 2), x.shape),
        cloth=1.0 if scarf else -1.0,
        cover=cover + 0.15,
        body=np.broadcast_to(smoothstep(y, -9.0, -15.0), x.shape),
    )
    return both_sides(sheet, 0.7)


def _knot(head: Array) -> Surface:
    """A bun on the crown."""
    lift = np.linspace(-np.pi / 2, np.pi / 2, 9)[:, None]
    angle = np.linspace(-np.pi, np.pi, 15)[:-1][None]
    ball = np.stack(
        [np.cos(lift) * np.sin(angle), np.sin(lift) * np.ones_like(angle), np.cos(lift) * np.cos(angle)], -1
    )
    top = float(head[..., 1].max())
    position = ball * [2.9, 2.3, 2.9] + [0, top + 1.4, -3.5]
    paint = np.stack([np.rad2deg(angle) * np.ones_like(lift), 8 * np.sin(lift) * np.ones_like(angle)], -1)
    return make_surface(position, ball, grid_faces(9, 14, closed=True), paint=paint, tint=0.85)


def _visor() -> Surface:
    """The peak of a cap, seen from above and from below."""
    across = np.deg2rad(np.linspace(-52, 52, 13))[None]
    out = np.linspace(0, 1, 5)[:, None]
    x = (7.3 + 0.6 * out) * np.sin(across)
    z = 0.4 + 9.0 * np.cos(across) + 5.2 * out * np.cos(across * 1.5) ** 0.7
    y = 4.9 - 0.7 * out - 1.2 * (x / 7) ** 2 * (0.5 + 0.5 * out)
    position = np.stack([x, y, z], -1)
    faces = grid_faces(5, 13, closed=False)
    normal = np.broadcast_to([0.0, 0.9, 0.43], position.shape)
    above = make_surface(position, normal, faces[:, ::-1], cloth=1.0, tint=0.9)
    return both_sides(above, 0.55)


def make_hair(head: Array, normal: Array, look: Look) -> list[Surface]:
    """Return the shells for a shaped head (r, c, 3) with normals (r, c, 3)."""
    style = look.hair_style
    parts = [_shell(head, normal, look)]
    if style.startswith("long") or style == "scarf":
        parts.append(_curtain(look))
    if style == "bun":
        parts.append(_knot(head))
    if style == "cap":
        parts.append(_visor())
    return parts
