"""Refinement: boxes move to where the network sees the face at a fixed size."""

import numpy as np
import pytest

from distill.detection.retinaface.decode_maps import Candidates
from distill.detection.retinaface.priors import AnchorConfig, prior_boxes
from distill.detection.retinaface.refine import RefineConfig, refined
from distill.images import Photo

ANCHORS = AnchorConfig((8,), ((52.0,),))


def certain_at(x: float, y: float, score: float = 9.0):
    """Return a network that gives one prior, nearest to (x, y) of its input of 128 px, a high logit."""

    def net(image: Photo) -> list[np.ndarray]:
        height, width = image.shape[:2]
        priors = prior_boxes(ANCHORS, width, height)
        logits = np.full(len(priors), -20.0, np.float32)
        logits[np.hypot(*(priors[:, :2] - (x, y)).T).argmin()] = score
        rows, columns = height // 8, width // 8
        maps = [np.zeros((1, rows, columns, values), np.float32) for values in (1, 4, 10)]
        return [logits.reshape(1, rows, columns, 1), *maps[1:]]

    return net


def faces(*boxes: tuple[float, ...]) -> Candidates:
    count = len(boxes)
    return Candidates(np.array(boxes, float).reshape(count, 4), np.linspace(0.9, 0.8, count), np.zeros((count, 5, 2)))


def test_the_box_is_that_of_the_second_view() -> None:
    """The square shown has 2 x 100 px, so a pixel of the input is 1.5625 of the photo."""
    photo, given = np.zeros((300, 300, 3), np.uint8), faces((100, 100, 200, 200))
    result = refined(photo, given, certain_at(67.5, 59.5), ANCHORS, RefineConfig(128, 2.0))
    scale = 200 / 128
    centre = 150 + (np.array([67.5, 59.5]) - 63.5) * scale
    np.testing.assert_allclose(result.boxes[0], [*(centre - 26 * scale), *(centre + 26 * scale)], atol=1e-3)
    np.testing.assert_allclose(result.points[0], np.tile(centre, (5, 1)), atol=1e-3)


@pytest.mark.parametrize("box", [(100, 100, 110, 110), (100, 100, 200, 200)])
def test_small_faces_and_faces_not_seen_again_stay(box: tuple[int, ...]) -> None:
    given = faces(box)
    result = refined(np.zeros((300, 300, 3), np.uint8), given, certain_at(3.5, 3.5), ANCHORS)
    np.testing.assert_array_equal(result.boxes, given.boxes)
    np.testing.assert_array_equal(result.scores, given.scores)


def test_no_face() -> None:
    assert len(refined(np.zeros((30, 30, 3), np.uint8), faces(), certain_at(0, 0), ANCHORS).scores) == 0
