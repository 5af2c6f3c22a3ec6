"""Composition of surfaces into an image: texture, light and depth."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.camera import Camera
from distill.data.synthetic.canvas import Canvas, lookup
from distill.data.synthetic.curves import smoothstep
from distill.data.synthetic.glasses import Glasses
from distill.data.synthetic.light import Light
from distill.data.synthetic.look import Look
from distill.data.synthetic.noise import Floats, noise
from distill.data.synthetic.raster import Fragments, rasterise
from distill.data.synthetic.surface import Surface

_SHIFT = 4


@dataclass
class Picture:
    """A picture while it is rendered.

    Attributes:
        pixels: (size, size, 3) float32 RGB in 0-255.
        depth: (size, size) float32 cm towards the viewer; -inf where only the backdrop is.
    """

    pixels: Floats
    depth: Floats

    @property
    def size(self) -> int:
        return len(self.pixels)


def _sample(texture: Floats, positions: Floats, border: int) -> Floats:
    """Texture (h, w) or (h, w, 3) at pixel positions (2, n), bilinear: (n,) or (3, n)."""
    # OpenCV maps pictures, not lists, and none higher than 32767: fold the list into rows.
    count = positions.shape[1]
    columns = 256
    if not count:
        return np.zeros((*texture.shape[2:], 0), np.float32)
    padded = np.zeros((2, -(-count // columns) * columns), np.float32)
    padded[:, :count] = positions
    x, y = padded.reshape(2, -1, columns)
    out = cv2.remap(texture, x, y, cv2.INTER_LINEAR, borderMode=border)
    return np.ascontiguousarray(out.reshape(-1, *texture.shape[2:])[:count].T)


def _draw(
    picture: Picture, surface: Surface, camera: Camera, cut: float | None = None
) -> tuple[Fragments, Floats, Floats]:
    """Rasterise a surface: fragments, values (5, n) and view-space unit normals (3, n).

    Only pixels in front of what is there; where `cover` lies below `cut` the surface has a hole.
    """
    view = camera.to_view(surface.position, surface.body)
    normal = camera.turn_normals(surface.normal, surface.body)
    xy = camera.project(view).astype(np.float32)
    depth = view[:, 2].astype(np.float32)
    size = picture.size
    cover = None if cut is None else (surface.cover - cut).astype(np.float32)
    fragments = rasterise(xy, depth, surface.faces, size, size, cover)
    near = fragments.depth.take(fragments.pixel) > picture.depth.reshape(-1).take(fragments.pixel)
    if not near.all():
        fragments = fragments.where(np.flatnonzero(near))
    both = fragments.interpolate(np.concatenate([surface.values, normal.T.astype(np.float32)]))
    facing = both[5:]
    facing /= np.sqrt(np.maximum((facing * facing).sum(0), 1e-9))
    return fragments, both[:5], facing


def _cloth(paint: Floats, look: Look, rng: np.random.Generator) -> Floats:
    """Colours (3, n) of cloth at (x, height), (2, n)."""
    tile = noise(rng, 256, 256, 2.0 if look.pattern == "plain" else 7.0)
    weave = _sample(np.ascontiguousarray(tile), paint * np.float32(12), cv2.BORDER_REFLECT_101)
    if look.pattern == "stripes":
        share = (np.sin(paint[1] * 2.6) > 0.2).astype(np.float32)
    else:
        share = smoothstep(weave, 0.5, 0.8).astype(np.float32) if look.pattern == "patches" else np.zeros_like(weave)
    base, accent = np.array([look.cloth, look.accent], np.float32)[..., None]
    return (base + share * (accent - base)) * (1 + 0.03 * weave)


def draw_skin(
    picture: Picture,
    surface: Surface,
    camera: Camera,
    canvas: Canvas,
    look: Look,
    light: Light,
    rng: np.random.Generator,
) -> None:
    """Draw head, ears and trunk over the backdrop."""
    fragments, values, normal = _draw(picture, surface, camera)
    albedo = _sample(cv2.merge(list(canvas.pixels)), lookup(values[:2], canvas.density), cv2.BORDER_REPLICATE)
    cloth = values[3] > 0
    albedo[:, cloth] = _cloth(values[:2, cloth], look, rng)
    gloss = np.where(cloth, np.float32(0.1), np.float32(1.0))
    colour = light.shade(albedo, normal, values[2], gloss)
    picture.pixels.reshape(-1, 3)[fragments.pixel] = colour.T
    picture.depth[:] = fragments.depth.reshape(picture.depth.shape)


def draw_hair(
    picture: Picture, surface: Surface, camera: Camera, look: Look, light: Light, rng: np.random.Generator
) -> None:
    """Draw hair, cap or scarf with a soft ragged edge over what is there; `depth` follows where it is thick."""
    fragments, values, normal = _draw(picture, surface, camera, cut=-0.4)
    pixel = fragments.pixel
    tile = np.ascontiguousarray(noise(rng, 512, 512, 0.9, 9.0))
    streak = _sample(tile, values[:2] * np.array([[4.0], [7.0]], np.float32), cv2.BORDER_REFLECT_101)
    cloth = values[3] > 0
    ragged = np.where(cloth, 0.0, 0.3 * streak) + values[4]
    share = np.where(cloth, smoothstep(ragged, -0.05, 0.05), smoothstep(ragged, -0.35, 0.45)).astype(np.float32)
    albedo = np.array(look.hair, np.float32)[:, None] * (1 + 0.24 * streak)
    if cloth.any():
        albedo[:, cloth] = _cloth(values[:2, cloth] * np.array([[0.1], [1]], np.float32), look, rng)
    gloss = np.where(cloth, np.float32(0.1), 0.75 + 0.5 * streak)
    colour = light.shade(albedo, normal, values[2], gloss).T
    flat = picture.pixels.reshape(-1, 3)
    flat[pixel] += share[:, None] * (colour - flat[pixel])
    thick = share > 0.5
    picture.depth.reshape(-1)[pixel[thick]] = fragments.depth[pixel[thick]]


def _segments(picture: Picture, curve: NDArray[np.floating], camera: Camera, slack: float) -> list[NDArray[np.int32]]:
    """The parts of a curve (n, 3) of head space that nothing hides, as fixed-point pixels."""
    view = camera.to_view(curve)
    xy = camera.project(view)
    at = np.clip(np.round(xy).astype(int), 0, picture.size - 1)
    shown = view[:, 2] > picture.depth[at[:, 1], at[:, 0]] - slack
    fixed = np.round(xy * (1 << _SHIFT)).astype(np.int32)
    keep = np.flatnonzero(shown[:-1] & shown[1:])
    return [fixed[i : i + 2] for i in keep]


def draw_glasses(picture: Picture, glasses: Glasses, camera: Camera, look: Look, light: Light) -> NDArray[np.uint8]:
    """Draw glasses; returns where they hide the face (size, size), 255 hidden."""
    lens, frame = (np.zeros((picture.size,) * 2, np.uint8) for _ in range(2))
    thickness = max(1, round(glasses.width * camera.scale))
    for rim in glasses.rims:
        outline = np.round(camera.project(camera.to_view(rim)) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(lens, [outline], 255, cv2.LINE_AA, _SHIFT)
    for curve in (*glasses.rims, *glasses.bars):
        segments = _segments(picture, curve, camera, 0.6)
        if segments:
            cv2.polylines(frame, segments, False, 255, thickness, cv2.LINE_AA, _SHIFT)
    brightness = float(light.sky.mean() + 0.6 * light.sun_colour.mean())
    tone = np.array([24, 22, 24] if glasses.lens > 0.5 else [200, 210, 215], np.float32)
    share = (lens * np.float32(glasses.lens / 255))[..., None]
    picture.pixels += share * (tone * brightness - picture.pixels)
    share = (frame * np.float32(0.95 / 255))[..., None]
    picture.pixels += share * (np.array(look.frame, np.float32) * brightness - picture.pixels)
    return np.maximum(frame, lens) if glasses.lens > 0.5 else frame


def soften_edges(picture: Picture) -> None:
    """Smooth the staircase where depth jumps."""
    depth = np.maximum(picture.depth, -40.0)
    jump = np.zeros(depth.shape, bool)
    for here, there in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        step = np.abs(depth[here] - depth[there]) > 1.2
        jump[here] |= step
        jump[there] |= step
    smooth = cv2.blur(picture.pixels, (3, 3))
    picture.pixels[jump] = smooth[jump]
