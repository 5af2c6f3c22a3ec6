"""Training scenes: labels follow the pixels through crops, mirroring and mosaics."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from distill.data.photos.config import SceneConfig
from distill.data.photos.scene import (
    Scene,
    cut,
    ignored_beyond_edges,
    log_uniform,
    longer_sides,
    mosaic,
    sample_square,
)

FILL = 7


def marked(boxes: list[list[float]], width: int = 200, height: int = 100, ignored: tuple[int, ...] = ()) -> Scene:
    """A dark photo in which every box is white; points are its corners and its middle."""
    image = np.zeros((height, width, 3), np.uint8)
    points = []
    for x0, y0, x1, y1 in boxes:
        image[round(y0 + 0.5) : round(y1 + 0.5), round(x0 + 0.5) : round(x1 + 0.5)] = 255
        points.append([[x0, y0], [x1, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x0, y1], [x1, y1]])
    flags = np.zeros(len(boxes), bool)
    flags[list(ignored)] = True
    return Scene(
        image, np.array(boxes, np.float32).reshape(-1, 4), flags, np.array(points, np.float32).reshape(-1, 5, 2)
    )


def white_box(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    y, x = np.nonzero(image[..., 0] > 127)
    return np.array([x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5])


@pytest.mark.parametrize("flip", [False, True])
def test_box_and_points_follow_the_pixels(flip: bool) -> None:
    scene = cut(marked([[59.5, 29.5, 79.5, 59.5]]), (64.0, 75.0, 45.0), 128, flip, FILL, 1)
    assert np.allclose(scene.boxes[0], white_box(scene.image), atol=0.6)
    x0, y0, x1, y1 = scene.boxes[0]
    # The first eye is the left one of the image, mirrored or not.
    assert np.allclose(scene.points[0][[0, 1, 3, 4]], [[x0, y0], [x1, y0], [x0, y1], [x1, y1]], atol=1e-3)


def test_outside_of_the_photo_is_grey() -> None:
    scene = cut(marked([], 50, 40), (100.0, 24.5, 19.5), 100, False, FILL, 1)
    assert (scene.image[:30] == FILL).all()
    assert (scene.image[:, :25] == FILL).all()
    assert (scene.image[30:70, 25:75] == 0).all()
    assert (scene.image[70:] == FILL).all()


def test_faces_cut_off_or_too_small_are_ignored_and_those_outside_left_out() -> None:
    boxes = [[-0.5, 10, 29.5, 50], [60, 40, 66, 46], [70, 40, 99, 70], [150, 10, 180, 40]]
    scene = cut(marked(boxes), (80.0, 59.5, 49.5), 80, False, FILL, 8)
    # The square shows x from 19.5 to 99.5: of the first face a third, the second is small, the last is outside.
    assert len(scene.boxes) == 3
    assert scene.ignored.tolist() == [True, True, False]
    assert scene.boxes[0][0] == -0.5


def test_chosen_faces_get_the_size_that_was_drawn() -> None:
    config = SceneConfig(size=128, smallest=20, largest=40, background=0, enlarge=4, surround=10)
    scene = marked([[80, 40, 100, 64]])
    rng = np.random.default_rng(0)
    for _ in range(50):
        side, x, y = sample_square(scene, 128, config, rng)
        result = cut(scene, (side, x, y), 128, False, FILL, 1)
        assert 19.9 <= longer_sides(result.boxes)[0] <= 40.1
        assert result.boxes.min() > -0.5 and result.boxes.max() < 127.5  # noqa: PT018


def test_limits_of_scale() -> None:
    scene = marked([[80, 40, 84, 44]])
    config = SceneConfig(size=128, smallest=100, largest=100, background=0, enlarge=2, surround=1.5)
    assert sample_square(scene, 128, config, np.random.default_rng(0))[0] == 64
    config = replace(config, smallest=0.5, largest=0.5)
    assert sample_square(scene, 128, config, np.random.default_rng(0))[0] == 300


def test_ignored_faces_are_not_chosen() -> None:
    scene = marked([[80, 40, 84, 44]], ignored=(0,))
    config = SceneConfig(size=128, smallest=100, largest=100, background=0, enlarge=2, surround=1)
    sides = {sample_square(scene, 128, config, np.random.default_rng(seed))[0] for seed in range(5)}
    assert len(sides) == 5


def test_mosaic_moves_labels_with_their_part() -> None:
    parts = [cut(marked([]), (64.0, 50.0, 50.0), 64, False, FILL, 1) for _ in range(3)]
    parts.append(cut(marked([[59.5, 29.5, 79.5, 59.5]]), (64.0, 75.0, 45.0), 64, False, FILL, 1))
    scene = mosaic(parts)
    assert scene.image.shape == (128, 128, 3)
    assert np.allclose(scene.boxes[0], white_box(scene.image), atol=0.6)
    assert np.allclose(scene.points[0][0], scene.boxes[0][:2], atol=1e-3)
    assert scene.boxes[0][0] > 64


def test_ignored_regions_at_an_edge_go_on_beyond_it() -> None:
    """Else a prior box at the edge, most of which is outside, would be background."""
    scene = marked([[-0.5, 10, 40, 60], [50, 20, 199.5, 99.5], [60, 30, 90, 50], [-0.5, 20, 30, 40]], ignored=(0, 1, 2))
    moved = ignored_beyond_edges(scene)
    assert moved.boxes[0, 0] < -1e4
    assert moved.boxes[0, 1:].tolist() == [10, 40, 60]
    assert bool((moved.boxes[1, 2:] > 1e4).all())
    assert moved.boxes[2].tolist() == [60, 30, 90, 50]
    assert moved.boxes[3].tolist() == scene.boxes[3].tolist(), "a face that counts stays as it is"
    assert scene.boxes[0, 0] == -0.5, "the scene itself is not changed"


def test_log_uniform_stays_within_its_limits() -> None:
    values = [log_uniform(8, 32, np.random.default_rng(seed)) for seed in range(200)]
    assert 8 <= min(values) < 10
    assert 26 < max(values) <= 32
    assert 14 < np.median(values) < 18
