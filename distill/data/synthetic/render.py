"""Rendering of one synthetic face from its seed: pixels and landmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.synthetic.backdrop import paint_backdrop
from distill.data.synthetic.body import make_ears, make_trunk
from distill.data.synthetic.camera import Camera
from distill.data.synthetic.compose import Picture, draw_glasses, draw_hair, draw_skin, soften_edges
from distill.data.synthetic.degrade import degrade
from distill.data.synthetic.glasses import make_glasses
from distill.data.synthetic.hair import make_hair
from distill.data.synthetic.head import locate, normals, shape_head, template
from distill.data.synthetic.landmarks import Features, make_features, template_landmarks
from distill.data.synthetic.light import Light, draw_light
from distill.data.synthetic.look import Look, draw_look
from distill.data.synthetic.occluders import paint_occluder
from distill.data.synthetic.parameters import Expression, Identity, draw_expression, draw_identity, draw_pose
from distill.data.synthetic.skin import paint_skin
from distill.data.synthetic.surface import join, make_surface
from distill.geometry import Points, box_of_points
from distill.landmarks import convert
from distill.landmarks.convert import convert_visibility

Array = NDArray[np.float64]
# A point is hidden when something lies this much nearer to the camera, cm.
_HIDDEN_BY = 0.55
# or when the skin there faces away from the camera by more than this (cosine).
_TURNED_AWAY = -0.35


@dataclass(frozen=True)
class GeneratedFace:
    """A rendered face and what is known about it.

    Attributes:
        image: (size, size, 3) uint8 RGB.
        landmarks: by scheme (ibug68, wflw98, five), (k, 2) float32 pixels, 0-based centres.
        visible: by scheme, (k,) bool; False where the head, hair, glasses or something else hides the point.
        pose: yaw, pitch, roll in degrees; positive yaw turns to the viewer's right, positive pitch lifts the face,
            positive roll tilts it clockwise on the screen.
    """

    image: NDArray[np.uint8]
    landmarks: dict[str, Points]
    visible: dict[str, NDArray[np.bool_]]
    pose: tuple[float, float, float]


@dataclass(frozen=True)
class Person:
    """A shaped head: grid (r, c, 3), unit normals, the curves on it and the parameters it came from.

    Attributes:
        anchors: by scheme, for each of k landmarks the three vertices around it (k, 3) and their weights (k, 3).
    """

    identity: Identity
    expression: Expression
    features: Features
    grid: Array
    normal: Array
    anchors: dict[str, tuple[NDArray[np.int32], Array]]

    @classmethod
    def build(cls, identity: Identity, expression: Expression) -> "Person":
        features = make_features(identity, expression)
        grid = shape_head(identity, expression, features.mouth)
        anchors = {scheme: locate(points) for scheme, points in template_landmarks(features).items()}
        return cls(identity, expression, features, grid, normals(grid), anchors)

    def landmarks(self, camera: Camera) -> dict[str, tuple[Array, Array, Array]]:
        """By scheme: pixels (k, 2), depth (k,) and how much each point faces the camera (k,) in [-1, 1]."""
        grid = self.grid.reshape(-1, 3)
        normal = self.normal.reshape(-1, 3)
        projected = {}
        for scheme, (corners, weights) in self.anchors.items():
            view = camera.to_view(grid[corners])
            facing = camera.turn_normals(normal[corners], np.zeros(corners.shape))[..., 2:]
            # The camera is projective, the picture's triangles are flat: interpolate what the picture interpolates.
            values = np.concatenate([camera.project(view), view[..., 2:], facing], -1)
            at = np.einsum("kc,kcd->kd", weights, values)
            projected[scheme] = (at[:, :2], at[:, 2], at[:, 3])
        return projected


def aim(rng: np.random.Generator, person: Person, pose: tuple[float, float, float], size: int) -> Camera:
    """Choose the camera so that the landmarks' box fills 35-65 % of the picture, somewhere near its middle."""
    distance = float(rng.uniform(45, 160))
    share = float(rng.uniform(0.38, 0.64))
    room = min(0.12, 0.6 * (0.5 - share / 2))
    offset = rng.uniform(-room, room, 2)
    first = Camera(pose, distance, 1.0, (0.0, 0.0))
    box = box_of_points(person.landmarks(first)["ibug68"][0])
    scale = share * size / max(box.width, box.height)
    middle = (np.array([0.5, 0.5]) + offset) * size - 0.5 - scale * np.array(box.centre)
    return Camera(pose, distance, scale, (float(middle[0]), float(middle[1])))


def _hidden(points: Array, depth: Array, picture: Picture, masks: list[NDArray[np.uint8]]) -> NDArray[np.bool_]:
    """Whether each point (k, 2) is behind something drawn or outside the picture."""
    at = np.round(points).astype(int)
    outside = ((at < 0) | (at >= picture.size)).any(1)
    at = np.clip(at, 0, picture.size - 1)
    # The least covered of the nine pixels around: a point on an outline is visible.
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(1, 9, 2)
    around = np.clip(at[:, None] + steps, 0, picture.size - 1)
    nearest = picture.depth[around[..., 1], around[..., 0]].min(1)
    hidden = outside | (nearest > depth + _HIDDEN_BY)
    for mask in masks:
        hidden |= mask[at[:, 1], at[:, 0]] > 127
    return hidden


def paint(
    person: Person, look: Look, camera: Camera, light: Light, size: int, rngs: list[np.random.Generator], occluders: int
) -> tuple[Picture, list[NDArray[np.uint8]]]:
    """Draw everything from back to front; returns the picture and masks of what hides the face without depth."""
    picture = Picture(paint_backdrop(rngs[0], size), np.full((size, size), -np.inf, np.float32))
    density = float(np.clip(camera.scale * 1.25, 6, 40))
    canvas = paint_skin(person.features, person.identity, person.expression, look, density, rngs[1])
    grid = template()
    head = make_surface(person.grid, person.normal, grid.faces, paint=grid.paint)
    skin = join([head, *make_ears(person.grid, person.identity, look), make_trunk(person.identity, look)])
    draw_skin(picture, skin, camera, canvas, look, light, rngs[1])
    draw_hair(picture, join(make_hair(person.grid, person.normal, look)), camera, look, light, rngs[2])
    soften_edges(picture)
    masks = []
    glasses = make_glasses(look, person.identity, person.grid)
    if glasses is not None:
        masks.append(draw_glasses(picture, glasses, camera, look, light))
    points = person.landmarks(camera)["ibug68"][0].astype(np.float32)
    brightness = float(light.sky.mean() + 0.6 * light.sun_colour.mean())
    masks += [paint_occluder(rngs[3], picture.pixels, points, look.skin, brightness) for _ in range(occluders)]
    return picture, masks


def render_face(seed: int, index: int, size: int = 256, difficulty: float = 1.0) -> GeneratedFace:
    """Render face `index` of the series `seed`: a pure function of its arguments.

    Args:
        size: side of the picture in pixels.
        difficulty: 0 frontal, evenly lit and clean; 1 every pose, light, occluder and camera fault.
    """
    rngs = [np.random.default_rng(part) for part in np.random.SeedSequence([seed, index]).spawn(6)]
    look = draw_look(rngs[2])
    person = Person.build(draw_identity(rngs[0], look.feminine), draw_expression(rngs[0]))
    pose = draw_pose(rngs[1], difficulty)
    camera = aim(rngs[1], person, pose, size)
    light = draw_light(rngs[1], difficulty)
    occluders = int(rngs[1].uniform() < 0.2 * difficulty)
    picture, masks = paint(person, look, camera, light, size, rngs[2:], occluders)
    landmarks = {}
    visible = {}
    for scheme, (points, depth, facing) in person.landmarks(camera).items():
        landmarks[scheme] = points.astype(np.float32)
        visible[scheme] = ~_hidden(points, depth, picture, masks) & (facing > _TURNED_AWAY)
    landmarks["five"] = convert(landmarks["ibug68"], "ibug68", "five")
    visible["five"] = convert_visibility(visible["ibug68"], "ibug68", "five")
    image = degrade(rngs[5], picture.pixels, difficulty)
    return GeneratedFace(image, landmarks, visible, pose)
